// See card_change.h.
#include "op/state/card_change.h"

#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/state/emit_event.h"
#include "op/state/render.h"
#include "op/state/schedule.h"
#include "store/cards.h"
#include "store/customers.h"
#include "store/sealed.h"

// Cards of one call of card_emit_expiring.
#define EXPIRING_MAX 100

enum errc card_write_new(struct tx *tx, const struct card *card, struct err *err)
{
    return card_insert(tx->db, card, err);
}

enum errc card_write_paid(struct tx *tx, const struct payment *payment,
                          const struct provider_payment *reported, struct err *err)
{
    const struct card card = {
        .id = uuid_new(tx->random, tx->now_us),
        .merchant_id = payment->merchant_id,
        .customer_id = payment->customer_id,
        .livemode = payment->livemode,
        .status = CARD_SAVING,
        .provider = payment->provider,
        .method_sent = reported->method_ref != NULL ? reported->method_ref : payment->payment_method,
        .customer_email = payment->customer_email,
        .setup_ref = reported->id,
        .credential_version_id = payment->credential_version_id,
        .created_us = tx->now_us,
        .updated_us = tx->now_us,
    };
    enum errc rc = card_insert(tx->db, &card, err);
    return rc == OK ? card_schedule(tx, &card, OPERATION_CARD_KEEP, 0, err) : rc;
}

enum errc card_set_customer(struct tx *tx, struct card *card, const struct uuid *customer_id, struct err *err)
{
    card->customer_id = *customer_id;
    card->updated_us = tx->now_us;
    return card_update(tx->db, card, err);
}

enum errc card_set_refused(struct tx *tx, struct card *card, const struct failure *failure, struct err *err)
{
    card->status = CARD_GONE;
    card->failure = *failure;
    card->updated_us = tx->now_us;
    return card_update(tx->db, card, err);
}

// What the payer needs to act: the client secret, or a URL that holds it.
static void start_action(struct tx *tx, struct card *card, const struct setup *setup)
{
    const char *text =
        setup->next_action == NEXT_ACTION_REDIRECT ? setup->redirect_url : setup->client_secret;
    card->next_action = setup->next_action;
    if (text != NULL && setup->next_action != NEXT_ACTION_NONE) {
        struct sealed sealed =
            seal(&tx->keyring->master, tx->arena, sealed_context(tx->arena, SEALED_NEXT_ACTION, &card->id),
                 text, strlen(text));
        card->action_secret_sealed = sealed.data;
        card->action_secret_sealed_bytes = (int)sealed.bytes;
    }
}

static void end_action(struct card *card)
{
    card->next_action = NEXT_ACTION_NONE;
    card->action_secret_sealed = NULL;
    card->action_secret_sealed_bytes = 0;
}

// What the provider does not report stays as it was.
static void copy_details(struct card *card, const struct provider_method *method)
{
    card->brand = method->brand != NULL ? method->brand : card->brand;
    card->last4 = method->last4 != NULL ? method->last4 : card->last4;
    card->exp_month = method->exp_month != 0 ? method->exp_month : card->exp_month;
    card->exp_year = method->exp_year != 0 ? method->exp_year : card->exp_year;
    card->fingerprint = method->fingerprint != NULL ? method->fingerprint : card->fingerprint;
}

enum errc card_refusal(const struct card *card, struct err *err)
{
    if (card->status != CARD_GONE || card->failure.code == NULL) {
        return OK;
    }
    bool no_auth = text_equal(card->failure.code, "provider_auth_failed");
    return err_set(err, no_auth ? ERR_PROVIDER_AUTH_FAILED : ERR_PROVIDER_REJECTED, "%s: %s",
                   card->failure.code, card->failure.message != NULL ? card->failure.message : "refused");
}

enum errc card_set_pending(struct tx *tx, struct card *card, const struct setup *setup,
                           const struct provider_method *method, struct err *err)
{
    card->status = CARD_PENDING;
    if (method != NULL) {
        copy_details(card, method);
    }
    start_action(tx, card, setup);
    card->updated_us = tx->now_us;
    enum errc rc = card_update(tx->db, card, err);
    return rc == OK ? card_schedule(tx, card, OPERATION_CARD_SETUP, retry_check_delay_us(0, 0), err) : rc;
}

enum errc card_set_next_action(struct tx *tx, struct card *card, const struct setup *setup, struct err *err)
{
    start_action(tx, card, setup);
    return card_update(tx->db, card, err);
}

enum errc card_fail(struct tx *tx, struct card *card, const struct failure *failure, struct err *err)
{
    card->status = CARD_FAILED;
    card->failure = *failure;
    end_action(card);
    card->updated_us = tx->now_us;
    enum errc rc = card_update(tx->db, card, err);
    return rc == OK ? card_emit(tx, card, "card.failed", err) : rc;
}

