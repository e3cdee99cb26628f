// See network.h. A request is copied when it is sent, because its sender may be gone when the answer arrives.
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

// A request and its answer in transit.
struct transfer {
    struct arena arena;
    struct http_call *call; // NULL: it was answered, or its sender has ended
    int incarnation;
    struct stream stream; // of a call to Stripe
    const char *method;
    const char *target; // path and query
    struct http_header *headers;
    size_t header_count;
    const char *body;
    // How it ends:
    bool ended; // the client has ended it and ignores any answer
    enum http_result result;
    const char *error;
    struct stripe_reply reply;
    struct table_node by_key;
};

static const int error_statuses[] = {500, 502, 503, 504, 429, 409, 424};
static struct table last_sent; // by idempotency key: the latest transfer
static int64_t errors_until_us;
static int error_status;

// During an outage all requests get the same error: to the service, a different answer would end the outage.
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

// --- answers

static void copy_reply(struct http_call *call, const struct stripe_reply *reply)
{
    call->status = reply->status;
    for (size_t i = 0; i < reply->header_count; i++) {
        const struct http_header *header = &reply->headers[i];
        http_call_add_header(call, header->name, strlen(header->name), header->value, strlen(header->value));
    }
    call->response_body = BUF_MAX(call->response_bytes_max);
    buf_add_str(&call->response_body, reply->body != NULL ? reply->body : "");
}

static void finish(void *context)
{
    struct transfer *transfer = context;
    struct http_call *call = transfer->call;
    if (call == NULL || !service.up || transfer->incarnation != service.incarnation) {
        return;
    }
    transfer->call = NULL;
    connections_end(&transfer->stream);
    call->result = transfer->result;
    if (transfer->result == HTTP_DONE) {
        copy_reply(call, &transfer->reply);
    } else {
        (void)snprintf(call->error, sizeof(call->error), "%s", transfer->error);
    }
    call->done(call);
}

static void finish_if_readable(void *context)
{
    struct transfer *transfer = context;
    if (connections_is_readable(&transfer->stream)) {
        finish(transfer);
    }
}

// The other side ends the transfer, if that reaches the client.
static void end_remotely(struct transfer *transfer, int64_t delay_us, enum http_result result,
                         const char *error)
{
    if (!transfer->ended) {
        transfer->result = result;
        transfer->error = error;
        world_after(delay_us, finish_if_readable, transfer);
    }
}

static void end_in_client(struct stream *stream, enum http_result result, const char *error)
{
    struct transfer *transfer = CONTAINER_OF(stream, struct transfer, stream);
    transfer->ended = true;
    transfer->result = result;
    transfer->error = error;
    world_after(0, finish, transfer);
}

static void time_out(void *context)
{
    struct transfer *transfer = context;
    if (transfer->call != NULL && !transfer->ended) {
        world.counts.late_answers++;
        transfer->ended = true;
        transfer->result = connections_is_queued(&transfer->stream) ? HTTP_NOT_SENT : HTTP_CUT;
        transfer->error = "no answer in time";
        connections_report_timeout(&transfer->stream);
        finish(transfer);
    }
}

// Sends the answer back; it may be lost, cut or late.
static void send_answer(struct transfer *transfer, int64_t delay_us)
{
    if (fault_one_in(20)) {
        world.counts.answers_lost++;
        end_remotely(transfer, random_between(1000, 30 * US_PER_S), HTTP_CUT, "the stream was reset");
    } else if (fault_one_in(60)) {
        world.counts.answers_cut++; // as a proxy cuts it that forwards what it has
        size_t bytes = strlen(transfer->reply.body != NULL ? transfer->reply.body : "");
        transfer->reply.body = arena_strndup(&transfer->arena, transfer->reply.body, random_below(bytes + 1));
        end_remotely(transfer, delay_us, HTTP_DONE, NULL);
    } else if (fault_one_in(40)) {
        int64_t late_us = random_between(1, 200) * US_PER_S; // possibly after the timeout
        end_remotely(transfer, delay_us + late_us, HTTP_DONE, NULL);
    } else {
        end_remotely(transfer, delay_us, HTTP_DONE, NULL);
    }
}

