// See pipeline.h. Head -> body -> the key's form and the fields (pure) -> one job in the database, which
// authenticates and does the route's work, or several, each after the other -> the answer, or the wait for
// the operation that the work prepared. What comes next is decided here alone; the files of the steps
// (request.c, auth.c, the handlers, export.c, answer.c) do not know each other. Only run_job runs on a
// database thread.
#include "api/pipeline.h"

#include <string.h>
#include <strings.h>

#include "api/answer.h"
#include "api/api_private.h"
#include "api/auth.h"
#include "api/export.h"
#include "api/failure_limit.h"
#include "api/router.h"
#include "base/log.h"

// A body that the route does not need is received and ignored.
#define UNREAD_BODY_MAX (64 * 1024)
#define OPERATIONS_OF_FREE 3

// --- head

// A body without a type, or of curl's default type, is read as JSON: examples of curl commands often give no
// type.
static bool media_type_accepted(const char *type)
{
    if (type == NULL) {
        return true;
    }
    size_t length = strcspn(type, "; \t");
    return (length == 16 && strncasecmp(type, "application/json", length) == 0) ||
           (length == 33 && strncasecmp(type, "application/x-www-form-urlencoded", length) == 0);
}

// Refuses, before the body is received, a request whose head is wrong.
static enum errc check_head(struct request *request, struct err *err)
{
    struct http_exchange *exchange = request->exchange;
    enum errc rc = router_find(exchange->method, exchange->path, request->arena, &request->route,
                               &request->param, &request->allow, err);
    if (rc != OK) {
        return rc;
    }
    const struct route *route = request->route;
    if (route->access == ROUTE_KEY) {
        rc = auth_check_head(request, err);
    }
    if (rc == OK && route->access == ROUTE_KEY && route->body_bytes_max > 0 &&
        !media_type_accepted(http_exchange_header(exchange, "Content-Type", NULL))) {
        return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                       "the body must be JSON, with the Content-Type application/json");
    }
    return rc == OK && route->check_head != NULL ? route->check_head(request, err) : rc;
}

static void on_head(struct http_exchange *exchange, void *context)
{
    struct request *request = request_new(context, exchange);
    struct err err;
    if (check_head(request, &err) != OK) {
        request_fail(request, &err);
        return;
    }
    exchange->client = request->client;
    exchange->body_unread = request->route->body_bytes_max == 0;
    exchange->body_bytes_max = exchange->body_unread ? UNREAD_BODY_MAX : request->route->body_bytes_max;
}

static void on_malformed(struct http_exchange *exchange, int status, const char *sentence, void *context)
{
    enum errc code = status == 408   ? ERR_REQUEST_TIMEOUT
                     : status == 431 ? ERR_HEAD_TOO_LARGE
                                     : ERR_BAD_REQUEST;
    struct err err;
    (void)err_set(&err, code, "%s", sentence);
    // Without a request, on_head was not called.
    request_fail(exchange->context != NULL ? exchange->context : request_new(context, exchange), &err);
}

static void on_too_large(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct err err;
    (void)err_set(&err, ERR_PAYLOAD_TOO_LARGE, "the body is larger than %zu bytes", exchange->body_bytes_max);
    request_fail(exchange->context, &err);
}

static void on_no_memory(struct http_exchange *exchange, void *context)
{
    struct api *api = context;
    struct err err;
    api->memory_refused_total++;
    (void)err_set(&err, ERR_OVERLOADED,
                  "too many request bodies are in memory; nothing was recorded, try again");
    request_fail(exchange->context, &err);
}

// --- database

// A request reserves its operation before it waits for the database, so that all together keep the limit.
// Those of one key hold at most three times what is free, so that some always are for the others.
static void reserve_operation(struct request *request)
{
    struct api *api = request->api;
    struct engine_stats engine;
    engine_stats(api->engine, &engine);
    int64_t begun = engine.in_flight > engine.waiting ? engine.in_flight : engine.waiting;
    request->unready = engine_unready(api->engine);
    int64_t free = api->config->operations_max - begun - (int64_t)slots_reserved(api->operations);
    if (engine_has_room(api->engine) && free > 0 &&
        (int64_t)slots_reserved_of(api->operations, request->key_hash) < OPERATIONS_OF_FREE * free) {
        (void)slot_reserve(api->operations, request->key_hash, &request->operation);
    }
}

