// Two nodes that change one payment at the same moment, or create it: as if one had been after the other.
#include "many_writers.h"

static void insert_authorised(struct fixture *f)
{
    struct payment payment = payment_of(f, PAYMENT_PENDING);
    payment.capture_manual = true;
    payment.capturable = true;
    put_payment(f, payment);
}

static struct deed refund_deed(struct fixture *f, const char *key)
{
    static const char body[] =
        "{\"payment_id\":\"07000000-0000-0000-0000-000000000001\",\"amount\":\"30.00\"}";
    return (struct deed){.caller = caller_new(f, key, NULL, body, refund_create_read),
                         .work = refund_create_work};
}

static struct deed create_deed(struct fixture *f, const char *key, bool saves_card)
{
    const char *body = saves_card ? "{\"amount\":\"50.00\",\"currency\":\"USD\",\"provider\":\"stripe\","
                                    "\"payment_method\":\"pm_card_visa\",\"save_card\":true,"
                                    "\"customer_email\":\"Buyer@shop.example\"}"
                                  : "{\"amount\":\"50.00\",\"currency\":\"USD\",\"provider\":\"stripe\","
                                    "\"payment_method\":\"pm_card_visa\"}";
    return (struct deed){.caller = caller_new(f, key, NULL, body, payment_create_read),
                         .work = payment_create_work};
}

static enum errc apply_inbound(struct deed *deed, struct tx *tx, struct err *err)
{
    const struct inbound *inbound = deed->what;
    tx->cause = "event";
    tx->cause_ref = inbound->event.id;
    return inbound_apply(tx, inbound, err);
}

static struct deed event_deed(const struct inbound *inbound)
{
    return (struct deed){.run = apply_inbound, .what = inbound};
}

// Refunded at the provider's dashboard.
static struct inbound refunded_elsewhere(struct fixture *f, int64_t amount_minor)
{
    return (struct inbound){.merchant_id = f->merchant_id,
                            .event = {.id = "evt_refund",
                                      .type = "refund.created",
                                      .kind = EVENT_REFUND,
                                      .complete = true,
                                      .object_id = "re_1",
                                      .payment_ref = "pi_1",
                                      .refund = {.id = "re_1",
                                                 .status = REFUND_COMPLETED,
                                                 .amount_provider_minor = amount_minor,
                                                 .currency = "usd",
                                                 .payment_ref = "pi_1"}}};
}

static void two_refunds_do_not_exceed_the_payment(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    struct deed first = refund_deed(f, "a");
    struct deed second = refund_deed(f, "b");
    assert_int_equal(at_once(f, &first, &second), ERR_REFUND_EXCEEDS);
    assert_int_equal(sql_number(f, "SELECT CAST(sum(amount_minor) AS BIGINT) FROM refunds"), 3000);
    assert_true(second.waited);
    deed_end(&first);
    deed_end(&second);
}

static void a_refund_beside_an_events_refund_does_not_exceed_the_payment(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    const struct inbound inbound = refunded_elsewhere(f, 3000);
    struct deed first = event_deed(&inbound);
    struct deed second = refund_deed(f, "a");
    assert_int_equal(at_once(f, &first, &second), ERR_REFUND_EXCEEDS);
    assert_int_equal(sql_number(f, "SELECT refunded_minor FROM payments"), 3000);
    deed_end(&first);
    deed_end(&second);
}

static void an_event_beside_a_refund_keeps_both(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    const struct inbound inbound = refunded_elsewhere(f, 2000);
    struct deed first = refund_deed(f, "a");
    struct deed second = event_deed(&inbound);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_true(second.waited);
    assert_string_equal(history_of(f, &PAYMENT_ID),
                        "refund requested completed api, refund completed completed event");
    deed_end(&first);
    deed_end(&second);
}

static struct deed end_deed(struct fixture *f, bool captures)
{
    struct caller *caller =
        caller_new(f, NULL, &PAYMENT_ID, NULL, captures ? payment_capture_read : payment_cancel_read);
    return (struct deed){.caller = caller, .work = captures ? payment_capture_work : payment_cancel_work};
}

static void only_one_ends(struct fixture *f, bool first_captures, bool second_captures)
{
    insert_authorised(f);
    struct deed first = end_deed(f, first_captures);
    struct deed second = end_deed(f, second_captures);
    assert_int_equal(at_once(f, &first, &second), ERR_CONFLICT);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM operations"), 1);
    deed_end(&first);
    deed_end(&second);
}

static void a_payment_is_captured_once(void **state)
{
    only_one_ends(*state, true, true);
}

static void a_payment_that_is_captured_is_not_canceled(void **state)
{
    only_one_ends(*state, true, false);
}

static void a_payment_that_is_canceled_is_not_captured(void **state)
{
    only_one_ends(*state, false, true);
}

static struct inbound paid(struct fixture *f, const char *event_id)
{
    return verified(f, (struct sent_event){event_id, "payment_intent.succeeded", false, PAID, NULL, NULL},
                    &f->merchant_id);
}

