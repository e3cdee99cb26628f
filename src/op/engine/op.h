// An operation: everything that moves money has this one shape. prepare (one transaction: what will be done)
// -> call the provider (no thread waits) -> settle (one transaction: the outcome, the event for the
// merchant, the stored answer) -> answer.
//
// A kind of operation is one file with two plain blocking functions, plan and settle. The first attempt and
// every later one, after a time-out or a crash, run the same code: an attempt is planned from the database
// alone. An operation is never cancelled once it is prepared. If its outcome is unknown, it stays open and
// is tried again.
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

// Whether the database holds everything that happened before this start.
enum engine_start {
    START_SURE,     // it is new, or the very database that the last run stopped with
    START_UNSURE,   // the last run did not stop in good order, or this may be a restored backup (catch_up.h)
    START_ACCEPTED, // the operator accepts it as it is
};

// What an operation is about. A transaction that records an outcome locks that, and then the operation.
enum op_subject {
    SUBJECT_PAYMENT,
    SUBJECT_REFUND,    // its payment
    SUBJECT_CARD,      // with its customer
    SUBJECT_PAID_CARD, // the payment that saves it, then as SUBJECT_CARD
    SUBJECT_ACCOUNT,   // the credentials
};

struct op_kind {
    const char *name; // in the database
    enum op_subject subject;
    // Database thread, in the transaction that claims the attempt. Fills op->call from op->row and the
    // database. *already_done: the outcome is known, and the operation closes without a call. After an error
    // the row is set aside and tried later, and the error is logged.
    enum errc (*plan)(struct op *op, struct tx *tx, bool *already_done, struct err *err);
    // Database thread, in the transaction that records the outcome. The operation closes afterwards, unless
    // settle calls op_retry, op_poll or op_at. An error rolls everything back, and settle is tried again.
    enum errc (*settle)(struct op *op, struct tx *tx, struct err *err);
    // As store_job.ahead, for what settle asks. NULL: settle may ask anything.
    void (*settle_ahead)(struct op *op, struct tx *tx);
    // Database thread: the answer for a caller whose patience is over. NULL: nobody waits for this kind.
    enum errc (*timeout_answer)(const struct uuid *subject_id, struct tx *tx, struct op_answer *answer,
                                struct err *err);
    // Database thread, in the first claim of a process, and again when it must be found out anew whether the
    // database can be trusted. alive_us: when the service was last known to run. NULL: nothing.
    enum errc (*start)(const struct engine *engine, struct tx *tx, enum engine_start start, int64_t alive_us,
                       struct err *err);
    bool starts_beside_others; // `start` is for a node that joins others, too
    // Database thread: an operation of any kind was prepared. NULL: nothing.
    enum errc (*after_prepare)(const struct engine *engine, struct tx *tx, const struct operation *prepared,
                               struct err *err);
    // Database thread, at the janitor's intervals: counts what metrics report of the kind. NULL: nothing.
    enum errc (*count)(struct tx *tx, struct engine_stats *stats, struct err *err);
    bool keeps_version;      // the operation never changes to another version of the credentials
    bool needs_present;      // the first attempt, too, must know the merchant's present version
    bool sends_no_body;      // the row's body, if any, is the kind's own note and is not sent
    bool sent_again;         // even after a step of the clock: its key has no time, or twice does no harm
    bool sent_anew_when_old; // once the provider forgot its key; a created_us in the future would delay that
    bool reads_refused;      // a refusal is about a payment's state, which is read in the same attempt
    bool background; // no payment's outcome depends on it: few run at once, and a problem that goes on
                     // is logged once
};

// Identifies an operation; compared as bytes.
struct op_key {
    struct uuid subject_id;
    const struct op_kind *kind;
};

// Whether the merchant's present key belongs to the account of the operation's key (key_proof.c).
enum op_proof {
    PROOF_NONE,         // not needed
    PROOF_ASKED,        // the present key reads the evidence, or could not find out
    PROOF_SAME_ACCOUNT, // it can read the evidence
    PROOF_OTHER_ACCOUNT // it cannot
};