static enum errc run_job(struct store_job *job, struct tx *tx, struct err *err)
{
    struct request *request = CONTAINER_OF(job, struct request_job, job)->request;
    request->status = 0;
    request->replayed = false;
    op_free(request->op); // of a run whose batch could not be committed
    request->op = NULL;
    request->wait_for = NULL;
    request->then = (struct request_step){0};
    if (request->route->access == ROUTE_KEY) {
        enum errc rc = auth_check(request, tx, err);
        if (rc != OK) {
            return rc;
        }
    }
    if (request->refusal != NULL) {
        *err = *request->refusal;
        return err->code;
    }
    if (request->field_errors.count > 0) {
        return err_set(err, ERR_VALIDATION, "the request's fields");
    }
    return request->step.work(request, tx, err);
}

static void ask_ahead(struct store_job *job, struct tx *tx)
{
    struct request *request = CONTAINER_OF(job, struct request_job, job)->request;
    struct err ignored;
    const bool refused = request->refusal != NULL || request->field_errors.count > 0;
    if (!refused && auth_check(request, tx, &ignored) == OK) {
        request->step.ahead(request, tx);
    }
}

static struct store_job *job_of(struct request *request, enum store_queue queue,
                                void (*done)(struct store_job *job))
{
    if (request->job == NULL) {
        request->job = ARENA_NEW(request->arena, struct request_job);
        request->job->request = request;
    }
    request->job->job = (struct store_job){.queue = queue,
                                           .owner = request->job_owner,
                                           .run = run_job,
                                           .done = done,
                                           .ahead = request->step.ahead != NULL ? ask_ahead : NULL,
                                           .arena = request->arena,
                                           .cause = "api",
                                           .cause_ref = request->id,
                                           .now_us = request->now_us};
    return &request->job->job;
}

// The job is over, or could not be submitted.
static void release_reserved(struct request *request)
{
    slot_release(&request->operation);
    if (request->step.serial) {
        serial_queue_leave(&request->api->serial_jobs);
    }
}

static void job_done(struct store_job *job);

static void submit(struct request *request)
{
    if (!store_submit(request->api->store, job_of(request, request->step.queue, job_done))) {
        release_reserved(request);
        request_fail_waiting(request);
    }
}

static void entry_reached(struct serial_entry *entry)
{
    submit(CONTAINER_OF(entry, struct request, entry));
}

// Submits the present step, now or once no other serial one runs.
static void run_step(struct request *request)
{
    request->entry.reached = entry_reached;
    if (!request->step.serial) {
        submit(request);
    } else if (!serial_queue_enter(&request->api->serial_jobs, &request->entry)) {
        request_fail_waiting(request);
    }
}

// --- the answer

static void operation_answered(struct op_waiter *waiter, const struct op_answer *answer)
{
    struct request *request = CONTAINER_OF(waiter, struct request, waiter);
    const struct err refusal = answer->refusal;
    request->status = answer->status;
    request->reply = arena_strdup(request->arena, answer->body);
    if (refusal.code != OK) {
        request_fail(request, &refusal);
    } else {
        request_send(request);
    }
}

static void piece_read(struct store_job *job);

// The same work reads the next piece of a list, and checks the key again.
static void read_piece(struct request *request)
{
    if (request->api->draining) {
        http_exchange_cut(request->exchange);
        return;
    }
    store_submit_always(request->api->store, job_of(request, STORE_READ, piece_read));
}

static void piece_read(struct store_job *job)
{
    struct request *request = CONTAINER_OF(job, struct request_job, job)->request;
    if (job->result != OK) {
        LOG(LOG_WARN, "a CSV export was cut off", LOG_STR("request_id", request->id),
            LOG_STR("error", job->err.message));
        http_exchange_cut(request->exchange);
    } else if (!export_send_piece(request)) {
        read_piece(request);
    }
}

// The client has taken a piece.
static void on_piece_taken(struct http_exchange *exchange, void *context)
{
    (void)context;
    read_piece(exchange->context);
}

// A request that waits for an operation needs no more than its id and whom to answer. It has no refusal.
static void forget_input(struct request *request)
{
    request->param = request->acting_for = request->idempotency_key = NULL;
    request->body = NULL;
    request->query = (struct form){0};
    request->input = NULL;
    request->job = NULL;
    arena_release(request->arena);
    http_exchange_forget_body(request->exchange);
}

