// Group commit. The invariant: a job's result is OK only if what it wrote is durable. A job with another
// result has changed nothing, and no other successful job has seen its changes. The database thread that owns
// the connection.
#include "store/batch.h"

#include <string.h>

#include "base/require.h"
#include "store/driver.h"
#include "store/kept_rows.h"
#include "store/node.h"

// Jobs that only read share a transaction for this long. What waits after a slow one goes to another reader.
#define READ_US_MAX 1000

static struct store_job *job_of(struct list *link)
{
    return CONTAINER_OF(CONTAINER_OF(link, struct task, link), struct store_job, task);
}

// Both lists as one.
static struct event_lease *joined(struct event_lease *first, struct event_lease *rest)
{
    struct event_lease **end = &first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = rest;
    return first;
}

static struct tx new_tx(const struct batch_source *source, struct db *db, const struct store_job *job)
{
    return (struct tx){
        .db = db,
        .arena = job->arena,
        .random = source->random,
        .keyring = source->keyring,
        .node_id = node_id(source->node),
        .now_us = job->now_us != 0 ? job->now_us : loop_wall_us(source->loop),
        .cause = job->cause,
        .cause_ref = job->cause_ref,
        .events = source->events,
    };
}

// Whether a job before it in the list is about the same: what that one changes, this one must read
// afterwards.
static bool is_repeated(const struct list *jobs, const struct store_job *job)
{
    struct list *link = jobs->next;
    while (link != &job->task.link &&
           (job_of(link)->ahead == NULL || !uuid_equal(&job_of(link)->subject, &job->subject))) {
        link = link->next;
    }
    return !uuid_is_nil(&job->subject) && link != &job->task.link;
}

static void ask(const struct batch_source *source, struct db *db, struct store_job *job)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct tx tx = new_tx(source, db, job);
    tx.arena = &arena;
    db->asker = job;
    job->ahead(job, &tx);
    (void)db_take_damage(db); // run meets it again
}

static bool is_after(const struct store_job *a, const struct store_job *b)
{
    return memcmp(a->subject.bytes, b->subject.bytes, sizeof(a->subject.bytes)) > 0;
}

// By their subjects. So two connections mostly lock the same rows in the same order, and neither has what the
// other waits for. Jobs about the same subject, or about none, keep their order.
static void order(struct list *jobs)
{
    struct list ordered;
    list_init(&ordered);
    while (!list_empty(jobs)) {
        struct list *link = list_take_first(jobs);
        struct list *after = ordered.prev;
        while (after != &ordered && is_after(job_of(after), job_of(link))) {
            after = after->prev;
        }
        list_append(after->next, link); // before that node
    }
    list_splice(jobs, &ordered);
}

// What the jobs are going to ask is sent at once, so that they wait once, and not once for each query.
// Whether any has asked.
static bool all_ask(const struct batch_source *source, struct db *db, struct list *jobs)
{
    bool any = false;
    if (!db->driver->is_shared) {
        return false;
    }
    db->asking = true;
    kept_rows_ask(db); // most jobs begin with kept rows
    LIST_EACH_SAFE(jobs, link, after)
    {
        struct store_job *job = job_of(link);
        if (job->ahead != NULL && !is_repeated(jobs, job)) {
            ask(source, db, job);
            any = true;
        }
    }
    db->asking = false;
    return any;
}

enum errc batch_run(const struct batch_source *source, struct db *db, struct store_job *job)
{
    struct event_lease *undone = joined(job->tx.leases, job->tx.undone);
    job->tx = new_tx(source, db, job);
    job->tx.undone = undone;
    db->asker = job;
    return db_result(db, job->run(job, &job->tx, &job->err), &job->err);
}

static void ask_alone(const struct batch_source *source, struct db *db, struct store_job *job)
{
    if (db->driver->is_shared && job->ahead != NULL) {
        db->asking = true;
        kept_rows_ask(db);
        ask(source, db, job);
        db->asking = false;
    }
}

void batch_alone(const struct batch_source *source, struct db *db, struct store_job *job)
{
    job->result = db->driver->begin(db, job->queue == STORE_WRITE, &job->err);
    if (job->result != OK) {
        return;
    }
    ask_alone(source, db, job);
    job->result = batch_run(source, db, job);
    if (job->result == OK) {
        job->result = db->driver->commit(db, &job->err);
    } else {
        db->driver->rollback(db);
    }
}

