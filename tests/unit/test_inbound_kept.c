// Events that come before their payment: kept for it, within bounds, and applied after it.
#include "inbound_fixture.h"

#include "store/prune.h"

static void keep_for(struct fixture *f, const char *event_id, const char *type, const char *object,
                     const struct uuid *payment_id)
{
    apply(f, (struct sent_event){event_id, type, false, object, payment_id, &f->merchant_id});
}

static struct tx apply_kept(struct fixture *f)
{
    struct tx tx = tx_of(f);
    assert_int_equal(inbound_apply_kept(&tx, &f->err), OK);
    return tx;
}

static void an_event_that_comes_before_its_payment_is_kept_and_applied_after_it(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    assert_int_equal(kept(f), 1);
    assert_string_equal(outcome(f), "kept awaits_payment");
    assert_false(apply_kept(f).event_due);
    assert_int_equal(kept(f), 1);
    payment.provider_ref = NULL;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    assert_true(apply_kept(f).event_due);
    assert_string_equal(history_of(f, &payment.id), "completed completed event");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM payment_history WHERE cause_ref = 'evt_1'"), 1);
    assert_int_equal(kept(f), 0);
    assert_int_equal(recorded(f), 1);
    assert_string_equal(outcome(f), "applied");
    assert_false(apply_kept(f).event_due);
    assert_string_equal(events_of(f, &payment.id), "payment.completed");
}

static void a_kept_event_is_kept_sealed(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID ",\"client_secret\":\"pi_1_secret_s\"",
             &payment.id);
    assert_int_equal(sql_number(f, "SELECT instr(body, x'7365637265745f') FROM inbox"), 0); // "secret_"
}

static void a_kept_event_expires_after_30_days(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    run_sql(f, "UPDATE inbox SET received_us = received_us - 2592000000000");
    apply_kept(f);
    assert_int_equal(kept(f), 1);
    run_sql(f, "UPDATE inbox SET received_us = received_us - 1");
    apply_kept(f);
    assert_int_equal(kept(f), 0);
    assert_string_equal(outcome(f), "ignored payment_never_came");
}

// The provider sends an event for 30 days at most.
static void an_event_that_was_applied_is_known_again_for_35_days(void **state)
{
    struct fixture *f = *state;
    const struct sent_event sent = {"evt_1", "payment_intent.succeeded", false, PAID, NULL, NULL};
    insert_payment(f, PAYMENT_PENDING);
    apply(f, sent);
    transaction_end(f);
    engine_begin(f);
    static const struct {
        int64_t passes_s;
        int64_t recorded;
    } then[] = {{35 * 86400, 1}, {90, 0}};
    for (size_t i = 0; i < COUNT_OF(then); i++) {
        f->loop.wall_offset_us += then[i].passes_s * US_PER_S;
        engine_run_s(f, 6);
        transaction_begin(f);
        assert_int_equal(recorded(f), then[i].recorded);
        transaction_end(f);
    }
    transaction_begin(f);
}

static void events_that_grew_old_are_forgotten_oldest_first_and_in_small_steps(void **state)
{
    struct fixture *f = *state;
    run_sql(f,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO inbox"
            " (merchant_id, livemode, event_id, type, received_us)"
            " SELECT x'01', 0, 'evt_' || i, 't', 10 - i FROM n");
    bool more = false;
    assert_int_equal(prune_inbox(f->db, 8, 3, &more, &f->err), OK);
    assert_int_equal(recorded(f), 7);
    assert_int_equal(sql_number(f, "SELECT min(received_us) FROM inbox"), 3);
    assert_int_equal(prune_inbox(f->db, 8, 100, &more, &f->err), OK);
    assert_int_equal(sql_number(f, "SELECT min(received_us) FROM inbox"), 8);
}

static void an_event_of_more_than_64_kib_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    const struct sent_event sent = {"evt_1",        "payment_intent.succeeded", false, PAID, &payment.id,
                                    &f->merchant_id};
    static const size_t sizes[] = {64 * 1024 + 1, 64 * 1024};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct inbound inbound = verified(f, sent, &f->merchant_id);
        struct tx tx = tx_of(f);
        inbound.body_bytes = sizes[i];
        inbound.body = arena_printf(&f->arena, "%-*s", (int)inbound.body_bytes, inbound.body);
        assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
        assert_string_equal(outcome(f), i == 0 ? "ignored no_room" : "kept awaits_payment");
    }
}

