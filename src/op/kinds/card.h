// Saving a card (card.c, card_setup.c) and deleting it (detach.c). What changes a card's row is in
// op/state/card_change.h. Database threads, in the transaction of the request or the outcome.
#pragma once

#include "domain/card.h"
#include "op/engine/op.h"

// Writes the card (CARD_SAVING) and its operation, and fills in its customer, which is written if it is new.
// *op is run once the transaction is committed.
enum errc card_prepare(struct engine *engine, struct tx *tx, struct card *card, struct op **op,
                       struct err *err) MUST_CHECK;

// Deletes a card. It is gone at once, and is detached at the provider: now, or, while a charge of it is open,
// after charge_window_us, when that charge can no longer be sent. A set-up that the payer has not finished is
// canceled.
enum errc card_delete(struct tx *tx, struct card *card, int64_t charge_window_us, struct err *err) MUST_CHECK;

// The provider has begun the set-up of a card that is being saved: op->call.answer->setup, or one of its
// list.
enum errc card_setup_begun(struct op *op, struct tx *tx, struct card *card, const struct setup *setup,
                           struct err *err) MUST_CHECK;
