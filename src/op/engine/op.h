// An operation: everything that moves money has this one shape. prepare (one transaction: what will be done)
// -> call the provider (parked) -> settle (one transaction: the outcome, the event for the merchant, the
// stored reply) -> reply.
//
// A kind of operation is one small file with two plain blocking functions, plan and settle. The first run and
// every later one, behind a time-out or a crash, are the same code: an attempt is planned from what the
// database holds, and nothing else. An operation is never cancelled once prepared, and an unknown outcome
// leaves it open, to be asked again.
#pragma once

#include "base/config.h"
#include "base/keyring.h"
#include "base/loop.h"
#include "base/table.h"
#include "op/engine/limiter.h"
#include "op/engine/phase.h"
#include "op/state/payment_change.h"
#include "op/state/reply.h"
#include "provider/provider.h"
#include "store/operations.h"
#include "store/store.h"

struct engine;
struct engine_stats;
struct op;

struct op_kind {
    const char *name; // in the database
    // Database thread, in the transaction that claims the attempt. Fills op->call from op->row and the
    // payment. *already_done: the outcome is known by now, the operation closes without a call. An error puts
    // the attempt off and is logged.
    enum errc (*plan)(struct op *op, struct tx *tx, bool *already_done, struct err *err);
    // Database thread, in the transaction that records the outcome. Closes the operation, unless it decides
    // by op_retry, op_poll or op_at that it goes on. An error undoes everything; it is tried again.
    enum errc (*settle)(struct op *op, struct tx *tx, struct err *err);
    // Database thread: what a caller is told whose patience is over. NULL: nobody waits for this kind.
    enum errc (*timeout_answer)(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                struct err *err);
    // Database thread, in the first claim of a process; alive_us: when the one before was last known to run.
    // NULL: nothing.
    enum errc (*start)(const struct engine *engine, struct tx *tx, int64_t alive_us, struct err *err);
    // Database thread: an operation of any kind was prepared. NULL: nothing.
    enum errc (*after_prepare)(const struct engine *engine, struct tx *tx, const struct operation *prepared,
                               struct err *err);
    // Database thread, at the janitor's intervals: counts what metrics tell of the kind. NULL: nothing.
    enum errc (*count)(struct tx *tx, struct engine_stats *stats, struct err *err);
    bool keeps_version;      // never goes on with another version of the credentials than its first
    bool needs_present;      // also its first attempt has to know the merchant's present version
    bool sends_no_body;      // the row's body, if there is one, is a note of the kind's own
    bool sent_again;         // whatever the clock says: its key holds no time, or doing it twice is harmless
    bool sent_anew_when_old; // after its key is forgotten, so that a time in the future would hold it up
    bool reads_refused;      // a refusal is about a state, which is read in the same attempt
    bool background; // no payment's outcome hangs on it: it holds few places, and a trouble that goes on
                     // is told once
};

// What names an operation; compared as bytes.
struct op_key {
    struct uuid subject_id;
    const struct op_kind *kind;
};

// Whose account the merchant's present key is of (key_proof.c).
enum op_proof {
    PROOF_NONE,         // nothing asked for it
    PROOF_ASKED,        // the present key asks for the evidence, or could not be told apart
    PROOF_SAME_ACCOUNT, // it knows the evidence
    PROOF_OTHER_ACCOUNT // it does not
};

// What becomes of an operation after an attempt.
enum op_verdict {
    VERDICT_CLOSE, // nothing is left to do
    VERDICT_RETRY, // the outcome is not known
    VERDICT_POLL,  // the provider needs its time
    VERDICT_AT,    // at a time that settle chose
};

// One attempt of one operation, from claim to settle. Owned by the engine.
struct op {
    struct engine *engine;
    const struct op_kind *kind;
    enum op_phase phase; // moved by op_move alone
    const char *cause;   // of what it changes: "api" for the attempt of the request itself, else "recovery"
    struct operation row;
    struct provider_call call;
    struct arena arena;        // what was planned and answered; the database and loop threads use it in turn
    struct arena settle_arena; // emptied before each run of the settle job
    struct store_job job;
    struct list link;         // of attempts whose outcome could not be recorded
    int settle_tries;         // in vain
    int64_t settle_at_us;     // monotonic; when the next is due
    struct table_node active; // in the engine's table of operations under way
    struct limiter_slot slot; // among its account's; from before it was planned to its end
    struct op_key key;
    int64_t leased_until_us;         // as it was claimed; somebody who wants it sooner moves the row's time
    int64_t requeue_until_us;        // of an attempt that is not made
    struct arena page_arena;         // the answer's text; of a list of payments only the present page's
    int pages;                       // of a list, read in this attempt
    struct provider_refund *refunds; // of all pages
    size_t refund_count;
    struct failure refusal; // code NULL: none; else the answer is of the reading behind it
    // key_proof.c: for a key that is refused while an outcome is open.
    const char *evidence_ref; // a payment at the provider that is of the key's account; NULL: none is known
    struct uuid present_version_id; // of the merchant's credentials; nil: it does not matter
    struct secret present_key;      // empty: it is no other one, or there is no evidence
    enum op_proof proof;
    struct provider_answer refused; // what was answered before that
    enum provider_verb refused_verb;
    enum op_verdict verdict; // settle's, by op_retry, op_poll, op_at
    int64_t verdict_at_us;   // of VERDICT_AT
    int64_t retry_by_us;     // of VERDICT_RETRY: no later than this; 0: any time
    struct op_answer answer; // for those who wait; in settle_arena
};

