// Payments, refunds and cards as JSON, for the API's answers, events for merchants and stored replies. Pure;
// any thread.
#pragma once

#include <json-c/json.h>

#include "base/crypto.h"
#include "domain/card.h"
#include "domain/payment.h"
#include "domain/refund.h"
#include "provider/event.h"
#include "provider/provider.h"

enum render_for {
    RENDER_ANSWER, // to the merchant who asked for this payment: with all of next_action
    RENDER_LIST,   // one item of a list: only the type of next_action
    RENDER_EVENT,  // data of an event: `payment_id` comes first, without next_action
};

// The caller releases *result. ERR_CRYPTO: the sealed part of next_action does not open.
enum errc render_payment(const struct payment *payment, const struct seal_key *master, enum render_for use,
                         struct arena *arena, struct json_object **result, struct err *err) MUST_CHECK;

// The same for answers and events. The caller releases the result.
struct json_object *render_refund(const struct refund *refund);
// As render_payment; in an event `card_id` comes first.
enum errc render_card(const struct card *card, const struct seal_key *master, enum render_for use,
                      struct arena *arena, struct json_object **result, struct err *err) MUST_CHECK;
// A dispute, as part of an event. The caller releases the result.
struct json_object *render_dispute(const struct provider_ops *provider, const struct dispute *dispute);

// {"success":true,"data":...} as text in the arena; takes `data`.
const char *render_success(struct arena *arena, struct json_object *data);