// Runs the job and notes whether it spoils the transaction: it failed, and may have changed something.
static void run_one(const struct batch_source *source, struct db *db, struct store_job *job)
{
    const int64_t changed = db->driver->changed_total(db);
    job->result = batch_run(source, db, job);
    if (job->result != OK &&
        (db->aborted || errc_is_store(job->result) || db->driver->changed_total(db) != changed)) {
        db->spoiled = true;
    }
    if (job->ahead == NULL && db->driver->is_shared && db->driver->changed_total(db) != changed) {
        db->driver->forget_asked(db); // it may have changed anything
    }
}

// Not OK only if the whole transaction is lost.
static enum errc run_in_savepoint(const struct batch_source *source, struct db *db, struct store_job *job,
                                  struct err *err)
{
    const enum errc rc = db->driver->savepoint(db, err);
    if (rc != OK) {
        return rc;
    }
    run_one(source, db, job);
    if (job->result == OK && db->driver->is_shared) {
        job->result = db->driver->settle(db, &job->err);
    }
    if (job->result == OK) {
        return db->driver->release(db, err);
    }
    if (job->result == ERR_STORE_BUSY && db->driver->tries > 1) {
        *err = job->err; // CockroachDB can undo only the whole transaction after this
        return ERR_STORE_BUSY;
    }
    const enum errc undone = db->driver->rollback_to(db, err);
    if (undone != OK && errc_is_store(job->result)) {
        *err = job->err; // the cause, rather than the failed rollback
    }
    // The database is there, so most likely the job waited for a lock, and too briefly: it runs again, alone.
    if (undone == OK && job->result == ERR_STORE_AWAY) {
        job->result = ERR_STORE_BUSY;
    }
    return undone;
}

static enum errc begin_together(struct db *db, struct err *err)
{
    enum errc rc = db->driver->begin(db, true, err);
    if (rc == OK && db->driver->is_shared) {
        rc = db->driver->wait_briefly(db, err);
        if (rc != OK) {
            db->driver->rollback(db);
        }
    }
    return rc;
}

// Without savepoints it stops, and nothing is kept, at the first job that spoils the transaction.
static enum errc run_together(const struct batch_source *source, struct db *db, struct list *jobs,
                              bool savepoints, struct err *err)
{
    enum errc rc = begin_together(db, err);
    if (rc != OK) {
        return rc;
    }
    if (!savepoints) {
        (void)all_ask(source, db, jobs);
    }
    LIST_EACH_SAFE(jobs, link, after)
    {
        if (savepoints) {
            rc = run_in_savepoint(source, db, job_of(link), err);
        } else {
            run_one(source, db, job_of(link));
        }
        if (rc != OK || (db->spoiled && !savepoints)) {
            db->driver->rollback(db);
            return rc;
        }
    }
    rc = db->driver->commit(db, err);
    const bool ran_later = !errc_is_store(rc) || (rc == ERR_STORE && db->driver->is_shared);
    if (rc != OK && ran_later && !savepoints) {
        db->spoiled = true; // a statement that ran later failed: which job's, the savepoints tell
        return OK;
    }
    return rc;
}

// Few jobs fail after they have written, so a batch runs without savepoints: with them, each job copies every
// page that it is the first to change. If a job spoils the transaction, all run again with savepoints. So
// does the next batch from the start, and failures that come often do not run every batch twice.
static enum errc run_batch(const struct batch_source *source, struct db *db, struct list *jobs,
                           struct err *err)
{
    const bool expected = db->spoiled;
    db->spoiled = false;
    enum errc rc = expected ? OK : run_together(source, db, jobs, false, err);
    if (expected || db->spoiled) {
        rc = run_together(source, db, jobs, true, err);
    }
    return rc;
}

void batch_refuse(struct list *jobs, const struct err *err)
{
    LIST_EACH_SAFE(jobs, link, after)
    {
        struct store_job *job = job_of(link);
        job->err = *err;
        job->result = errc_is_store(err->code) ? err->code : ERR_STORE;
    }
}

