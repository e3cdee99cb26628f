// An HTTP client on a loop of its own, and calls whose end the test waits for.
#pragma once

#include "unit_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "net/http_client.h"
#include "net/uv_loop.h"
#include "wire.h"

static struct uv_service_loop *service;
static struct http_client *client;
static int calls_left;

static inline void open_client(const struct http_client_options *options)
{
    assert_int_equal(uv_service_loop_open(&service, NULL), OK);
    assert_int_equal(http_client_curl_open(service, options, &client, NULL), OK);
    calls_left = 0;
}

static inline int open_usual_client(void **state)
{
    (void)state;
    struct http_client_options options = {
        .user_agent = "tests/1", .connections_max = 20, .host_connections_max = 10};
    open_client(&options);
    return 0;
}

static inline int close_client(void **state)
{
    (void)state;
    if (client) {
        http_client_close(client);
    }
    client = NULL;
    uv_service_loop_close(service);
    return 0;
}

static inline void call_done(struct http_call *call)
{
    (void)call;
    if (--calls_left == 0) {
        uv_service_loop_stop(service);
    }
}

struct named_call {
    struct http_call call;
    char url[200];
};

static inline void call_init(struct named_call *named, uint16_t port, const char *path)
{
    snprintf(named->url, sizeof(named->url), "http://127.0.0.1:%d%s", port, path);
    named->call = (struct http_call){.method = "GET",
                                     .url = named->url,
                                     .timeout_ms = 5000,
                                     .response_bytes_max = 1000,
                                     .done = call_done};
}

static inline void send_call(struct http_call *call)
{
    calls_left++;
    http_client_send(client, call);
}

static inline void wait_for_calls(void)
{
    if (calls_left > 0) {
        uv_service_loop_run(service);
    }
    assert_int_equal(calls_left, 0);
}
