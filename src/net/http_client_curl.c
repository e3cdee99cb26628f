// The HTTP/1.1 client on libcurl's multi-socket interface: the loop watches the sockets and the timer that
// libcurl asks for. Loop thread.
//
// libcurl has no more calls than it may have connections. All others wait in the pool's queue, which the
// callers bound: by PAYMENTS_OPERATIONS, PAYMENTS_WEBHOOK_IN_FLIGHT and, in the sandbox, SENDS_MAX.
// Invariants: a call is in `transfers` or `refused` from send to `done`; libcurl is never entered from its
// own callbacks; `done` is called from the loop or from close, never from send.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"
#include "net/http_client_private.h"
#include "net/uv_loop.h"

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

// Ends a call that libcurl does not get, in the loop's next turn.
static void refuse(struct transfer *transfer, enum http_result result, const char *error)
{
    struct curl_client *client = transfer->client;
    transfer->call->result = result;
    snprintf(transfer->call->error, sizeof(transfer->call->error), "%s", error);
    list_remove(&transfer->link);
    list_append(&client->refused, &transfer->link);
    timer_start(client->loop, &client->finish_refused, 0);
}

static bool pool_add(struct transfer *transfer, CURL *easy, bool is_new)
{
    REQUIRE(easy != NULL);
    if (!transfer_prepare(transfer, easy, is_new)) {
        return false;
    }
    bool added = curl_multi_add_handle(transfer->pool->multi, easy) == CURLM_OK;
    if (!added) {
        transfer_drop_easy(transfer);
    }
    return added;
}

// Hands queued calls to libcurl while it has connections for them. They go out in the loop's next turn.
// Called after calls were added or have ended.
static void pool_start(struct curl_pool *pool)
{
    struct curl_client *client = pool->client;
    for (struct http_queue_entry *entry = http_queue_take(&pool->queue); entry;
         entry = http_queue_take(&pool->queue)) {
        struct transfer *transfer = CONTAINER_OF(entry, struct transfer, entry);
        bool added =
            client->spare_count > 0 && pool_add(transfer, client->spare[--client->spare_count], false);
        // libcurl may refuse a handle that has served before, and take a new one.
        if (!added && !pool_add(transfer, curl_easy_init(), true)) {
            refuse(transfer, HTTP_NOT_SENT, "libcurl refuses the call");
        }
    }
}

static void transfer_finish(struct transfer *transfer)
{
    struct http_call *call = transfer->call;
    list_remove(&transfer->link);
    if (transfer->entry.host) {
        http_queue_remove(&transfer->pool->queue, &transfer->entry);
    }
    transfer_free(transfer);
    call->transfer = NULL;
    call->done(call);
}

static void transfer_end(struct transfer *transfer, CURLcode code)
{
    struct curl_client *client = transfer->client;
    transfer_conclude(transfer, code);
    bool removed =
        transfer->easy && curl_multi_remove_handle(transfer->pool->multi, transfer->easy) == CURLM_OK;
    // A handle whose call failed is not used again: libcurl 7.88 may keep the call's buffer in it, and then
    // refuses options.
    if (removed && transfer->call->result == HTTP_DONE && client->spare_count < SPARE_MAX &&
        !client->closing && transfer_give_back(transfer)) {
        client->spare[client->spare_count++] = transfer->easy;
        transfer->easy = NULL;
    }
    transfer_finish(transfer);
}

// Lets libcurl act on an event, and ends the calls that it has finished. Where libcurl fails for want of
// memory, the call ends at its deadline.
static void pool_act(struct curl_pool *pool, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(pool->multi, fd, events, &running);
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(pool->multi, &left); message;
         message = curl_multi_info_read(pool->multi, &left)) {
        struct transfer *transfer = NULL;
        REQUIRE(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK);
        transfer_end(transfer, message->data.result);
    }
    pool_start(pool);
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