enum errc card_activate(struct tx *tx, struct card *card, const char *method_ref,
                        const struct provider_method *method, bool read_again, struct card *saved,
                        struct err *err)
{
    bool has_default = false;
    enum errc rc = card_by_method(tx->db, &card->merchant_id, card->livemode, method_ref,
                                  card->customer_email, tx->arena, saved, err);
    bool known = rc == OK && saved->status == CARD_ACTIVE;
    if (rc == OK || rc == ERR_NOT_FOUND) {
        rc = card_has_default(tx->db, &card->customer_id, &has_default, err);
    }
    if (rc != OK) {
        return rc;
    }
    card->status = known ? CARD_GONE : CARD_ACTIVE;
    card->provider_ref = method_ref;
    end_action(card);
    card->is_default = !known && !has_default;
    card->updated_us = tx->now_us;
    if (method != NULL) {
        copy_details(card, method);
    }
    if (!known) {
        *saved = *card;
    }
    rc = card_update(tx->db, card, err);
    bool reads = method == NULL || read_again;
    return rc == OK && reads ? card_schedule(tx, saved, OPERATION_CARD_SYNC, 0, err) : rc;
}

enum errc card_replace_method(struct tx *tx, struct card *card, struct card *known,
                              const struct provider_method *method, int64_t detach_delay_us, bool read_again,
                              struct err *err)
{
    card->status = CARD_GONE;
    card->provider_ref = known->provider_ref;
    card->updated_us = tx->now_us;
    known->provider_ref = method->id;
    known->updated_us = tx->now_us;
    copy_details(known, method);
    enum errc rc = card_update(tx->db, card, err);
    if (rc == OK) {
        rc = card_update(tx->db, known, err);
    }
    if (rc == OK) {
        rc = card_schedule(tx, card, OPERATION_DETACH, detach_delay_us, err);
    }
    return rc == OK && read_again ? card_schedule(tx, known, OPERATION_CARD_SYNC, 0, err) : rc;
}

enum errc card_apply_reported(struct tx *tx, struct card *card, const struct provider_method *method,
                              struct err *err)
{
    copy_details(card, method);
    card->updated_us = tx->now_us;
    return card_update(tx->db, card, err);
}

enum errc card_detach_late(struct tx *tx, struct card *card, const char *method_ref, struct err *err)
{
    card->provider_ref = method_ref;
    enum errc rc = card_update(tx->db, card, err);
    return rc == OK ? card_schedule(tx, card, OPERATION_DETACH, 0, err) : rc;
}

enum errc card_end(struct tx *tx, struct card *card, struct err *err)
{
    bool was_default = card->is_default;
    card->status = CARD_GONE;
    card->is_default = false;
    end_action(card);
    card->updated_us = tx->now_us;
    enum errc rc = card_update(tx->db, card, err);
    return rc == OK && was_default ? card_make_newest_default(tx->db, &card->customer_id, tx->now_us, err)
                                   : rc;
}

enum errc customer_end(struct tx *tx, const struct uuid *customer_id, struct err *err)
{
    enum errc rc = customer_set_gone(tx->db, customer_id, tx->now_us, err);
    return rc == OK ? cards_all_gone(tx->db, customer_id, tx->now_us, err) : rc;
}

enum errc card_set_default(struct tx *tx, struct card *card, struct err *err)
{
    card->is_default = true;
    return card_make_default(tx->db, card, tx->now_us, err);
}

enum errc card_emit(struct tx *tx, const struct card *card, const char *type, struct err *err)
{
    struct emission emission;
    enum errc rc = emit_begin(tx, &card->merchant_id, card->livemode, &card->id, type, &emission, err);
    if (rc == OK) {
        rc = render_card(&emission.json, card, &tx->keyring->master, RENDER_EVENT, err);
    }
    return rc == OK ? emit_finish(tx, &emission, err) : rc;
}

enum errc card_emit_expiring(struct tx *tx, struct err *err)
{
    struct card *cards = arena_alloc(tx->arena, EXPIRING_MAX * sizeof(*cards));
    size_t count = 0;
    enum errc rc =
        cards_expiring(tx->db, time_month(tx->now_us), tx->arena, cards, EXPIRING_MAX, &count, err);
    for (size_t i = 0; rc == OK && i < count; i++) {
        rc = card_emit(tx, &cards[i], "card.expiring", err);
        if (rc == OK) {
            rc = card_expiring_told(tx->db, &cards[i], err);
        }
    }
    return rc;
}