// Its payment was there before it, unless the database is an older one: then it may come by itself yet.
static void an_event_that_was_fetched_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    const struct sent_event sent = {"evt_1",        "payment_intent.succeeded", false, PAID, &payment.id,
                                    &f->merchant_id};
    struct inbound inbound = verified(f, sent, &f->merchant_id);
    inbound.body = NULL;
    inbound.body_bytes = 0;
    struct tx tx = tx_of(f);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_string_equal(outcome(f), "ignored payment_unknown");
    run_sql(f, "UPDATE inbox SET received_us = 0, id = NULL");
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_int_equal(sql_number(f, "SELECT received_us FROM inbox"), 0); // nothing is written again
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    assert_string_equal(outcome(f), "kept awaits_payment");
    assert_int_equal(sql_number(f, "SELECT count(*) FROM inbox WHERE id IS NOT NULL"), 1);
}

// Such a payment may come back with the older database's account.
static void an_ignored_event_that_comes_again_after_its_payment_is_applied(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    const struct sent_event sent = {"evt_1",        "payment_intent.succeeded", false, PAID, &payment.id,
                                    &f->merchant_id};
    struct inbound inbound = verified(f, sent, &f->merchant_id);
    inbound.body = NULL;
    inbound.body_bytes = 0;
    struct tx tx = tx_of(f);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    assert_string_equal(history_of(f, &payment.id), "completed completed event");
    assert_string_equal(outcome(f), "applied");
}

static void a_kept_event_that_does_not_fit_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    payment.provider_ref = "pi_2";
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    apply_kept(f);
    assert_int_equal(kept(f), 0);
    assert_string_equal(outcome(f), "ignored does_not_fit");
}

static void a_kept_event_that_was_damaged_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    run_sql(f, "UPDATE inbox SET event_id = 'evt_2'");
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    apply_kept(f);
    assert_string_equal(outcome(f), "ignored unreadable");
}

static void a_kept_event_that_comes_again_is_still_applied_once(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    assert_int_equal(kept(f), 1);
    payment.provider_ref = NULL;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    apply_kept(f);
    assert_string_equal(history_of(f, &payment.id), "completed completed event");
}

static void kept_events_are_applied_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_9", "payment_intent.payment_failed", DECLINED, &payment.id);
    run_sql(f, "UPDATE inbox SET received_us = received_us - 1");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    payment.provider_ref = NULL;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    apply_kept(f);
    assert_string_equal(history_of(f, &payment.id), "failed failed event, completed completed event");
}

static void a_kept_event_of_another_merchants_payment_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    run_sql(f, "DELETE FROM payments");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &payment.id);
    payment.merchant_id.bytes[15] = 2;
    assert_int_equal(payment_insert(f->db, &payment, &f->err), OK);
    apply_kept(f);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
    assert_int_equal(kept(f), 0);
    assert_string_equal(outcome(f), "ignored payment_unknown");
}

static void a_merchants_kept_events_are_bounded_and_do_not_limit_other_merchants(void **state)
{
    struct fixture *f = *state;
    struct uuid missing = uuid_new(&random_system, START_US);
    const struct uuid other = {.bytes = {0x01, [15] = 2}};
    run_sql(f,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO inbox"
            " (merchant_id, livemode, event_id, type, payment_id, body, received_us)"
            " SELECT (SELECT id FROM merchants), 0, 'evt_of_' || i, 't', x'00', x'00', 0 FROM n");
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &missing);
    assert_int_equal(kept(f), 1000);
    keep_for(f, "evt_2", "payment_intent.succeeded", PAID, &missing);
    assert_int_equal(kept(f), 1000);
    apply_for(f, (struct sent_event){"evt_3", "payment_intent.succeeded", false, PAID, &missing, &other},
              &other);
    assert_int_equal(kept(f), 1001);
}

// --- beside a running engine

static void the_engine_applies_what_was_kept(void **state)
{
    struct fixture *f = *state;
    struct buyer *buyer = buyer_new(f);
    transaction_begin(f);
    keep_for(f, "evt_1", "payment_intent.succeeded", PAID, &buyer->payment.id);
    transaction_end(f);
    engine_begin(f);
    assert_int_equal(buyer_prepare(buyer), OK);
    f->provider.holds = true;
    buyer_go(buyer);
    engine_run_s(f, 6);
    assert_int_equal(payment_row(f, &buyer->payment.id).status, PAYMENT_COMPLETED);
    assert_int_equal(f->events_written, 1);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED)); // the same news, later
    fake_loop_run_tasks(&f->loop);
    assert_string_equal(answered_status(buyer), "completed");
    assert_string_equal(events_of(f, &buyer->payment.id), "payment.completed");
    assert_string_equal(open_operations(f, &buyer->payment.id), "");
}

