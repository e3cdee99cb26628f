// The provider's events: each is applied once, and only to payments of the merchant and mode that it was
// signed for.
#include "inbound_fixture.h"

// --- applied

static void an_event_about_an_intent_of_ours_is_applied_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx =
        apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", false, PAID, NULL, NULL});
    assert_true(tx.event_due);
    assert_string_equal(history_of(f, &payment.id), "completed completed event");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payment_history WHERE cause_ref = 'evt_1'"), 1);
    assert_string_equal(events_of(f, &payment.id), "payment.completed");
    assert_int_equal(recorded(f), 1);
    assert_string_equal(outcome(f), "applied");
    assert_int_equal(kept(f), 0);
}

static void an_event_finds_a_payment_by_our_id_when_its_intent_is_new(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "UPDATE payments SET provider_ref = NULL");
    apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", false, PAID, &payment.id, NULL});
    struct payment after = payment_row(f, &payment.id);
    assert_int_equal(after.status, PAYMENT_COMPLETED);
    assert_string_equal(after.provider_ref, "pi_1");
}

static void the_same_event_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    const struct sent_event sent = {"evt_1", "payment_intent.payment_failed", false, DECLINED, NULL, NULL};
    apply(f, sent);
    struct tx again = apply(f, sent);
    assert_false(again.event_due);
    assert_string_equal(history_of(f, &payment.id), "failed failed event");
    assert_int_equal(recorded(f), 1);
}

static void events_that_come_in_the_wrong_order_end_in_the_same_status(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    apply(f, (struct sent_event){"evt_2", "payment_intent.succeeded", false, PAID, NULL, NULL});
    apply(f, (struct sent_event){"evt_1", "payment_intent.payment_failed", false, DECLINED, NULL, NULL});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_COMPLETED);
    assert_string_equal(history_of(f, &payment.id),
                        "completed completed event, ignored: a failure completed event");
    assert_string_equal(events_of(f, &payment.id), "payment.completed");
}

static void a_payment_that_was_brought_back_is_not_failed_by_the_event_of_its_first_failure(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_FAILED);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_action().payment;
    assert_int_equal(payment_reopen(&tx, &payment, &reported, &f->err), OK);
    struct tx sent =
        apply(f, (struct sent_event){"evt_1", "payment_intent.payment_failed", false, DECLINED, NULL, NULL});
    assert_true(sent.work_due);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
    assert_string_equal(open_operations(f, &payment.id), "sync"); // which reads whether it failed once more
    assert_string_equal(history_of(f, &payment.id), "reopened pending event, action required pending event");
}

static void an_event_that_does_not_fit_is_noted_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", false,
                                                "\"id\":\"pi_1\",\"status\":\"succeeded\",\"amount\":1,"
                                                "\"amount_received\":1,\"currency\":\"usd\"",
                                                NULL, NULL});
    assert_false(tx.event_due);
    assert_string_equal(history_of(f, &payment.id), "ignored: an event that does not fit pending event");
    assert_string_equal(outcome(f), "ignored does_not_fit");
    apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", false, PAID, NULL, NULL});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
}

static void an_incomplete_event_makes_the_object_be_read(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = apply(
        f, (struct sent_event){"evt_1", "payment_intent.succeeded", false, "\"id\":\"pi_1\"", NULL, NULL});
    assert_true(tx.work_due);
    assert_string_equal(open_operations(f, &payment.id), "sync");
    assert_int_equal(sql_number(f, "SELECT next_attempt_us FROM operations"), NOW_US);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
}

static void an_event_of_a_type_that_nothing_acts_on_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    apply(f, (struct sent_event){"evt_1", "invoice.paid", false, PAID, &payment.id, &f->merchant_id});
    assert_string_equal(history_of(f, &payment.id), "");
    assert_int_equal(kept(f), 0);
}

// --- refunds

// The event only says that there is something new; the provider's list decides.
static void a_refunded_charge_has_its_payments_refunds_listed(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_COMPLETED);
    apply(f, (struct sent_event){"evt_1", "charge.refunded", false, CHARGE("5000", "true"), NULL, NULL});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_COMPLETED);
    assert_string_equal(open_operations(f, &payment.id), "refunds");
}

static void a_refund_of_a_payment_of_unknown_outcome_completes_it_first(void **state)
{
    struct fixture *f = *state;
    static const enum payment_status statuses[] = {PAYMENT_PENDING, PAYMENT_FAILED};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct payment payment = insert_payment(f, statuses[i]);
        apply(f, (struct sent_event){i == 0 ? "evt_1" : "evt_2", "charge.refunded", false,
                                     CHARGE("5000", "true"), NULL, NULL});
        assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_COMPLETED);
        assert_string_equal(events_of(f, &payment.id), "payment.completed");
    }
}

