// The shape itself: an attempt is called, its answer settled, its waiter answered. Which attempts are due,
// and what comes back after a crash, is sweep.c's. Loop thread, but for the functions that say otherwise;
// an op's memory belongs to one thread at a time and moves with the job.
#include "op/engine/op.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"
#include "store/credentials.h"
#include "store/sealed.h"

// An attempt holds its operation for one call and this much more.
#define LEASE_MARGIN_US (30 * US_PER_S)

int64_t op_lease_us(const struct engine *engine)
{
    return engine->options.config->provider_timeout_ms * US_PER_MS + LEASE_MARGIN_US;
}

static struct op *op_new(struct engine *engine, const struct op_kind *kind, const struct operation *row,
                         const struct limiter_slot *slot, const char *cause)
{
    struct op *op = calloc(1, sizeof(*op));
    REQUIRE(op != NULL);
    op->engine = engine;
    op->kind = kind;
    list_init(&op->link);
    op->cause = cause;
    op->slot = *slot;
    op->leased_by = row->node_id;
    op->leased_until_us = row->next_attempt_us;
    op->row = *row;
    op->row.body = arena_strdup(&op->arena, row->body);
    op->row.kind = kind->name;
    op->key = op_key(kind, &row->subject_id);
    op->call.arena = &op->page_arena;
    op->call.page_items = PROVIDER_PAGE_ITEMS;
    op->call.livemode = row->livemode;
    return op;
}

void op_free(struct op *op)
{
    if (op == NULL) {
        return;
    }
    limiter_release(&op->slot);
    arena_release(&op->arena);
    arena_release(&op->page_arena);
    arena_release(&op->settle_arena);
    free(op);
}

enum errc op_open_key(struct op *op, struct tx *tx, const struct uuid *version_id, struct secret *key,
                      struct err *err)
{
    struct sealed sealed = {0};
    char *plain = NULL;
    size_t bytes = 0;
    enum errc rc = credential_version_get(tx->db, version_id, &op->arena, &sealed.data, &sealed.bytes, err);
    if (rc == OK) {
        rc = seal_open(&op->engine->options.keyring->master, &op->arena,
                       sealed_context(&op->arena, SEALED_PROVIDER_KEY, version_id), sealed, &plain, &bytes,
                       err);
    }
    if (rc == OK) {
        *key = secret_of(plain, bytes);
    }
    return rc;
}

enum errc op_take_present_version(struct op *op, struct tx *tx, struct err *err)
{
    struct credential present = {0};
    enum errc rc = credential_get(tx->db, &op->row.merchant_id, op_provider(op)->name, op->row.livemode,
                                  &op->arena, &present, err);
    if (rc == OK) {
        op->row.credential_version_id = present.version_id;
    }
    return rc;
}

// The secret key of the version that the operation was first sent with, whichever is the merchant's present
// one.
static enum errc read_secret_key(struct op *op, struct tx *tx, struct err *err)
{
    struct secret *key = &op->call.secret_key;
    enum errc rc = op_open_key(op, tx, &op->row.credential_version_id, key, err);
    if (rc == ERR_NOT_FOUND && op->row.attempts == 1 && !op->kind->keeps_version) {
        rc = op_take_present_version(op, tx, err);
        rc = rc == OK ? op_open_key(op, tx, &op->row.credential_version_id, key, err) : rc;
    }
    return rc == OK ? key_proof_open_present(op, tx, err) : rc;
}

enum errc op_plan(struct engine *engine, const struct op_kind *kind, const struct operation *row,
                  const struct limiter_slot *slot, struct tx *tx, struct op **planned, bool *already_done,
                  struct err *err)
{
    struct op *op = op_new(engine, kind, row, slot, tx->cause);
    *already_done = false;
    enum errc rc = key_proof_find_present(op, tx, err);
    if (rc == OK) {
        rc = kind->plan(op, tx, already_done, err);
    }
    if (rc == OK && !*already_done) {
        rc = read_secret_key(op, tx, err);
    }
    if (rc != OK || *already_done) {
        op_free(op);
        return rc;
    }
    *planned = op;
    return OK;
}

enum errc op_prepare(struct engine *engine, const struct op_kind *kind, struct operation *row, struct tx *tx,
                     struct op **op, struct err *err)
{
    bool already_done = false;
    struct limiter_slot slot;
    int64_t wait_us = 0;
    if (!limiter_take(engine->limiter, &row->merchant_id, row->livemode, CALL_FROM_API, &slot, &wait_us)) {
        return err_set(
            err, ERR_OVERLOADED,
            "the provider cannot be called now for this merchant; nothing was recorded, try again");
    }
    row->attempts = 1;
    row->next_attempt_us = tx->now_us + op_lease_us(engine);
    row->node_id = tx->node_id;
    enum errc rc = op_plan(engine, kind, row, &slot, tx, op, &already_done, err);
    if (rc == OK && already_done) {
        // The caller looked at the same rows before it prepared this: they contradict each other.
        return err_set(err, ERR_STORE,
                       "a payment's row contradicts itself: there is nothing to send to the provider");
    }
    if (rc == OK) {
        rc = operation_insert(tx->db, &(*op)->row, err);
    }
    for (size_t i = 0; rc == OK && engine->options.kinds[i] != NULL; i++) {
        const struct op_kind *other = engine->options.kinds[i];
        rc = other->after_prepare != NULL ? other->after_prepare(engine, tx, &(*op)->row, err) : OK;
    }
    return rc;
}

