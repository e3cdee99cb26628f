// The inside of the engine, shared by op.c (attempts), waiters.c (callers) and sweep.c (what is due).
// Loop thread.
#pragma once

#include "base/hourly.h"
#include "op/engine/op.h"

// The wall clock was set if it moved by more than this against the monotonic one from one look to the next.
#define CLOCK_STEP_US (5 * US_PER_S)

struct engine {
    struct engine_options options;
    struct engine_stats stats;
    bool draining;
    bool ready;
    bool unwritable;         // the store refused the last that was noted in it
    struct hourly set_aside; // set_aside.c
    bool write_failed;       // so it did something else: the next chores try whether it can be written
    struct limiter *limiter;

    // op.c: the operations under way, so that none is called twice at once.
    struct table active;
    int64_t background; // of those under way, how many are of a background kind

    // unsettled.c: attempts whose outcome could not be recorded.
    struct list unsettled;
    struct timer settle_timer;
    int64_t settle_due_us; // monotonic; when it fires

    // waiters.c: callers by operation, and in the order of their deadlines (the patience is the same for
    // all).
    struct table waiting_rooms;
    struct list waiting;
    struct timer patience_timer;

    // sweep.c
    struct timer sweep_timer;
    int64_t sweep_due_us; // wall clock; when the timer fires at the latest
    int64_t clock_us;     // the wall clock less the monotonic one, at the last sweep
    bool sweeping;        // a claim job is under way
    bool sweep_again;
    int64_t recovering; // attempts under way that a sweep began
    bool wants_room;    // a sweep found none; the next that gets free is its
    struct claim *claim;
    struct janitor *janitor; // janitor.c
    void (*on_ready)(void *context);
    void *ready_context;
};

// op.c. Makes an attempt of a row and plans it; *already_done: nothing to call, *planned stays as it was. The
// place goes with the attempt, or is given back.
enum errc op_plan(struct engine *engine, const struct op_kind *kind, const struct operation *row,
                  const struct limiter_slot *slot, struct tx *tx, struct op **planned, bool *already_done,
                  struct err *err) MUST_CHECK;
// The limiter's: sends what is planned; false where it is too late for that.
bool op_call(struct limiter_slot *slot);
void op_abandon_call(struct limiter_slot *slot); // what it sent is not waited for any longer
void op_ended(struct op *op);                    // it is not under way any more; its owner frees it
// requeue.c. Leaves it to a later sweep.
void op_requeue(struct limiter_slot *slot, int64_t wait_us);
void op_drop(struct limiter_slot *slot);       // at the end: it was not called, and its row is still there
void op_move(struct op *op, enum op_phase to); // the one way in which an attempt's phase changes
void op_settle(struct op *op);                 // records the outcome
struct op_key op_key(const struct op_kind *kind, const struct uuid *subject_id);
// Whether an attempt of the same operation is under way; it is then told to hurry the next.
bool op_is_under_way(struct engine *engine, const struct op *op);

// unsettled.c. The outcome could not be recorded; takes the op.
void op_unsettled(struct op *op);
void op_settle_again(struct timer *timer);
void op_settle_all(struct engine *engine); // now, whenever they are due

// list_pages.c. Takes a page of a list in; true where another page is to be read behind it.
bool op_read_next_page(struct op *op);

// op.c. Opens the secret key of a version of credentials.
enum errc op_open_key(struct op *op, struct tx *tx, const struct uuid *version_id, struct secret *key,
                      struct err *err) MUST_CHECK;

// verdict.c. Sets the time of the next attempt, if there is one.
void op_apply_verdict(struct op *op, const struct tx *tx);

// key_proof.c. Before a plan: which key is the present one, where the operation's own may be refused.
enum errc key_proof_find_present(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// After it: that key, if there is evidence to ask for.
enum errc key_proof_open_present(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// The key was refused: true where the present one asks for evidence next. Loop thread.
bool key_proof_begin(struct op *op);
void key_proof_evaluate(struct op *op); // what the evidence shows, if it was asked for. Loop thread.
// In the transaction that settles: the operation goes on with the present key.
enum errc key_proof_switch_key(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;

// waiters.c
void op_answer_waiters(struct engine *engine, const struct op_kind *kind, const struct uuid *subject_id,
                       const struct op_answer *answer);
void op_patience_over(struct timer *timer);
void op_time_out_all(struct engine *engine);
void op_forget_all(struct engine *engine); // at the end: whoever waits still is never answered

// janitor.c. From chores_start on they are done until the engine drains.
struct janitor *janitor_open(struct engine *engine);
void janitor_free(struct janitor *janitor);
void janitor_start(struct janitor *janitor);

// set_aside.c. What a claim met that cannot go on.
#define ASIDE_TEXT_BYTES 200
struct set_aside {
    int64_t count;
    struct uuid subject_id; // of the first of them, as the next two
    char kind[32];
    char why[ASIDE_TEXT_BYTES];
};
enum errc op_set_aside(struct set_aside *aside, struct tx *tx, const struct operation *row, int64_t now_us,
                       const char *why, struct err *err) MUST_CHECK;
void engine_log_set_aside(struct engine *engine, const struct set_aside *aside); // loop thread

// sweep.c
struct claim *claim_open(struct engine *engine);
void claim_free(struct claim *claim);
// Room for an attempt is free again.
void engine_freed(struct engine *engine);
void engine_sweep(struct timer *timer);
