// One API call under way: who calls, with what, and its answer. A handler answers or refuses exactly once.
#pragma once

#include "sandbox/params.h"
#include "sandbox/response.h"
#include "sandbox/state.h"

// The form of answers and events, and the version of a call without Stripe-Version.
#define VERSION_NEWEST "2026-10-28.endive"

struct call {
    struct context context;
    const char *version; // "2026-10-28.endive"
    bool publishable;    // made with a publishable key: the answer shows only what a payer may see
    const char *path;
    enum object_kind kind; // of the objects that the call makes, reads or changes
    const char *id;        // of the path, NULL if it has none
    const char *inner_id;  // the path's second, NULL if it has none
    struct params params;

    int status; // 0: no answer yet
    struct json_object *body;
    bool began; // execution began: the answer is kept under the idempotency key
};

// Answers 200 with the value, which it takes, expanded as the call's expand[] asks.
void call_answer(struct call *call, struct json_object *value);
// Answers 200 with the document's object.
void call_answer_document(struct call *call, const struct document *document);
// The refusals always return false, so that a check can return the result.
bool call_refuse(struct call *call, const struct refusal *refusal);
bool call_refuse_as(struct call *call, int status, const char *code, const char *param, const char *message);
// 404 "No such payment_intent: 'pi_x'".
bool call_refuse_missing(struct call *call, enum object_kind kind, const char *id);
// 500, as from a server that executed the call and then failed.
void call_refuse_executed(struct call *call);

// Opens the object of the call's kind that its path names. False: refused.
bool call_open(struct call *call, struct document *document) MUST_CHECK;
// Applies the parameter metadata to an object's metadata. False: refused.
bool call_set_metadata(struct call *call, struct json_object *metadata) MUST_CHECK;
// Whether the call is of this API version, or a later one. date: "2026-09-30".
bool call_since(const struct call *call, const char *date);

// Handler: answers with the object that the path names.
void call_retrieve(struct call *call);
