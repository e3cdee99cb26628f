// What is refunded of a payment is always the sum of its completed rows, never a figure of the provider's,
// which counts refunds that are still pending and money that was never captured.
#include "op/state/refund_change.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/engine/op.h"
#include "op/kinds/refund.h"
#include "op/state/emit_event.h"
#include "op/state/render.h"
#include "store/idempotency.h"
#include "store/operations.h"
#include "store/payments.h"
#include "store/refunds.h"

static enum errc tell(struct tx *tx, const struct payment *payment, const struct refund *refund,
                      const char *type, struct err *err)
{
    struct json_object *data = NULL;
    enum errc rc = render_payment(payment, &tx->keyring->master, RENDER_EVENT, tx->arena, &data, err);
    if (rc != OK) {
        return rc;
    }
    json_add(data, "refund", render_refund(refund));
    return emit_event(tx, &payment->merchant_id, payment->livemode, &payment->id, type, data, err);
}

// Before anything is written: a conflict is left out by the caller, and must leave nothing behind. Another
// refund may have failed without our knowing yet, so the list of all of them is read then.
static enum errc check_fits(struct tx *tx, const struct payment *payment, const struct refund *refund,
                            struct err *err)
{
    if (refund->status != REFUND_COMPLETED ||
        refund->amount_minor <= payment->captured_minor - payment->refunded_minor) {
        return OK;
    }
    enum errc rc = payment_schedule_refund_list(tx, payment, NULL, err);
    return rc == OK
               ? err_set(err, ERR_CONFLICT, "the provider reports that more was refunded than was captured")
               : rc;
}

// The payment's sum, and its status where the sum decides it.
static enum errc sum_up(struct tx *tx, struct payment *payment, struct err *err)
{
    int64_t completed_minor = 0;
    int64_t pending_minor = 0;
    enum errc rc = refund_sums(tx->db, &payment->id, &completed_minor, &pending_minor, err);
    if (rc != OK) {
        return rc;
    }
    if (completed_minor > payment->captured_minor) {
        return err_set(err, ERR_STORE, "a payment's refunds exceed what was captured");
    }
    payment->refunded_minor = completed_minor;
    bool whole = completed_minor > 0 && completed_minor == payment->captured_minor;
    (void)payment_can_move(payment->status, whole ? MOVE_REFUND_WHOLE : MOVE_REFUND_UNDONE, &payment->status);
    return OK;
}

// Writes a refund whose status is new, and all that follows from it.
static enum errc write_refund(struct tx *tx, const struct refund *refund, bool is_new, struct err *err)
{
    static const char *const whats[] = {"refund pending", "refund completed", "refund failed"};
    static const char *const types[] = {NULL, "payment.refunded", "refund.failed"};
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &refund->payment_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = check_fits(tx, &payment, refund, err);
    }
    if (rc == OK) {
        rc = is_new ? refund_insert(tx->db, refund, err) : refund_update(tx->db, refund, err);
    }
    if (rc == OK) {
        rc = sum_up(tx, &payment, err);
    }
    if (rc != OK) {
        return rc;
    }
    payment.updated_us = tx->now_us;
    rc = payment_update(tx->db, &payment, err);
    if (rc == OK) {
        rc = append_history(tx, &payment, whats[refund->status], err);
    }
    if (rc == OK && types[refund->status] != NULL) {
        rc = tell(tx, &payment, refund, types[refund->status], err);
    }
    return rc;
}

// A refund that the provider has not finished is asked after.
static enum errc ask_later(struct tx *tx, const struct refund *refund, struct err *err)
{
    return operation_schedule(tx, operation_on_refund(tx, OPERATION_REFUND_SYNC, refund),
                              retry_check_delay_us(0, tx_random32(tx)), err);
}