// Whether somebody wanted the operation sooner while this attempt was under way: its time is before the
// lease's end, or after it, but not by a claim that found the attempt still under way.
static bool is_rescheduled(const struct op *op, const struct operation *row)
{
    return row->next_attempt_us != op->leased_until_us &&
           row->next_attempt_us < op->leased_until_us + op_lease_us(op->engine);
}

static enum errc run_settle(struct store_job *job, struct tx *tx, struct err *err)
{
    struct op *op = op_of(job);
    arena_release(&op->settle_arena);
    op->verdict = VERDICT_CLOSE;
    op->record->answer = (struct op_answer){0};
    struct operation row = {0};
    bool held = false;
    enum errc rc = op_get_held(op, tx, &row, &held, err);
    if (rc != OK || !held) {
        return rc;
    }
    bool rescheduled = is_rescheduled(op, &row);
    op->row = row;
    rc = op->proof == PROOF_SAME_ACCOUNT ? key_proof_switch_key(op, tx, err) : op->kind->settle(op, tx, err);
    if (rc != OK) {
        return rc;
    }
    // What was asked for meanwhile is newer than this answer. Where nobody waits, that holds for an answer
    // that closes, too: the next plan finds out whether anything is left to do.
    if (rescheduled && (op->verdict != VERDICT_CLOSE || op->kind->timeout_answer == NULL)) {
        op_at(op, tx->now_us);
    }
    op_apply_verdict(op, tx);
    if (op->verdict == VERDICT_CLOSE) {
        return operation_delete(tx->db, &op->row.subject_id, op->kind->name, err);
    }
    if (!op->kind->background && op->call.answer->outcome == PROVIDER_NO_AUTH) {
        op->row.refused_attempt = op->row.attempts;
        op->row.refused_version_id = op->present_version_id;
    }
    return operation_update(tx->db, &op->row, err);
}

static void ask_settle(struct store_job *job, struct tx *tx)
{
    struct op *op = op_of(job);
    op_ask_held(op, tx);
    op->kind->settle_ahead(op, tx);
}

static void log_attempt(const struct op *op)
{
    const struct provider_answer *answer = op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    bool told_before = op->kind->background && op->row.attempts > 1;
    bool open = op->verdict != VERDICT_CLOSE;
    if (open && answer->outcome == PROVIDER_NO_AUTH && !op->kind->background) {
        LOG(LOG_ERROR, "the provider refuses the secret key of an operation whose outcome is unknown",
            LOG_STR("subject_id", id), LOG_STR("operation", op->kind->name),
            LOG_INT("status", answer->status), LOG_STR("reason", answer->failure.message));
    } else {
        bool trouble = answer->reason != NULL || (op->kind->background && answer->outcome != PROVIDER_DONE);
        LOG(trouble && !told_before ? LOG_WARN : LOG_DEBUG, "provider answered", LOG_STR("subject_id", id),
            LOG_STR("operation", op->kind->name), LOG_INT("attempt", op->row.attempts),
            LOG_INT("status", answer->status), LOG_STR("provider_request_id", answer->request_id),
            LOG_STR("reason", answer->reason != NULL ? answer->reason : answer->failure.message));
    }
}

void op_ended(struct op *op)
{
    struct engine *engine = op->engine;
    engine->stats.in_flight--;
    engine->recovering -= op->slot.source == CALL_FROM_RECOVERY;
    engine->background -= op->kind->background;
    table_remove(&engine->active, &op->active);
    engine_freed(engine);
}

static void settled(struct store_job *job)
{
    struct op *op = op_of(job);
    struct engine *engine = op->engine;
    if (job->result != OK) {
        LOG(LOG_ERROR, "an outcome could not be recorded, will try again",
            LOG_STR("operation", op->kind->name), LOG_STR("error", job->err.message));
        op_unsettled(op);
        return;
    }
    log_attempt(op);
    op_ended(op);
    if (op->verdict != VERDICT_CLOSE) {
        engine_due(engine, op->row.next_attempt_us);
    }
    const struct op_answer *answer = &op->record->answer;
    if (answer->status != 0 || answer->refusal.code != OK) {
        op_answer_waiters(engine, op->kind, &op->row.subject_id, answer);
    }
    op_free(op);
}

void op_move(struct op *op, enum op_phase to)
{
    REQUIRE(op_phase_can_move(op->phase, to));
    op->phase = to;
}

