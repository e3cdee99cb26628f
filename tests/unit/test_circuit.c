// When the circuit opens, which merchants it holds back, when it is probed, and what closes it.
#include "unit_test.h"

#include "base/require.h"
#include "domain/circuit.h"

#define SECOND INT64_C(1000000)
#define NOW (100 * SECOND)
#define CAP (5 * SECOND)
#define LONGEST UINT32_MAX // random: no delay is shortened
#define FAILURES 10

static const struct uuid shop = {.bytes = {1}};
static const struct uuid other = {.bytes = {2}};

static struct uuid operation_id(int number)
{
    return (struct uuid){.bytes = {[14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
}

static bool fails(struct circuit *circuit, const struct uuid *merchant, int operation)
{
    struct uuid id = operation_id(operation);
    return circuit_failed(circuit, merchant, &id, NOW, CAP, LONGEST);
}

// A circuit that opened after failures of this merchant alone.
static struct circuit opened_by(const struct uuid *merchant)
{
    struct circuit circuit = {0};
    for (int i = 0; i < FAILURES; i++) {
        assert_false(circuit.open);
        assert_int_equal(fails(&circuit, merchant, i), i == FAILURES - 1);
    }
    assert_true(circuit.open);
    return circuit;
}

static void failures_of_different_operations_in_a_row_open_it(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    assert_false(circuit_holds(&circuit, &shop));
    circuit = opened_by(&shop);
    assert_false(fails(&circuit, &shop, FAILURES)); // it opened once
    assert_true(circuit.open);
}

static void one_operation_that_fails_repeatedly_does_not_open_it(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    for (int i = 0; i < 10 * FAILURES; i++) {
        assert_false(fails(&circuit, &shop, 7));
    }
    assert_false(circuit.open);
    assert_int_equal(circuit.failures, 1);
}

static void an_answer_resets_the_count(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    for (int i = 0; i < FAILURES - 1; i++) {
        assert_false(fails(&circuit, &shop, i));
    }
    assert_false(circuit_answered(&circuit, NOW)); // it was not open
    for (int i = 0; i < FAILURES - 1; i++) {
        assert_false(fails(&circuit, &other, i));
    }
    assert_true(fails(&circuit, &other, FAILURES));
    assert_false(circuit_holds_all(&circuit)); // the first merchant's failures are forgotten too
}

static void failures_of_one_merchant_hold_back_only_that_merchant(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    assert_true(circuit_holds(&circuit, &shop));
    assert_false(circuit_holds(&circuit, &other));
    assert_false(circuit_holds_all(&circuit));
}

static void a_failure_of_another_merchant_holds_back_all(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    assert_false(fails(&circuit, &other, FAILURES)); // it was open before
    assert_true(circuit_holds(&circuit, &shop));
    assert_true(circuit_holds(&circuit, &other));
    assert_true(circuit_holds_all(&circuit));

    circuit = (struct circuit){0};
    for (int i = 0; i < FAILURES; i++) {
        (void)fails(&circuit, i % 2 == 0 ? &shop : &other, i);
    }
    assert_true(circuit_holds_all(&circuit));
}

static void an_answer_closes_it_for_all_merchants(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    assert_false(fails(&circuit, &other, FAILURES));
    assert_true(circuit_answered(&circuit, NOW));
    assert_false(circuit_holds(&circuit, &shop));
    assert_false(circuit_holds(&circuit, &other));
    assert_false(circuit_holds_all(&circuit));
    assert_false(circuit_answered(&circuit, NOW)); // it closed once
    circuit = opened_by(&shop);
    assert_false(circuit_holds_all(&circuit));
}

static void the_delays_of_each_sources_probes_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t delays_ms[] = {500, 1000, 2000, 4000, 5000, 5000};
    struct circuit circuit = opened_by(&shop);
    int64_t now_us = NOW;
    for (size_t i = 0; i < COUNT_OF(delays_ms); i++) {
        int64_t wait_us = circuit_wait_us(&circuit, CALL_FROM_API, now_us);
        assert_in_range(wait_us, delays_ms[i] * 1000 - 1, delays_ms[i] * 1000);
        now_us += wait_us;
        assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_API, now_us - 1), 1);
        assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_API, now_us), 0);
        circuit_probe(&circuit, CALL_FROM_API, now_us, CAP, LONGEST);
    }
    assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND / 2), 0);
}

static void a_failed_probe_leaves_it_open_and_the_next_probe_at_its_time(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    circuit_probe(&circuit, CALL_FROM_RECOVERY, NOW + SECOND, CAP, LONGEST);
    int64_t wait_us = circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND);
    assert_false(fails(&circuit, &shop, FAILURES));
    assert_true(circuit.open);
    assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND), wait_us);
}

