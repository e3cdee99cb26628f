// What the kinds share about a step, a request that is sent until its outcome is known: its idempotency key
// and its time limits. A key depends on the row alone, so every attempt of a step sends the same one. Pure;
// any thread.
#pragma once

#include "base/timefmt.h"
#include "op/engine/op.h"

// A provider forgets an idempotency key after 24 hours at the earliest. A request is sent again under its
// key for an hour less.
#define STEP_KEY_HELD_US (23 * 3600 * US_PER_S)
// A request that two look-ups this far apart do not show was never carried out.
#define STEP_ABSENT_US (600 * US_PER_S)
// The provider's clock and this machine's may differ by this much, so a list begins that much earlier.
#define STEP_CLOCK_SLACK_S 600
// If this machine's clock may have been ahead, a list begins a day earlier.
#define STEP_CLOCK_DOUBT_S (24 * INT64_C(3600))
// The pause between the pages of a long list, which leaves the provider and the database to others.
#define STEP_PAGE_PAUSE_US (100 * US_PER_MS)

// "step_subject", "step_subject_customer", then "_number". customer_id NULL, number 0: none. A request that
// is sent anew takes another number, because the provider answers a known key with the old answer.
const char *step_key(struct arena *arena, const char *step, const struct uuid *subject_id,
                     const struct uuid *customer_id, int64_t number);

// The end of the charge window, in wall-clock time: what takes money is not sent any more from then on.
int64_t step_charge_window_end_us(const struct op *op);
// False also where the clock shows a time before the operation began.
bool step_is_in_charge_window(const struct op *op, int64_t now_us);
bool step_key_is_held(const struct op *op, int64_t now_us);
// No caller waits for the operation any more.
bool step_patience_is_over(const struct op *op, int64_t now_us);
