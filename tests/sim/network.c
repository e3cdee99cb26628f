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
#include "fake_stripe.h"
#include "service.h"
#include "world.h"

struct transfer {
    struct arena arena;
    struct http_call *call; // NULL: it was answered, or its sender is gone
    int incarnation;
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
    uint64_t how = random_below(4);
    if (how < 2) {
        connections_down_until(until_us, how == 0);
    } else {
        errors_until_us = until_us;
        error_status = error_statuses[random_below(COUNT_OF(error_statuses))];
        note("Stripe answers %d until %lld", error_status, (long long)(until_us / US_PER_S));
    }
}

static const char *transfer_header(const struct transfer *transfer, const char *name)
{
    for (size_t i = 0; i < transfer->header_count; i++) {
        if (text_equal_nocase(transfer->headers[i].name, name)) {
            return transfer->headers[i].value;
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

static void hand_over(void *context)
{
    struct transfer *transfer = context;
    struct http_call *call = transfer->call;
    if (call == NULL || !service.up || transfer->incarnation != service.incarnation) {
        return;
    }
    transfer->call = NULL;
    connections_leave(&transfer->stream);
    call->result = transfer->result;
    if (transfer->result == HTTP_DONE) {
        copy_reply(call, &transfer->reply);
    } else {
        (void)snprintf(call->error, sizeof(call->error), "%s", transfer->error);
    }
    call->done(call);
}

static void reach_client(void *context)
{
    struct transfer *transfer = context;
    if (connections_hears(&transfer->stream)) {
        hand_over(transfer);
    }
}

// What comes from the other side ends it, if it reaches the client.
static void end(struct transfer *transfer, int64_t delay_us, enum http_result result, const char *error)
{
    if (!transfer->over) {
        transfer->result = result;
        transfer->error = error;
        world_after(delay_us, reach_client, transfer);
    }
}

void network_end(struct stream *stream, enum http_result result, const char *error)
{
    struct transfer *transfer = CONTAINER_OF(stream, struct transfer, stream);
    transfer->over = true;
    transfer->result = result;
    transfer->error = error;
    world_after(0, hand_over, transfer);
}

static void time_out(void *context)
{
    struct transfer *transfer = context;
    if (transfer->call != NULL && !transfer->over) {
        world.counts.late_answers++;
        transfer->over = true;
        transfer->result = connections_waits(&transfer->stream) ? HTTP_NOT_SENT : HTTP_CUT;
        transfer->error = "no answer in time";
        connections_suspect(&transfer->stream);
        hand_over(transfer);
    }
}

// The answer is on its way back, and may not arrive as it was sent.
static void send_back(struct transfer *transfer, int64_t delay_us)
{
    if (fault_one_in(20)) {
        world.counts.answers_lost++;
        end(transfer, random_between(1000, 30 * US_PER_S), HTTP_CUT, "the stream was reset");
    } else if (fault_one_in(60)) {
        world.counts.answers_cut++; // a proxy that hands on what it has
        size_t bytes = strlen(transfer->reply.body != NULL ? transfer->reply.body : "");
        transfer->reply.body = arena_strndup(&transfer->arena, transfer->reply.body, random_below(bytes + 1));
        end(transfer, delay_us, HTTP_DONE, NULL);
    } else if (fault_one_in(40)) {
        end(transfer, delay_us + random_between(1, 200) * US_PER_S, HTTP_DONE,
            NULL); // perhaps after its time
    } else {
        end(transfer, delay_us, HTTP_DONE, NULL);
    }
}

// --- to Stripe

// Returns how long the answer takes.
static int64_t process(struct transfer *transfer, struct stripe_reply *reply)
{
    struct stripe_request request = {
        .method = transfer->method,
        .target = transfer->target,
        .authorization = transfer_header(transfer, "Authorization"),
        .version = transfer_header(transfer, "Stripe-Version"),
        .idempotency_key = transfer_header(transfer, "Idempotency-Key"),
        .body = transfer->body,
    };
    return fake_stripe_handle(&request, &transfer->arena, reply);
}

static struct transfer *transfer_of(struct transmission *transmission)
{
    return CONTAINER_OF(transmission->stream, struct transfer, stream);
}

static void arrive_at_stripe(void *context)
{
    struct transmission *transmission = context;
    struct transfer *transfer = transfer_of(transmission);
    if (transmission->lost) {
        return;
    }
    struct stripe_reply reply = {0};
    transmission->taken = true;
    int64_t delay_us = process(transfer, &reply);
    if (transfer->call != NULL) {
        transfer->reply = reply;
        int64_t work_us = random_below(3) == 0 ? random_between(0, 2 * US_PER_S) : 0;
        send_back(transfer, delay_us + work_us + random_between(500, 20000));
    }
}

// A double is carried out, and its answer is nobody's.
static void arrive_again(void *context)
{
    struct transmission *transmission = context;
    struct stripe_reply reply = {0};
    if (!transmission->lost) {
        transmission->taken = true;
        (void)process(transfer_of(transmission), &reply);
    }
}

static void answer_error(struct transmission *transmission, int status)
{
    static struct http_header again[] = {{"Retry-After", "2"}};
    struct transfer *transfer = transfer_of(transmission);
    world.counts.provider_errors++;
    transmission->taken = true;
    transfer->reply = (struct stripe_reply){
        .status = status,
        .headers = again,
        .header_count = status == 429 ? 1 : 0,
        .body = random_below(4) == 0 ? "<html>Bad Gateway</html>"
                                     : "{\"error\":{\"type\":\"api_error\",\"message\":\"made on purpose\"}}",
    };
    end(transfer, random_between(500, 50000), HTTP_DONE, NULL);
}

// Stripe's side begins with it, and it comes to nothing.
static void lose_request(struct transmission *transmission)
{
    world.counts.requests_lost++;
    transmission->taken = true;
    if (random_below(2) == 0) { // else it is never heard of again
        end(transfer_of(transmission), random_between(1000, 30 * US_PER_S), HTTP_CUT, "the stream was reset");
    }
}

void network_write(struct transmission *transmission)
{
    struct transfer *transfer = transfer_of(transmission);
    int64_t way_us = random_between(500, 20000);
    fake_stripe_watch(transfer->method, transfer->target, transfer_header(transfer, "Idempotency-Key"));
    if (transmission->lost) {
        return;
    }
    if (world.now_us < errors_until_us && !world.faults_off) {
        answer_error(transmission, error_status);
    } else if (fault_one_in(40)) {
        answer_error(transmission, error_statuses[random_below(COUNT_OF(error_statuses))]);
    } else if (fault_one_in(25)) {
        lose_request(transmission);
    } else {
        if (fault_one_in(30)) {
            world.counts.requests_doubled++;
            world_after(way_us + random_between(0, 2 * US_PER_S), arrive_again, transmission);
        }
        if (fault_one_in(40)) {
            way_us += random_between(1, 100) * US_PER_S; // it overtakes nobody, and is overtaken by many
        }
        world_after(way_us, arrive_at_stripe, transmission);
    }
}

// --- to merchants

static void arrive_at_merchant(void *context)
{
    struct transfer *transfer = context;
    endpoint_receive(transfer_header(transfer, "X-Event-Id"),
                     transfer_header(transfer, "X-Payments-Timestamp"),
                     transfer_header(transfer, "X-Payments-Signature"), transfer->body);
    transfer->reply = (struct stripe_reply){.status = 200};
    send_back(transfer, random_between(500, 20000));
}

static void send_to_merchant(struct transfer *transfer)
{
    int64_t way_us = random_between(500, 20000);
    if (fault_one_in(15)) {
        world.counts.endpoint_failures++;
        transfer->reply = (struct stripe_reply){.status = random_below(2) == 0 ? 500 : 302};
        end(transfer, way_us, HTTP_DONE, NULL);
    } else if (fault_one_in(40)) {
        world.counts.endpoint_failures++; // it stalls
    } else {
        world_after(way_us, arrive_at_merchant, transfer);
    }
}

// --- the service's clients

static struct transfer *pack(struct http_call *call)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    REQUIRE(transfer != NULL);
    const char *host = strstr(call->url, "://") + 3;
    transfer->call = call;
    list_init(&transfer->stream.link);
    call->transfer = transfer;
    transfer->incarnation = service.incarnation;
    transfer->method = call->method;
    transfer->target = arena_strdup(&transfer->arena, strchr(host, '/'));
    transfer->headers = arena_alloc(&transfer->arena, call->header_count * sizeof(*transfer->headers));
    for (size_t i = 0; i < call->header_count; i++) {
        transfer->headers[transfer->header_count++] =
            (struct http_header){arena_strdup(&transfer->arena, call->headers[i].name),
                                 arena_strdup(&transfer->arena, call->headers[i].value)};
    }
    transfer->body = arena_strndup(&transfer->arena, call->body, call->body_bytes);
    call->status = 0;
    call->response_header_count = 0;
    world_after(call->timeout_ms * US_PER_MS, time_out, transfer);
    return transfer;
}

// An operation is under way once: what is sent under its key again is sent when the first is over. Only the
// customer that two cards are saved for may be made for both at once.
static void watch_key(struct transfer *transfer)
{
    const char *key = transfer_header(transfer, "Idempotency-Key");
    if (key == NULL || text_equal(transfer->target, "/v1/customers")) {
        return;
    }
    struct table_node *found = table_find(&last_sent, key, strlen(key));
    if (found != NULL) {
        const struct transfer *last = CONTAINER_OF(found, struct transfer, by_key);
        if (last->call != NULL && last->incarnation == service.incarnation) {
            violation("%s is sent again while it is under way", key);
        }
        table_remove(&last_sent, found);
    }
    table_insert(&last_sent, &transfer->by_key, key, strlen(key));
}

static void to_stripe(struct http_client *client, struct http_call *call)
{
    (void)client;
    struct transfer *transfer = pack(call);
    world.counts.provider_calls++;
    watch_key(transfer);
    if (mutated("fresh-key-on-retry")) {
        for (size_t i = 0; i < transfer->header_count; i++) {
            if (text_equal(transfer->headers[i].name, "Idempotency-Key")) {
                transfer->headers[i].value =
                    arena_printf(&transfer->arena, "%s-%llu", transfer->headers[i].value,
                                 (unsigned long long)random_below(1U << 30));
            }
        }
    }
    connections_send(&transfer->stream, call->send_before_us);
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