// What happens to an operation after an attempt.
enum op_verdict {
    VERDICT_CLOSE, // nothing is left to do
    VERDICT_RETRY, // the outcome is unknown
    VERDICT_POLL,  // the provider is not finished
    VERDICT_AT,    // the next attempt is at a time that settle chose
};

// What an attempt needs once it writes what became of it. Thousands may wait for the provider, so it is made
// only then.
struct op_record {
    struct op *op;
    struct store_job job;
    struct op_answer answer; // for the callers who wait; in settle_arena
};

// One attempt of one operation, from claim to settle. Owned by the engine.
struct op {
    struct engine *engine;
    const struct op_kind *kind;
    enum op_phase phase; // moved by op_move alone
    const char *cause;   // for the history: "api" for the attempt of the request itself, else "recovery"
    struct operation row;
    struct provider_call call;
    struct arena arena;        // plan and answer; the database and loop threads use it in turn
    struct arena settle_arena; // emptied before each run of the record's job
    struct op_record *record;  // in page_arena; NULL while the provider is asked
    struct list link;          // in the engine's list of attempts whose outcome could not be recorded
    int settle_tries;          // how often recording it failed
    int64_t settle_at_us;      // monotonic; when the next try is due
    struct table_node active;  // in the engine's table of operations under way
    struct limiter_slot slot;  // of its account; taken before it was planned, released at its end
    struct op_key key;
    struct uuid leased_by;           // the node; settle finds out whether the lease still is this one's
    int64_t leased_until_us;         // by its claim; to have the operation sooner, others move the row's time
    int64_t requeue_until_us;        // when the next attempt is due, if this one is not made
    struct arena page_arena;         // the answer; of a list of payments only the present page
    int pages;                       // of a list, read in this attempt
    struct provider_refund *refunds; // of all pages
    size_t refund_count;
    struct failure refusal; // code NULL: none; else call.answer is from the reading after the refusal
    // key_proof.c: for a key that is refused while an outcome is unknown.
    const char *evidence_ref;       // a payment in the account of the operation's key; NULL: none is known
    struct uuid present_version_id; // of the merchant's credentials; nil: not needed
    struct secret present_key;      // empty: it is the same key, or there is no evidence
    enum op_proof proof;
    struct provider_answer *refused; // the answer before the evidence was read
    enum provider_verb refused_verb;
    enum op_verdict verdict; // settle's, by op_retry, op_poll, op_at
    int64_t verdict_at_us;   // of VERDICT_AT
    int64_t retry_by_us;     // of VERDICT_RETRY: no later than this; 0: any time
};

struct engine_options {
    enum engine_start start;
    const struct op_kind *const *kinds; // all kinds; NULL ends the list
    struct loop *loop;
    struct store *store;
    struct provider *provider;
    const struct keyring *keyring;
    const struct config *config;
    struct random *random;
    struct pace_rates rates; // of calls to the provider, per account
};

struct engine *engine_open(const struct engine_options *options);
void engine_free(struct engine *engine);
struct notices;
struct notices *engine_notices(const struct engine *engine); // notices.h
const struct engine_options *engine_options(const struct engine *engine);
static inline const struct provider_ops *op_provider(const struct op *op)
{
    return engine_options(op->engine)->provider->ops;
}

// Resumes the operations that were open when the last process ended, then sweeps. on_ready is called once
// they are loaded and scheduled. Loop thread.
void engine_start(struct engine *engine, void (*on_ready)(void *context), void *context);

// Starts nothing new. True once no attempt is under way and nobody waits. With `hurry`, callers who wait are
// answered at once with the payment as it is. Loop thread.
bool engine_drain(struct engine *engine, bool hurry);
bool engine_ready(const struct engine *engine);
const char *engine_unready(const struct engine *engine); // why it is not ready, a literal; NULL: it is
// The store refused a write: the janitor soon tries one, and if that fails, the engine is not ready. Loop
// thread.
void engine_write_failed(struct engine *engine);
// Whether one more operation may be prepared. If not, the request is refused before anything is recorded.
// Loop thread.
bool engine_has_room(const struct engine *engine);

