// A payment as JSON: the API's answers, the events to merchants and the stored replies are all made here.
// Pure; any thread.
#pragma once

#include <json-c/json.h>

#include "base/crypto.h"
#include "domain/card.h"
#include "domain/payment.h"
#include "domain/refund.h"
#include "provider/stripe_event.h"

enum render_for {
    RENDER_ANSWER, // to the merchant who asked for this payment: with all of next_action
    RENDER_LIST,   // one of many: of next_action only the type
    RENDER_EVENT,  // data of a webhook: `payment_id` in front, without next_action
};

// The caller releases. ERR_CRYPTO: what next_action needs does not open.
enum errc render_payment(const struct payment *payment, const struct seal_key *master, enum render_for use,
                         struct arena *arena, struct json_object **result, struct err *err) MUST_CHECK;

// A refund, for answers and events alike. The caller releases.
struct json_object *render_refund(const struct refund *refund);
// A saved card, the same way; in an event `card_id` is in front.
enum errc render_card(const struct card *card, const struct seal_key *master, enum render_for use,
                      struct arena *arena, struct json_object **result, struct err *err) MUST_CHECK;
// A dispute, as part of an event. The caller releases.
struct json_object *render_dispute(const struct dispute *dispute);

// {"success":true,"data":...} as text in the arena; takes `data`.
const char *render_success(struct arena *arena, struct json_object *data);