static enum errc run_all(const struct batch_source *source, struct db *db, struct list *jobs, struct err *err)
{
    if (jobs->next->next != jobs) {
        if (db->driver->is_shared) {
            order(jobs);
        }
        return run_batch(source, db, jobs, err);
    }
    struct store_job *job = job_of(jobs->next);
    batch_alone(source, db, job);
    *err = job->err;
    return job->result == ERR_STORE_AWAY ? ERR_STORE_AWAY : OK;
}

// A connection that was lost may have been so for long, unnoticed: the jobs run again on a new one.
void batch_write(const struct batch_source *source, struct db *db, struct list *jobs, struct list *losers)
{
    REQUIRE(!list_empty(jobs));
    struct err err = {0};
    enum errc rc = run_all(source, db, jobs, &err);
    if (rc == ERR_STORE_AWAY) {
        rc = run_all(source, db, jobs, &err);
    }
    if (rc != OK) {
        // Jobs that failed by themselves are refused too: they may have seen what an earlier job wrote.
        batch_refuse(jobs, &err);
    }
    LIST_EACH_SAFE(jobs, link, after)
    {
        if (db->driver->tries > 1 && db_lost_conflict(job_of(link)->result)) {
            list_remove(link);
            list_append(losers, link);
        }
    }
}

void batch_write_loser(const struct batch_source *source, struct db *db, struct store_job *job)
{
    int met = 0; // another's row, in a run alone: the first time it may just have been committed
    for (int tries = 1; db_lost_conflict(job->result) && tries < db->driver->tries && met < 2; tries++) {
        batch_alone(source, db, job);
        met += job->result == ERR_EXISTS;
    }
}

// A failure of the database may have ended the transaction, so the next job gets a new one.
static void try_read(const struct batch_source *source, struct db *db, struct store_job *job, bool *begun)
{
    if (!*begun) {
        job->result = db->driver->begin(db, false, &job->err);
        *begun = job->result == OK;
    }
    if (!*begun) {
        return;
    }
    job->result = batch_run(source, db, job);
    if (errc_is_store(job->result)) {
        db->driver->rollback(db);
        *begun = false;
    }
}

static void read_one(const struct batch_source *source, struct db *db, struct store_job *job, bool *begun)
{
    try_read(source, db, job, begun);
    if (job->result == ERR_STORE_AWAY) { // as in batch_write
        try_read(source, db, job, begun);
    }
}

size_t batch_read(const struct batch_source *source, struct db *db, struct list *jobs, struct list *finished)
{
    size_t count = 0;
    REQUIRE(!list_empty(jobs));
    bool begun = db->driver->begin(db, false, NULL) == OK; // or the first job tries again
    if (begun && all_ask(source, db, jobs)) {
        db_asked(db->driver->settle(db, NULL)); // a failure meets the first job again
    }
    // What was asked for all is no time of theirs: a job that does not run now is asked for again.
    const int64_t until_us = loop_mono_us(source->loop) + READ_US_MAX;
    do {
        struct store_job *job = job_of(list_take_first(jobs));
        list_append(finished, &job->task.link);
        read_one(source, db, job, &begun);
        count++;
    } while (!list_empty(jobs) && loop_mono_us(source->loop) < until_us);
    if (begun) {
        db->driver->rollback(db); // there is nothing to commit
    }
    return count;
}

static void end_leases(struct event_lease **leases, bool committed, const struct event_listener *events)
{
    struct event_lease *lease = *leases;
    *leases = NULL;
    while (lease != NULL) {
        struct event_lease *next = lease->next;
        events->lease_ended(events->context, lease, committed);
        lease = next;
    }
}

void batch_finish(struct store_job *job, const struct store_listener *listener)
{
    end_leases(&job->tx.undone, false, &listener->events);
    end_leases(&job->tx.leases, job->result == OK, &listener->events);
    if (job->result == OK && job->tx.work_due && listener->work_due != NULL) {
        listener->work_due(listener->context);
    }
    if (job->result == OK && job->tx.event_due && listener->events.due != NULL) {
        listener->events.due(listener->events.context);
    }
    job->done(job);
}
