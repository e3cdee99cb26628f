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

// The provider has the card, ready to be charged: `method_ref`, of which `method` is told (NULL: it is asked
// for). A method that is a card already stays the one that it was. *saved: the card that it is now.
enum errc card_activate(struct tx *tx, struct card *card, const char *method_ref,
                        const struct provider_method *method, struct card *saved, struct err *err) MUST_CHECK;

// card_keep.c: the payment has just completed as the intent tells, and its card is to be saved.
enum errc card_keep(struct tx *tx, const struct payment *payment, const struct provider_payment *reported,
                    struct err *err) MUST_CHECK;

// An active card becomes inactive; where it was the default, the newest of the rest is from now on.
enum errc card_end(struct tx *tx, struct card *card, struct err *err) MUST_CHECK;

// A card is deleted: it becomes inactive at once, and is detached at the provider later, where a charge of it
// is under way when that can no longer be sent. What a payer has still to set up is canceled.
enum errc card_delete(struct tx *tx, struct card *card, int64_t charge_window_us, struct err *err) MUST_CHECK;

// The payer has nothing to do any more.
void card_forget_action(struct card *card);

// Opens an operation of this kind on the card, due after delay_us.
enum errc card_schedule(struct tx *tx, const struct card *card, const char *kind, int64_t delay_us,
                        struct err *err) MUST_CHECK;

// An event for the merchant about the card: "card.saved", "card.failed", "card.expiring".
enum errc card_emit(struct tx *tx, const struct card *card, const char *type, struct err *err) MUST_CHECK;

// card_expiry.c: tells the merchants of some of the active cards whose last month (UTC) has come, each once
// for its expiry.
enum errc card_emit_expiring(struct tx *tx, struct err *err) MUST_CHECK;

// What is kept of a method, as far as it is said.
void card_take_method(struct card *card, const struct provider_method *method);

// card_setup.c: the provider's answer to the set-up of a card that is being saved, for op->call.answer.setup
// or one of its list.
enum errc card_setup_begun(struct op *op, struct tx *tx, struct card *card, const struct setup *setup,
                           struct err *err) MUST_CHECK;
