// The sandbox's parser of Stripe's search language.
#include "sandbox_world.h"

#include "sandbox/query.h"

static const struct query_field fields[] = {
    {"created", QUERY_NUMBER}, {"currency", QUERY_TOKEN}, {"metadata", QUERY_METADATA},
    {"name", QUERY_STRING},    QUERY_FIELDS_END,
};

static const char object_text[] =
    "{\"created\":1700000000,\"currency\":\"usd\",\"name\":\"Jo O'Neil\",\"email\":\"jo@example.com\","
    "\"metadata\":{\"order\":\"7\",\"a'b\":\"x\"}}";

static void a_query_finds_what_fits_it(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool fits;
    } rows[] = {
        {"name:\"jo o'neil\"", true},
        {"name:'jo'", false},
        {"name:'Jo O\\'Neil'", true},
        {"name~'NEI'", true},
        {"name~'nia'", false},
        {"-name~'nei'", false},
        {"-name:'someone'", true},
        {"currency:'usd'", true},
        {"currency:'USD'", false},
        {"created:1700000000", true},
        {"created:\"1700000000\"", true},
        {"created>1700000000", false},
        {"created>=1700000000", true},
        {"created<1700000001", true},
        {"created<=1699999999", false},
        {"-created<=1699999999", true},
        {"metadata['order']:'7'", true},
        {"metadata[\"order\"]:\"8\"", false},
        {"metadata['a\\'b']:'x'", true},
        {"metadata['none']:null", true},
        {"metadata['order']:null", false},
        {"-metadata['order']:null", true},
        {"-metadata['none']:'x'", true},
        {"name~'neil' AND currency:'eur'", false},
        {"name~'neil' and currency:'usd' AND created>1", true},
        {"name~'neil' currency:'usd'", true},
        {"name~'neil' currency:'eur'", false},
        {"name~'nobody' OR currency:'usd'", true},
        {"name~'nobody' or currency:'eur'", false},
        {"name~'nobody' OR currency:'eur' OR created>1", true},
        {"  name~'neil'   AND   currency:'usd'  ", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        const struct json_value *object = NULL;
        struct query query;
        assert_int_equal(json_read(&arena, object_text, strlen(object_text), JSON_VALUES_MAX, &object, NULL),
                         OK);
        if (!query_parse(rows[i].query, fields, &arena, &query) ||
            query_fits(&query, object) != rows[i].fits) {
            fail_msg("%s", rows[i].query);
        }
    }
}

static void a_query_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "",
        " ",
        "name",
        "name:",
        "name:jo",
        "name:'jo",
        "name='jo'",
        "name>'jo'",
        "name~'jo'", // too short
        "name~null",
        "email:'jo@example.com'", // not one of the fields
        "names:'jo'",
        "currency~'usd'",
        "created~'170'",
        "created:'now'",
        "created>",
        "created>-1",
        "created:99999999999999999999",
        "metadata:'7'",
        "metadata['order':'7'",
        "metadata[order]:'7'",
        "metadata['order']~'7'",
        "--name:'jo'",
        "name:'jo'name:'jo'",
        "name:'jo'AND name:'jo'",
        "name:'jo' AND",
        "AND name:'jo'",
        "name:'jo' AND AND name:'jo'",
        "name:'jo' AND name:'jo' OR name:'jo'",
        "name:'jo' OR name:'jo' name:'jo'",
        "(name:'jo')",
    };
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        struct query query;
        if (query_parse(queries[i], fields, &arena, &query)) {
            fail_msg("%s", queries[i]);
        }
    }
}

static void a_query_has_at_most_ten_clauses(void **state)
{
    (void)state;
    struct buf text BUF_CLEANUP = BUF_MAX(1024);
    for (int clauses = 1; clauses <= 11; clauses++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        struct query query;
        buf_add_str(&text, " created>1");
        assert_int_equal(query_parse(buf_str(&text), fields, &arena, &query), clauses <= 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_finds_what_fits_it),
        cmocka_unit_test(a_query_of_another_form_is_refused),
        cmocka_unit_test(a_query_has_at_most_ten_clauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