void op_record(struct op *op, enum errc (*run)(struct store_job *job, struct tx *tx, struct err *err),
               void (*done)(struct store_job *job), const char *cause_ref)
{
    // Without a body, the charge's customer is made first: what is due then at once must not be claimed
    // before this job is done, so it has the writer of the claim.
    const bool asks = run == run_settle && op->kind->settle_ahead != NULL && op->proof == PROOF_NONE &&
                      op->row.body != NULL;
    if (op->record == NULL) {
        op->record = ARENA_NEW(&op->page_arena, struct op_record);
        op->record->op = op;
    }
    op->record->job = (struct store_job){.queue = STORE_WRITE,
                                         .run = run,
                                         .done = done,
                                         .ahead = asks ? ask_settle : NULL,
                                         .subject = asks ? op->row.subject_id : (struct uuid){{0}},
                                         .arena = &op->settle_arena,
                                         .cause = op->cause,
                                         .cause_ref = cause_ref};
    store_submit_always(op->engine->options.store, &op->record->job);
}

void op_settle(struct op *op)
{
    op_move(op, OP_SETTLING);
    op_record(op, run_settle, settled, op->call.answer->request_id);
}

// The state that a refusal is about is read after it, so that the attempt knows both.
static bool reads_refused(struct op *op)
{
    const struct provider_answer *answer = op->call.answer;
    if (!op->kind->reads_refused || answer->outcome != PROVIDER_REFUSED ||
        op->call.verb == PROVIDER_RETRIEVE) {
        return false;
    }
    op->refusal = answer->failure;
    op->call.verb = PROVIDER_RETRIEVE;
    op->call.send_before_us = 0;
    return true;
}

// What was stored under a key would only be answered again: whether it was done is read, in the same attempt.
// The kinds that move money plan their look-up themselves (charge.c, refund.c, capture.c).
static bool looks_up(struct op *op)
{
    static const enum provider_verb look_ups[PROVIDER_VERB_COUNT] = {
        [PROVIDER_CUSTOMER] = PROVIDER_CUSTOMER_LIST,
        [PROVIDER_ATTACH] = PROVIDER_METHOD_RETRIEVE,
        [PROVIDER_DETACH] = PROVIDER_METHOD_RETRIEVE,
        [PROVIDER_SETUP] = PROVIDER_SETUP_LIST,
    };
    enum provider_verb look_up = look_ups[op->call.verb];
    if (op->call.answer->outcome != PROVIDER_LOOK_UP || look_up == PROVIDER_CHARGE) {
        return false;
    }
    op->call.verb = look_up;
    return true;
}

static void answered(struct provider_call *call)
{
    struct op *op = CONTAINER_OF(call, struct op, call);
    const struct provider_answer *answer = call->answer;
    limiter_answered(&op->slot, &op->row.subject_id, answer);
    if (op_read_next_page(op) || reads_refused(op) || looks_up(op) || key_proof_begin(op)) {
        op_move(op, OP_QUEUED);
        limiter_call(&op->slot);
        return;
    }
    key_proof_evaluate(op);
    op->engine->stats.unknown_total += provider_is_out_of_reach(answer);
    op_settle(op);
}

struct op_key op_key(const struct op_kind *kind, const struct uuid *subject_id)
{
    struct op_key key;
    memset(&key, 0, sizeof(key)); // it is compared as bytes
    key.subject_id = *subject_id;
    key.kind = kind;
    return key;
}

bool op_is_under_way(struct engine *engine, const struct op_key *key)
{
    return table_find(&engine->active, key, sizeof(*key)) != NULL;
}

bool op_call(struct limiter_slot *slot)
{
    struct op *op = CONTAINER_OF(slot, struct op, slot);
    const char *held_up = NULL;
    bool first = !limiter_slot_has_called(slot);
    int64_t before_us = op->call.send_before_us;
    // A disk or a machine that stood still may have held it up since it was planned.
    if (first && before_us != 0 && loop_wall_us(op->engine->options.loop) >= before_us) {
        held_up = "it was delayed until it was too late to send it";
    } else if (first && !store_in_place(op->engine->options.store)) {
        held_up = "the database file that records it was replaced";
    }
    if (held_up == NULL) {
        op->engine->stats.attempts_total += first;
        op_move(op, OP_CALLING);
        provider_send(op->engine->options.provider, &op->call);
        return true;
    }
    op->call.answer = ARENA_NEW(&op->page_arena, struct provider_answer);
    op->call.answer->outcome = PROVIDER_LOOK_UP;
    op->call.answer->reason = held_up;
    op_settle(op);
    return false;
}

void op_abandon_call(struct limiter_slot *slot)
{
    struct op *op = CONTAINER_OF(slot, struct op, slot);
    provider_abandon_call(op->engine->options.provider, &op->call);
}

void op_run(struct op *op)
{
    struct engine *engine = op->engine;
    engine->stats.in_flight++;
    engine->recovering += op->slot.source == CALL_FROM_RECOVERY;
    engine->background += op->kind->background;
    table_insert(&engine->active, &op->active, &op->key, sizeof(op->key));
    op->call.done = answered;
    op_move(op, OP_QUEUED);
    limiter_call(&op->slot);
}