static void a_probe_that_was_not_sent_is_due_again_at_once_with_the_same_delay(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    circuit_probe(&circuit, CALL_FROM_API, NOW + SECOND, CAP, LONGEST);
    int64_t of_api_us = circuit_wait_us(&circuit, CALL_FROM_API, NOW + SECOND);
    circuit_probe(&circuit, CALL_FROM_RECOVERY, NOW + SECOND, CAP, LONGEST);
    int64_t wait_us = circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND);
    circuit_probe_unsent(&circuit, CALL_FROM_RECOVERY);
    assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND), 0);
    assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_API, NOW + SECOND), of_api_us);
    circuit_probe(&circuit, CALL_FROM_RECOVERY, NOW + SECOND, CAP, LONGEST);
    assert_int_equal(circuit_wait_us(&circuit, CALL_FROM_RECOVERY, NOW + SECOND), wait_us);
}

static void a_probe_that_was_not_sent_does_not_change_a_circuit_that_closed_meanwhile(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    circuit_probe(&circuit, CALL_FROM_API, NOW + SECOND, CAP, LONGEST);
    assert_true(circuit_answered(&circuit, NOW));
    circuit = opened_by(&shop);
    circuit_probe_unsent(&circuit, CALL_FROM_API);
    assert_true(circuit_wait_us(&circuit, CALL_FROM_API, NOW) > 0);
}

// --- what other nodes say

static bool hears_open(struct circuit *circuit, int64_t now_us)
{
    return circuit_follow_open(circuit, NULL, now_us, CAP, LONGEST);
}

static void it_opens_and_closes_with_another_nodes(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    assert_true(hears_open(&circuit, NOW));
    assert_false(hears_open(&circuit, NOW)); // it opened once
    assert_true(circuit_holds_all(&circuit));
    assert_in_range(circuit_wait_us(&circuit, CALL_FROM_API, NOW), SECOND / 2 - 1, SECOND / 2);
    assert_false(fails(&circuit, &shop, 1)); // a probe
    assert_true(circuit_follow_closed(&circuit));
    assert_false(circuit_holds(&circuit, &shop));
    assert_false(circuit_follow_closed(&circuit)); // it closed once
}

static void it_opens_with_another_nodes_for_the_same_merchant(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    assert_true(circuit_follow_open(&circuit, &shop, NOW, CAP, LONGEST));
    assert_true(circuit_holds(&circuit, &shop));
    assert_false(circuit_holds(&circuit, &other));
}

static void a_node_that_was_answered_lately_does_not_open_it_with_another(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    assert_false(circuit_answered(&circuit, NOW));
    assert_false(hears_open(&circuit, NOW + 10 * SECOND - 1));
    assert_false(circuit.open);
    assert_true(hears_open(&circuit, NOW + 10 * SECOND));
}

static void its_next_failure_opens_it_then_unless_it_was_answered_again(void **state)
{
    (void)state;
    struct circuit circuit = {0};
    assert_false(circuit_answered(&circuit, NOW));
    assert_false(circuit_follow_open(&circuit, &shop, NOW, CAP, LONGEST));
    struct circuit failing = circuit;
    assert_true(fails(&failing, &shop, 1));
    assert_false(circuit_holds_all(&failing));
    assert_false(circuit_answered(&circuit, NOW));
    assert_false(fails(&circuit, &shop, 1));
}

static void own_failures_keep_it_open_when_another_nodes_closes(void **state)
{
    (void)state;
    struct circuit circuit = opened_by(&shop);
    assert_false(hears_open(&circuit, NOW));
    assert_false(circuit_follow_closed(&circuit));
    assert_true(circuit.open);
    assert_true(circuit_answered(&circuit, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_of_different_operations_in_a_row_open_it),
        cmocka_unit_test(one_operation_that_fails_repeatedly_does_not_open_it),
        cmocka_unit_test(an_answer_resets_the_count),
        cmocka_unit_test(failures_of_one_merchant_hold_back_only_that_merchant),
        cmocka_unit_test(a_failure_of_another_merchant_holds_back_all),
        cmocka_unit_test(an_answer_closes_it_for_all_merchants),
        cmocka_unit_test(the_delays_of_each_sources_probes_double_up_to_the_cap),
        cmocka_unit_test(a_failed_probe_leaves_it_open_and_the_next_probe_at_its_time),
        cmocka_unit_test(a_probe_that_was_not_sent_is_due_again_at_once_with_the_same_delay),
        cmocka_unit_test(a_probe_that_was_not_sent_does_not_change_a_circuit_that_closed_meanwhile),
        cmocka_unit_test(it_opens_and_closes_with_another_nodes),
        cmocka_unit_test(it_opens_with_another_nodes_for_the_same_merchant),
        cmocka_unit_test(a_node_that_was_answered_lately_does_not_open_it_with_another),
        cmocka_unit_test(its_next_failure_opens_it_then_unless_it_was_answered_again),
        cmocka_unit_test(own_failures_keep_it_open_when_another_nodes_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
