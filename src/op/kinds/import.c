// See import.h. The provider does not know the return URL, so it stays empty. Database threads.
#include "op/kinds/import.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "op/engine/op.h"
#include "op/kinds/kinds.h"
#include "op/kinds/refund.h"
#include "op/state/refund_change.h"
#include "store/cards.h"
#include "store/idempotency.h"
#include "store/payments.h"
#include "store/refunds.h"

// The provider's payment is made within a day of ours, and clocks may differ.
#define APART_S (48 * INT64_C(3600))

bool import_find_id(const struct provider_payment *reported, const struct credential *account,
                    struct uuid *payment_id)
{
    struct uuid merchant_id;
    return uuid_parse(reported->payment_id, payment_id) && uuid_parse(reported->merchant_id, &merchant_id) &&
           uuid_equal(&merchant_id, &account->merchant_id) &&
           llabs(reported->created_s - uuid_ms(payment_id) / 1000) < APART_S;
}

// Sets what was charged: the saved card if it is known here, else the provider's payment method.
static enum errc find_method(struct tx *tx, const struct provider_payment *reported, struct payment *payment,
                             struct err *err)
{
    struct card card = {0};
    payment->payment_method = reported->origin.payment_method;
    enum errc rc = payment->payment_method == NULL
                       ? ERR_NOT_FOUND
                       : card_by_ref(tx->db, &payment->merchant_id, payment->livemode,
                                     payment->payment_method, tx->arena, &card, err);
    if (rc == OK) {
        payment->saved_card_id = card.id;
        payment->payment_method = NULL;
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

static enum errc fill(struct tx *tx, const struct provider_payment *reported, struct payment *payment,
                      struct err *err)
{
    const struct currency *currency = reported->currency != NULL ? currency_find(reported->currency) : NULL;
    struct payment other = {0};
    payment->currency = currency;
    if (reported->origin.mark.key == NULL) {
        return err_set(err, ERR_CONFLICT, "its metadata lacks the key and the hash of its request");
    }
    if (currency == NULL || reported->amount_provider_minor <= 0 ||
        provider_find(payment->provider)
                ->amount_from(reported->amount_provider_minor, currency, &payment->amount_minor, err) != OK ||
        payment->amount_minor > currency->minor_max) {
        return err_set(err, ERR_CONFLICT, "its amount or currency is not valid for a payment");
    }
    enum errc rc = payment_by_ref(tx->db, &payment->merchant_id, payment->livemode, reported->id, tx->arena,
                                  &other, err);
    if (rc == OK) {
        return err_set(err, ERR_CONFLICT, "it belongs to another payment");
    }
    return rc == ERR_NOT_FOUND ? find_method(tx, reported, payment, err) : rc;
}

static enum errc keep_key(struct tx *tx, const struct payment *payment, const struct request_mark *mark,
                          struct err *err)
{
    struct idempotency_key key = {
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .kind = "payment",
        .key = mark->key,
        .subject_id = payment->id,
        .created_us = payment->created_us,
    };
    memcpy(key.request_hash, mark->hash, sizeof(key.request_hash));
    return idempotency_insert_free(tx->db, &key, err);
}

enum errc import_payment(struct tx *tx, const struct credential *account, const struct uuid *payment_id,
                         const struct provider_payment *reported, struct err *err)
{
    struct payment payment = {
        .id = *payment_id,
        .merchant_id = account->merchant_id,
        .livemode = account->livemode,
        .status = PAYMENT_PENDING,
        .provider = account->provider,
        .provider_ref = reported->id,
        .idempotency_key = reported->origin.mark.key,
        .description = reported->origin.description,
        .metadata_json = reported->origin.metadata_json,
        .customer_email = reported->origin.customer_email,
        .capture_manual = reported->origin.capture_manual,
        .action_given = true, // it may have been: then a failure cancels the payment at the provider
        .credential_version_id = account->version_id,
        .created_us = uuid_ms(payment_id) * US_PER_MS,
        .updated_us = tx->now_us,
    };
    enum errc rc = fill(tx, reported, &payment, err);
    if (rc == OK) {
        rc = payment_write_imported(tx, &payment, err);
    }
    if (rc == OK) {
        rc = keep_key(tx, &payment, &reported->origin.mark, err);
    }
    if (rc != OK) {
        return rc;
    }
    struct err why = {0};
    rc = payment_apply_reported(tx, &payment, reported, &why);
    if (rc == ERR_CONFLICT || (rc == OK && payment.status == PAYMENT_PENDING)) {
        return payment_schedule_sync(tx, &payment, err); // until it is finished, and its state fits
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}

enum errc import_payment_state(struct tx *tx, const struct credential *account, struct payment *payment,
                               const struct provider_payment *reported, struct err *err)
{
    struct err why = {0};
    if (!uuid_equal(&payment->merchant_id, &account->merchant_id) || payment->livemode != account->livemode) {
        return OK;
    }
    enum errc rc = payment_apply_reported(tx, payment, reported, &why);
    if (rc == OK || rc == ERR_CONFLICT) {
        return OK;
    }
    *err = why;
    return rc;
}

enum errc import_find_refunded(struct tx *tx, const struct credential *account,
                               const struct provider_refund *reported, struct payment *payment,
                               struct err *err)
{
    struct uuid id;
    enum errc rc = reported->payment_ref == NULL
                       ? ERR_NOT_FOUND
                       : payment_by_ref(tx->db, &account->merchant_id, account->livemode,
                                        reported->payment_ref, tx->arena, payment, err);
    if (rc != ERR_NOT_FOUND || !uuid_parse(reported->payment_id, &id)) {
        return rc;
    }
    rc = payment_get(tx->db, &id, &account->merchant_id, tx->arena, payment, err);
    bool other = rc == OK && (payment->livemode != account->livemode || payment->provider_ref != NULL);
    return other ? ERR_NOT_FOUND : rc;
}

enum errc import_refund(struct tx *tx, const struct payment *payment, const struct provider_refund *reported,
                        bool *late, struct err *err)
{
    struct refund refund = {0};
    struct err why = {0};
    *late = payment->provider_ref == NULL;
    if (*late) {
        return OK; // its charge is still open
    }
    enum errc rc = refund_apply_event(tx, payment, reported, &why);
    if (rc == ERR_CONFLICT) {
        rc = payment_schedule_refund_list(tx, payment, NULL, &why); // only the whole list shows how
    }
    if (rc != OK) {
        *err = why;
        return rc;
    }
    rc = refund_by_ref(tx->db, &payment->merchant_id, payment->livemode, reported->id, tx->arena, &refund,
                       err);
    *late = rc == ERR_NOT_FOUND;
    return *late ? OK : rc;
}
