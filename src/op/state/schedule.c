// See schedule.h.
#include "op/state/schedule.h"

#include "base/timefmt.h"
#include "domain/retry.h"
#include "provider/provider.h"
#include "store/event_feeds.h"

struct operation operation_on_payment(const struct tx *tx, const char *kind, const struct payment *payment)
{
    return (struct operation){
        .subject_id = payment->id,
        .kind = kind,
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .credential_version_id = payment->credential_version_id,
        .next_attempt_us = tx->now_us,
        .created_us = tx->now_us,
    };
}

struct operation operation_on_refund(const struct tx *tx, const char *kind, const struct refund *refund)
{
    return (struct operation){
        .subject_id = refund->id,
        .kind = kind,
        .merchant_id = refund->merchant_id,
        .livemode = refund->livemode,
        .credential_version_id = refund->credential_version_id,
        .next_attempt_us = tx->now_us,
        .created_us = tx->now_us,
    };
}

struct operation operation_on_card(const struct tx *tx, const char *kind, const struct card *card)
{
    return (struct operation){
        .subject_id = card->id,
        .kind = kind,
        .merchant_id = card->merchant_id,
        .livemode = card->livemode,
        .credential_version_id = card->credential_version_id,
        .next_attempt_us = tx->now_us,
        .created_us = tx->now_us,
    };
}

struct operation operation_on_credential(const struct tx *tx, const char *kind,
                                         const struct credential *credential)
{
    return (struct operation){
        .subject_id = credential->id,
        .kind = kind,
        .merchant_id = credential->merchant_id,
        .livemode = credential->livemode,
        .credential_version_id = credential->version_id,
        .next_attempt_us = tx->now_us,
        .created_us = tx->now_us,
    };
}

enum errc operation_schedule(struct tx *tx, struct operation operation, int64_t delay_us, struct err *err)
{
    operation.next_attempt_us = tx->now_us + delay_us;
    tx->work_due = tx->work_due || delay_us == 0;
    return operation_insert(tx->db, &operation, err);
}

enum errc payment_schedule(struct tx *tx, const struct payment *payment, const char *kind, int64_t delay_us,
                           struct err *err)
{
    return operation_schedule(tx, operation_on_payment(tx, kind, payment), delay_us, err);
}

enum errc payment_schedule_sync(struct tx *tx, const struct payment *payment, struct err *err)
{
    return payment_schedule(tx, payment, OPERATION_SYNC, retry_check_delay_us(0, random_u32(tx->random)),
                            err);
}

enum errc payment_schedule_refund_list(struct tx *tx, const struct payment *payment, const char *whole_charge,
                                       struct err *err)
{
    struct operation row = operation_on_payment(tx, OPERATION_REFUND_LIST, payment);
    row.body = whole_charge;
    return operation_schedule(tx, row, 0, err);
}

enum errc card_schedule(struct tx *tx, const struct card *card, const char *kind, int64_t delay_us,
                        struct err *err)
{
    return operation_schedule(tx, operation_on_card(tx, kind, card), delay_us, err);
}

enum errc events_schedule(struct tx *tx, const struct uuid *merchant_id, bool livemode, int64_t created_s,
                          int64_t delay_us, struct err *err)
{
    struct credential credential = {0};
    enum errc rc =
        credential_get(tx->db, merchant_id, provider_default()->name, livemode, tx->arena, &credential, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    int64_t now_s = tx->now_us / US_PER_S;
    int64_t from_s = created_s > 0 && created_s < now_s ? created_s : now_s;
    rc = event_feed_open(tx->db, &credential.id, OPERATION_EVENTS, from_s - EVENTS_LATE_S, err);
    return rc == OK ? operation_schedule(tx, operation_on_credential(tx, OPERATION_EVENTS, &credential),
                                         delay_us, err)
                    : rc;
}
