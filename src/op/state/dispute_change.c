// See dispute_change.h.
#include "op/state/dispute_change.h"

#include "base/timefmt.h"
#include "op/state/emit_event.h"
#include "op/state/payment_change.h"
#include "op/state/render.h"
#include "provider/provider.h"
#include "store/disputes.h"

static struct dispute dispute_of(struct tx *tx, const struct payment *payment,
                                 const struct provider_event *event)
{
    const struct provider_dispute *reported = &event->dispute;
    struct dispute dispute = {
        .payment_id = payment->id,
        .merchant_id = payment->merchant_id,
        .livemode = payment->livemode,
        .provider_ref = reported->id,
        .status = reported->status,
        .reason = reported->reason,
        .amount_minor = -1,
        .currency = reported->currency != NULL ? currency_find(reported->currency) : NULL,
        .evidence_due_us = reported->evidence_due_s > 0 ? reported->evidence_due_s * US_PER_S : 0,
        .reported_s = event->created_s,
        .created_us = tx->now_us,
        .updated_us = tx->now_us,
    };
    int64_t amount_minor = 0;
    if (dispute.currency != NULL && reported->amount_provider_minor >= 0 &&
        provider_find(payment->provider)
                ->amount_from(reported->amount_provider_minor, dispute.currency, &amount_minor, NULL) == OK) {
        dispute.amount_minor = amount_minor;
    }
    return dispute;
}

static enum errc write_row(struct tx *tx, const struct dispute *reported, struct err *err)
{
    struct dispute row = {0};
    enum errc rc = dispute_by_ref(tx->db, &reported->merchant_id, reported->livemode, reported->provider_ref,
                                  tx->arena, &row, err);
    struct dispute written = *reported;
    if (rc == ERR_NOT_FOUND) {
        written.id = uuid_new(tx->random, tx->now_us);
        return dispute_insert(tx->db, &written, err);
    }
    if (rc == OK && !uuid_equal(&row.payment_id, &reported->payment_id)) {
        return err_set(err, ERR_CONFLICT, "the dispute is another payment's");
    }
    written.id = row.id;
    return rc == OK && dispute_supersedes(reported, &row) ? dispute_update(tx->db, &written, err) : rc;
}

static enum errc tell(struct tx *tx, const struct payment *payment, const struct dispute *dispute,
                      bool opened, struct err *err)
{
    const char *type = opened ? "payment.disputed" : "payment.dispute_closed";
    struct emission emission;
    enum errc rc = append_history(tx, payment, opened ? "disputed" : "dispute closed", err);
    if (rc == OK) {
        rc = emit_begin(tx, &payment->merchant_id, payment->livemode, &payment->id, type, &emission, err);
    }
    if (rc == OK) {
        rc = render_payment(&emission.json, payment, &tx->keyring->master, RENDER_EVENT, err);
    }
    if (rc != OK) {
        return rc;
    }
    json_open_object(&emission.json, "dispute");
    render_dispute(&emission.json, dispute, RENDER_EVENT);
    return emit_finish(tx, &emission, err);
}

enum errc dispute_apply_event(struct tx *tx, const struct payment *payment,
                              const struct provider_event *event, struct err *err)
{
    const struct dispute reported = dispute_of(tx, payment, event);
    enum errc rc = write_row(tx, &reported, err);
    return rc == OK && event->kind != EVENT_DISPUTE_CHANGED
               ? tell(tx, payment, &reported, event->kind == EVENT_DISPUTE_OPENED, err)
               : rc;
}
