// The other side of the service while it is measured: a Stripe that confirms every payment, and the
// merchant's webhook endpoint. It does far less than the sandbox, so that it does not bound what is measured.
//   upstream PORT TEMPLATE LATENCY_MS
// The file TEMPLATE is the answer to a new PaymentIntent, with @id@, @amount@, @currency@ and @payment@ for
// what differs. Lists are empty. GET /stats answers the number of webhooks so far.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/form.h"
#include "net/http_server.h"
#include "net/uv_loop.h"

#define CONNECTIONS_MAX 20000
#define BODY_BYTES_MAX ((size_t)64 << 10)
#define TEMPLATE_BYTES_MAX ((size_t)64 << 10)
#define HEAD_BYTES_MAX ((size_t)8 << 10)
#define TIMEOUT_S 600
#define FNV_PRIME UINT64_C(0x100000001b3)

struct upstream {
    struct loop *loop;
    char template[TEMPLATE_BYTES_MAX];
    int64_t latency_us;
    uint64_t intents;
    uint64_t webhooks;
    struct list late; // of struct late; all have the same latency, so they stay in order
    struct timer timer;
};

// An answer that is not due yet. In the exchange's arena.
struct late {
    struct list link;
    struct http_exchange *exchange;
    struct buf body;
    int64_t due_us;
};

static void reply(struct http_exchange *exchange, const char *body, size_t bytes)
{
    http_exchange_reply(
        exchange, &(struct http_reply){
                      .status = 200, .content_type = "application/json", .body = body, .body_bytes = bytes});
}

static void send_due(struct timer *timer)
{
    struct upstream *upstream = CONTAINER_OF(timer, struct upstream, timer);
    while (!list_empty(&upstream->late)) {
        struct late *late = CONTAINER_OF(upstream->late.next, struct late, link);
        const int64_t wait_us = late->due_us - loop_mono_us(upstream->loop);
        if (wait_us > 0) {
            timer_start(upstream->loop, timer, wait_us);
            return;
        }
        list_remove(&late->link);
        struct buf body = late->body;
        reply(late->exchange, body.data, body.len);
        buf_release(&body);
    }
}

static void reply_late(struct upstream *upstream, struct http_exchange *exchange, struct buf body)
{
    struct late *late = ARENA_NEW(&exchange->arena, struct late);
    late->exchange = exchange;
    late->body = body;
    late->due_us = loop_mono_us(upstream->loop) + upstream->latency_us;
    list_append(&upstream->late, &late->link);
    send_due(&upstream->timer);
}

static uint64_t hash_of(const char *text, uint64_t hash)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    }
    return hash;
}

// The value that stands for a name of the template: that of the form's field, or the id.
static const char *value_of(const char *name, const struct form *form, const char *id)
{
    if (text_equal(name, "id")) {
        return id;
    }
    const char *value = form_get(form, text_equal(name, "payment") ? "metadata[payment_id]" : name);
    return value != NULL ? value : "";
}

static void fill_template(struct upstream *upstream, struct http_exchange *exchange, const char *key,
                          struct buf *out)
{
    struct err err;
    struct form form;
    REQUIRE(form_parse(buf_str(&exchange->body), exchange->body.len, &exchange->arena, &form, &err) == OK);
    // As Stripe's, it begins with the second, so an index of ids is written at its end. In Stripe's
    // documentation ch_3MmlLrLkdIwHu7ix0snN0B15 was created at 1679090539 and pi_3MtwBwLkdIwHu7ix28a3tqPa at
    // 1680800504. MmlLr and MtwBw, as numbers to base 62, differ by just as much.
    const char *id = arena_printf(&exchange->arena, "%08x%016" PRIx64,
                                  (unsigned)(loop_wall_us(upstream->loop) / US_PER_S), hash_of(key, 1));
    char *rest = arena_strdup(&exchange->arena, upstream->template);
    for (bool is_name = false; rest != NULL; is_name = !is_name) {
        const char *part = strsep(&rest, "@");
        buf_add_str(out, is_name ? value_of(part, &form, id) : part);
    }
}

static void on_head(struct http_exchange *exchange, void *context)
{
    (void)context;
    exchange->body_bytes_max = BODY_BYTES_MAX;
}

static void on_request(struct http_exchange *exchange, void *context)
{
    static const char empty_list[] = "{\"object\":\"list\",\"data\":[],\"has_more\":false}";
    struct upstream *upstream = context;
    const char *key = http_exchange_header(exchange, "Idempotency-Key", NULL);
    if (text_equal(exchange->path, "/v1/payment_intents") && key != NULL) {
        struct buf body = BUF_MAX(TEMPLATE_BYTES_MAX);
        upstream->intents++;
        fill_template(upstream, exchange, key, &body);
        reply_late(upstream, exchange, body);
    } else if (text_equal(exchange->path, "/webhook")) {
        upstream->webhooks++;
        reply(exchange, "", 0);
    } else if (text_equal(exchange->path, "/counts")) {
        const char *counts = arena_printf(&exchange->arena, "[%" PRIu64 ", %" PRIu64 "]", upstream->intents,
                                          upstream->webhooks);
        reply(exchange, counts, strlen(counts));
    } else {
        if (text_equal(exchange->path, "/latency")) {
            upstream->latency_us = strtol(exchange->query, NULL, 10) * 1000;
        }
        reply(exchange, empty_list, sizeof(empty_list) - 1);
    }
}

static void on_too_large(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
    REQUIRE(!"a body that the service would send");
}

static void on_end(struct http_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

int main(int argc, char **argv)
{
    struct err err;
    static struct upstream upstream;
    struct uv_service_loop *service = NULL;
    struct http_server *server = NULL;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: upstream TEMPLATE\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    REQUIRE(file != NULL && fread(upstream.template, 1, TEMPLATE_BYTES_MAX - 1, file) > 0);
    (void)fclose(file);
    list_init(&upstream.late);
    timer_init(&upstream.timer, send_due);
    REQUIRE(uv_service_loop_open(&service, &err) == OK);
    upstream.loop = uv_service_loop_base(service);
    const struct http_server_options options = {.listen = "127.0.0.1:0",
                                                .connections_max = CONNECTIONS_MAX,
                                                .idle_timeout_s = TIMEOUT_S,
                                                .request_timeout_s = TIMEOUT_S,
                                                .head_bytes_max = HEAD_BYTES_MAX,
                                                .on_head = on_head,
                                                .on_request = on_request,
                                                .on_too_large = on_too_large,
                                                .on_end = on_end,
                                                .context = &upstream};
    REQUIRE(http_server_open(service, &options, &server, &err) == OK);
    (void)printf("listening on http://127.0.0.1:%u\n", http_server_port(server));
    (void)fflush(stdout);
    uv_service_loop_run(service);
    return 0;
}
