// What the sandbox does by itself as time goes on. Pure: the owner asks what is due. See errand_work.h.
#include "sandbox/scheduled_jobs.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/deliveries.h"
#include "sandbox/disputes.h"
#include "sandbox/ids.h"
#include "sandbox/intents.h"
#include "sandbox/refunds.h"
#include "sandbox/setup_intents.h"
#include "sandbox/state.h"

#define JOB_TAIL_CHARS 20

static const struct {
    const char *name;
    void (*run)(const struct context *context, const char *id); // NULL: it hands out a delivery
} kinds[] = {
    [JOB_DELIVER] = {"deliver", NULL},
    [JOB_SETTLE] = {"settle", intent_settle},
    [JOB_SETUP] = {"setup", setup_intent_settle},
    [JOB_REFUND] = {"refund", refund_settle},
    [JOB_DISPUTE] = {"dispute", dispute_begin},
};

void job_add(const struct context *context, enum job_kind kind, int64_t due_us, struct json_object *task)
{
    struct document job DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    json_add_str(task, "id", id_new(context->sandbox->random, context->arena, "errand_", JOB_TAIL_CHARS));
    json_add_str(task, "errand", kinds[kind].name);
    document_begin(context, OBJECT_JOB, task, &job);
    job_postpone(context, &job, due_us);
}

void job_add_about(const struct context *context, enum job_kind kind, int64_t due_us, const char *id)
{
    struct json_object *task = json_new_object();
    json_add_str(task, "about", id);
    job_add(context, kind, due_us, task);
}

void job_postpone(const struct context *context, struct document *job, int64_t due_us)
{
    json_add_i64(job->json, "due_us", due_us);
    document_save(job);
    job_heap_push(&context->sandbox->jobs, due_us, context->account->id, json_get_str(job->json, "id"));
}

void job_restore(struct sandbox *sandbox, const struct account *account, const char *id, const char *text)
{
    struct json_object *task JSON_CLEANUP = NULL;
    // A journal holds one line for each change of an errand, so the queue gets it once for each; only the due
    // time of the last is still the errand's own when it comes up.
    if (json_parse(text, strlen(text), &task, NULL) == OK) {
        job_heap_push(&sandbox->jobs, json_get_i64(task, "due_us", 0), account->id, id);
    }
}

int64_t sandbox_next_due_us(const struct sandbox *sandbox)
{
    return job_heap_due_us(&sandbox->jobs);
}

// Does one errand that is due; true: it is a delivery, handed out.
static bool run_job(const struct context *context, const struct scheduled_job *due,
                    struct sandbox_delivery *delivery)
{
    struct document job DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(context, OBJECT_JOB, due->id, &job) ||
        json_get_i64(job.json, "due_us", 0) != due->due_us) {
        return false;
    }
    const char *name = json_get_str(job.json, "errand");
    if (text_equal(name, kinds[JOB_DELIVER].name)) {
        return delivery_prepare(context, &job, delivery);
    }
    for (size_t i = JOB_DELIVER + 1; i < COUNT_OF(kinds); i++) {
        if (text_equal(name, kinds[i].name)) {
            kinds[i].run(context, json_get_str(job.json, "about"));
        }
    }
    object_remove(context->sandbox, context->account, job.object);
    return false;
}

bool sandbox_next_delivery(struct sandbox *sandbox, int64_t now_us, struct arena *arena,
                           struct sandbox_delivery *delivery)
{
    struct scheduled_job job;
    while (job_heap_pop(&sandbox->jobs, now_us, &job)) {
        struct context context = {.sandbox = sandbox,
                                  .account = account_of_id(sandbox, job.account_id),
                                  .now_us = now_us,
                                  .arena = arena};
        if (context.account != NULL && run_job(&context, &job, delivery)) {
            return true;
        }
    }
    return false;
}