static struct sent_event dispute(const char *event_id)
{
    return (struct sent_event){
        .event_id = event_id,
        .type = "charge.dispute.created",
        .object = "\"id\":\"dp_1\",\"payment_intent\":\"pi_1\",\"status\":\"needs_response\""};
}

static enum errc take_dispute(struct fixture *f)
{
    struct inbound inbound = verified(f, dispute("evt_dispute"), &f->merchant_id);
    struct tx tx = tx_of(f);
    tx.now_us = loop_wall_us(&f->loop.base);
    return inbound_apply(&tx, &inbound, &f->err);
}

// It names the intent alone, whose id is not known yet.
static void a_dispute_of_a_payment_whose_outcome_is_unknown_is_not_taken_until_it_is_known(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct uuid id = buy(f)->payment.id;
    transaction_begin(f);
    assert_int_equal(take_dispute(f), OK); // so soon it is about something else, most likely
    transaction_end(f);
    engine_run_s(f, 31);
    transaction_begin(f);
    assert_int_equal(take_dispute(f), ERR_OVERLOADED);
    f->loop.wall_offset_us -= 3600 * US_PER_S; // by this clock the charge is not made yet
    assert_int_equal(take_dispute(f), ERR_OVERLOADED);
    f->loop.wall_offset_us += 3600 * US_PER_S;
    transaction_end(f);
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    fake_loop_run_tasks(&f->loop);
    transaction_begin(f);
    assert_int_equal(take_dispute(f), OK);
    assert_int_equal(take_dispute(f), OK);
    transaction_end(f);
    assert_string_equal(events_of(f, &id), "payment.completed, payment.disputed");
}

static struct provider_answer list_dispute(struct fake_provider *fake, const struct provider_call *call)
{
    static struct provider_event listed;
    (void)fake;
    listed = (struct provider_event){
        .id = "evt_dispute",
        .type = "charge.dispute.created",
        .kind = EVENT_DISPUTE_OPENED,
        .complete = true,
        .created_s = call->created_from_s,
        .payment_ref = "pi_1",
        .dispute = {.id = "dp_1", .status = "needs_response", .amount_provider_minor = -1}};
    return (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .events = &listed, .event_count = 1};
}

static void a_dispute_that_came_before_its_charge_was_answered_is_fetched_once_it_is(void **state)
{
    struct fixture *f = *state;
    engine_begin(f);
    f->provider.holds = true;
    struct uuid id = buy(f)->payment.id;
    transaction_begin(f);
    assert_int_equal(take_dispute(f), OK);
    transaction_end(f);
    f->provider.events = list_dispute;
    engine_run_s(f, 20);
    assert_string_equal(events_of(f, &id), "");
    fake_provider_answer(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    engine_run_s(f, 15);
    assert_string_equal(events_of(f, &id), "payment.completed, payment.disputed");
}

static void a_dispute_of_a_foreign_payment_is_accepted_and_forgotten(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(take_dispute(f), OK);
    assert_int_equal(recorded(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(an_event_that_comes_before_its_payment_is_kept_and_applied_after_it),
        IN_TRANSACTION(a_kept_event_is_kept_sealed),
        IN_TRANSACTION(a_kept_event_expires_after_30_days),
        IN_TRANSACTION(an_event_that_was_applied_is_known_again_for_35_days),
        IN_TRANSACTION(events_that_grew_old_are_forgotten_oldest_first_and_in_small_steps),
        IN_TRANSACTION(an_event_of_more_than_64_kib_is_not_kept),
        IN_TRANSACTION(an_event_that_was_fetched_is_not_kept),
        IN_TRANSACTION(an_ignored_event_that_comes_again_after_its_payment_is_applied),
        IN_TRANSACTION(a_kept_event_that_does_not_fit_is_ignored),
        IN_TRANSACTION(a_kept_event_that_was_damaged_is_ignored),
        IN_TRANSACTION(a_kept_event_that_comes_again_is_still_applied_once),
        IN_TRANSACTION(kept_events_are_applied_in_the_order_they_came),
        IN_TRANSACTION(a_kept_event_of_another_merchants_payment_is_dropped),
        IN_TRANSACTION(a_merchants_kept_events_are_bounded_and_do_not_limit_other_merchants),
        TEST(a_dispute_that_came_before_its_charge_was_answered_is_fetched_once_it_is),
        IN_TRANSACTION(a_dispute_of_a_foreign_payment_is_accepted_and_forgotten),
        TEST(a_dispute_of_a_payment_whose_outcome_is_unknown_is_not_taken_until_it_is_known),
        TEST(the_engine_applies_what_was_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
