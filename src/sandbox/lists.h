// Lists as Stripe pages them: newest first, limit, starting_after, ending_before, created. They hold
// objects of the call's kind. Pure.
#pragma once

#include "sandbox/call.h"
#include "sandbox/query.h"

// Answers with the objects that `takes` takes. wanted is passed to it.
void list_answer(struct call *call, bool (*takes)(const void *wanted, const struct json_value *object),
                 const void *wanted);
// Answers with those whose member is the id in the call's path.
void list_answer_owned(struct call *call, const char *member);
// For `takes`, with the call as `wanted`: takes the objects that match the call's filters (customer,
// payment_intent, charge, email and so on).
bool list_filters_fit(const void *call, const struct json_value *object);
// Handler: answers with the objects that match the call's filters.
void list_filtered(struct call *call);
// Answers a search by the parameter `query`. fields: what may be searched for. `page` is the only cursor.
void search_answer(struct call *call, const struct query_field *fields);
