// Lists and search of PaymentIntents. Pure. See intents.h. https://docs.stripe.com/search
#include "sandbox/intents.h"
#include "sandbox/lists.h"
#include "sandbox/query.h"

void intent_list(struct call *call)
{
    list_answer(call, OBJECT_INTENT, list_filters_fit, call);
}

static bool fits_query(const void *context, struct json_object *intent)
{
    return query_fits(context, intent);
}

void intent_search(struct call *call)
{
    struct query query;
    if (!query_parse(param_text(&call->params, "query"), call->at.arena, &query)) {
        call_refuse(call,
                    &(struct refusal){.status = 400,
                                      .param = "query",
                                      .message = "The query must be of the form metadata['key']:'value' or "
                                                 "status:'value', joined by AND."});
        return;
    }
    search_answer(call, OBJECT_INTENT, fits_query, &query);
}
