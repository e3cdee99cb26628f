// Lists as Stripe pages them: newest first, limit, starting_after, ending_before, created. Pure.
#pragma once

#include "sandbox/call.h"
#include "sandbox/query.h"

#define LIST_LIMIT_DEFAULT 10
#define LIST_LIMIT_MAX 100

// Answers with the objects of the kind that `takes` takes (NULL: all); context is handed to it.
void list_answer(struct call *call, enum object_kind kind,
                 bool (*takes)(const void *wanted, struct json_object *json), const void *wanted);
// Answers with those whose member is the id in the call's path.
void list_answer_owned(struct call *call, enum object_kind kind, const char *member);
// The first page of those whose member is the id, as an object has it within; url: where the rest is. The
// caller releases.
struct json_object *list_newest_owned(const struct context *context, enum object_kind kind,
                                      const char *member, const char *owner_id, const char *url);
// For `takes`, with the call as its context: the members that the call filters by (customer, payment_intent,
// charge, email and so on) are as it says.
bool list_filters_fit(const void *call, struct json_object *json);
// Answers a search by the call's `query` about the fields, paged by `page` alone.
void search_answer(struct call *call, enum object_kind kind, const struct query_field *fields);
