// Lists as Stripe pages them: newest first, limit, starting_after, ending_before, created. All are of the
// call's kind. Pure.
#pragma once

#include "sandbox/call.h"
#include "sandbox/query.h"

// Answers with the objects that `takes` takes; wanted is handed to it.
void list_answer(struct call *call, bool (*takes)(const void *wanted, struct json_object *json),
                 const void *wanted);
// Answers with those whose member is the id in the call's path.
void list_answer_owned(struct call *call, const char *member);
// For `takes`, with the call as what is wanted: the members that the call filters by (customer,
// payment_intent, charge, email and so on) are as it says.
bool list_filters_fit(const void *call, struct json_object *json);
// A handler: answers with the objects that the call filters.
void list_filtered(struct call *call);
// Answers a search by the call's `query` about the fields, paged by `page` alone.
void search_answer(struct call *call, const struct query_field *fields);
