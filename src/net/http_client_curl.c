// The client on libcurl's multi-socket interface: the loop watches the sockets and the one timer curl asks
// for. Loop thread. Invariant: a call is in `transfers` or `unsendable` from send to `done`; curl is never
// entered from its own callbacks, and `done` is called from the loop or from close, never from send.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_client_private.h"
#include "net/uv_loop.h"

#define SPARE_MAX 64
#define SWEEP_US (100 * US_PER_MS)

struct watch {
    uv_poll_t poll;
    struct curl_pool *pool;
    curl_socket_t fd;
};

static struct curl_client *curl_client_of(struct http_client *client)
{
    return CONTAINER_OF(client, struct curl_client, base);
}

static void transfer_finish(struct transfer *transfer)
{
    struct curl_client *client = transfer->client;
    struct http_call *call = transfer->call;
    list_remove(&transfer->link);
    transfer_reset(transfer);
    call->transfer = NULL;
    // A handle whose call failed is not used again: curl 7.88 may keep the call's buffer in it, and then
    // refuses options.
    if (call->result == HTTP_DONE && client->spare_count < SPARE_MAX && !client->closing) {
        list_append(&client->spare, &transfer->link);
        client->spare_count++;
    } else {
        transfer_free(transfer);
    }
    call->done(call);
}

static void transfer_end(struct transfer *transfer, CURLcode code)
{
    transfer_conclude(transfer, code);
    REQUIRE(curl_multi_remove_handle(transfer->pool->multi, transfer->easy) == CURLM_OK);
    transfer_finish(transfer);
}

static void pool_act(struct curl_pool *pool, curl_socket_t fd, int events)
{
    int running = 0;
    REQUIRE(curl_multi_socket_action(pool->multi, fd, events, &running) == CURLM_OK);
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(pool->multi, &left); message;
         message = curl_multi_info_read(pool->multi, &left)) {
        struct transfer *transfer = NULL;
        REQUIRE(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK);
        transfer_end(transfer, message->data.result);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct watch *watch = CONTAINER_OF(handle, struct watch, poll);
    int curl_events = status < 0 ? CURL_CSELECT_ERR : 0;
    curl_events |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    curl_events |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    pool_act(watch->pool, watch->fd, curl_events); // may close the watch
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct watch, poll));
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *cls, void *socket_data)
{
    (void)easy;
    struct curl_pool *pool = cls;
    struct watch *watch = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            REQUIRE(curl_multi_assign(pool->multi, fd, NULL) == CURLM_OK);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof(*watch));
        REQUIRE(watch != NULL);
        watch->pool = pool;
        watch->fd = fd;
        REQUIRE(uv_poll_init_socket(pool->client->uv, &watch->poll, fd) == 0);
        REQUIRE(curl_multi_assign(pool->multi, fd, watch) == CURLM_OK);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    REQUIRE(uv_poll_start(&watch->poll, events, on_poll) == 0);
    return 0;
}

