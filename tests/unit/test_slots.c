// Slots that all owners share: how many there are, and how many one owner may have.
#include "unit_test.h"

#include "api/slots.h"

static const uint8_t owners[3][SLOT_OWNER_BYTES] = {{1}, {2}, {3}};

static void nobody_takes_more_than_a_share(void **state)
{
    (void)state;
    struct slot held[5] = {{0}};
    struct slots *slots = slots_open(5, 2);
    assert_true(slot_reserve(slots, owners[0], &held[0]));
    assert_true(slot_reserve(slots, owners[0], &held[1]));
    assert_false(slot_reserve(slots, owners[0], &held[2]));
    assert_true(slot_reserve(slots, owners[1], &held[2]));
    assert_int_equal(slots_reserved_of(slots, owners[0]), 2);
    assert_int_equal(slots_reserved_of(slots, owners[2]), 0);
    slot_release(&held[0]);
    slot_release(&held[0]); // it has none any more
    assert_true(slot_reserve(slots, owners[0], &held[0]));
    assert_false(slot_reserve(slots, owners[0], &held[3]));
    for (size_t i = 0; i < 5; i++) {
        slot_release(&held[i]);
    }
    slots_close(slots);
}

static void all_together_take_no_more_than_there_are(void **state)
{
    (void)state;
    struct slot held[6] = {{0}};
    struct slots *slots = slots_open(5, 2);
    for (size_t i = 0; i < 5; i++) {
        assert_true(slot_reserve(slots, owners[i / 2], &held[i]));
    }
    assert_false(slot_reserve(slots, owners[2], &held[5]));
    slot_release(&held[0]);
    assert_true(slot_reserve(slots, owners[2], &held[5]));
    for (size_t i = 0; i < 6; i++) {
        slot_release(&held[i]);
    }
    assert_int_equal(slots_reserved(slots), 0);
    slots_close(slots);
}

static void a_slot_held_at_the_close_can_still_be_returned(void **state)
{
    (void)state;
    struct slots *slots = slots_open(5, 2);
    struct slot held[2] = {{0}};
    assert_true(slot_reserve(slots, owners[0], &held[0]));
    assert_true(slot_reserve(slots, owners[1], &held[1]));
    slots_close(slots);
    slot_release(&held[1]);
    slot_release(&held[0]); // frees them
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_takes_more_than_a_share),
        cmocka_unit_test(all_together_take_no_more_than_there_are),
        cmocka_unit_test(a_slot_held_at_the_close_can_still_be_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
