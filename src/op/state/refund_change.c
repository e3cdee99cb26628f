// See refund_change.h.
#include "op/state/refund_change.h"

#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "store/idempotency.h"
#include "store/operations.h"
#include "store/payments.h"
#include "store/refunds.h"

enum errc refund_write_new(struct tx *tx, const struct payment *payment, const struct refund *refund,
                           struct err *err)
{
    enum errc rc = refund_insert(tx->db, refund, err);
    return rc == OK ? append_history(tx, payment, "refund requested", err) : rc;
}

// Runs before anything is written, since a caller leaves a conflict out and goes on. The provider may have
// failed another refund that is completed here, so the list of all refunds is read after a conflict.
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

// A refund that is new, or whose status is.
static enum errc write_refund(struct tx *tx, const struct refund *refund, bool is_new, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = payment_get(tx->db, &refund->payment_id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        rc = check_fits(tx, &payment, refund, err);
    }
    if (rc == OK) {
        rc = is_new ? refund_insert(tx->db, refund, err) : refund_update(tx->db, refund, err);
    }
    return rc == OK ? payment_apply_refund(tx, &payment, refund, err) : rc;
}

// The provider has not finished the refund: it is checked later.
static enum errc schedule_check(struct tx *tx, const struct refund *refund, struct err *err)
{
    return operation_schedule(tx, operation_on_refund(tx, OPERATION_REFUND_SYNC, refund),
                              retry_check_delay_us(0, random_u32(tx->random)), err);
}

static enum errc check_is_same(const struct refund *refund, const struct provider_ops *provider,
                               const struct provider_refund *reported, struct err *err)
{
    bool other_id = refund->provider_ref != NULL && !text_equal(refund->provider_ref, reported->id);
    int64_t expected = provider->amount_to(refund->amount_minor, refund->currency);
    bool other_amount = reported->amount_provider_minor >= 0 && reported->amount_provider_minor != expected;
    bool other_currency =
        reported->currency != NULL && !text_equal_nocase(reported->currency, refund->currency->code);
    return other_id || other_amount || other_currency
               ? err_set(err, ERR_CONFLICT, "the provider's refund is not this one")
               : OK;
}

static struct failure failure_of(const struct provider_refund *reported)
{
    return (struct failure){
        .code = reported->failure_reason != NULL ? reported->failure_reason : "refund_failed",
        .message = "The provider could not carry out the refund.",
    };
}

