// Opening operations: only these functions make their rows. Database threads, in the transaction that needs
// them.
#pragma once

#include "domain/card.h"
#include "domain/payment.h"
#include "domain/refund.h"
#include "store/credentials.h"
#include "store/operations.h"
#include "store/tx.h"

// The names of the kinds of operations, as their rows hold them; op/kinds has a file for each.
#define OPERATION_AUTHENTICATE "authenticate"
#define OPERATION_CANCEL "cancel"
#define OPERATION_CAPTURE "capture"
#define OPERATION_CARD "card"
#define OPERATION_CARD_KEEP "card_keep"
#define OPERATION_CARD_SETUP "card_setup"
#define OPERATION_CARD_SYNC "card_sync"
#define OPERATION_CATCH_UP "catch_up"
#define OPERATION_CHARGE "charge"
#define OPERATION_DETACH "detach"
#define OPERATION_EVENTS "events"
#define OPERATION_REFUND "refund"
#define OPERATION_REFUND_LIST "refunds"
#define OPERATION_REFUND_SYNC "refund_sync"
#define OPERATION_SYNC "sync"

// The row of an operation on this subject that begins now; no attempt was made.
struct operation operation_on_payment(const struct tx *tx, const char *kind, const struct payment *payment);
struct operation operation_on_refund(const struct tx *tx, const char *kind, const struct refund *refund);
struct operation operation_on_card(const struct tx *tx, const char *kind, const struct card *card);
struct operation operation_on_credential(const struct tx *tx, const char *kind,
                                         const struct credential *credential);

// Opens the operation, due after delay_us. If the same one is open, its next attempt is moved to that time
// where it is later.
enum errc operation_schedule(struct tx *tx, struct operation operation, int64_t delay_us,
                             struct err *err) MUST_CHECK;
// Opens an operation of this kind on a payment, due after delay_us.
enum errc payment_schedule(struct tx *tx, const struct payment *payment, const char *kind, int64_t delay_us,
                           struct err *err) MUST_CHECK;
// Checks a payment that is not finished at the provider, at growing distances.
enum errc payment_schedule_sync(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;
// Reads the provider's list of the payment's refunds at once. whole_charge: the charge that the provider says
// was refunded wholly; NULL: it does not say so.
enum errc payment_schedule_refund_list(struct tx *tx, const struct payment *payment, const char *whole_charge,
                                       struct err *err) MUST_CHECK;
// Opens an operation of this kind on a card, due after delay_us.
enum errc card_schedule(struct tx *tx, const struct card *card, const char *kind, int64_t delay_us,
                        struct err *err) MUST_CHECK;

// Events may appear this late, and clocks may be wrong by this much.
#define EVENTS_LATE_S 300
// Fetches the events of this merchant and mode since created_s (0: not reported) after delay_us: an event
// came that only names its object, or that may be older than the payment that it is about.
enum errc events_schedule(struct tx *tx, const struct uuid *merchant_id, bool livemode, int64_t created_s,
                          int64_t delay_us, struct err *err) MUST_CHECK;
