// The one way a saved card changes. Each function writes the row in the transaction that it runs in, with all
// that always follows from the change. Database threads.
#pragma once

#include "domain/card.h"
#include "domain/payment.h"
#include "provider/provider.h"
#include "store/tx.h"

// A card that a request saves: CARD_SAVING.
enum errc card_write_new(struct tx *tx, const struct card *card, struct err *err) MUST_CHECK;
// A card that a payment saves: the payment has just completed, as the provider reported. Its operation
// card_keep is opened.
enum errc card_write_paid(struct tx *tx, const struct payment *payment,
                          const struct provider_payment *reported, struct err *err) MUST_CHECK;

// A card that is being saved goes on with another customer.
enum errc card_set_customer(struct tx *tx, struct card *card, const struct uuid *customer_id,
                            struct err *err) MUST_CHECK;
// The provider refused to save it: it is gone.
enum errc card_set_refused(struct tx *tx, struct card *card, const struct failure *failure,
                           struct err *err) MUST_CHECK;

// Fills *err with why the provider refused to save this card, and returns its code. OK: it did not refuse it.
enum errc card_refusal(const struct card *card, struct err *err);

// The payer has to authenticate. method NULL: not reported. The set-up is checked at growing distances.
enum errc card_set_pending(struct tx *tx, struct card *card, const struct setup *setup,
                           const struct provider_method *method, struct err *err) MUST_CHECK;
// What the payer of a pending card has to do.
enum errc card_set_next_action(struct tx *tx, struct card *card, const struct setup *setup,
                               struct err *err) MUST_CHECK;
// The payer of a pending card did not authenticate; event "card.failed".
enum errc card_fail(struct tx *tx, struct card *card, const struct failure *failure,
                    struct err *err) MUST_CHECK;

// The provider has the card, ready to be charged by its method method_ref. method: its details; NULL: not
// reported, so they are read next. read_again: an event reported the method while the card was being saved,
// and may be newer than `method`. Where another active card has this method, that one stays, and this one is
// gone. *saved: the card that is active now.
enum errc card_activate(struct tx *tx, struct card *card, const char *method_ref,
                        const struct provider_method *method, bool read_again, struct card *saved,
                        struct err *err) MUST_CHECK;
// The same, where the customer has the active card `known` of the same number: that one takes the method. The
// other card is gone, and detaches the method that `known` had, after detach_delay_us.
enum errc card_replace_method(struct tx *tx, struct card *card, struct card *known,
                              const struct provider_method *method, int64_t detach_delay_us, bool read_again,
                              struct err *err) MUST_CHECK;

// The method of an active card, as the provider reports it now.
enum errc card_apply_reported(struct tx *tx, struct card *card, const struct provider_method *method,
                              struct err *err) MUST_CHECK;
// The payer finished the set-up of a card that is gone: its method, which is known now, is detached.
enum errc card_detach_late(struct tx *tx, struct card *card, const char *method_ref,
                           struct err *err) MUST_CHECK;
// The card is gone. If it was the default, the newest other card of its customer becomes the default.
enum errc card_end(struct tx *tx, struct card *card, struct err *err) MUST_CHECK;
// The customer was deleted at the provider: no card is saved for it any more, and its active cards are gone.
enum errc customer_end(struct tx *tx, const struct uuid *customer_id, struct err *err) MUST_CHECK;

// Makes an active card the default of its customer.
enum errc card_set_default(struct tx *tx, struct card *card, struct err *err) MUST_CHECK;

// An event about the card: "card.saved", "card.failed", "card.expiring".
enum errc card_emit(struct tx *tx, const struct card *card, const char *type, struct err *err) MUST_CHECK;
// Event "card.expiring" for some of the active cards whose last month (UTC) has come, once for each expiry:
// the row keeps it, so neither a restart nor a clock that is set back repeats it.
enum errc card_emit_expiring(struct tx *tx, struct err *err) MUST_CHECK;
