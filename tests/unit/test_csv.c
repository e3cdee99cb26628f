// CSV as RFC 4180 defines it, without anything that a spreadsheet would run.
#include "unit_test.h"

#include "api/csv.h"

static void assert_cell(const char *text, const char *expected)
{
    struct buf out BUF_CLEANUP = BUF_MAX(1000);
    csv_cell(&out, text, true);
    assert_string_equal(buf_str(&out), expected);
}

static void plain_text_stays_as_it_is(void **state)
{
    (void)state;
    assert_cell("10.00", "10.00");
    assert_cell("a b", "a b");
    assert_cell(" a ", " a ");
    assert_cell("Zürich's", "Zürich's");
    assert_cell("a=b@c-d+e", "a=b@c-d+e");
    assert_cell("", "");
    assert_cell(NULL, "");
}

static void separators_are_quoted(void **state)
{
    (void)state;
    assert_cell("a,b", "\"a,b\"");
    assert_cell("a\nb", "\"a\nb\"");
    assert_cell("a\rb", "\"a\rb\"");
    assert_cell("a\"b", "\"a\"\"b\"");
    assert_cell("\"", "\"\"\"\"");
    assert_cell("\"\"", "\"\"\"\"\"\"");
    assert_cell("{\"a\":\"b\"}", "\"{\"\"a\"\":\"\"b\"\"}\"");
}

static void a_formula_becomes_text(void **state)
{
    (void)state;
    assert_cell("=1+1", "\"'=1+1\"");
    assert_cell("+1", "\"'+1\"");
    assert_cell("-1", "\"'-1\"");
    assert_cell("@SUM(A1)", "\"'@SUM(A1)\"");
    assert_cell("\t=1", "\"'\t=1\"");
    assert_cell("\r=1", "\"'\r=1\"");
    assert_cell("\n=1", "\"'\n=1\"");
    assert_cell("\uFF1D1", "\"'\uFF1D1\"");
    assert_cell("\uFF201", "\"'\uFF201\"");
    assert_cell("=cmd|' /C calc'!A0,\"x\"", "\"'=cmd|' /C calc'!A0,\"\"x\"\"\"");
}

static void cells_make_rows(void **state)
{
    (void)state;
    struct buf out BUF_CLEANUP = BUF_MAX(1000);
    csv_cell(&out, "a", true);
    csv_cell(&out, NULL, false);
    csv_cell(&out, "b,c", false);
    csv_end_row(&out);
    csv_cell(&out, "", true);
    csv_cell(&out, "d", false);
    csv_end_row(&out);
    assert_string_equal(buf_str(&out), "a,,\"b,c\"\r\n,d\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays_as_it_is),
        cmocka_unit_test(separators_are_quoted),
        cmocka_unit_test(a_formula_becomes_text),
        cmocka_unit_test(cells_make_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
