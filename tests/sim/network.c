// See network.h. A request is copied as it leaves; its sender may be gone by the time of the answer.
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "base/table.h"
#include "base/text.h"
#include "connections.h"
#include "endpoints.h"
#include "service.h"
#include "stripe_side.h"
#include "world.h"

struct parcel {
    struct arena arena;
    struct http_call *call; // NULL: it was answered, or its sender is gone
    int life;
    struct stream stream; // of a call to Stripe
    const char *method;
    const char *target; // path and query
    struct http_header *headers;
    size_t header_count;
    const char *body;
    // How it ends.
    bool over; // the client has ended it: no answer counts any more
    enum http_result result;
    const char *error;
    struct stripe_reply reply;
    struct table_node by_key;
};

static const int error_statuses[] = {500, 502, 503, 504, 429, 409, 424};
static struct table last_sent; // under each idempotency key
static int64_t errors_until_us;
static int error_status;

// While it answers errors, all that is asked gets the same: an answer of another kind now and then would be
// the end of it to the service.
void network_stripe_down_until(int64_t until_us)
{
    uint64_t how = dice(4);
    if (how < 2) {
        connections_down_until(until_us, how == 0);
    } else {
        errors_until_us = until_us;
        error_status = error_statuses[dice(COUNT_OF(error_statuses))];
        note("Stripe answers %d until %lld", error_status, (long long)(until_us / US_PER_S));
    }
}

static const char *parcel_header(const struct parcel *parcel, const char *name)
{
    for (size_t i = 0; i < parcel->header_count; i++) {
        if (text_equal_nocase(parcel->headers[i].name, name)) {
            return parcel->headers[i].value;
        }
    }
    return NULL;
}

// --- the way back

static void copy_reply(struct http_call *call, const struct stripe_reply *reply)
{
    call->status = reply->status;
    for (size_t i = 0; i < reply->header_count && i < HTTP_RESPONSE_HEADERS_MAX; i++) {
        call->response_headers[call->response_header_count++] =
            (struct http_header){arena_strdup(&call->arena, reply->headers[i].name),
                                 arena_strdup(&call->arena, reply->headers[i].value)};
    }
    call->response_body = BUF_MAX(call->response_bytes_max);
    buf_add_str(&call->response_body, reply->body != NULL ? reply->body : "");
}

static void hand_over(void *about)
{
    struct parcel *parcel = about;
    struct http_call *call = parcel->call;
    if (call == NULL || !service.up || parcel->life != service.life) {
        return;
    }
    parcel->call = NULL;
    connections_leave(&parcel->stream);
    call->result = parcel->result;
    if (parcel->result == HTTP_DONE) {
        copy_reply(call, &parcel->reply);
    } else {
        (void)snprintf(call->error, sizeof(call->error), "%s", parcel->error);
    }
    call->done(call);
}

static void reach_client(void *about)
{
    struct parcel *parcel = about;
    if (connections_hears(&parcel->stream)) {
        hand_over(parcel);
    }
}

// What comes from the other side ends it, if it reaches the client.
static void end(struct parcel *parcel, int64_t delay_us, enum http_result result, const char *error)
{
    if (!parcel->over) {
        parcel->result = result;
        parcel->error = error;
        world_after(delay_us, reach_client, parcel);
    }
}

void network_end(struct stream *stream, enum http_result result, const char *error)
{
    struct parcel *parcel = CONTAINER_OF(stream, struct parcel, stream);
    parcel->over = true;
    parcel->result = result;
    parcel->error = error;
    world_after(0, hand_over, parcel);
}

static void time_out(void *about)
{
    struct parcel *parcel = about;
    if (parcel->call != NULL && !parcel->over) {
        world.counts.late_answers++;
        parcel->over = true;
        parcel->result = connections_waits(&parcel->stream) ? HTTP_NOT_SENT : HTTP_CUT;
        parcel->error = "no answer in time";
        connections_suspect(&parcel->stream);
        hand_over(parcel);
    }
}

