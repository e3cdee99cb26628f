// See payment_change.h. The table of moves is in domain/payment.c.
#include "op/state/payment_change.h"

#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/state/card_change.h"
#include "op/state/emit_event.h"
#include "op/state/render.h"
#include "provider/provider.h"
#include "store/operations.h"
#include "store/payments.h"
#include "store/refunds.h"
#include "store/sealed.h"

static struct payment_history_entry history_entry(struct tx *tx, const struct payment *payment,
                                                  const char *what)
{
    return (struct payment_history_entry){
        .id = uuid_new(tx->random, tx->now_us),
        .payment_id = payment->id,
        .at_us = tx->now_us,
        .what = what,
        .status = payment->status,
        .cause = tx->cause,
        .cause_ref = tx->cause_ref,
    };
}

enum errc append_history(struct tx *tx, const struct payment *payment, const char *what, struct err *err)
{
    const struct payment_history_entry entry = history_entry(tx, payment, what);
    return payment_history_append(tx->db, &entry, err);
}

// refund NULL: the event is about the payment alone.
static enum errc emit_payment(struct tx *tx, const struct payment *payment, const struct refund *refund,
                              const char *type, struct err *err)
{
    struct emission emission;
    enum errc rc =
        emit_begin(tx, &payment->merchant_id, payment->livemode, &payment->id, type, &emission, err);
    if (rc == OK) {
        rc = render_payment(&emission.json, payment, &tx->keyring->master, RENDER_EVENT, err);
    }
    if (rc == OK && refund != NULL) {
        json_open_object(&emission.json, "refund");
        render_refund(&emission.json, refund);
        json_close(&emission.json);
    }
    return rc == OK ? emit_finish(tx, &emission, err) : rc;
}

// Writes the row, the history and, if type is not NULL, the event.
static enum errc write_change(struct tx *tx, struct payment *payment, const char *what, const char *type,
                              struct err *err)
{
    payment->updated_us = tx->now_us;
    enum errc rc = payment_update(tx->db, payment, err);
    if (rc == OK) {
        rc = append_history(tx, payment, what, err);
    }
    if (rc == OK && type != NULL) {
        rc = emit_payment(tx, payment, NULL, type, err);
    }
    return rc;
}

static enum errc write_first(struct tx *tx, const struct payment *payment, const char *what, struct err *err)
{
    const struct payment_history_entry entry = history_entry(tx, payment, what);
    enum errc rc = payment_insert(tx->db, payment, err);
    return rc == OK ? payment_history_begin(tx->db, &entry, err) : rc;
}

enum errc payment_write_new(struct tx *tx, const struct payment *payment, struct err *err)
{
    return write_first(tx, payment, "created", err);
}

enum errc payment_write_imported(struct tx *tx, const struct payment *payment, struct err *err)
{
    return write_first(tx, payment, "taken over", err);
}

static void end_action(struct payment *payment)
{
    payment->capturable = false;
    payment->next_action = NEXT_ACTION_NONE;
    payment->action_secret_sealed = NULL;
    payment->action_secret_sealed_bytes = 0;
}

// The status does not allow the move. The row is written even so, since the provider's id may be new.
static enum errc ignore(struct tx *tx, const struct payment *payment, const char *what, struct err *err)
{
    enum errc rc = payment_update(tx->db, payment, err);
    return rc == OK ? append_history(tx, payment, what, err) : rc;
}

static enum errc fail(struct tx *tx, struct payment *payment, const struct failure *failure,
                      bool reported_over, struct err *err)
{
    enum payment_status to = payment->status;
    if (!payment_can_move(payment->status, MOVE_FAIL, &to)) {
        return ignore(tx, payment, "ignored: a failure", err);
    }
    payment->status = to;
    payment->failure = *failure;
    end_action(payment);
    enum errc rc = OK;
    if (payment->action_given && payment->provider_ref != NULL && !reported_over) {
        rc = payment_schedule(tx, payment, OPERATION_CANCEL, 0, err);
    }
    return rc == OK ? write_change(tx, payment, "failed", "payment.failed", err) : rc;
}

enum errc payment_fail(struct tx *tx, struct payment *payment, const struct failure *failure, struct err *err)
{
    return fail(tx, payment, failure, false, err);
}

// The provider's id becomes this payment's only if no other payment here has it, and if the report does not
// name another payment.
static enum errc check_ref_is_free(struct tx *tx, const struct payment *payment,
                                   const struct provider_payment *reported, struct err *err)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&payment->id, id);
    if (reported->payment_id != NULL && !text_equal(reported->payment_id, id)) {
        return err_set(err, ERR_CONFLICT, "the provider's object names another payment");
    }
    struct payment other = {0};
    enum errc rc = payment_by_ref(tx->db, &payment->merchant_id, payment->livemode, reported->id, tx->arena,
                                  &other, err);
    if (rc == OK) {
        return err_set(err, ERR_CONFLICT, "the provider's object belongs to another payment");
    }
    return rc == ERR_NOT_FOUND ? OK : rc;
}

