// Lists and search of PaymentIntents. Pure. See intents.h. https://docs.stripe.com/search
#include "sandbox/intents.h"
#include "sandbox/lists.h"

void intent_list(struct call *call)
{
    list_answer(call, OBJECT_INTENT, list_filters_fit, call);
}

void intent_search(struct call *call)
{
    static const struct query_field fields[] = {
        {"amount", QUERY_NUMBER},  {"created", QUERY_NUMBER},    {"currency", QUERY_TOKEN},
        {"customer", QUERY_TOKEN}, {"metadata", QUERY_METADATA}, {"status", QUERY_TOKEN},
        QUERY_FIELDS_END,
    };
    search_answer(call, OBJECT_INTENT, fields);
}