static enum errc check_same(const struct refund *refund, const struct provider_refund *said, struct err *err)
{
    bool other_id = refund->provider_ref != NULL && !text_equal(refund->provider_ref, said->id);
    int64_t expected = money_to_stripe(refund->amount_minor, refund->currency);
    bool other_amount = said->amount_provider_minor >= 0 && said->amount_provider_minor != expected;
    bool other_currency =
        said->currency != NULL && !text_equal_nocase(said->currency, refund->currency->code);
    return other_id || other_amount || other_currency
               ? err_set(err, ERR_CONFLICT, "the provider's refund is not this one")
               : OK;
}

static struct failure failure_of(const struct provider_refund *said)
{
    return (struct failure){
        .code = said->failure_reason != NULL ? said->failure_reason : "refund_failed",
        .message = "The provider could not carry out the refund.",
    };
}

// Another row that was taken over under this id before its own call was answered is the same refund: it
// gives the id and its amount back.
static enum errc replace_twin(struct tx *tx, const struct refund *refund, const struct provider_refund *said,
                              struct err *err)
{
    struct refund twin = {0};
    enum errc rc =
        refund_by_ref(tx->db, &refund->merchant_id, refund->livemode, said->id, tx->arena, &twin, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    if (!uuid_equal(&twin.payment_id, &refund->payment_id) || twin.created_us < refund->created_us) {
        return err_set(err, ERR_CONFLICT, "the provider's refund belongs to another refund here");
    }
    twin.provider_ref = NULL;
    twin.updated_us = tx->now_us;
    if (!refund_can_move(twin.status, REFUND_FAILED)) {
        return refund_update(tx->db, &twin, err);
    }
    twin.status = REFUND_FAILED;
    twin.failure =
        (struct failure){.code = "duplicate", .message = "This refund is a duplicate of another one."};
    return write_refund(tx, &twin, false, err);
}

enum errc refund_take(struct tx *tx, struct refund *refund, const struct provider_refund *said,
                      struct err *err)
{
    bool news = refund->provider_ref == NULL;
    enum errc rc = check_same(refund, said, err);
    if (rc == OK && news) {
        rc = replace_twin(tx, refund, said, err);
    }
    if (rc != OK) {
        return rc;
    }
    refund->provider_ref = said->id;
    if (refund_can_move(refund->status, said->status)) {
        refund->status = said->status;
        refund->failure = said->status == REFUND_FAILED ? failure_of(said) : (struct failure){0};
        refund->updated_us = tx->now_us;
        rc = write_refund(tx, refund, false, err);
    } else if (news) {
        rc = refund_update(tx->db, refund, err);
    }
    return rc == OK && refund->status == REFUND_PENDING ? ask_later(tx, refund, err) : rc;
}

enum errc refund_fail(struct tx *tx, struct refund *refund, const struct failure *failure, struct err *err)
{
    if (!refund_can_move(refund->status, REFUND_FAILED)) {
        return OK;
    }
    refund->status = REFUND_FAILED;
    refund->failure = *failure;
    refund->updated_us = tx->now_us;
    return write_refund(tx, refund, false, err);
}

// One that was asked for here, and that this database has forgotten, gets the id that it had.
static enum errc choose_id(struct tx *tx, const struct provider_refund *said, struct refund *refund,
                           struct err *err)
{
    struct refund other = {0};
    struct uuid had;
    refund->id = uuid_new(tx->random, tx->now_us);
    refund->created_us = tx->now_us;
    if (said->refund_id == NULL || !uuid_parse(said->refund_id, &had) || uuid_ms(&had) < 0 ||
        uuid_ms(&had) > tx->now_us / US_PER_MS) {
        return OK;
    }
    enum errc rc = refund_get(tx->db, &had, NULL, tx->arena, &other, err);
    if (rc == ERR_NOT_FOUND) {
        refund->id = had;
        refund->created_us = uuid_ms(&had) * US_PER_MS;
        return OK;
    }
    return rc;
}

static enum errc keep_key(struct tx *tx, const struct refund *refund, const struct request_mark *mark,
                          struct err *err)
{
    struct idempotency_key key = {
        .merchant_id = refund->merchant_id,
        .livemode = refund->livemode,
        .kind = "refund",
        .key = mark->key,
        .subject_id = refund->id,
        .created_us = refund->created_us,
    };
    memcpy(key.request_hash, mark->hash, sizeof(key.request_hash));
    return mark->key != NULL ? idempotency_insert_free(tx->db, &key, err) : OK;
}

// No row is this refund: it gets one.
static enum errc adopt(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                       bool *unclear, struct err *err)
{
    struct refund refund = {
        .payment_id = payment->id,
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .currency = payment->currency,
        .status = said->status,
        .provider_ref = said->id,
        .reason = said->reason,
        .credential_version_id = payment->credential_version_id,
        .updated_us = tx->now_us,
    };
    enum errc rc =
        money_from_stripe(said->amount_provider_minor, payment->currency, &refund.amount_minor, err);
    if (rc != OK || refund.amount_minor == 0 || !text_equal_nocase(said->currency, payment->currency->code)) {
        return err_set(err, ERR_CONFLICT,
                       "the provider's refund has no valid amount in this payment's currency");
    }
    if (refund.status == REFUND_FAILED) {
        refund.failure = failure_of(said);
    }
    if (said->refund_id == NULL) {
        rc = refund_is_awaited(tx->db, &payment->id, refund.amount_minor, unclear, err);
    }
    if (rc == OK && !*unclear) {
        rc = choose_id(tx, said, &refund, err);
    }
    if (rc != OK || *unclear) {
        return rc;
    }
    rc = write_refund(tx, &refund, true, err);
    rc = rc == OK ? keep_key(tx, &refund, &said->mark, err) : rc;
    return rc == OK && refund.status == REFUND_PENDING ? ask_later(tx, &refund, err) : rc;
}

// The row that stands for the whole of a charge, because the list was read too soon, is this refund.
static enum errc find_stand_in(struct tx *tx, const struct payment *payment,
                               const struct provider_refund *said, struct refund *refund, struct err *err)
{
    struct refund found = {0};
    enum errc rc = said->charge_id == NULL ? ERR_NOT_FOUND
                                           : refund_by_ref(tx->db, &payment->merchant_id, payment->livemode,
                                                           said->charge_id, tx->arena, &found, err);
    if (rc != OK) {
        return rc;
    }
    if (money_to_stripe(found.amount_minor, found.currency) != said->amount_provider_minor) {
        return ERR_NOT_FOUND; // one of several
    }
    *refund = found;
    refund->provider_ref = NULL; // it has its own from now on
    return OK;
}

enum errc refund_take_over(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                           bool *unclear, struct err *err)
{
    struct refund refund = {0};
    struct uuid id;
    *unclear = false;
    enum errc rc =
        refund_by_ref(tx->db, &payment->merchant_id, payment->livemode, said->id, tx->arena, &refund, err);
    if (rc == ERR_NOT_FOUND && said->refund_id != NULL && uuid_parse(said->refund_id, &id)) {
        rc = refund_get(tx->db, &id, &payment->merchant_id, tx->arena, &refund, err);
    }
    if (rc == ERR_NOT_FOUND) {
        rc = find_stand_in(tx, payment, said, &refund, err);
    }
    if (rc == ERR_NOT_FOUND) {
        return adopt(tx, payment, said, unclear, err);
    }
    if (rc == OK && !uuid_equal(&refund.payment_id, &payment->id)) {
        return err_set(err, ERR_CONFLICT, "the provider's refund belongs to another payment");
    }
    return rc == OK ? refund_take(tx, &refund, said, err) : rc;
}

// Of a payment that was captured in part only the whole list tells a refund from what was let go.
enum errc refund_hear(struct tx *tx, const struct payment *payment, const struct provider_refund *said,
                      struct err *err)
{
    bool made = payment_is_captured(payment);
    bool ours = said->refund_id != NULL;
    bool unclear = !made || (!ours && payment->captured_minor != payment->amount_minor);
    enum errc rc = unclear ? OK : refund_take_over(tx, payment, said, &unclear, err);
    return rc == OK && unclear ? payment_schedule_refund_list(tx, payment, NULL, err) : rc;
}