// The answer is on its way back, and may not arrive as it was sent.
static void send_back(struct parcel *parcel, int64_t delay_us)
{
    if (fault_in(20)) {
        world.counts.answers_lost++;
        end(parcel, dice_between(1000, 30 * US_PER_S), HTTP_CUT, "the stream was reset");
    } else if (fault_in(60)) {
        world.counts.answers_cut++; // a proxy that hands on what it has
        size_t bytes = strlen(parcel->reply.body != NULL ? parcel->reply.body : "");
        parcel->reply.body = arena_strndup(&parcel->arena, parcel->reply.body, dice(bytes + 1));
        end(parcel, delay_us, HTTP_DONE, NULL);
    } else if (fault_in(40)) {
        end(parcel, delay_us + dice_between(1, 200) * US_PER_S, HTTP_DONE, NULL); // perhaps after its time
    } else {
        end(parcel, delay_us, HTTP_DONE, NULL);
    }
}

// --- to Stripe

// Returns how long the answer takes.
static int64_t process(struct parcel *parcel, struct stripe_reply *reply)
{
    struct stripe_request request = {
        .method = parcel->method,
        .target = parcel->target,
        .authorization = parcel_header(parcel, "Authorization"),
        .version = parcel_header(parcel, "Stripe-Version"),
        .idempotency_key = parcel_header(parcel, "Idempotency-Key"),
        .body = parcel->body,
    };
    return stripe_side_handle(&request, &parcel->arena, reply);
}

static struct parcel *parcel_of(struct writing *writing)
{
    return CONTAINER_OF(writing->stream, struct parcel, stream);
}

static void arrive_at_stripe(void *about)
{
    struct writing *writing = about;
    struct parcel *parcel = parcel_of(writing);
    if (writing->lost) {
        return;
    }
    struct stripe_reply reply = {0};
    writing->taken = true;
    int64_t delay_us = process(parcel, &reply);
    if (parcel->call != NULL) {
        parcel->reply = reply;
        int64_t work_us = dice(3) == 0 ? dice_between(0, 2 * US_PER_S) : 0;
        send_back(parcel, delay_us + work_us + dice_between(500, 20000));
    }
}

// A double is carried out, and its answer is nobody's.
static void arrive_again(void *about)
{
    struct writing *writing = about;
    struct stripe_reply reply = {0};
    if (!writing->lost) {
        writing->taken = true;
        (void)process(parcel_of(writing), &reply);
    }
}

static void answer_error(struct writing *writing, int status)
{
    static struct http_header again[] = {{"Retry-After", "2"}};
    struct parcel *parcel = parcel_of(writing);
    world.counts.provider_errors++;
    writing->taken = true;
    parcel->reply = (struct stripe_reply){
        .status = status,
        .headers = again,
        .header_count = status == 429 ? 1 : 0,
        .body = dice(4) == 0 ? "<html>Bad Gateway</html>"
                             : "{\"error\":{\"type\":\"api_error\",\"message\":\"made on purpose\"}}",
    };
    end(parcel, dice_between(500, 50000), HTTP_DONE, NULL);
}

// Stripe's side begins with it, and it comes to nothing.
static void lose_request(struct writing *writing)
{
    world.counts.requests_lost++;
    writing->taken = true;
    if (dice(2) == 0) { // else it is never heard of again
        end(parcel_of(writing), dice_between(1000, 30 * US_PER_S), HTTP_CUT, "the stream was reset");
    }
}

void network_write(struct writing *writing)
{
    struct parcel *parcel = parcel_of(writing);
    int64_t way_us = dice_between(500, 20000);
    stripe_side_watch(parcel->method, parcel->target, parcel_header(parcel, "Idempotency-Key"));
    if (writing->lost) {
        return;
    }
    if (world.now_us < errors_until_us && !world.calm) {
        answer_error(writing, error_status);
    } else if (fault_in(40)) {
        answer_error(writing, error_statuses[dice(COUNT_OF(error_statuses))]);
    } else if (fault_in(25)) {
        lose_request(writing);
    } else {
        if (fault_in(30)) {
            world.counts.requests_doubled++;
            world_after(way_us + dice_between(0, 2 * US_PER_S), arrive_again, writing);
        }
        if (fault_in(40)) {
            way_us += dice_between(1, 100) * US_PER_S; // it overtakes nobody, and is overtaken by many
        }
        world_after(way_us, arrive_at_stripe, writing);
    }
}

