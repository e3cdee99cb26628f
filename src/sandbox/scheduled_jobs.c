// Scheduled jobs. Pure. See scheduled_jobs.h.
// A stored job has the member "errand", and its id begins with that word, because existing journals have it.
#include "sandbox/scheduled_jobs.h"

#include "base/text.h"

#define JOB_TAIL_CHARS 20

static const char *const names[JOB_KIND_COUNT] = {
    [JOB_DELIVER] = "deliver", [JOB_SETTLE] = "settle",   [JOB_SETUP] = "setup",
    [JOB_REFUND] = "refund",   [JOB_DISPUTE] = "dispute",
};

void job_add(const struct context *context, enum job_kind kind, int64_t due_us, struct json_object *task)
{
    struct document job DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    json_add_str(task, "id", id_new(context->sandbox->random, context->arena, "errand_", JOB_TAIL_CHARS));
    json_add_str(task, "errand", names[kind]);
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

enum job_kind job_kind_of(const struct document *job)
{
    enum job_kind kind = JOB_DELIVER;
    while (kind < JOB_KIND_COUNT && !text_equal(json_get_str(job->json, "errand"), names[kind])) {
        kind++;
    }
    return kind;
}
