// Deliveries over HTTP. See sender.h.
#include "sandbox/sender.h"

#include <stdlib.h>

#include "base/require.h"

#define SEND_TIMEOUT_MS 10000
#define SEND_RESPONSE_BYTES_MAX ((size_t)64 << 10)

struct send {
    struct http_call call;
    struct http_header headers[3];
    struct sandbox_delivery delivery;
    struct arena arena;
    struct sender *sender;
};

static void done(struct http_call *call)
{
    struct send *send = CONTAINER_OF(call, struct send, call);
    struct sender *sender = send->sender;
    bool accepted = call->result == HTTP_DONE && call->status >= 200 && call->status <= 299;
    sandbox_delivery_done(sender->sandbox, loop_wall_us(sender->loop), send->delivery.account_id,
                          send->delivery.job_id, accepted);
    http_call_release(&send->call);
    arena_release(&send->arena);
    free(send);
    sender->under_way--;
    sender_run(sender);
}

static void start(struct sender *sender, struct send *send)
{
    const struct sandbox_delivery *delivery = &send->delivery;
    send->sender = sender;
    send->headers[0] = (struct http_header){"Content-Type", "application/json; charset=utf-8"};
    send->headers[1] = (struct http_header){"Stripe-Signature", delivery->signature};
    send->headers[2] = (struct http_header){"User-Agent", "Stripe/1.0 (paymentsd sandbox)"};
    send->call = (struct http_call){.method = "POST",
                                    .url = delivery->url,
                                    .headers = send->headers,
                                    .header_count = COUNT_OF(send->headers),
                                    .body = delivery->body,
                                    .body_bytes = delivery->body_bytes,
                                    .timeout_ms = SEND_TIMEOUT_MS,
                                    .response_bytes_max = SEND_RESPONSE_BYTES_MAX,
                                    .done = done};
    sender->under_way++;
    http_client_send(sender->client, &send->call);
}

void sender_run(struct sender *sender)
{
    int64_t now_us = loop_wall_us(sender->loop);
    while (!sender->closing && sender->under_way < SENDS_MAX) {
        struct send *send = calloc(1, sizeof(*send));
        REQUIRE(send != NULL);
        if (!sandbox_next_delivery(sender->sandbox, now_us, &send->arena, &send->delivery)) {
            arena_release(&send->arena);
            free(send);
            break;
        }
        start(sender, send);
    }
    persist_flush(sender->persist, sender->sandbox);
    int64_t due_us = sandbox_next_due_us(sender->sandbox);
    if (sender->closing || due_us == INT64_MAX || sender->under_way == SENDS_MAX) {
        timer_stop(sender->loop, &sender->timer);
    } else {
        timer_start(sender->loop, &sender->timer, due_us > now_us ? due_us - now_us : 0);
    }
}

static void on_timer(struct timer *timer)
{
    sender_run(CONTAINER_OF(timer, struct sender, timer));
}

void sender_open(struct sender *sender, struct sandbox *sandbox, struct persist *persist, struct loop *loop,
                 struct http_client *client)
{
    *sender = (struct sender){.sandbox = sandbox, .persist = persist, .loop = loop, .client = client};
    timer_init(&sender->timer, on_timer);
}

void sender_close(struct sender *sender)
{
    sender->closing = true;
    timer_stop(sender->loop, &sender->timer);
}