// Of these, metrics keep the names settle_given_up_total and put_back_total for what is abandoned and
// requeued.
struct engine_stats {
    int64_t in_flight;
    int64_t waiting; // callers
    int64_t attempts_total;
    int64_t unknown_total;
    int64_t settle_retries_total;
    int64_t settle_abandoned_total; // outcomes that could not be recorded and must be looked up again
    int64_t set_aside_total;        // rows that could not be planned, for instance damaged ones
    int64_t requeued_total;         // attempts not made: the provider was unreachable, or their turn too late
    int64_t held;                   // accounts whose new payments and refunds are refused: catch_up.h
    int64_t lacking;                // held accounts that have payments or refunds which this database lacks
    struct limiter_stats limiter;
};
void engine_stats(const struct engine *engine, struct engine_stats *stats);

// --- for those who prepare: database thread, in their transaction
// Inserts the operation's row (schedule.h) with its first attempt, and plans that. *op is run once the
// transaction is committed, else freed. ERR_OVERLOADED: the provider is unreachable, or the account's pace
// allows no more.
enum errc op_prepare(struct engine *engine, const struct op_kind *kind, struct operation *row, struct tx *tx,
                     struct op **op, struct err *err) MUST_CHECK;
void op_free(struct op *op);
// How long an attempt holds its operation.
int64_t op_lease_us(const struct engine *engine);

// --- for those who plan: an earlier attempt's outcome is unknown, and the merchant's present key is another
// one
bool op_has_other_key(const struct op *op);

// --- for those who settle: when the operation goes on
// The outcome is unknown. The next attempt is soon if the provider was unreachable, else after a growing
// delay.
void op_retry(struct op *op);
// The provider is not finished. The next attempt follows after a delay that grows with the operation's age,
// or as with op_retry if the provider was unreachable.
void op_poll(struct op *op);
void op_at(struct op *op, int64_t at_us); // at this wall-clock time
// This step is done: the next one follows at once, with its first attempt.
void op_next_step(struct op *op, const struct tx *tx);
// It was not done, and its key only brings the old answer: it is sent under another key, at once the first
// time, then as with op_retry.
void op_send_anew(struct op *op, const struct tx *tx);
// The operation goes on with the merchant's present credentials version. Allowed only if nothing can have
// been done with the version before. ERR_NOT_FOUND: the merchant has no credentials.
enum errc op_take_present_version(struct op *op, struct tx *tx, struct err *err) MUST_CHECK;
// Applies the provider's payment to ours. If it does not fit, *fits is false: nothing changed, the answer's
// reason says why, and *payment is read again.
enum errc op_apply_reported(struct op *op, struct tx *tx, struct payment *payment,
                            enum errc (*apply)(struct tx *tx, struct payment *payment,
                                               const struct provider_payment *reported, struct err *err),
                            bool *fits, struct err *err) MUST_CHECK;

// --- loop thread
// Runs a prepared attempt whose transaction is committed: calls the provider when the limiter allows it.
// Takes the op.
void op_run(struct op *op);

// A caller who waits for an operation's answer. The owner keeps it alive until `answered` is called, exactly
// once; the answer is valid during that call.
struct op_waiter {
    struct list in_list; // of those who wait for the same operation
    struct list link;    // in the order of deadlines
    struct engine *engine;
    const struct op_kind *kind;
    struct uuid subject_id;
    int64_t deadline_us;
    void (*answered)(struct op_waiter *waiter, const struct op_answer *answer);
};
void op_wait(struct engine *engine, struct op_waiter *waiter, const struct op_kind *kind,
             const struct uuid *subject_id);

// A row that somebody else wrote is due at this wall-clock time: sweeps then at the latest. Loop thread.
void engine_due(struct engine *engine, int64_t due_us);