// This refund's call was not answered yet when an event or a list reported it, so it was imported as another
// row. The import fails as a duplicate, which frees the provider's id and the amount.
static enum errc drop_duplicate(struct tx *tx, const struct refund *refund,
                                const struct provider_refund *reported, struct err *err)
{
    struct refund duplicate = {0};
    enum errc rc = refund_by_ref(tx->db, &refund->merchant_id, refund->livemode, reported->id, tx->arena,
                                 &duplicate, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    if (!uuid_equal(&duplicate.payment_id, &refund->payment_id) ||
        duplicate.created_us < refund->created_us) {
        return err_set(err, ERR_CONFLICT, "the provider's refund belongs to another refund here");
    }
    duplicate.provider_ref = NULL;
    duplicate.updated_us = tx->now_us;
    if (!refund_can_move(duplicate.status, REFUND_FAILED)) {
        return refund_update(tx->db, &duplicate, err);
    }
    duplicate.status = REFUND_FAILED;
    duplicate.failure =
        (struct failure){.code = "duplicate", .message = "This refund is a duplicate of another one."};
    return write_refund(tx, &duplicate, false, err);
}

enum errc refund_apply_reported(struct tx *tx, struct refund *refund, const struct provider_ops *provider,
                                const struct provider_refund *reported, struct err *err)
{
    bool ref_is_new = refund->provider_ref == NULL;
    enum errc rc = check_is_same(refund, provider, reported, err);
    if (rc == OK && ref_is_new) {
        rc = drop_duplicate(tx, refund, reported, err);
    }
    if (rc != OK) {
        return rc;
    }
    refund->provider_ref = reported->id;
    if (refund_can_move(refund->status, reported->status)) {
        refund->status = reported->status;
        refund->failure = reported->status == REFUND_FAILED ? failure_of(reported) : (struct failure){0};
        refund->updated_us = tx->now_us;
        rc = write_refund(tx, refund, false, err);
    } else if (ref_is_new) {
        rc = refund_update(tx->db, refund, err);
    }
    return rc == OK && refund->status == REFUND_PENDING ? schedule_check(tx, refund, err) : rc;
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

// A refund that was requested here, but that this database lacks, gets its own id again.
static enum errc choose_id(struct tx *tx, const struct provider_refund *reported, struct refund *refund,
                           struct err *err)
{
    struct refund other = {0};
    struct uuid id;
    refund->id = uuid_new(tx->random, tx->now_us);
    refund->created_us = tx->now_us;
    if (reported->refund_id == NULL || !uuid_parse(reported->refund_id, &id) || uuid_ms(&id) < 0 ||
        uuid_ms(&id) > tx->now_us / US_PER_MS) {
        return OK;
    }
    enum errc rc = refund_get(tx->db, &id, NULL, tx->arena, &other, err);
    if (rc == ERR_NOT_FOUND) {
        refund->id = id;
        refund->created_us = uuid_ms(&id) * US_PER_MS;
        return OK;
    }
    return rc;
}

static enum errc store_key(struct tx *tx, const struct refund *refund, const struct request_mark *mark,
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

// No row is this refund, so it gets one.
static enum errc import(struct tx *tx, const struct payment *payment, const struct provider_refund *reported,
                        bool *ambiguous, struct err *err)
{
    struct refund refund = {
        .payment_id = payment->id,
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .currency = payment->currency,
        .status = reported->status,
        .provider_ref = reported->id,
        .reason = reported->reason,
        .credential_version_id = payment->credential_version_id,
        .updated_us = tx->now_us,
    };
    enum errc rc =
        provider_find(payment->provider)
            ->amount_from(reported->amount_provider_minor, payment->currency, &refund.amount_minor, err);
    if (rc != OK || refund.amount_minor == 0 ||
        !text_equal_nocase(reported->currency, payment->currency->code)) {
        return err_set(err, ERR_CONFLICT,
                       "the provider's refund has no valid amount in this payment's currency");
    }
    if (refund.status == REFUND_FAILED) {
        refund.failure = failure_of(reported);
    }
    if (reported->refund_id == NULL) {
        rc = refund_is_awaited(tx->db, &payment->id, refund.amount_minor, ambiguous, err);
    }
    if (rc == OK && !*ambiguous) {
        rc = choose_id(tx, reported, &refund, err);
    }
    if (rc != OK || *ambiguous) {
        return rc;
    }
    rc = write_refund(tx, &refund, true, err);
    rc = rc == OK ? store_key(tx, &refund, &reported->mark, err) : rc;
    return rc == OK && refund.status == REFUND_PENDING ? schedule_check(tx, &refund, err) : rc;
}

// The placeholder for the whole charge, which was written because the list did not show its refund yet, is
// this refund.
static enum errc find_placeholder(struct tx *tx, const struct payment *payment,
                                  const struct provider_refund *reported, struct refund *refund,
                                  struct err *err)
{
    struct refund found = {0};
    enum errc rc = reported->charge_id == NULL
                       ? ERR_NOT_FOUND
                       : refund_by_ref(tx->db, &payment->merchant_id, payment->livemode, reported->charge_id,
                                       tx->arena, &found, err);
    if (rc != OK) {
        return rc;
    }
    int64_t amount = provider_find(payment->provider)->amount_to(found.amount_minor, found.currency);
    if (amount != reported->amount_provider_minor) {
        return ERR_NOT_FOUND; // one of several
    }
    *refund = found;
    refund->provider_ref = NULL; // instead of the charge's id, the refund's is written
    return OK;
}

enum errc refund_reconcile(struct tx *tx, const struct payment *payment,
                           const struct provider_refund *reported, bool *ambiguous, struct err *err)
{
    struct refund refund = {0};
    struct uuid id;
    *ambiguous = false;
    enum errc rc = refund_by_ref(tx->db, &payment->merchant_id, payment->livemode, reported->id, tx->arena,
                                 &refund, err);
    if (rc == ERR_NOT_FOUND && reported->refund_id != NULL && uuid_parse(reported->refund_id, &id)) {
        rc = refund_get(tx->db, &id, &payment->merchant_id, tx->arena, &refund, err);
    }
    if (rc == ERR_NOT_FOUND) {
        rc = find_placeholder(tx, payment, reported, &refund, err);
    }
    if (rc == ERR_NOT_FOUND) {
        return import(tx, payment, reported, ambiguous, err);
    }
    if (rc == OK && !uuid_equal(&refund.payment_id, &payment->id)) {
        return err_set(err, ERR_CONFLICT, "the provider's refund belongs to another payment");
    }
    return rc == OK ? refund_apply_reported(tx, &refund, provider_find(payment->provider), reported, err)
                    : rc;
}

// After a partial capture only the whole list tells a refund from the released rest of the authorisation.
enum errc refund_apply_event(struct tx *tx, const struct payment *payment,
                             const struct provider_refund *reported, struct err *err)
{
    bool made = payment_is_captured(payment);
    bool ours = reported->refund_id != NULL;
    bool ambiguous = !made || (!ours && payment->captured_minor != payment->amount_minor);
    enum errc rc = ambiguous ? OK : refund_reconcile(tx, payment, reported, &ambiguous, err);
    return rc == OK && ambiguous ? payment_schedule_refund_list(tx, payment, NULL, err) : rc;
}
