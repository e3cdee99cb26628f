// The one way a dispute changes. Database threads.
#pragma once

#include "domain/payment.h"
#include "provider/event.h"
#include "store/tx.h"

// Applies an event about a dispute of this payment, which is locked: writes the dispute's row, and if it was
// opened or closed, the payment's history and the event for the merchant. The row keeps what the newest
// report says, in whatever order the events come. ERR_CONFLICT: the dispute is another payment's; nothing was
// changed.
enum errc dispute_apply_event(struct tx *tx, const struct payment *payment,
                              const struct provider_event *event, struct err *err) MUST_CHECK;
