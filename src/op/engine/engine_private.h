// The engine's own state, and what its files offer each other: op.c runs an attempt, sweep.c claims what is
// due, waiters.c answers callers, and a small file each has what an attempt may meet. Loop thread, except
// functions that take a struct tx: those run on a database thread.
#pragma once

#include "base/hourly.h"
#include "op/engine/notices.h"
#include "op/engine/op.h"

// The wall clock was set if it moved by more than this against the monotonic clock between two readings.
#define CLOCK_STEP_US (5 * US_PER_S)

struct engine {
    struct engine_options options;
    struct engine_stats stats;
    bool draining;
    bool ready;
    bool unwritable;         // the janitor's last write failed
    bool write_failed;       // another write failed: the janitor tries one
    struct hourly set_aside; // set_aside.c
    struct limiter *limiter;
    struct notices *notices;

    // op.c: the operations under way, so that none is called twice at once.
    struct table active;
    int64_t background; // of those under way, how many are of a background kind

    // unsettled.c: attempts whose outcome could not be recorded.
    struct list unsettled;
    struct timer settle_timer;
    int64_t settle_due_us; // monotonic; when it fires

    // waiters.c: callers by operation, and in the order of their deadlines. All have the same patience.
    struct table waiters_by_op;
    struct list waiting;
    struct timer patience_timer;

    // sweep.c
    struct timer sweep_timer;
    int64_t sweep_due_us; // wall clock; when the timer fires at the latest
    int64_t clock_us;     // wall clock minus monotonic clock, at the last sweep
    bool sweeping;        // a claim job is under way
    bool sweep_again;
    int64_t recovering; // attempts under way that a sweep began
    bool wants_room;    // a sweep found no room: the next that is free is for a sweep
    struct claim *claim;
    struct elsewhere *elsewhere; // elsewhere.c
    struct janitor *janitor;     // janitor.c
    struct retention *retention; // retention.c
    void (*on_ready)(void *context);
    void *ready_context;
};

// op.c. Makes an attempt of a row and plans it. *already_done: there is nothing to call, and *planned is not
// set. Takes the slot: it belongs to the attempt, or is released.
enum errc op_plan(struct engine *engine, const struct op_kind *kind, const struct operation *row,
                  const struct limiter_slot *slot, struct tx *tx, struct op **planned, bool *already_done,
                  struct err *err) MUST_CHECK;
// Called by the limiter: sends the planned call. False if it is too late to send it.
bool op_call(struct limiter_slot *slot);
void op_abandon_call(struct limiter_slot *slot); // stops waiting for the answer
void op_ended(struct op *op);                    // the attempt is over; its owner frees it
// requeue.c. Leaves the row to a later sweep, at least wait_us from now.
void op_requeue(struct limiter_slot *slot, int64_t wait_us);
void op_drop(struct limiter_slot *slot);       // at the end: it was not called, and its row is still there
void op_move(struct op *op, enum op_phase to); // the only function that changes an attempt's phase
void op_settle(struct op *op);                 // records the outcome
// Submits a job that writes what became of the attempt, which it finds with op_of. cause_ref: see tx.h.
void op_record(struct op *op, enum errc (*run)(struct store_job *job, struct tx *tx, struct err *err),
               void (*done)(struct store_job *job), const char *cause_ref);
static inline struct op *op_of(struct store_job *job)
{
    return CONTAINER_OF(job, struct op_record, job)->op;
}
// subject.c. For a job that writes what became of the attempt: locks what the operation is about, then the
// operation, and reads its row. *held is false if the operation is closed, or if this node was taken for dead
// and its lease was given up: then another attempt finds the outcome, and nothing may be written.
enum errc op_get_held(struct op *op, struct tx *tx, struct operation *row, bool *held,
                      struct err *err) MUST_CHECK;
// As store_job.ahead, for op_get_held.
void op_ask_held(struct op *op, struct tx *tx);
struct op_key op_key(const struct op_kind *kind, const struct uuid *subject_id);
// Whether an attempt of the operation is under way in this process.
bool op_is_under_way(struct engine *engine, const struct op_key *key);

// unsettled.c. The outcome could not be recorded: tries again later. Takes the op.
void op_unsettled(struct op *op);
void op_settle_again(struct timer *timer);
void op_settle_all(struct engine *engine); // at once, even those that are not due, and counts tries anew

// list_pages.c. Collects a page of a list. True if another page must be read.
bool op_read_next_page(struct op *op);

// op.c. Opens the secret key of a version of credentials.
enum errc op_open_key(struct op *op, struct tx *tx, const struct uuid *version_id, struct secret *key,
                      struct err *err) MUST_CHECK;

// verdict.c. Ends the lease and sets the time of the next attempt, if there is one.
void op_apply_verdict(struct op *op, const struct tx *tx);

// key_proof.c. Before the plan: finds the merchant's present key if the operation's own may be refused.
enum errc key_proof_find_present(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// After the plan: opens that key if there is evidence that it can read.
enum errc key_proof_open_present(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// After an answer: true if the operation's key was refused, and the present key reads the evidence next.
bool key_proof_begin(struct op *op);
void key_proof_evaluate(struct op *op); // sets op->proof if the evidence was read
// In the settle job: the operation goes on with the present key.
enum errc key_proof_switch_key(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;

// waiters.c. Answers all who wait for the operation.
void op_answer_waiters(struct engine *engine, const struct op_kind *kind, const struct uuid *subject_id,
                       const struct op_answer *answer);
// The same, as if their patience were over.
void op_time_out(struct engine *engine, const struct op_key *key);
void op_patience_over(struct timer *timer);
void op_time_out_all(struct engine *engine);
void op_remove_waiters(struct engine *engine); // at the end: those who still wait are never answered

// elsewhere.c. Answers those who wait here for what another node does.
struct elsewhere *elsewhere_open(struct engine *engine);
void elsewhere_free(struct elsewhere *elsewhere);

// janitor.c. It runs at intervals from janitor_start until the engine drains.
struct janitor *janitor_open(struct engine *engine);
void janitor_free(struct janitor *janitor);
void janitor_start(struct janitor *janitor);

// retention.c. It runs at intervals from retention_start until the engine drains.
struct retention *retention_open(struct engine *engine);
void retention_free(struct retention *retention);
void retention_start(struct retention *retention);

// set_aside.c. The rows of a claim that cannot be planned.
#define ASIDE_TEXT_BYTES 200
struct set_aside {
    int64_t count;
    struct uuid subject_id; // of the first row, as are kind and why
    char kind[32];
    char why[ASIDE_TEXT_BYTES];
};
enum errc op_set_aside(struct set_aside *aside, struct tx *tx, const struct operation *row, int64_t now_us,
                       const char *why, struct err *err) MUST_CHECK;
void engine_log_set_aside(struct engine *engine, const struct set_aside *aside); // loop thread

// sweep.c
struct claim *claim_open(struct engine *engine);
void claim_free(struct claim *claim);
// There is room for an attempt again.
void engine_freed(struct engine *engine);
void engine_sweep(struct timer *timer);
