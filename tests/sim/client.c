// See client.h.
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "fake_server.h"
#include "service.h"
#include "world.h"

#define REQUESTS_MAX 16384
#define REPLY_KEPT_US (INT64_C(24) * 3600 * US_PER_S) // a repeat within this gets the same bytes

struct attempt {
    struct client_request *request;
    bool ended;
};

struct client_request *client_requests[REQUESTS_MAX];
size_t client_request_count;

static void send_attempt(void *context);

bool client_is_busy(void)
{
    for (size_t i = 0; i < client_request_count; i++) {
        if (!client_requests[i]->ended || client_requests[i]->in_progress) {
            return true;
        }
    }
    return false;
}

static void retry_later(struct client_request *request)
{
    if (request->ended) {
        return; // only the repeat of an answered request was lost
    }
    if (fault_one_in(12)) {
        request->ended = true; // the client gives up and never asks again
        return;
    }
    world_after(random_between(100000, world.faults_off ? 2 * US_PER_S : 30 * US_PER_S), send_attempt,
                request);
}

static void accept_first_answer(struct client_request *request, const struct fake_server_answer *answer)
{
    struct json_object *body JSON_CLEANUP = NULL;
    request->status = answer->status;
    request->answer = strdup(answer->body);
    request->answered_us = world.now_us;
    request->ended = true;
    if (json_parse(answer->body, strlen(answer->body), &body, NULL) != OK) {
        violation("an answer is no JSON: %.80s", answer->body);
    } else if (request->then != NULL) {
        request->then(request, json_get(body, "data"));
    }
    if (request->key != NULL && random_below(4) == 0) { // the caller's job runs again
        world.counts.replays++;
        world_after(random_between(0, 300 * US_PER_S), send_attempt, request);
    }
}

static void check_same_answer(struct client_request *request, const struct fake_server_answer *answer)
{
    bool same = answer->status == request->status && text_equal(answer->body, request->answer);
    if (!same && world.now_us - request->answered_us < REPLY_KEPT_US) {
        violation("key %s was answered %s and then %s", request->key, request->answer, answer->body);
    }
}

static bool is_temporary(const struct fake_server_answer *answer)
{
    return answer->status == 0 || answer->status == 429 || answer->status >= 500 ||
           (answer->status == 409 && strstr(answer->body, "IDEMPOTENCY_IN_PROGRESS") != NULL);
}

static void answered(void *context, const struct fake_server_answer *answer)
{
    struct attempt *attempt = context;
    struct client_request *request = attempt->request;
    if (attempt->ended) {
        return; // the client has hung up
    }
    attempt->ended = true;
    request->in_progress = false;
    note("client: %s %s %s -> %d", request->method, request->path, request->key != NULL ? request->key : "",
         answer->status);
    if (is_temporary(answer)) {
        retry_later(request);
    } else if (answer->status >= 300) {
        if (request->status != 0 && request->key != NULL) {
            violation("key %s was answered %d and then refused: %s", request->key, request->status,
                      answer->body);
        }
        request->ended = true;
    } else if (request->status == 0) {
        world.counts.answers++;
        accept_first_answer(request, answer);
    } else {
        check_same_answer(request, answer);
    }
}

static void hang_up(void *context)
{
    struct attempt *attempt = context;
    if (!attempt->ended) {
        attempt->ended = true;
        attempt->request->in_progress = false;
        world.counts.hang_ups++;
        retry_later(attempt->request);
    }
}

static void send_attempt(void *context)
{
    struct client_request *request = context;
    const char *api_key = service.merchants[request->merchant].api_key;
    const struct http_header headers[] = {{"X-API-Key", api_key}, {"Idempotency-Key", request->key}};
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    REQUIRE(attempt != NULL);
    attempt->request = request;
    request->attempts++;
    request->in_progress = true;
    world_after(random_below(8) == 0 ? random_between(1000, 10 * US_PER_S) : 60 * US_PER_S, hang_up, attempt);
    fake_server_send(&(struct fake_server_request){
        .method = request->method,
        .path = request->path,
        .headers = headers,
        .header_count = request->key != NULL ? 2 : 1,
        .body = request->body,
        .answered = answered,
        .context = attempt,
    });
}

struct client_request *client_send(const struct client_request *template, int64_t delay_us)
{
    REQUIRE(client_request_count < REQUESTS_MAX);
    struct client_request *request = calloc(1, sizeof(*request));
    REQUIRE(request != NULL);
    *request = *template;
    request->path = strdup(template->path);
    request->key = template->key != NULL ? strdup(template->key) : NULL;
    request->body = template->body != NULL ? strdup(template->body) : NULL;
    client_requests[client_request_count++] = request;
    world_after(delay_us, send_attempt, request);
    return request;
}