// --- requests to Stripe

// Returns how long the answer takes, in microseconds.
static int64_t process_request(struct transfer *transfer, struct stripe_reply *reply)
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
    int64_t delay_us = process_request(transfer, &reply);
    if (transfer->call != NULL) {
        transfer->reply = reply;
        int64_t work_us = random_below(3) == 0 ? random_between(0, 2 * US_PER_S) : 0;
        send_answer(transfer, delay_us + work_us + random_between(500, 20000));
    }
}

// The duplicate is carried out, and nobody receives its answer.
static void arrive_again(void *context)
{
    struct transmission *transmission = context;
    struct stripe_reply reply = {0};
    if (!transmission->lost) {
        transmission->taken = true;
        (void)process_request(transfer_of(transmission), &reply);
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
    end_remotely(transfer, random_between(500, 50000), HTTP_DONE, NULL);
}

// Stripe accepts it and never carries it out.
static void lose_request(struct transmission *transmission)
{
    world.counts.requests_lost++;
    transmission->taken = true;
    if (random_below(2) == 0) { // otherwise nothing more is heard of it
        end_remotely(transfer_of(transmission), random_between(1000, 30 * US_PER_S), HTTP_CUT,
                     "the stream was reset");
    }
}

static void write_request(struct transmission *transmission)
{
    struct transfer *transfer = transfer_of(transmission);
    int64_t way_us = random_between(500, 20000);
    fake_stripe_check_window(transfer->method, transfer->target,
                             transfer_header(transfer, "Idempotency-Key"));
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
            way_us += random_between(1, 100) * US_PER_S; // many later requests overtake it
        }
        world_after(way_us, arrive_at_stripe, transmission);
    }
}

static const struct stream_ops stream_ops = {write_request, end_in_client};

// --- requests to merchants

static void arrive_at_merchant(void *context)
{
    struct transfer *transfer = context;
    endpoint_receive(transfer_header(transfer, "X-Event-Id"),
                     transfer_header(transfer, "X-Payments-Timestamp"),
                     transfer_header(transfer, "X-Payments-Signature"), transfer->body);
    transfer->reply = (struct stripe_reply){.status = 200};
    send_answer(transfer, random_between(500, 20000));
}

// --- the service's clients

static struct transfer *transfer_new(struct http_call *call)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    REQUIRE(transfer != NULL);
    const char *host = strstr(call->url, "://") + 3;
    transfer->call = call;
    transfer->stream.ops = &stream_ops;
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

// An operation runs once at a time: a repeat under its key is sent only after the first has ended. The
// exception is creating a customer, which two cards for the same customer may do at once.
static void check_key_in_use(struct transfer *transfer)
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
    struct transfer *transfer = transfer_new(call);
    world.counts.provider_calls++;
    check_key_in_use(transfer);
    if (mutated("fresh-key-on-retry")) {
        for (size_t i = 0; i < transfer->header_count; i++) {
            if (text_equal_nocase(transfer->headers[i].name, "Idempotency-Key")) {
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
    struct transfer *transfer = transfer_new(call);
    int64_t way_us = random_between(500, 20000);
    if (fault_one_in(15)) {
        world.counts.endpoint_failures++;
        transfer->reply = (struct stripe_reply){.status = random_below(2) == 0 ? 500 : 302};
        end_remotely(transfer, way_us, HTTP_DONE, NULL);
    } else if (fault_one_in(40)) {
        world.counts.endpoint_failures++; // it never answers
    } else {
        world_after(way_us, arrive_at_merchant, transfer);
    }
}

static void cancel(struct http_client *client, struct http_call *call)
{
    (void)client;
    world_after(0, time_out, call->transfer);
}

static void close_client(struct http_client *client)
{
    (void)client;
}

static const struct http_client_ops stripe_ops = {to_stripe, cancel, close_client};
static const struct http_client_ops merchant_ops = {to_merchant, cancel, close_client};
static struct http_client stripe_client = {&stripe_ops};
static struct http_client merchant_client = {&merchant_ops};

struct http_client *network_stripe_client(void)
{
    return &stripe_client;
}

struct http_client *network_merchant_client(void)
{
    return &merchant_client;
}