// --- to merchants

static void arrive_at_merchant(void *about)
{
    struct parcel *parcel = about;
    endpoint_receive(parcel_header(parcel, "X-Event-Id"), parcel_header(parcel, "X-Payments-Timestamp"),
                     parcel_header(parcel, "X-Payments-Signature"), parcel->body);
    parcel->reply = (struct stripe_reply){.status = 200};
    send_back(parcel, dice_between(500, 20000));
}

static void send_to_merchant(struct parcel *parcel)
{
    int64_t way_us = dice_between(500, 20000);
    if (fault_in(15)) {
        world.counts.endpoint_failures++;
        parcel->reply = (struct stripe_reply){.status = dice(2) == 0 ? 500 : 302};
        end(parcel, way_us, HTTP_DONE, NULL);
    } else if (fault_in(40)) {
        world.counts.endpoint_failures++; // it stalls
    } else {
        world_after(way_us, arrive_at_merchant, parcel);
    }
}

// --- the service's clients

static struct parcel *pack(struct http_call *call)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    REQUIRE(parcel != NULL);
    const char *host = strstr(call->url, "://") + 3;
    parcel->call = call;
    list_init(&parcel->stream.link);
    call->transfer = parcel;
    parcel->life = service.life;
    parcel->method = call->method;
    parcel->target = arena_strdup(&parcel->arena, strchr(host, '/'));
    parcel->headers = arena_alloc(&parcel->arena, call->header_count * sizeof(*parcel->headers));
    for (size_t i = 0; i < call->header_count; i++) {
        parcel->headers[parcel->header_count++] =
            (struct http_header){arena_strdup(&parcel->arena, call->headers[i].name),
                                 arena_strdup(&parcel->arena, call->headers[i].value)};
    }
    parcel->body = arena_strndup(&parcel->arena, call->body, call->body_bytes);
    call->status = 0;
    call->response_header_count = 0;
    world_after(call->timeout_ms * US_PER_MS, time_out, parcel);
    return parcel;
}

// An operation is under way once: what is sent under its key again is sent when the first is over. Only the
// customer that two cards are saved for may be made for both at once.
static void watch_key(struct parcel *parcel)
{
    const char *key = parcel_header(parcel, "Idempotency-Key");
    if (key == NULL || text_equal(parcel->target, "/v1/customers")) {
        return;
    }
    struct table_node *found = table_find(&last_sent, key, strlen(key));
    if (found != NULL) {
        const struct parcel *last = CONTAINER_OF(found, struct parcel, by_key);
        if (last->call != NULL && last->life == service.life) {
            violation("%s is sent again while it is under way", key);
        }
        table_remove(&last_sent, found);
    }
    table_insert(&last_sent, &parcel->by_key, key, strlen(key));
}

static void to_stripe(struct http_client *client, struct http_call *call)
{
    (void)client;
    struct parcel *parcel = pack(call);
    world.counts.provider_calls++;
    watch_key(parcel);
    if (mutated("fresh-key-on-retry")) {
        for (size_t i = 0; i < parcel->header_count; i++) {
            if (text_equal(parcel->headers[i].name, "Idempotency-Key")) {
                parcel->headers[i].value = arena_printf(&parcel->arena, "%s-%llu", parcel->headers[i].value,
                                                        (unsigned long long)dice(1U << 30));
            }
        }
    }
    connections_send(&parcel->stream, call->send_before_us);
}

static void to_merchant(struct http_client *client, struct http_call *call)
{
    (void)client;
    send_to_merchant(pack(call));
}

static void give_up(struct http_client *client, struct http_call *call)
{
    (void)client;
    world_after(0, time_out, call->transfer);
}

static void close_client(struct http_client *client)
{
    (void)client;
}

static const struct http_client_ops stripe_ops = {to_stripe, give_up, close_client};
static const struct http_client_ops merchant_ops = {to_merchant, give_up, close_client};
static struct http_client stripe_client = {&stripe_ops};
static struct http_client merchant_client = {&merchant_ops};

struct http_client *network_to_stripe(void)
{
    return &stripe_client;
}

struct http_client *network_to_merchants(void)
{
    return &merchant_client;
}
