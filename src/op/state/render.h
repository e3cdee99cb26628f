// Payments, refunds, cards, their customers and disputes as JSON, for the API's answers, events for merchants
// and stored replies. Pure; any thread.
#pragma once

#include "base/crypto.h"
#include "base/json_writer.h"
#include "domain/card.h"
#include "domain/dispute.h"
#include "domain/payment.h"
#include "domain/refund.h"

enum render_for {
    RENDER_ANSWER, // to the merchant who asked for this payment: with all of next_action
    RENDER_LIST,   // one item of a list: only the type of next_action
    RENDER_EVENT,  // data of an event: `payment_id` comes first, without next_action
};

// Each writes the members of the object that the caller opened in `json`.

// ERR_CRYPTO: the sealed part of next_action does not open; what was written is then no use.
enum errc render_payment(struct json_writer *json, const struct payment *payment,
                         const struct seal_key *master, enum render_for use, struct err *err) MUST_CHECK;
// The same for answers and events.
void render_refund(struct json_writer *json, const struct refund *refund);
// As render_payment; in an event `card_id` comes first.
enum errc render_card(struct json_writer *json, const struct card *card, const struct seal_key *master,
                      enum render_for use, struct err *err) MUST_CHECK;
void render_customer(struct json_writer *json, const struct customer *customer);
// In an event it is within a payment, and has the provider's id.
void render_dispute(struct json_writer *json, const struct dispute *dispute, enum render_for use);

// Begins {"success":true,"data":{...}}: what is written next are the members of data.
struct json_writer render_success(struct arena *arena);
