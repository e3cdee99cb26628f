// Cursors: a cursor is read back, and anything else is refused.
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "api/cursor.h"

static struct keyring keyring = {.pepper = {1, 2, 3}};

static void a_cursor_is_read_back(void **state)
{
    (void)state;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    for (int i = 0; i < 1000; i++) {
        struct uuid id = uuid_new(&random_system, INT64_C(1700000000000000) + i);
        const char *cursor = cursor_make(&keyring, &arena, "things", &id);
        struct uuid read;
        assert_int_equal(strlen(cursor), 32);
        assert_int_equal(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                         32);
        assert_true(cursor_read(&keyring, "things", cursor, &read));
        assert_memory_equal(&read, &id, sizeof(id));
    }
}

static void a_cursor_of_another_list_or_service_is_none(void **state)
{
    (void)state;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct uuid id = uuid_first_of(1700000000000);
    struct uuid read = {{0}};
    struct keyring other = {.pepper = {1, 2, 4}};
    const char *cursor = cursor_make(&keyring, &arena, "things", &id);
    assert_false(cursor_read(&keyring, "others", cursor, &read));
    assert_false(cursor_read(&keyring, "thing", cursor, &read));
    assert_false(cursor_read(&other, "things", cursor, &read));
    assert_true(uuid_is_nil(&read));
}

static void a_changed_cursor_is_none(void **state)
{
    (void)state;
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct uuid id = uuid_first_of(1700000000000);
    struct uuid read;
    const char *cursor = cursor_make(&keyring, &arena, "things", &id);
    for (size_t at = 0; at < 32; at++) {
        for (int byte = 1; byte < 256; byte++) {
            char changed[33];
            memcpy(changed, cursor, sizeof(changed));
            changed[at] = (char)byte;
            assert_int_equal(cursor_read(&keyring, "things", changed, &read), changed[at] == cursor[at]);
        }
    }
    char shorter[33];
    memcpy(shorter, cursor, sizeof(shorter));
    shorter[31] = '\0';
    assert_false(cursor_read(&keyring, "things", shorter, &read));
    assert_false(cursor_read(&keyring, "things", "", &read));
    assert_false(cursor_read(&keyring, "things", arena_printf(&arena, "%s=", cursor), &read));
    assert_false(cursor_read(&keyring, "things", arena_printf(&arena, "%s%s", cursor, cursor), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_is_read_back),
        cmocka_unit_test(a_cursor_of_another_list_or_service_is_none),
        cmocka_unit_test(a_changed_cursor_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
