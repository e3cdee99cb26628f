// The inside of the engine, shared by op.c (attempts), waiters.c (callers) and reconcile.c (what is due).
// Loop thread.
#pragma once

#include "op/op.h"

struct engine {
    struct engine_options options;
    struct engine_stats stats;
    bool draining;
    bool ready;
    bool unwritable; // the store refused the last that was noted in it

    // op.c: the operations under way, so that none is called twice at once, and attempts whose settle the
    // database refused.
    struct table active;
    struct list unsettled;
    struct timer settle_timer;
    int64_t background; // of those under way, how many are of a background kind

    // waiters.c: callers by operation, and in the order of their deadlines (the patience is the same for
    // all).
    struct table waiting_rooms;
    struct list waiting;
    struct timer patience_timer;

    // reconcile.c
    struct timer sweep_timer;
    int64_t sweep_due_us; // wall clock; when the timer fires at the latest
    int64_t clock_us;     // the wall clock less the monotonic one, at the last sweep
    bool sweeping;        // a claim job is under way
    bool sweep_again;
    struct claim *claim;
    struct chores *chores; // chores.c
    void (*on_ready)(void *context);
    void *ready_context;
};

// op.c. Makes an attempt of a row and plans it; *needless: nothing to call, *planned stays as it was.
enum errc op_plan(struct engine *engine, const struct op_kind *kind, const struct operation *row,
                  struct db *db, struct change *change, struct op **planned, bool *needless,
                  struct err *err) MUST_CHECK;
void op_settle_again(struct timer *timer);
struct op_key op_key(const struct op_kind *kind, const struct uuid *subject_id);
// Whether an attempt of the same operation is under way; it is then told to hurry the next.
bool op_is_under_way(struct engine *engine, const struct op *op);

// pages.c. Takes a page of a list in; true where another page is to be read behind it.
bool op_reads_on(struct op *op);

// waiters.c
void op_answer_waiters(struct engine *engine, const struct op_kind *kind, const struct uuid *subject_id,
                       const struct op_answer *answer);
void op_patience_over(struct timer *timer);
void op_give_up_all(struct engine *engine);
void op_forget_all(struct engine *engine); // at the end: whoever waits still is never answered

// chores.c. From chores_start on they are done until the engine drains.
struct chores *chores_open(struct engine *engine);
void chores_free(struct chores *chores);
void chores_start(struct chores *chores);

// reconcile.c
void engine_sweep(struct timer *timer);