static struct watch *watch_open(struct curl_pool *pool, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    REQUIRE(watch != NULL);
    watch->pool = pool;
    watch->fd = fd;
    if (uv_poll_init_socket(pool->client->uv, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    if (curl_multi_assign(pool->multi, fd, watch) != CURLM_OK) {
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return NULL;
    }
    return watch;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *cls, void *socket_data)
{
    struct curl_pool *pool = cls;
    struct watch *watch = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            (void)curl_multi_assign(pool->multi, fd, NULL); // refused if libcurl has forgotten the socket
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    watch = watch ? watch : watch_open(pool, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!watch || uv_poll_start(&watch->poll, events, on_poll) != 0) {
        // The call whose socket cannot be watched ends in the next sweep. If libcurl were told, it would end
        // all calls.
        struct transfer *transfer = NULL;
        REQUIRE(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) == CURLE_OK);
        if (transfer) { // else it is libcurl's own, for a connection that it closes
            transfer->deadline_us = 0;
        }
    }
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

// Ends calls whose time is over: those that wait in a queue, those that were abandoned, and those that could
// only be written too late. libcurl ends all others itself: a deadline here comes a sweep after libcurl's
// own.
static void on_sweep(struct timer *timer)
{
    struct curl_client *client = CONTAINER_OF(timer, struct curl_client, sweep);
    int64_t late_us = loop_mono_us(client->loop) - SWEEP_US;
    struct list over;
    list_init(&over);
    LIST_EACH_SAFE(&client->transfers, node, after)
    {
        struct transfer *transfer = CONTAINER_OF(node, struct transfer, link);
        transfer->too_late |= transfer_is_too_late(transfer);
        if (transfer->too_late || transfer->deadline_us < late_us) {
            list_remove(node);
            list_append(&over, node);
        }
    }
    while (!list_empty(&over)) {
        transfer_end(CONTAINER_OF(over.next, struct transfer, link), CURLE_OPERATION_TIMEDOUT);
    }
    pool_start(&client->open);
    pool_start(&client->public_only);
    if (!list_empty(&client->transfers)) {
        timer_start(client->loop, &client->sweep, SWEEP_US);
    }
}

static void finish_refused(struct curl_client *client)
{
    while (!list_empty(&client->refused)) {
        transfer_finish(CONTAINER_OF(client->refused.next, struct transfer, link));
    }
}

static void on_finish_refused(struct timer *timer)
{
    struct curl_client *client = CONTAINER_OF(timer, struct curl_client, finish_refused);
    finish_refused(client);
    pool_start(&client->open);
    pool_start(&client->public_only);
}

static void curl_client_send(struct http_client *base, struct http_call *call)
{
    struct curl_client *client = curl_client_of(base);
    struct transfer *transfer = transfer_new(client, call);
    if (client->closing) {
        refuse(transfer, HTTP_NOT_SENT, "the client is closing");
        return;
    }
    if (!transfer_is_sendable(transfer)) {
        refuse(transfer, HTTP_NOT_SENT, "a header holds a line break");
        return;
    }
    if (client->options.proxy != NULL && call->public_only && transfer_names_forbidden_address(transfer)) {
        refuse(transfer, HTTP_FORBIDDEN, "the host is an address that may not be reached");
        return;
    }
    if (list_empty(&client->transfers)) {
        timer_start(client->loop, &client->sweep, SWEEP_US);
    }
    list_append(&client->transfers, &transfer->link);
    http_queue_add(&transfer->pool->queue, &transfer->entry, call->url);
    pool_start(transfer->pool);
}

static void curl_client_abandon(struct http_client *base, struct http_call *call)
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
    if (pool->multi) {
        // Calls on_curl_socket and on_curl_timer a last time.
        REQUIRE(curl_multi_cleanup(pool->multi) == CURLM_OK);
    }
    http_queue_release(&pool->queue);
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
    finish_refused(client); // also those that a `done` has sent just now
    timer_stop(client->loop, &client->sweep);
    timer_stop(client->loop, &client->finish_refused);
    while (client->spare_count > 0) {
        curl_easy_cleanup(client->spare[--client->spare_count]);
    }
    pool_close(&client->open);
    pool_close(&client->public_only);
}

// False: libcurl cannot do what is needed. The pool is to be closed in any case.
static bool pool_open(struct curl_pool *pool, struct curl_client *client)
{
    const struct http_client_options *options = &client->options;
    pool->client = client;
    http_queue_init(&pool->queue, (size_t)options->connections_max, (size_t)options->host_connections_max);
    REQUIRE(uv_timer_init(client->uv, &pool->timer) == 0);
    pool->timer.data = pool;
    client->open_handles++;
    pool->multi = curl_multi_init();
    CURLM *multi = pool->multi;
    // The connections of the calls under way and those that are kept. If these are too many, libcurl closes
    // one that is kept.
    return multi && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, options->connections_max) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, options->connections_max) == CURLM_OK;
}

enum errc http_client_curl_open(struct uv_service_loop *loop, const struct http_client_options *options,
                                struct http_client **client, struct err *err)
{
    static const struct http_client_ops ops = {
        .send = curl_client_send, .abandon = curl_client_abandon, .close = curl_client_close};
    REQUIRE(options->connections_max > 0 && options->connections_max <= 1000 &&
            options->host_connections_max > 0);
    (void)signal(SIGPIPE, SIG_IGN); // libcurl leaves that to us: OpenSSL writes to sockets that may be closed
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(err, ERR_IO, "libcurl cannot be started");
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
    list_init(&opened->refused);
    timer_init(&opened->finish_refused, on_finish_refused);
    timer_init(&opened->sweep, on_sweep);
    bool open = pool_open(&opened->open, opened);
    bool public_only = pool_open(&opened->public_only, opened);
    if (!open || !public_only) {
        curl_client_close(&opened->base);
        return err_set(err, ERR_IO, "libcurl cannot be started");
    }
    *client = &opened->base;
    return OK;
}
