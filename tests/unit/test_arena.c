// The arena: zeroed, aligned, never overlapping memory that is freed at once.
#include "unit_test.h"

#include <malloc.h>
#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    static uint8_t *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        pieces[i] = arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t at = 0; at < i; at++) {
            assert_int_equal(pieces[i][at], 0);
        }
        memset(pieces[i], (int)(i % 251) + 1, i);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t at = 0; at < i; at++) {
            assert_int_equal(pieces[i][at], (i % 251) + 1);
        }
    }
}

static void a_piece_larger_than_any_block_is_given(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    size_t bytes = 1000000;
    uint8_t *large = arena_alloc(&arena, bytes);
    uint8_t *small = arena_alloc(&arena, 1);
    memset(large, 0xff, bytes);
    assert_int_equal(*small, 0);
    assert_int_equal(large[bytes - 1], 0xff);
}

static void a_large_piece_wastes_no_room(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    char *before = arena_alloc(&arena, sizeof(max_align_t));
    memset(arena_alloc(&arena, 5000), 0xff, 5000);
    char *after = arena_alloc(&arena, sizeof(max_align_t));
    assert_ptr_equal(after, before + sizeof(max_align_t));
}

static void text_of_any_length_is_formatted(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    for (int length = 0; length < 2000; length++) {
        const char *text = arena_printf(&arena, "%*s", length, "");
        assert_int_equal(strlen(text), length);
        assert_int_equal(strspn(text, " "), length);
    }
}

static void an_allocation_of_no_bytes_has_an_address(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(arena_memdup(&arena, NULL, 0));
}

static void copies_end_in_a_nul_and_no_text_stays_no_text(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    assert_string_equal(arena_strdup(&arena, "payment"), "payment");
    assert_string_equal(arena_strndup(&arena, "payment", 3), "pay");
    assert_memory_equal(arena_memdup(&arena, "a\0b", 3), "a\0b", 3);
    assert_string_equal(arena_printf(&arena, "%s-%d", "pay", 7), "pay-7");
    assert_null(arena_strdup(&arena, NULL));
    assert_null(arena_strndup(&arena, NULL, 3));
}

static void an_allocation_is_resized_with_its_content(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    char *text = arena_resize(&arena, NULL, 0, 100);
    memset(text, 'a', 100);
    assert_ptr_equal(arena_resize(&arena, text, 100, 200), text); // in place: it is the latest
    char *other = arena_alloc(&arena, 10);
    char *moved = arena_resize(&arena, text, 200, 300);
    assert_ptr_not_equal(moved, text);
    assert_int_equal(moved[99], 'a');
    assert_ptr_equal(arena_resize(&arena, other, 10, 5), other);
    memset(moved, 'b', 300);
    assert_ptr_equal(arena_resize(&arena, moved, 300, 20), moved);
    char *next = arena_alloc(&arena, 300);
    assert_ptr_equal(next, moved + 32);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(next[i], 0); // what was given back is cleared
    }
}

// The block that it grew out of is freed, as the bytes show that malloc has in use.
static void what_grows_alone_is_kept_once(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct mallinfo2 before = mallinfo2();
    char *text = NULL;
    for (size_t bytes = 16; bytes <= 1 << 17; bytes *= 2) {
        text = arena_resize(&arena, text, bytes == 16 ? 0 : bytes / 2, bytes);
        memset(text + bytes / 2, 'a', bytes / 2);
    }
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before.uordblks - before.hblkhd;
    assert_in_range(used, 0, 200000);
}

static void a_released_arena_is_empty_and_usable(void **state)
{
    (void)state;
    struct arena arena = ARENA_EMPTY;
    memset(arena_alloc(&arena, 5000), 0xff, 5000);
    arena_release(&arena);
    assert_null(arena.blocks);
    uint8_t *again = arena_alloc(&arena, 5000);
    assert_int_equal(again[0] | again[4999], 0);
    arena_release(&arena);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(a_piece_larger_than_any_block_is_given),
        cmocka_unit_test(a_large_piece_wastes_no_room),
        cmocka_unit_test(text_of_any_length_is_formatted),
        cmocka_unit_test(an_allocation_of_no_bytes_has_an_address),
        cmocka_unit_test(copies_end_in_a_nul_and_no_text_stays_no_text),
        cmocka_unit_test(an_allocation_is_resized_with_its_content),
        cmocka_unit_test(what_grows_alone_is_kept_once),
        cmocka_unit_test(a_released_arena_is_empty_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