enum errc payment_check_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err)
{
    if (payment->provider_ref != NULL && !text_equal(payment->provider_ref, reported->id)) {
        return err_set(err, ERR_CONFLICT, "the provider's object is not the one of this payment");
    }
    if (payment->provider_ref == NULL) {
        enum errc rc = check_ref_is_free(tx, payment, reported, err);
        if (rc != OK) {
            return rc;
        }
    }
    int64_t expected = provider_find(payment->provider)->amount_to(payment->amount_minor, payment->currency);
    bool amount_differs = reported->amount_provider_minor >= 0 && reported->amount_provider_minor != expected;
    bool currency_differs =
        reported->currency != NULL && !text_equal_nocase(reported->currency, payment->currency->code);
    if (amount_differs || currency_differs) {
        return err_set(err, ERR_CONFLICT,
                       "the provider's object and this payment differ in amount or currency");
    }
    return OK;
}

// A payment completes once: no move leads from completed back to a status that completes.
static enum errc complete(struct tx *tx, struct payment *payment, const struct provider_payment *reported,
                          struct err *err)
{
    enum payment_status to = payment->status;
    if (!payment_can_move(payment->status, MOVE_COMPLETE, &to)) {
        return OK; // it was completed by an earlier report
    }
    struct operation capture = {0};
    bool amount_reported = reported->received_provider_minor >= 0;
    enum errc rc = amount_reported
                       ? ERR_NOT_FOUND
                       : operation_get(tx->db, &payment->id, OPERATION_CAPTURE, tx->arena, &capture, err);
    if (rc != ERR_NOT_FOUND) {
        return rc; // a capture is under way that knows how much was asked for
    }
    if (!amount_reported && payment->capture_manual) {
        return err_set(err, ERR_CONFLICT, "the provider does not say how much it captured");
    }
    int64_t captured = payment->amount_minor;
    if (amount_reported) {
        rc = provider_find(payment->provider)
                 ->amount_from(reported->received_provider_minor, payment->currency, &captured, err);
        if (rc != OK || captured > payment->amount_minor || captured == 0) {
            return err_set(err, ERR_CONFLICT, "the provider says that it captured an impossible amount");
        }
    }
    payment->status = to;
    payment->captured_minor = captured;
    payment->failure = (struct failure){0};
    end_action(payment);
    rc = write_change(tx, payment, "completed", "payment.completed", err);
    return rc == OK && !uuid_is_nil(&payment->customer_id) ? card_write_paid(tx, payment, reported, err) : rc;
}

enum errc payment_is_ending(struct tx *tx, const struct payment *payment, bool *ending, struct err *err)
{
    struct operation open = {0};
    enum errc rc = operation_get(tx->db, &payment->id, OPERATION_CAPTURE, tx->arena, &open, err);
    if (rc == ERR_NOT_FOUND) {
        rc = operation_get(tx->db, &payment->id, OPERATION_CANCEL, tx->arena, &open, err);
    }
    *ending = rc == OK;
    return rc == ERR_NOT_FOUND ? OK : rc;
}

enum errc payment_set_capturable(struct tx *tx, struct payment *payment, bool capturable, const char *what,
                                 struct err *err)
{
    payment->capturable = capturable;
    return write_change(tx, payment, what, capturable ? "payment.capturable" : NULL, err);
}

enum errc payment_set_customer(struct tx *tx, struct payment *payment, const struct uuid *customer_id,
                               struct err *err)
{
    payment->customer_id = *customer_id;
    return write_change(tx, payment, "another customer", NULL, err);
}

// Authorised: still pending, and capturable.
static enum errc authorise(struct tx *tx, struct payment *payment, struct err *err)
{
    if (payment->status != PAYMENT_PENDING) {
        return ignore(tx, payment, "ignored: an authorisation", err);
    }
    bool ending = false;
    enum errc rc = payment_is_ending(tx, payment, &ending, err);
    if (rc != OK || ending || payment->capturable) {
        return rc; // reported before, or older than its capture or cancellation
    }
    end_action(payment);
    payment->capturable = true;
    return write_change(tx, payment, "capturable", "payment.capturable", err);
}

