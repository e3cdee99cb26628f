// What a change writes next to the status: the payer's action, the cancel that is due at the provider, and
// the merchant's events.
#include "database.h"
#include "tx_fixture.h"

#include "base/json.h"
#include "op/state/render.h"
#include "store/driver.h"
#include "store/sealed.h"

static struct payment pending_action(struct fixture *f)
{
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_action().payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    return payment_row(f, &payment.id);
}

// What is kept sealed of a payment's next action, opened.
static const char *kept(struct fixture *f, const struct payment *payment)
{
    char *plain = NULL;
    size_t bytes = 0;
    struct sealed sealed = {payment->action_secret_sealed, (size_t)payment->action_secret_sealed_bytes};
    assert_null(memmem(sealed.data, sealed.bytes, "pi_1_secret_s", 13));
    assert_null(memmem(sealed.data, sealed.bytes, "hooks.example", 13));
    assert_int_equal(seal_open(&f->keyring.master, &f->arena,
                               sealed_context(&f->arena, SEALED_NEXT_ACTION, &payment->id), sealed, &plain,
                               &bytes, &f->err),
                     OK);
    return plain;
}

static void the_url_of_a_redirect_is_kept_sealed_and_the_client_secret_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct payment payment = pending_action(f);
    assert_true(payment.action_given);
    assert_int_equal(payment.next_action, NEXT_ACTION_REDIRECT);
    assert_string_equal(kept(f, &payment), "https://hooks.example/3ds");
    assert_string_equal(history_of(f, &payment.id), "action required pending event");
    assert_string_equal(events_of(f, &payment.id), "");
}

static void the_client_secret_of_an_sdk_action_is_kept_sealed(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_action().payment;
    reported.next_action = NEXT_ACTION_SDK;
    reported.redirect_url = NULL;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    payment = payment_row(f, &payment.id);
    assert_int_equal(payment.next_action, NEXT_ACTION_SDK);
    assert_string_equal(kept(f, &payment), "pi_1_secret_s");
}

static void a_payment_without_an_action_to_take_has_no_secret_of_one(void **state)
{
    struct fixture *f = *state;
    static const enum provider_payment_state ends[] = {
        PROVIDER_PAYMENT_SUCCEEDED, PROVIDER_PAYMENT_CAPTURABLE, PROVIDER_PAYMENT_ATTEMPT_FAILED,
        PROVIDER_PAYMENT_CANCELED};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct payment payment = pending_action(f);
        struct tx tx = tx_of(f);
        struct provider_payment reported = answer_payment(ends[i]).payment;
        assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
        struct payment after = payment_row(f, &payment.id);
        assert_int_equal(after.next_action, NEXT_ACTION_NONE);
        assert_null(after.action_secret_sealed);
        assert_true(after.action_given); // it was, and somebody may still hold it
    }
}

static void a_failure_after_an_action_schedules_a_cancel_unless_the_intent_is_over(void **state)
{
    struct fixture *f = *state;
    const struct {
        enum provider_payment_state state;
        bool cancels;
    } ends[] = {{PROVIDER_PAYMENT_ATTEMPT_FAILED, true},
                {PROVIDER_PAYMENT_CANCELED, false},
                {PROVIDER_PAYMENT_SUCCEEDED, false},
                {PROVIDER_PAYMENT_CAPTURABLE, false}};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct payment payment = pending_action(f);
        struct tx tx = tx_of(f);
        struct provider_payment reported = answer_payment(ends[i].state).payment;
        assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
        assert_int_equal(tx.work_due, ends[i].cancels);
        assert_string_equal(open_operations(f, &payment.id), ends[i].cancels ? "cancel" : "");
        run_sql(f, "DELETE FROM operations");
    }
}

static void a_failure_without_an_action_schedules_nothing(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    assert_false(tx.work_due);
    assert_string_equal(open_operations(f, &payment.id), "");
}

static void an_intent_that_is_cancelled_says_so(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_CANCELED).payment;
    reported.failure = (struct failure){.code = "card_declined"}; // of an attempt before
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    assert_string_equal(payment_row(f, &payment.id).failure.code, "canceled");
}

// --- events

static const char *event_body(struct fixture *f)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(f->db, &rows, &f->err, "SELECT body FROM outbox ORDER BY id DESC LIMIT 1"), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    assert_true(has);
    return db_text(&rows, 0, &f->arena);
}

static void an_event_shows_the_payment_as_it_is_after_the_change(void **state)
{
    struct fixture *f = *state;
    struct payment payment = pending_action(f);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    const char *body = event_body(f);
    char id[UUID_TEXT_BYTES];
    uuid_format(&payment.id, id);
    struct json_object *event JSON_CLEANUP = NULL;
    assert_int_equal(json_parse(body, strlen(body), &event, &f->err), OK);
    struct json_object *data = json_get(event, "data");
    assert_string_equal(json_get_str(event, "type"), "payment.completed");
    assert_string_equal(json_get_str(event, "created_at"), "2023-11-14T22:14:20Z");
    assert_non_null(json_get_str(event, "id"));
    assert_string_equal(json_get_str(data, "payment_id"), id);
    assert_string_equal(json_get_str(data, "status"), "completed");
    assert_string_equal(json_get_str(data, "amount"), "50.00");
    assert_string_equal(json_get_str(data, "amount_captured"), "50.00");
    assert_false(json_object_object_get_ex(data, "next_action", NULL));
    assert_null(strstr(body, "secret"));
}

static void a_change_and_all_it_writes_are_undone_together(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    assert_int_equal(f->db->driver->savepoint(f->db, &f->err), OK);
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    assert_int_equal(f->db->driver->rollback_to(f->db, &f->err), OK);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
    assert_string_equal(history_of(f, &payment.id), "");
    assert_string_equal(events_of(f, &payment.id), "");
}

static void an_event_that_cannot_be_written_fails_the_change(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    run_sql(f, "CREATE TRIGGER refuse BEFORE INSERT ON outbox FOR EACH ROW " REFUSES);
    assert_int_equal(
        DATABASE_UNDONE(f->db, payment_apply_reported(&tx, &payment, &reported, &f->err), &f->err),
        ERR_STORE);
}

// They are sent in the order of their ids, and the second is one that a merchant must not see before the
// first.
static void events_keep_the_order_of_the_changes_although_the_clock_goes_back(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment failed = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED).payment;
    struct provider_payment succeeded = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &failed, &f->err), OK);
    tx.now_us -= 100 * US_PER_S;
    assert_int_equal(payment_apply_reported(&tx, &payment, &succeeded, &f->err), OK);
    assert_string_equal(events_of(f, &payment.id), "payment.failed, payment.completed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(the_url_of_a_redirect_is_kept_sealed_and_the_client_secret_not_at_all),
        IN_TRANSACTION(the_client_secret_of_an_sdk_action_is_kept_sealed),
        IN_TRANSACTION(a_payment_without_an_action_to_take_has_no_secret_of_one),
        IN_TRANSACTION(a_failure_after_an_action_schedules_a_cancel_unless_the_intent_is_over),
        IN_TRANSACTION(a_failure_without_an_action_schedules_nothing),
        IN_TRANSACTION(an_intent_that_is_cancelled_says_so),
        IN_TRANSACTION(an_event_shows_the_payment_as_it_is_after_the_change),
        IN_TRANSACTION(a_change_and_all_it_writes_are_undone_together),
        IN_TRANSACTION(events_keep_the_order_of_the_changes_although_the_clock_goes_back),
        IN_TRANSACTION(an_event_that_cannot_be_written_fails_the_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
