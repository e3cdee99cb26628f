// Beginning to save a card, to let it go, and to ask the provider about it. Database threads, in the
// transaction of the request, the event or the outcome.
#pragma once

#include "domain/card.h"
#include "op/engine/op.h"

// Keeps the card (saving), its customer, which it fills in, and its operation; *op is run once the
// transaction is committed.
enum errc card_prepare(struct engine *engine, struct tx *tx, struct card *card, struct op **op,
                       struct err *err) MUST_CHECK;

// The provider would not have the card that this operation saves: it is gone, and its request refused.
enum errc card_refuse(struct op *op, struct tx *tx, struct card *card, const struct failure *failure,
                      struct err *err) MUST_CHECK;
// Fills *err with why the provider would not have this card, and returns its code. OK: it did not refuse it.
enum errc card_refusal(const struct card *card, struct err *err);

// A card is deleted: it becomes inactive at once, and is detached at the provider later, where a charge of it
// is under way when that can no longer be sent. What a payer has still to set up is canceled.
enum errc card_delete(struct tx *tx, struct card *card, int64_t charge_window_us, struct err *err) MUST_CHECK;

// card_setup.c: the provider's answer to the set-up of a card that is being saved, for op->call.answer.setup
// or one of its list.
enum errc card_setup_begun(struct op *op, struct tx *tx, struct card *card, const struct setup *setup,
                           struct err *err) MUST_CHECK;
