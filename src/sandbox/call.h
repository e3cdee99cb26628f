// One API call under way: who calls, with what, and the answer taking shape. A handler answers or refuses
// once.
#pragma once

#include "sandbox/params.h"
#include "sandbox/refusal.h"
#include "sandbox/state.h"

struct call {
    struct context context;
    const char *version; // "2026-10-28.endive"
    bool publishable;    // made with a publishable key: it shows only what a payer may see
    const char *path;
    const char *id;       // of the path, NULL if it has none
    const char *inner_id; // the path's second, NULL if it has none
    struct params params;

    int status; // 0: not answered yet
    struct json_object *body;
    bool began; // it got past what needs no state: the answer is kept under the idempotency key
};

// Answers 200 with the value, which it takes, expanded as the call's expand[] asks.
void call_answer(struct call *call, struct json_object *value);
// Answers 200 with the document's object.
void call_answer_document(struct call *call, const struct document *document);
void call_refuse(struct call *call, const struct refusal *refusal);
// 404 "No such payment_intent: 'pi_x'". what: Stripe's word for the kind.
void call_refuse_missing(struct call *call, const char *what, const char *id);
// Whether the call is of this API version, or a later one. date: "2026-09-30".
bool call_since(const struct call *call, const char *date);