static void on_pool_timer(uv_timer_t *handle)
{
    pool_act(handle->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long wait_ms, void *cls)
{
    (void)multi;
    struct curl_pool *pool = cls;
    int failed = wait_ms < 0 ? uv_timer_stop(&pool->timer)
                             : uv_timer_start(&pool->timer, on_pool_timer, (uint64_t)wait_ms, 0);
    REQUIRE(failed == 0);
    return 0;
}

// curl looks at a call's time-out only once the call has a connection; this ends those that wait for one, and
// those that are given up. The others have ended by themselves: a deadline here comes a sweep after curl's
// own.
static void on_sweep(struct timer *timer)
{
    struct curl_client *client = CONTAINER_OF(timer, struct curl_client, sweep);
    int64_t late_us = loop_mono_us(client->loop) - SWEEP_US;
    struct list late;
    list_init(&late);
    LIST_EACH_SAFE(&client->transfers, node, after)
    {
        if (CONTAINER_OF(node, struct transfer, link)->deadline_us < late_us) {
            list_remove(node);
            list_append(&late, node);
        }
    }
    while (!list_empty(&late)) {
        transfer_end(CONTAINER_OF(late.next, struct transfer, link), CURLE_OPERATION_TIMEDOUT);
    }
    if (!list_empty(&client->transfers)) {
        timer_start(client->loop, &client->sweep, SWEEP_US);
    }
}

static void give_back_first(struct curl_client *client)
{
    struct transfer *transfer = CONTAINER_OF(client->unsendable.next, struct transfer, link);
    transfer->call->result = HTTP_NOT_SENT;
    snprintf(transfer->call->error, sizeof(transfer->call->error), "%s",
             client->closing ? "the client is closing" : "a header holds a line break");
    transfer_finish(transfer);
}

static void on_give_back(struct timer *timer)
{
    struct curl_client *client = CONTAINER_OF(timer, struct curl_client, give_back);
    while (!list_empty(&client->unsendable)) {
        give_back_first(client);
    }
}

static void curl_client_send(struct http_client *base, struct http_call *call)
{
    struct curl_client *client = curl_client_of(base);
    struct list *spare = list_take_first(&client->spare);
    client->spare_count -= spare != NULL;
    struct transfer *transfer = spare ? CONTAINER_OF(spare, struct transfer, link) : transfer_new(client);
    bool sendable = transfer_prepare(transfer, call);
    if (!sendable || client->closing) {
        list_append(&client->unsendable, &transfer->link);
        timer_start(client->loop, &client->give_back, 0);
        return;
    }
    if (list_empty(&client->transfers)) {
        timer_start(client->loop, &client->sweep, SWEEP_US);
    }
    list_append(&client->transfers, &transfer->link);
    REQUIRE(curl_multi_add_handle(transfer->pool->multi, transfer->easy) ==
            CURLM_OK); // goes out in the loop's next turn
}

static void curl_client_give_up(struct http_client *base, struct http_call *call)
{
    (void)base;
    struct transfer *transfer = call->transfer;
    transfer->deadline_us = 0; // the next sweep ends it
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct curl_pool *pool = handle->data;
    if (--pool->client->open_handles == 0) {
        free(pool->client);
        curl_global_cleanup();
    }
}

static void pool_close(struct curl_pool *pool)
{
    REQUIRE(curl_multi_cleanup(pool->multi) ==
            CURLM_OK); // calls on_curl_socket and on_curl_timer a last time
    uv_close((uv_handle_t *)&pool->timer, on_handle_closed);
}

static void curl_client_close(struct http_client *base)
{
    struct curl_client *client = curl_client_of(base);
    client->closing = true;
    while (!list_empty(&client->transfers)) {
        struct transfer *transfer = CONTAINER_OF(client->transfers.next, struct transfer, link);
        transfer_end(transfer, CURLE_ABORTED_BY_CALLBACK);
    }
    while (!list_empty(&client->unsendable)) { // also those that a `done` has sent just now
        give_back_first(client);
    }
    timer_stop(client->loop, &client->sweep);
    timer_stop(client->loop, &client->give_back);
    for (struct list *node = list_take_first(&client->spare); node; node = list_take_first(&client->spare)) {
        transfer_free(CONTAINER_OF(node, struct transfer, link));
    }
    pool_close(&client->open);
    pool_close(&client->public_only);
}

static void pool_open(struct curl_pool *pool, struct curl_client *client)
{
    pool->client = client;
    pool->multi = curl_multi_init();
    REQUIRE(pool->multi != NULL);
    REQUIRE(uv_timer_init(client->uv, &pool->timer) == 0);
    pool->timer.data = pool;
    client->open_handles++;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, client->options.connections_max);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, client->options.connections_max);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, client->options.host_connections_max);
}

enum errc http_client_curl_open(struct uv_service_loop *loop, const struct http_client_options *options,
                                struct http_client **client, struct err *err)
{
    static const struct http_client_ops ops = {
        .send = curl_client_send, .give_up = curl_client_give_up, .close = curl_client_close};
    REQUIRE(options->connections_max > 0 && options->connections_max <= 1000 &&
            options->host_connections_max > 0);
    (void)signal(SIGPIPE, SIG_IGN); // libcurl leaves that to us: OpenSSL writes to sockets that may be closed
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(err, ERR_IO, "libcurl does not start");
    }
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)) {
        curl_global_cleanup();
        return err_set(err, ERR_IO,
                       "this libcurl resolves names on the calling thread, which would stop the service");
    }
    struct curl_client *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->base.ops = &ops;
    opened->loop = uv_service_loop_base(loop);
    opened->uv = uv_service_loop_uv(loop);
    opened->options = *options;
    list_init(&opened->transfers);
    list_init(&opened->unsendable);
    list_init(&opened->spare);
    timer_init(&opened->give_back, on_give_back);
    timer_init(&opened->sweep, on_sweep);
    pool_open(&opened->open, opened);
    pool_open(&opened->public_only, opened);
    *client = &opened->base;
    return OK;
}
