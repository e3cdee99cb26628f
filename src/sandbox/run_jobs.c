// What the sandbox does by itself as time passes. Pure: the owner asks what is due. See sandbox.h.
#include "sandbox/deliveries.h"
#include "sandbox/disputes.h"
#include "sandbox/intent_moves.h"
#include "sandbox/refunds.h"
#include "sandbox/scheduled_jobs.h"
#include "sandbox/setup_intents.h"

static void (*const runs[JOB_KIND_COUNT])(const struct context *context, const char *id) = {
    [JOB_DELIVER] = NULL, // the owner of the sandbox sends it
    [JOB_SETTLE] = intent_settle, [JOB_SETUP] = setup_intent_settle,
    [JOB_REFUND] = refund_settle, [JOB_DISPUTE] = dispute_begin,
};

int64_t sandbox_next_due_us(const struct sandbox *sandbox)
{
    return job_heap_due_us(&sandbox->jobs);
}

// Runs a job that is due. True: it is a delivery, and *delivery is filled.
static bool run_job(const struct context *context, const struct scheduled_job *due,
                    struct sandbox_delivery *delivery)
{
    struct document job DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    // A job that was postponed is in the heap once for each due time. Only the last counts.
    if (!document_open(context, OBJECT_JOB, due->id, &job) ||
        json_get_i64(job.json, "due_us", 0) != due->due_us) {
        return false;
    }
    const enum job_kind kind = job_kind_of(&job);
    if (kind == JOB_DELIVER) {
        return delivery_prepare(context, &job, delivery);
    }
    if (kind < JOB_KIND_COUNT) {
        runs[kind](context, json_get_str(job.json, "about"));
    }
    object_remove(context->sandbox, context->account, job.object);
    return false;
}

bool sandbox_next_delivery(struct sandbox *sandbox, int64_t now_us, struct arena *arena,
                           struct sandbox_delivery *delivery)
{
    struct scheduled_job due;
    while (job_heap_pop(&sandbox->jobs, now_us, &due)) {
        const struct context context = {.sandbox = sandbox,
                                        .account = account_of_id(sandbox, due.account_id),
                                        .now_us = now_us,
                                        .arena = arena};
        if (context.account != NULL && run_job(&context, &due, delivery)) {
            return true;
        }
    }
    return false;
}
