// What a request does in the database: one job (authenticate, then the route's work), or several, one behind
// the other, where the first was only the beginning; then its answer, or the wait for the operation that it
// prepared. Loop thread, but for run_job.
#include "api/api.h"
#include "api/auth.h"
#include "api/pipeline.h"
#include "api/reply.h"
#include "api/router.h"

static enum errc run_job(struct store_job *job, struct tx *tx, struct err *err)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
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
    if (request->refusal.code != OK) {
        *err = request->refusal;
        return err->code;
    }
    if (request->problems.count > 0) {
        return err_set(err, ERR_VALIDATION, "the request's fields");
    }
    return request->step.work(request, tx, err);
}

static void waited(struct op_waiter *waiter, const struct op_answer *answer)
{
    struct request *request = CONTAINER_OF(waiter, struct request, waiter);
    const struct err refusal = answer->refusal;
    request->status = answer->status;
    request->reply = arena_strdup(request->arena, answer->body);
    arena_release(&waiter->arena); // it may hold the answer; the request may be gone behind the next line
    if (refusal.code != OK) {
        request_fail(request, &refusal);
    } else {
        request_send(request);
    }
}

static void job_succeeded(struct request *request)
{
    struct api *api = request->api;
    if (request->then.work != NULL) {
        request->step = request->then;
        if (request->step.before != NULL) {
            request->step.before(request);
        } else {
            request_go_on(request);
        }
        return;
    }
    if (request->route->access == ROUTE_KEY) {
        request_count(request, "auth.success");
    }
    if (!export_begin(request)) {
        struct err err;
        (void)err_set(&err, ERR_OVERLOADED,
                      "too many CSV exports are in progress, in total or for this merchant; try again");
        request_fail(request, &err);
        return;
    }
    if (request->wait_for == NULL) {
        request_send(request);
        return;
    }
    struct op *op = request->op;
    request->op = NULL;
    request->waiter.answered = waited;
    op_wait(api_options(api)->engine, &request->waiter, request->wait_for, &request->subject_id);
    if (op != NULL) {
        op_run(op);
    }
}

static void job_failed(struct request *request)
{
    struct err err = request->job.err;
    err.code = request->job.result;
    op_free(request->op); // before the answer, behind which the request may be gone
    request->op = NULL;
    if (request->auth_event != NULL && err.code == ERR_AUTH_INVALID_KEY) {
        request_fail_unauthenticated(request, &err);
        return;
    }
    if (request->auth_event != NULL) {
        request_count(request, request->auth_event);
    }
    if (errc_is_store(err.code) && request->job.queue == STORE_WRITE) {
        engine_write_failed(api_options(request->api)->engine);
    }
    if (err.code == ERR_SIGNATURE_INVALID) {
        (void)failure_limit_add(api_bad_signatures(request->api), &request->client);
    }
    if (err.code == ERR_VALIDATION && request->problems.count > 0) {
        request->status = errc_status(request->problems.items[0].code);
        request->error_code = errc_public_code(request->problems.items[0].code);
        request->reply = reply_problems(request->arena, &request->problems, request->id);
        request_send(request);
    } else {
        request_fail(request, &err);
    }
}

// The end of the job, or that it does not come to it.
static void leave(struct request *request)
{
    request_give_back(request);
    if (request->step.one_at_a_time) {
        serial_queue_leave(api_searches(request->api));
    }
}

static void job_done(struct store_job *job)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
    leave(request);
    if (job->result == OK) {
        job_succeeded(request);
    } else {
        job_failed(request);
    }
}

static void fail_overloaded(struct request *request)
{
    struct err err;
    (void)err_set(&err, ERR_OVERLOADED, "too many requests are waiting; nothing was recorded, try again");
    request_fail(request, &err);
}

static struct store_job job_of(struct request *request, enum store_queue queue,
                               void (*done)(struct store_job *job))
{
    return (struct store_job){.queue = queue,
                              .run = run_job,
                              .done = done,
                              .arena = request->arena,
                              .cause = "api",
                              .cause_ref = request->id,
                              .now_us = request->now_us};
}

static void submit(struct request *request)
{
    request->job = job_of(request, request->step.queue, job_done);
    if (!store_submit(api_options(request->api)->store, &request->job)) {
        leave(request);
        fail_overloaded(request);
    }
}

static void entry_reached(struct serial_entry *entry)
{
    submit(CONTAINER_OF(entry, struct request, entry));
}

void request_go_on(struct request *request)
{
    if (!request->step.one_at_a_time) {
        submit(request);
        return;
    }
    request->entry.reached = entry_reached;
    if (!serial_queue_enter(api_searches(request->api), &request->entry)) {
        fail_overloaded(request);
    }
}

void request_work_again(struct request *request, void (*done)(struct store_job *job))
{
    request->job = job_of(request, STORE_READ, done);
    store_submit_always(api_options(request->api)->store, &request->job);
}

void request_begin(struct request *request)
{
    request->step = (struct request_step){.work = request->route->work, .queue = request->route->queue};
    request_go_on(request);
}