static void two_events_complete_a_payment_once(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_PENDING));
    const struct inbound one = paid(f, "evt_1");
    const struct inbound other = paid(f, "evt_2");
    struct deed first = event_deed(&one);
    struct deed second = event_deed(&other);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_string_equal(events_of(f, &PAYMENT_ID), "payment.completed");
    assert_string_equal(history_of(f, &PAYMENT_ID), "completed completed event");
    deed_end(&first);
    deed_end(&second);
}

static struct inbound disputed(struct fixture *f, const char *type, const char *status, int64_t created_s)
{
    const char *object =
        arena_printf(&f->arena, "\"id\":\"dp_1\",\"payment_intent\":\"pi_1\",\"status\":\"%s\"", status);
    struct inbound inbound =
        verified(f, (struct sent_event){status, type, false, object, NULL, NULL}, &f->merchant_id);
    inbound.event.created_s = created_s;
    return inbound;
}

static void two_events_of_a_dispute_write_one_row_with_the_newer(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    const struct inbound newer = disputed(f, "charge.dispute.closed", "lost", 200);
    const struct inbound older = disputed(f, "charge.dispute.created", "needs_response", 100);
    struct deed first = event_deed(&newer);
    struct deed second = event_deed(&older);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM disputes"), 1);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM disputes WHERE status = 'lost'"), 1);
    assert_string_equal(events_of(f, &PAYMENT_ID), "payment.dispute_closed, payment.disputed");
    deed_end(&first);
    deed_end(&second);
}

static void an_event_that_comes_twice_at_once_is_applied_once(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    struct inbound inbound = {
        .merchant_id = f->merchant_id,
        .event = {.id = "evt_1",
                  .type = "charge.dispute.created",
                  .kind = EVENT_DISPUTE_OPENED,
                  .complete = true,
                  .object_id = "dp_1",
                  .payment_ref = "pi_1",
                  .dispute = {.id = "dp_1", .amount_provider_minor = 5000, .currency = "usd"}}};
    struct deed first = event_deed(&inbound);
    struct deed second = event_deed(&inbound);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_string_equal(events_of(f, &PAYMENT_ID), "payment.disputed");
    deed_end(&first);
    deed_end(&second);
}

static void two_requests_with_one_key_make_one_payment(void **state)
{
    struct fixture *f = *state;
    struct deed first = create_deed(f, "order-1", false);
    struct deed second = create_deed(f, "order-1", false);
    assert_int_equal(at_once(f, &first, &second), ERR_IDEMPOTENCY_IN_PROGRESS);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 1);
    assert_null(second.caller->request.op);
    deed_end(&first);
    deed_end(&second);
}

static void two_payments_of_one_buyer_have_one_customer(void **state)
{
    struct fixture *f = *state;
    struct deed first = create_deed(f, "order-1", true);
    struct deed second = create_deed(f, "order-2", true);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payments"), 2);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM customers"), 1);
    deed_end(&first);
    deed_end(&second);
}

// --- settling

static enum errc lock_payment(struct deed *deed, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    (void)deed;
    return payment_get(tx->db, &PAYMENT_ID, NULL, tx->arena, &payment, err);
}

static enum errc schedule_list(struct deed *deed, struct tx *tx, struct err *err)
{
    struct payment payment = {0};
    enum errc rc = lock_payment(deed, tx, err);
    if (rc == OK) {
        rc = payment_get(tx->db, &PAYMENT_ID, NULL, tx->arena, &payment, err);
    }
    return rc == OK ? payment_schedule_refund_list(tx, &payment, NULL, err) : rc;
}

// An event has the payment and then wants its operation, which is being settled.
static void an_event_and_a_settle_do_not_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    struct deed begins = {.run = schedule_list};
    assert_int_equal(deed_alone(&begins, f), OK);
    f->provider.holds = true;
    engine_begin(f);
    assert_int_equal(fake_provider_count(&f->provider, PROVIDER_REFUND_LIST), 1);
    struct deed first = {.run = lock_payment, .then = schedule_list};
    struct holder holder;
    hold(f, &holder, &first);
    fake_provider_answer(&f->provider, answer_list(NULL, 0, NULL));
    fake_loop_run_for(&f->loop, 0);
    assert_true(let_go(&holder));
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.settle_retries_total, 0);
    deed_end(&begins);
    deed_end(&first);
}

int main(void)
{
    SKIP_WITHOUT_NODES();
    const struct CMUnitTest tests[] = {
        TEST(two_refunds_do_not_exceed_the_payment),
        TEST(a_refund_beside_an_events_refund_does_not_exceed_the_payment),
        TEST(an_event_beside_a_refund_keeps_both),
        TEST(a_payment_is_captured_once),
        TEST(a_payment_that_is_captured_is_not_canceled),
        TEST(a_payment_that_is_canceled_is_not_captured),
        TEST(two_events_complete_a_payment_once),
        TEST(two_events_of_a_dispute_write_one_row_with_the_newer),
        TEST(an_event_that_comes_twice_at_once_is_applied_once),
        TEST(two_requests_with_one_key_make_one_payment),
        TEST(two_payments_of_one_buyer_have_one_customer),
        TEST(an_event_and_a_settle_do_not_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