static void job_succeeded(struct request *request)
{
    if (request->then.work != NULL) {
        request->step = request->then;
        if (request->step.before != NULL) {
            request->step.before(request, run_step);
        } else {
            run_step(request);
        }
        return;
    }
    if (request->route->access == ROUTE_KEY) {
        request_count_auth(request, "auth.success");
    }
    if (!export_begin(request)) {
        struct err err;
        (void)err_set(&err, ERR_OVERLOADED,
                      "too many CSV exports are in progress, in total or for this merchant; try again");
        request_fail(request, &err);
        return;
    }
    if (request->wait_for == NULL) {
        request->more = export_has_more(request) ? on_piece_taken : NULL;
        request_send(request);
        return;
    }
    forget_input(request);
    struct op *op = request->op;
    request->op = NULL;
    request->waiter.answered = operation_answered;
    op_wait(request->api->engine, &request->waiter, request->wait_for, &request->subject_id);
    if (op != NULL) {
        op_run(op);
    }
}

static void job_failed(struct request *request)
{
    const struct store_job *job = &request->job->job;
    struct err err = job->err;
    err.code = job->result;
    op_free(request->op); // before the answer, after which the request may be gone
    request->op = NULL;
    if (request->auth_event != NULL && err.code == ERR_AUTH_INVALID_KEY) {
        request_fail_unauthenticated(request, &err);
        return;
    }
    if (request->auth_event != NULL) {
        request_count_auth(request, request->auth_event);
    }
    if (errc_is_store(err.code) && job->queue == STORE_WRITE) {
        engine_write_failed(request->api->engine);
    }
    if (err.code == ERR_SIGNATURE_INVALID) {
        (void)failure_limit_add(request->api->bad_signatures, &request->client);
    }
    request_fail(request, &err);
}

static void job_done(struct store_job *job)
{
    struct request *request = CONTAINER_OF(job, struct request_job, job)->request;
    release_reserved(request);
    if (job->result == OK) {
        job_succeeded(request);
    } else {
        job_failed(request);
    }
}

// --- body

static void on_request(struct http_exchange *exchange, void *context)
{
    (void)context;
    struct request *request = exchange->context;
    const struct route *route = request->route;
    struct err err = {0};
    if (route->access == ROUTE_OPERATOR) {
        route->answer(request);
        request_send(request);
        return;
    }
    if (route->access == ROUTE_KEY) {
        if (auth_read(request, &err) != OK) {
            request_fail_unauthenticated(request, &err);
            return;
        }
        memcpy(&request->job_owner, request->key_hash, sizeof(request->job_owner));
        if (!store_admits(request->api->store, route->queue, request->job_owner)) {
            request_fail_waiting(request); // before its body is read, which costs more than all before
            return;
        }
        request_read_idempotency_key(request);
        bool left_out = route->body_optional && exchange->body.len == 0;
        if (request->refusal == NULL && route->body_bytes_max > 0 && !left_out) {
            request_read_json(request);
        }
    }
    if (request->refusal == NULL &&
        form_parse(exchange->query, strlen(exchange->query), request->arena, &request->query, &err) != OK) {
        request_refuse(request, err.code, err.message);
    }
    if (request->refusal == NULL && route->read != NULL) {
        route->read(request);
    }
    if (route->access == ROUTE_PROVIDER && request->refusal != NULL) {
        // There is no key that must be checked before an error is shown.
        request_fail(request, request->refusal);
        return;
    }
    if (route->access == ROUTE_KEY && route->queue == STORE_WRITE) {
        reserve_operation(request);
    }
    request->step = (struct request_step){.work = route->work, .queue = route->queue, .ahead = route->ahead};
    run_step(request);
}

static void on_end(struct http_exchange *exchange, void *context)
{
    struct api *api = context;
    struct request *request = exchange->context;
    export_end(request);
    http_memory_release(api->memory, &request->answer_use);
    request_free(request);
}

void pipeline_attach(struct http_server_options *server)
{
    server->on_head = on_head;
    server->on_malformed = on_malformed;
    server->on_too_large = on_too_large;
    server->on_no_memory = on_no_memory;
    server->on_request = on_request;
    server->on_end = on_end;
}
