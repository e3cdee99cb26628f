// Slots of webhook deliveries: merchants whose endpoints fail leave slots to the others.
#include "unit_test.h"

#include <string.h>

#include "delivery/send_slots.h"

#define MAX 8
#define MERCHANT_MAX 4

static bool fails[UINT8_MAX + 1]; // as the database says it of each merchant

static struct uuid merchant(uint8_t number)
{
    return (struct uuid){.bytes = {number}};
}

static enum slot_take take(struct send_slots *slots, uint8_t number)
{
    const struct uuid id = merchant(number);
    return send_slots_take(slots, &id, fails[number]);
}

static bool end(struct send_slots *slots, uint8_t number, bool failed)
{
    const struct uuid id = merchant(number);
    fails[number] = failed;
    send_slots_report(slots, &id, failed);
    return send_slots_release(slots, &id);
}

static int setup(void **state)
{
    static struct send_slots slots;
    send_slots_init(&slots, MAX, MERCHANT_MAX);
    memset(fails, 0, sizeof(fails));
    *state = &slots;
    return 0;
}

static int teardown(void **state)
{
    send_slots_destroy(*state);
    return 0;
}

static void fail_once(struct send_slots *slots, uint8_t number)
{
    assert_int_equal(take(slots, number), SLOT_TAKEN);
    (void)end(slots, number, true);
}

static void after_a_failure_a_merchant_has_one_slot_until_an_attempt_succeeds(void **state)
{
    struct send_slots *slots = *state;
    fail_once(slots, 1);
    assert_int_equal(take(slots, 1), SLOT_TAKEN);
    assert_int_equal(take(slots, 1), SLOT_MERCHANT_FULL);
    assert_true(end(slots, 1, false)); // the one that was refused waits
    for (int i = 0; i < MERCHANT_MAX; i++) {
        assert_int_equal(take(slots, 1), SLOT_TAKEN);
    }
    assert_int_equal(take(slots, 1), SLOT_MERCHANT_FULL);
    for (int i = 0; i < MERCHANT_MAX; i++) {
        (void)end(slots, 1, false);
    }
}

static void all_merchants_that_fail_leave_half_of_the_slots_to_the_others(void **state)
{
    struct send_slots *slots = *state;
    for (uint8_t number = 1; number <= MAX; number++) {
        fail_once(slots, number);
    }
    for (uint8_t number = 1; number <= MAX; number++) {
        assert_int_equal(take(slots, number), number <= MAX / 2 ? SLOT_TAKEN : SLOT_MERCHANT_FULL);
    }
    const struct uuid failing = merchant(MAX);
    assert_false(send_slots_take_new(slots, &failing, true));
    for (int i = 0; i < MERCHANT_MAX; i++) {
        assert_int_equal(take(slots, 100), SLOT_TAKEN);
    }
    assert_true(end(slots, 1, true)); // those that were refused wait
    assert_int_equal(take(slots, MAX), SLOT_TAKEN);
    (void)end(slots, MAX, true);
    for (uint8_t number = 2; number <= MAX / 2; number++) {
        (void)end(slots, number, true);
    }
    for (int i = 0; i < MERCHANT_MAX; i++) {
        (void)end(slots, 100, false);
    }
}

// It fails while it holds several slots: they count for those that fail.
static void slots_that_a_merchant_held_before_it_failed_count_too(void **state)
{
    struct send_slots *slots = *state;
    fail_once(slots, 2);
    for (int i = 0; i < MERCHANT_MAX; i++) {
        assert_int_equal(take(slots, 1), SLOT_TAKEN);
    }
    (void)end(slots, 1, true); // three are left
    assert_int_equal(take(slots, 2), SLOT_TAKEN);
    fail_once(slots, 3); // it has not failed before
    assert_int_equal(take(slots, 3), SLOT_MERCHANT_FULL);
    assert_true(end(slots, 1, false));
    assert_int_equal(take(slots, 3), SLOT_TAKEN);
    (void)end(slots, 3, false);
    (void)end(slots, 2, false);
    (void)end(slots, 1, false);
    (void)end(slots, 1, false);
}

// Nothing is remembered of a merchant that has no slot.
static void after_a_restart_merchants_that_fail_leave_half_of_the_slots_to_the_others(void **state)
{
    struct send_slots *slots = *state;
    memset(fails, true, MAX + 1);
    for (uint8_t number = 1; number <= MAX; number++) {
        assert_int_equal(take(slots, number), number <= MAX / 2 ? SLOT_TAKEN : SLOT_MERCHANT_FULL);
    }
    assert_int_equal(take(slots, 100), SLOT_TAKEN);
    (void)end(slots, 100, false);
    for (uint8_t number = 1; number <= MAX / 2; number++) {
        (void)end(slots, number, true);
    }
    assert_int_equal(slots->merchants.count, 0);
}

static void new_events_leave_half_of_the_slots_to_merchants_that_the_claim_has_yet_to_visit(void **state)
{
    struct send_slots *slots = *state;
    send_slots_open(slots, true);
    send_slots_set_awaited(slots, true);
    for (uint8_t number = 1; number <= MAX / 2; number++) {
        const struct uuid id = merchant(number);
        assert_true(send_slots_take_new(slots, &id, false));
    }
    const struct uuid late = merchant(100);
    assert_false(send_slots_take_new(slots, &late, false));
    assert_int_equal(take(slots, 100), SLOT_TAKEN);
    (void)end(slots, 100, false);
    for (uint8_t number = 1; number <= MAX / 2; number++) {
        (void)end(slots, number, false);
    }
}

static void a_slot_passes_to_the_next_event_unless_another_merchant_needs_it(void **state)
{
    struct send_slots *slots = *state;
    const struct uuid busy = merchant(1);
    send_slots_open(slots, true);
    for (int i = 0; i < MERCHANT_MAX; i++) {
        assert_int_equal(take(slots, 1), SLOT_TAKEN);
    }
    assert_false(send_slots_pass_on(slots, &busy)); // it has no event that waits
    assert_int_equal(take(slots, 1), SLOT_MERCHANT_FULL);
    send_slots_set_awaited(slots, true);
    assert_true(send_slots_pass_on(slots, &busy)); // slots are free for those that wait
    for (int i = 0; i < MAX - MERCHANT_MAX; i++) {
        assert_int_equal(take(slots, 2), SLOT_TAKEN);
    }
    assert_false(send_slots_pass_on(slots, &busy));
    for (int i = 0; i < MERCHANT_MAX; i++) {
        (void)end(slots, 1, false);
        (void)end(slots, 2, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_a_failure_a_merchant_has_one_slot_until_an_attempt_succeeds,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(all_merchants_that_fail_leave_half_of_the_slots_to_the_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(slots_that_a_merchant_held_before_it_failed_count_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            after_a_restart_merchants_that_fail_leave_half_of_the_slots_to_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(
            new_events_leave_half_of_the_slots_to_merchants_that_the_claim_has_yet_to_visit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_passes_to_the_next_event_unless_another_merchant_needs_it,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
