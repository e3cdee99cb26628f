// What an event does to the payment that it is about. Database threads, in the transaction that records the
// event.
#pragma once

#include "op/state/inbound.h"

// Finds the merchant's payment that the event is about: by the provider's id, else by our id in its metadata.
// ERR_NOT_FOUND.
enum errc inbound_find_payment(struct tx *tx, struct arena *arena, const struct uuid *merchant_id,
                               const struct provider_event *event, struct payment *payment,
                               struct err *err) MUST_CHECK;

// Applies the event, which is recorded as applied. One that does not fit the payment changes nothing but its
// history, and is then recorded as ignored.
enum errc inbound_apply_to_payment(struct tx *tx, struct payment *payment, const struct provider_event *event,
                                   struct err *err) MUST_CHECK;

// The event does not contain enough to apply: reads the provider's state of the payment, or of its refunds.
enum errc inbound_read_payment(struct tx *tx, const struct payment *payment,
                               const struct provider_event *event, struct err *err) MUST_CHECK;