// What is known of the database at this start.
enum engine_start {
    START_SURE,     // it is a new one, or the very one that the last run stopped with
    START_UNSURE,   // the last run did not stop in good order, or this may be a restored backup (catch_up.h)
    START_ACCEPTED, // the operator wants it as it is
};

struct engine_options {
    enum engine_start start;
    const struct op_kind *const *kinds; // all there are; NULL ends them
    struct loop *loop;
    struct store *store;
    struct provider *provider;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    struct pace_rates rates; // of calls to the provider, for each account
};

struct engine *engine_open(const struct engine_options *options);
void engine_free(struct engine *engine);
const struct engine_options *engine_options(const struct engine *engine);
static inline const struct provider_ops *op_provider(const struct op *op)
{
    return engine_options(op->engine)->provider->ops;
}

// Brings back what was open when the process last ended, then sweeps. Loop thread; *on_ready* is called once
// the open operations are loaded and scheduled.
void engine_start(struct engine *engine, void (*on_ready)(void *context), void *context);

// Starts nothing new. True once no attempt is under way and nobody waits. With `hurry` nobody is kept waiting
// for an attempt any more: whoever waits is answered with the payment as it is.
bool engine_drain(struct engine *engine, bool hurry);
bool engine_ready(const struct engine *engine);
// The store refused a write: whether it refuses all is tried soon, and makes the engine unready. Loop thread.
void engine_write_failed(struct engine *engine);
// Whether one more operation may be prepared; if not, the request is refused before anything is recorded.
bool engine_has_room(const struct engine *engine);

struct engine_stats {
    int64_t in_flight;
    int64_t waiting; // callers
    int64_t attempts_total;
    int64_t unknown_total;
    int64_t settle_retries_total;
    int64_t settle_abandoned_total; // outcomes that could not be recorded and are asked for again
    int64_t set_aside_total;        // rows that were damaged or could not go on for another reason
    int64_t requeued_total; // attempts that were not made: the provider was away, or it was not their turn
    int64_t held;           // accounts whose new payments and refunds are refused: catch_up.h
    int64_t lacking;        // those of them of which this database lacks something
    struct limiter_stats limiter;
};
void engine_stats(const struct engine *engine, struct engine_stats *stats);

// --- for those who prepare: database thread, in their transaction
// Opens the operation with this row (schedule.h), as its first attempt, and plans that. ERR_OVERLOADED: the
// provider is away, or the account's share of its pace is used up.
enum errc op_prepare(struct engine *engine, const struct op_kind *kind, struct operation *row, struct tx *tx,
                     struct op **op, struct err *err) MUST_CHECK;
void op_free(struct op *op);
// How long an attempt holds its operation.
int64_t op_lease_us(const struct engine *engine);

// --- for those who plan: an earlier outcome is not known, and the merchant's present key is not the one it
// was asked with
bool op_has_other_key(const struct op *op);

// --- for those who settle: what becomes of the operation; none of these closes it
// The outcome is not known. Soon where the provider may only have been out of reach; at growing distances
// where it answered, but nothing that helps.
void op_retry(struct op *op);
// Something takes its time at the provider, and began when the operation did: at the distances of that, or as
// op_retry where the provider could not be asked.
void op_poll(struct op *op);
void op_at(struct op *op, int64_t at_us); // at this wall-clock time
// This step is done: the next one follows at once, and as the first attempt of that.
void op_next_step(struct op *op, const struct tx *tx);
// What was to be done was not, and its key only brings the old answer: it is sent anew under another key, at
// once the first time, then at growing distances.
void op_send_anew(struct op *op, const struct tx *tx);
// Has the operation go on with the merchant's present credentials version. ERR_NOT_FOUND: there is none. Only
// where nothing can have been done with the one before.
enum errc op_take_present_version(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// Applies the payment that the provider reports to ours. Where it is about something else, *fits is false: it
// changed nothing, the answer's reason tells why, and the payment is read again.
enum errc op_apply_reported(struct op *op, struct tx *tx, struct payment *payment,
                            enum errc (*apply)(struct tx *tx, struct payment *payment,
                                               const struct provider_payment *reported, struct err *err),
                            bool *fits, struct err *err) MUST_CHECK;

// --- loop thread
// Calls the provider for a prepared attempt whose transaction is committed, as soon as it is its turn. Takes
// the op.
void op_run(struct op *op);

// Somebody who waits for the answer to an operation. The owner keeps it alive until `answered`, which comes
// exactly once; the answer is valid during the call.
struct op_waiter {
    struct list in_room; // of those who wait for the same
    struct list link;    // in the order of deadlines
    struct engine *engine;
    const struct op_kind *kind;
    struct store_job job;
    struct arena arena;
    struct uuid subject_id;
    int64_t deadline_us;
    void (*answered)(struct op_waiter *waiter, const struct op_answer *answer);
    struct op_answer answer;
};
void op_wait(struct engine *engine, struct op_waiter *waiter, const struct op_kind *kind,
             const struct uuid *subject_id);

// Something became due at this wall-clock time: attempts that others opened. Loop thread.
void engine_due(struct engine *engine, int64_t due_us);
