// Only the id in an event about a method or a set-up is believed. A method that was detached can never be
// attached again; anything else is read from the provider. A card that is being saved may not have that id
// yet, so every card that is being saved from the method, or for its customer, is read once it is saved.
#include "op/state/card_event.h"

#include "op/state/card_change.h"
#include "op/state/schedule.h"
#include "store/cards.h"
#include "store/customers.h"

static enum errc find_card_and_mark_saving(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                                           const struct provider_event *event, struct card *card,
                                           struct err *err)
{
    int64_t saving = 0;
    enum errc rc = cards_saving_look_up(tx->db, merchant_id, event->livemode, event->object_id,
                                        event->customer_ref, &saving, err);
    if (rc == OK) {
        rc = card_by_ref(tx->db, merchant_id, event->livemode, event->object_id, arena, card, err);
    }
    if (rc == OK) {
        rc = card_get(tx->db, &card->id, merchant_id, arena, card, err); // locked
    }
    return rc == ERR_NOT_FOUND && saving > 0 ? OK : rc;
}

// By the provider's id, else by ours in the metadata: the answer with the provider's id may still be on its
// way.
static enum errc find_customer(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                               const struct provider_event *event, struct customer *customer, struct err *err)
{
    struct uuid id = {{0}};
    enum errc rc =
        customer_by_ref(tx->db, merchant_id, event->livemode, event->object_id, arena, customer, err);
    if (rc != ERR_NOT_FOUND || event->customer_id == NULL || !uuid_parse(event->customer_id, &id)) {
        return rc;
    }
    rc = customer_get(tx->db, &id, arena, customer, err);
    bool other = rc == OK && (!uuid_equal(&customer->merchant_id, merchant_id) ||
                              customer->livemode != event->livemode || customer->provider_ref != NULL);
    return other ? err_set(err, ERR_NOT_FOUND, "no such customer") : rc;
}

// By our id in the metadata, else by the provider's.
static enum errc find_setup(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                            const struct provider_event *event, struct card *card, struct err *err)
{
    struct uuid id = {{0}};
    if (event->card_id == NULL || !uuid_parse(event->card_id, &id)) {
        return card_by_setup(tx->db, merchant_id, event->livemode, event->object_id, arena, card, err);
    }
    enum errc rc = card_get(tx->db, &id, merchant_id, arena, card, err);
    bool other = rc == OK && card->livemode != event->livemode;
    return other ? err_set(err, ERR_NOT_FOUND, "no such card") : rc;
}

enum errc card_event_find(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                          const struct provider_event *event, struct card_subject *subject, struct err *err)
{
    if (!event->complete) {
        return err_set(err, ERR_NOT_FOUND, "the event names no object");
    }
    if (event->kind == EVENT_SETUP) {
        return find_setup(tx, arena, merchant_id, event, &subject->card, err);
    }
    return event->kind == EVENT_CUSTOMER_GONE
               ? find_customer(tx, arena, merchant_id, event, &subject->customer, err)
               : find_card_and_mark_saving(tx, arena, merchant_id, event, &subject->card, err);
}

enum errc card_event_apply(struct tx *tx, const struct provider_event *event, struct card_subject *subject,
                           struct err *err)
{
    if (event->kind == EVENT_CUSTOMER_GONE) {
        return customer_end(tx, &subject->customer.id, err);
    }
    if (event->kind == EVENT_SETUP) {
        bool waits = subject->card.status == CARD_PENDING;
        return waits ? card_schedule(tx, &subject->card, OPERATION_CARD_SETUP, 0, err) : OK;
    }
    if (subject->card.status != CARD_ACTIVE) {
        return OK;
    }
    return event->kind == EVENT_METHOD_GONE ? card_end(tx, &subject->card, err)
                                            : card_schedule(tx, &subject->card, OPERATION_CARD_SYNC, 0, err);
}