// The payer has nothing left to do.
static enum errc processing(struct tx *tx, struct payment *payment, bool ref_is_new, struct err *err)
{
    if (payment->status != PAYMENT_PENDING) {
        return ignore(tx, payment, "ignored: processing", err);
    }
    if (payment->next_action == NEXT_ACTION_NONE && !ref_is_new) {
        return OK;
    }
    end_action(payment);
    return write_change(tx, payment, "processing", NULL, err);
}

// Not finished: stores what the payer needs to act.
static enum errc keep_open(struct tx *tx, struct payment *payment, const struct provider_payment *reported,
                           bool ref_is_new, struct err *err)
{
    if (payment->status != PAYMENT_PENDING) {
        return ignore(tx, payment, "ignored: processing", err);
    }
    // A report of an open payment is older than its authorisation.
    bool acts = reported->next_action != NEXT_ACTION_NONE && payment->next_action == NEXT_ACTION_NONE &&
                !payment->capturable;
    if (!acts && !ref_is_new) {
        return OK;
    }
    if (acts) {
        payment->next_action = reported->next_action;
        payment->action_given = true;
        // The client secret, or a URL that holds it.
        const char *text =
            reported->next_action == NEXT_ACTION_REDIRECT ? reported->redirect_url : reported->client_secret;
        if (text != NULL) {
            struct sealed sealed =
                seal(&tx->keyring->master, tx->arena,
                     sealed_context(tx->arena, SEALED_NEXT_ACTION, &payment->id), text, strlen(text));
            payment->action_secret_sealed = sealed.data;
            payment->action_secret_sealed_bytes = (int)sealed.bytes;
        }
    }
    return write_change(tx, payment, acts ? "action required" : "processing", NULL, err);
}

struct failure payment_failure_of(const struct provider_payment *reported)
{
    struct failure failure = reported->failure;
    if (reported->state == PROVIDER_PAYMENT_CANCELED) {
        failure = (struct failure){.code = "canceled", .message = "The payment was canceled."};
    } else if (failure.code == NULL) {
        failure = (struct failure){.code = "payment_failed", .message = "The payment failed."};
    }
    return failure;
}

enum errc payment_apply_reported(struct tx *tx, struct payment *payment,
                                 const struct provider_payment *reported, struct err *err)
{
    enum errc rc = payment_check_reported(tx, payment, reported, err);
    if (rc != OK) {
        return rc;
    }
    bool ref_is_new = payment->provider_ref == NULL;
    payment->provider_ref = reported->id;
    struct failure failure = payment_failure_of(reported);
    switch (reported->state) {
    case PROVIDER_PAYMENT_SUCCEEDED:
        return complete(tx, payment, reported, err);
    case PROVIDER_PAYMENT_CAPTURABLE:
        return authorise(tx, payment, err);
    case PROVIDER_PAYMENT_ATTEMPT_FAILED:
        return fail(tx, payment, &failure, false, err);
    case PROVIDER_PAYMENT_CANCELED:
        return fail(tx, payment, &failure, true, err);
    case PROVIDER_PAYMENT_PROCESSING:
        return processing(tx, payment, ref_is_new, err);
    case PROVIDER_PAYMENT_OPEN:
        break;
    }
    return keep_open(tx, payment, reported, ref_is_new, err);
}

enum errc payment_reopen(struct tx *tx, struct payment *payment, const struct provider_payment *reported,
                         struct err *err)
{
    enum payment_status to = payment->status;
    enum errc rc = payment_check_reported(tx, payment, reported, err);
    if (rc == OK && payment_can_move(payment->status, MOVE_REOPEN, &to)) {
        payment->status = to;
        payment->failure = (struct failure){0};
        rc = write_change(tx, payment, PAYMENT_REOPENED, NULL, err);
    }
    return rc == OK ? payment_apply_reported(tx, payment, reported, err) : rc;
}

enum errc payment_fail_again(struct tx *tx, struct payment *payment, const struct failure *failure,
                             const char *what, struct err *err)
{
    REQUIRE(payment->status == PAYMENT_FAILED);
    payment->failure = *failure;
    return write_change(tx, payment, what, NULL, err);
}

enum errc payment_apply_refund(struct tx *tx, struct payment *payment, const struct refund *refund,
                               struct err *err)
{
    static const char *const whats[] = {"refund pending", "refund completed", "refund failed"};
    static const char *const types[] = {NULL, "payment.refunded", "refund.failed"};
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
    // The sum decides the status of a payment that was paid, and of no other.
    (void)payment_can_move(payment->status, whole ? MOVE_REFUND_WHOLE : MOVE_REFUND_UNDONE, &payment->status);
    rc = write_change(tx, payment, whats[refund->status], NULL, err);
    const char *type = types[refund->status];
    return rc == OK && type != NULL ? emit_payment(tx, payment, refund, type, err) : rc;
}