static void a_released_authorisation_is_no_refund(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    apply(f, (struct sent_event){"evt_1", "charge.refunded", false,
                                 CHARGE("5000", "true") ",\"captured\":false", NULL, NULL});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
    assert_string_equal(open_operations(f, &payment.id), "");
}

static void a_refund_of_another_object_does_not_belong_to_this_payment(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_COMPLETED);
    apply(f, (struct sent_event){"evt_1", "refund.created", false,
                                 "\"id\":\"re_1\",\"payment_intent\":\"pi_another\",\"status\":\"succeeded\","
                                 "\"amount\":5000,\"currency\":\"usd\"",
                                 &payment.id, &f->merchant_id});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_COMPLETED);
    assert_int_equal(payment_row(f, &payment.id).refunded_minor, 0);
    assert_string_equal(events_of(f, &payment.id), "");
}

// --- whose

static void an_event_changes_nothing_of_another_merchant(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    const struct uuid other = {.bytes = {0x01, [15] = 2}};
    apply_for(
        f,
        (struct sent_event){"evt_1", "payment_intent.succeeded", false, PAID, &payment.id, &f->merchant_id},
        &other);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
    assert_int_equal(recorded(f), 0);
}

static void an_event_changes_nothing_of_the_other_mode(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", true, PAID, &payment.id, NULL});
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
}

static void the_same_event_id_of_another_merchant_or_mode_is_another_event(void **state)
{
    struct fixture *f = *state;
    const struct uuid merchants[] = {f->merchant_id, f->merchant_id, {.bytes = {0x01, [15] = 2}}};
    static const bool modes[] = {false, true, false};
    insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    for (size_t i = 0; i < COUNT_OF(merchants); i++) {
        struct payment payment = sample_payment(&merchants[i], &f->version_id, START_US);
        payment.livemode = modes[i];
        payment.provider_ref = "pi_1";
        assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
        apply_for(f, (struct sent_event){"evt_1", "payment_intent.succeeded", modes[i], PAID, NULL, NULL},
                  &merchants[i]);
        assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_COMPLETED);
    }
    assert_int_equal(recorded(f), 3);
}

static void an_event_about_nothing_of_ours_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct uuid missing = uuid_new(&random_system, START_US);
    const struct uuid other = {.bytes = {0x01, [15] = 2}};
    apply(f, (struct sent_event){"evt_1", "payment_intent.succeeded", false, PAID, NULL, NULL});
    apply(f, (struct sent_event){"evt_2", "payment_intent.succeeded", false, PAID, &missing, NULL});
    apply(f, (struct sent_event){"evt_3", "payment_intent.succeeded", false, PAID, &missing, &other});
    apply(f, (struct sent_event){"evt_4", "invoice.paid", false, PAID, &missing, &f->merchant_id});
    assert_int_equal(recorded(f), 0);
}

static void an_event_of_deleted_credentials_is_ignored_once_its_payment_is_final(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_COMPLETED);
    struct inbound inbound = verified(
        f, (struct sent_event){"evt_1", "charge.refunded", false, CHARGE("5000", "true"), NULL, NULL},
        &f->merchant_id);
    inbound.retired = true;
    struct tx tx = tx_of(f);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_string_equal(open_operations(f, &payment.id), "");
    assert_string_equal(outcome(f), "ignored credentials_deleted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(an_event_about_an_intent_of_ours_is_applied_and_recorded),
        IN_TRANSACTION(an_event_finds_a_payment_by_our_id_when_its_intent_is_new),
        IN_TRANSACTION(the_same_event_again_changes_nothing),
        IN_TRANSACTION(events_that_come_in_the_wrong_order_end_in_the_same_status),
        IN_TRANSACTION(a_payment_that_was_brought_back_is_not_failed_by_the_event_of_its_first_failure),
        IN_TRANSACTION(an_event_that_does_not_fit_is_noted_and_changes_nothing),
        IN_TRANSACTION(an_incomplete_event_makes_the_object_be_read),
        IN_TRANSACTION(an_event_of_a_type_that_nothing_acts_on_changes_nothing),
        IN_TRANSACTION(a_refunded_charge_has_its_payments_refunds_listed),
        IN_TRANSACTION(a_refund_of_another_object_does_not_belong_to_this_payment),
        IN_TRANSACTION(a_released_authorisation_is_no_refund),
        IN_TRANSACTION(a_refund_of_a_payment_of_unknown_outcome_completes_it_first),
        IN_TRANSACTION(an_event_changes_nothing_of_another_merchant),
        IN_TRANSACTION(an_event_changes_nothing_of_the_other_mode),
        IN_TRANSACTION(the_same_event_id_of_another_merchant_or_mode_is_another_event),
        IN_TRANSACTION(an_event_about_nothing_of_ours_is_forgotten),
        IN_TRANSACTION(an_event_of_deleted_credentials_is_ignored_once_its_payment_is_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
