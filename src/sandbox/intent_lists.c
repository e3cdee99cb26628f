// Lists and search of PaymentIntents. Pure. See intents.h. https://docs.stripe.com/search
#include <string.h>

#include "base/text.h"
#include "sandbox/intents.h"
#include "sandbox/lists.h"
#include "sandbox/query.h"

static bool is_of_customer(const void *context, struct json_object *intent)
{
    const struct call *call = context;
    const char *customer = param_text(&call->params, "customer");
    return customer == NULL || text_equal(customer, json_get_str(intent, "customer"));
}

void intent_list(struct call *call)
{
    list_answer(call, OBJECT_INTENT, is_of_customer, call);
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
