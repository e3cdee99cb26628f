// The moves of a payment: every status with every move, against an expectation written without the table.
#include "unit_test.h"

#include <stdlib.h>

#include "domain/payment.h"

#define STAYS PAYMENT_STATUS_COUNT

// Where each status (a row) goes by each move (complete, fail, reopen, refund_whole, refund_undone).
static enum payment_status expected(enum payment_status status, enum payment_move move)
{
    static const enum payment_status leads_to[4][5] = {
        [PAYMENT_PENDING] = {PAYMENT_COMPLETED, PAYMENT_FAILED, STAYS, STAYS, STAYS},
        [PAYMENT_COMPLETED] = {STAYS, STAYS, STAYS, PAYMENT_REFUNDED, STAYS},
        [PAYMENT_FAILED] = {PAYMENT_COMPLETED, STAYS, PAYMENT_PENDING, STAYS, STAYS},
        [PAYMENT_REFUNDED] = {STAYS, STAYS, STAYS, STAYS, PAYMENT_COMPLETED},
    };
    return leads_to[status][move];
}

static void every_status_makes_exactly_its_own_moves(void **state)
{
    (void)state;
    assert_int_equal(PAYMENT_STATUS_COUNT, 4);
    assert_int_equal(PAYMENT_MOVE_COUNT, 5);
    int allowed = 0;
    for (int status = 0; status < PAYMENT_STATUS_COUNT; status++) {
        for (int move = 0; move < PAYMENT_MOVE_COUNT; move++) {
            enum payment_status to = STAYS;
            bool can = payment_can_move((enum payment_status)status, (enum payment_move)move, &to);
            assert_int_equal(to, expected((enum payment_status)status, (enum payment_move)move));
            assert_int_equal(can, to != STAYS);
            assert_int_not_equal(to, status);
            allowed += can;
        }
    }
    assert_int_equal(allowed, 6);
}

static void no_money_that_moved_is_ever_called_failed(void **state)
{
    (void)state;
    for (int status = 0; status < PAYMENT_STATUS_COUNT; status++) {
        for (int move = 0; move < PAYMENT_MOVE_COUNT; move++) {
            enum payment_status to;
            if (payment_can_move((enum payment_status)status, (enum payment_move)move, &to) &&
                to == PAYMENT_FAILED) {
                assert_int_equal(status, PAYMENT_PENDING);
            }
        }
    }
}

static void nothing_but_a_failure_that_is_reopened_leads_back_to_pending(void **state)
{
    (void)state;
    for (int status = 0; status < PAYMENT_STATUS_COUNT; status++) {
        for (int move = 0; move < PAYMENT_MOVE_COUNT; move++) {
            enum payment_status to = STAYS;
            (void)payment_can_move((enum payment_status)status, (enum payment_move)move, &to);
            assert_int_equal(to == PAYMENT_PENDING, status == PAYMENT_FAILED && move == MOVE_REOPEN);
        }
    }
}

static void status_names_are_the_seeds_and_read_back(void **state)
{
    (void)state;
    assert_string_equal(payment_status_name(PAYMENT_PENDING), "pending");
    assert_string_equal(payment_status_name(PAYMENT_COMPLETED), "completed");
    assert_string_equal(payment_status_name(PAYMENT_FAILED), "failed");
    assert_string_equal(payment_status_name(PAYMENT_REFUNDED), "refunded");
    for (int i = 0; i < PAYMENT_STATUS_COUNT; i++) {
        enum payment_status status = STAYS;
        assert_true(payment_status_parse(payment_status_name((enum payment_status)i), &status));
        assert_int_equal(status, i);
    }
}

static void an_unknown_status_name_is_refused(void **state)
{
    (void)state;
    static const char *const unknown[] = {"", "Pending", "pending ", "complete", "succeeded", "refunded\n"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        enum payment_status status = STAYS;
        assert_false(payment_status_parse(unknown[i], &status));
        assert_int_equal(status, STAYS);
    }
}

static void next_actions_are_named_as_in_answers(void **state)
{
    (void)state;
    assert_null(next_action_name(NEXT_ACTION_NONE));
    assert_string_equal(next_action_name(NEXT_ACTION_REDIRECT), "redirect_to_url");
    assert_string_equal(next_action_name(NEXT_ACTION_SDK), "use_stripe_sdk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_makes_exactly_its_own_moves),
        cmocka_unit_test(no_money_that_moved_is_ever_called_failed),
        cmocka_unit_test(nothing_but_a_failure_that_is_reopened_leads_back_to_pending),
        cmocka_unit_test(status_names_are_the_seeds_and_read_back),
        cmocka_unit_test(an_unknown_status_name_is_refused),
        cmocka_unit_test(next_actions_are_named_as_in_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
