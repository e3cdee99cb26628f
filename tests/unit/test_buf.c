// The growing buffer: content kept, maximum held, overflow said once and for all.
#include "unit_test.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

static void an_empty_buffer_reads_as_empty_text(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf buf = BUF_MAX(10);
    assert_string_equal(buf_str(&buf), "");
    buf_add(&buf, NULL, 0);
    assert_string_equal(buf_str(&buf), "");
    assert_false(buf.overflow);
}

static void appended_pieces_are_joined_across_growth(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf buf = BUF_MAX(100000);
    for (int i = 0; i < 10000; i++) {
        buf_printf(&buf, "%04d", i);
        assert_int_equal(buf.len, 4 * (i + 1));
        assert_int_equal(strlen(buf_str(&buf)), buf.len);
    }
    assert_memory_equal(buf_str(&buf) + 4 * 9999, "9999", 5);
    assert_memory_equal(buf_str(&buf) + 4 * 63, "0063", 4);
}

static void the_maximum_can_be_filled_exactly(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf buf = BUF_MAX(6);
    buf_add_str(&buf, "abc");
    buf_printf(&buf, "%s", "def");
    assert_false(buf.overflow);
    assert_string_equal(buf_str(&buf), "abcdef");
    buf_add(&buf, "", 0);
    assert_false(buf.overflow);
}

static void a_piece_that_does_not_fit_is_dropped_with_all_after_it(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf buf = BUF_MAX(6);
    buf_add_str(&buf, "abcd");
    buf_add_str(&buf, "efg");
    assert_true(buf.overflow);
    buf_add_str(&buf, "e");
    buf_printf(&buf, "%d", 1);
    assert_string_equal(buf_str(&buf), "abcd");
}

static void a_released_buffer_keeps_only_its_maximum(void **state)
{
    (void)state;
    struct buf buf = BUF_MAX(4);
    buf_add_str(&buf, "abcd");
    buf_add_str(&buf, "e");
    buf_release(&buf);
    assert_false(buf.overflow);
    assert_int_equal(buf.len, 0);
    buf_add_str(&buf, "wxyz");
    assert_string_equal(buf_str(&buf), "wxyz");
    buf_release(&buf);
}

static void bytes_taken_off_the_front_are_gone(void **state)
{
    (void)state;
    struct buf buf = BUF_MAX(8);
    buf_add_str(&buf, "abcdefgh");
    buf_take(&buf, 0);
    buf_take(&buf, 3);
    assert_string_equal(buf_str(&buf), "defgh");
    buf_add_str(&buf, "xyz");
    assert_string_equal(buf_str(&buf), "defghxyz");
    buf_take(&buf, 8);
    assert_null(buf.data);
    assert_string_equal(buf_str(&buf), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_reads_as_empty_text),
        cmocka_unit_test(appended_pieces_are_joined_across_growth),
        cmocka_unit_test(the_maximum_can_be_filled_exactly),
        cmocka_unit_test(a_piece_that_does_not_fit_is_dropped_with_all_after_it),
        cmocka_unit_test(a_released_buffer_keeps_only_its_maximum),
        cmocka_unit_test(bytes_taken_off_the_front_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
