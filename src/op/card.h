// Beginning to save a card, to let it go, and to ask the provider about it. Database threads, in the
// transaction of the request, the event or the outcome.
#pragma once

#include "domain/card.h"
#include "op/op.h"

// Keeps the card (saving), its customer, which it fills in, and its operation; *op is run once the
// transaction is committed.
enum errc card_prepare(struct engine *engine, struct db *db, struct change *change, struct card *card,
                       struct op **op, struct err *err) MUST_CHECK;

// Fills *err with why the provider would not have this card, and returns its code. OK: it did not refuse it.
enum errc card_refusal(const struct card *card, struct err *err);

// An active card becomes inactive; where it was the default, the newest of the rest is from now on.
enum errc card_end(struct db *db, struct change *change, struct card *card, struct err *err) MUST_CHECK;

// The provider, called with this version of the credentials, does not know the customer. Where the version is
// the merchant's present one, or the one that the customer was made with, the customer is gone (*gone) and
// its cards are inactive. An older version says nothing: its account may no longer be the merchant's.
enum errc card_customer_missing(struct db *db, struct change *change, const struct customer *customer,
                                const struct uuid *credential_version_id, bool *gone,
                                struct err *err) MUST_CHECK;

// An active card is deleted: it becomes inactive at once, and is detached at the provider behind; where a
// charge of it is under way, not before that can no longer be sent.
enum errc card_delete(struct db *db, struct change *change, struct card *card, int64_t charge_window_us,
                      struct err *err) MUST_CHECK;

// Opens an operation of this kind on the card, due after delay_us.
enum errc card_owe(struct db *db, struct change *change, const struct card *card, const char *kind,
                   int64_t delay_us, struct err *err) MUST_CHECK;
// What is kept of a method, as far as it is said.
void card_take_method(struct card *card, const struct provider_method *method);

// What was to be done was not, and its key only brings the old answer: it is sent anew under another key.
void card_send_anew(struct op *op, struct change *change);
