// The one way a payment changes: every status with everything that the provider can report, against a table
// written from the contract; and to which payment an intent belongs.
#include "tx_fixture.h"

#include "base/text.h"

// --- statuses x what the provider says

struct expectation {
    enum payment_status status;
    enum provider_payment_state state;
    enum payment_status becomes;
    const char *history; // the new lines; "": nothing was noted
    const char *events;
};

static const struct expectation expectations[] = {
    {PAYMENT_PENDING, PROVIDER_PAYMENT_OPEN, PAYMENT_PENDING, "", ""},
    {PAYMENT_PENDING, PROVIDER_PAYMENT_CAPTURABLE, PAYMENT_PENDING, "capturable pending event",
     "payment.capturable"},
    {PAYMENT_PENDING, PROVIDER_PAYMENT_SUCCEEDED, PAYMENT_COMPLETED, "completed completed event",
     "payment.completed"},
    {PAYMENT_PENDING, PROVIDER_PAYMENT_ATTEMPT_FAILED, PAYMENT_FAILED, "failed failed event",
     "payment.failed"},
    {PAYMENT_PENDING, PROVIDER_PAYMENT_CANCELED, PAYMENT_FAILED, "failed failed event", "payment.failed"},
    {PAYMENT_FAILED, PROVIDER_PAYMENT_OPEN, PAYMENT_FAILED, "ignored: processing failed event", ""},
    {PAYMENT_FAILED, PROVIDER_PAYMENT_CAPTURABLE, PAYMENT_FAILED, "ignored: an authorisation failed event",
     ""},
    {PAYMENT_FAILED, PROVIDER_PAYMENT_SUCCEEDED, PAYMENT_COMPLETED, "completed completed event",
     "payment.completed"},
    {PAYMENT_FAILED, PROVIDER_PAYMENT_ATTEMPT_FAILED, PAYMENT_FAILED, "ignored: a failure failed event", ""},
    {PAYMENT_FAILED, PROVIDER_PAYMENT_CANCELED, PAYMENT_FAILED, "ignored: a failure failed event", ""},
    {PAYMENT_COMPLETED, PROVIDER_PAYMENT_OPEN, PAYMENT_COMPLETED, "ignored: processing completed event", ""},
    {PAYMENT_COMPLETED, PROVIDER_PAYMENT_CAPTURABLE, PAYMENT_COMPLETED,
     "ignored: an authorisation completed event", ""},
    {PAYMENT_COMPLETED, PROVIDER_PAYMENT_SUCCEEDED, PAYMENT_COMPLETED, "", ""}, // the same news again
    {PAYMENT_COMPLETED, PROVIDER_PAYMENT_ATTEMPT_FAILED, PAYMENT_COMPLETED,
     "ignored: a failure completed event", ""},
    {PAYMENT_COMPLETED, PROVIDER_PAYMENT_CANCELED, PAYMENT_COMPLETED, "ignored: a failure completed event",
     ""},
    {PAYMENT_REFUNDED, PROVIDER_PAYMENT_OPEN, PAYMENT_REFUNDED, "ignored: processing refunded event", ""},
    {PAYMENT_REFUNDED, PROVIDER_PAYMENT_CAPTURABLE, PAYMENT_REFUNDED,
     "ignored: an authorisation refunded event", ""},
    {PAYMENT_REFUNDED, PROVIDER_PAYMENT_SUCCEEDED, PAYMENT_REFUNDED, "", ""},
    {PAYMENT_REFUNDED, PROVIDER_PAYMENT_ATTEMPT_FAILED, PAYMENT_REFUNDED, "ignored: a failure refunded event",
     ""},
    {PAYMENT_REFUNDED, PROVIDER_PAYMENT_CANCELED, PAYMENT_REFUNDED, "ignored: a failure refunded event", ""},
};
#define PROVIDER_PAYMENT_STATES 5
_Static_assert(COUNT_OF(expectations) == PAYMENT_STATUS_COUNT * PROVIDER_PAYMENT_STATES,
               "every pair is expected to do something");

static void check_expectation(struct fixture *f, const struct expectation *expected, bool ref_known)
{
    struct payment payment = insert_payment(f, expected->status);
    struct payment before = payment;
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(expected->state).payment;
    if (!ref_known) {
        run_sql(f, "UPDATE payments SET provider_ref = NULL");
        payment.provider_ref = NULL;
    }
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    struct payment after = payment_row(f, &payment.id);
    bool noted_as_new =
        !ref_known && expected->status == PAYMENT_PENDING && expected->state == PROVIDER_PAYMENT_OPEN;
    const char *history = noted_as_new ? "processing pending event" : expected->history;
    bool moved = expected->becomes != expected->status;
    if (after.status != expected->becomes || strcmp(history_of(f, &payment.id), history) != 0 ||
        strcmp(events_of(f, &payment.id), expected->events) != 0) {
        fail_msg("%s, told %d: %s, history \"%s\", events \"%s\"", payment_status_name(expected->status),
                 (int)expected->state, payment_status_name(after.status), history_of(f, &payment.id),
                 events_of(f, &payment.id));
    }
    assert_int_equal(tx.event_due, expected->events[0] != '\0');
    assert_int_equal(after.captured_minor,
                     moved && after.status == PAYMENT_COMPLETED ? 5000 : before.captured_minor);
    assert_int_equal(after.refunded_minor, before.refunded_minor);
    assert_int_equal(after.failure.code != NULL, after.status == PAYMENT_FAILED);
    assert_true(after.status == PAYMENT_PENDING || !after.capturable);
    if (ref_known || expected->status == PAYMENT_PENDING || expected->status == PAYMENT_FAILED) {
        assert_string_equal(after.provider_ref, "pi_1");
    }
}

static void every_status_treats_each_report_of_the_provider_as_the_contract_says(void **state)
{
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        check_expectation(*state, &expectations[i], true);
    }
}

// The first that is heard of the intent; a completed or refunded payment always has one.
static void an_intent_that_was_not_known_yet_is_taken_the_same_way(void **state)
{
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        if (expectations[i].status == PAYMENT_PENDING || expectations[i].status == PAYMENT_FAILED) {
            check_expectation(*state, &expectations[i], false);
        }
    }
}

static void the_same_authorisation_again_says_nothing_new(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_CAPTURABLE).payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), OK);
    assert_true(payment_row(f, &payment.id).capturable);
    assert_string_equal(events_of(f, &payment.id), "payment.capturable");
    assert_string_equal(history_of(f, &payment.id), "capturable pending event");
}

// An answer that was on its way when the event came is older.
static void an_authorised_payment_asks_no_action_of_its_payer(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment authorised = answer_payment(PROVIDER_PAYMENT_CAPTURABLE).payment;
    struct provider_payment acting = answer_action().payment;
    assert_int_equal(payment_apply_reported(&tx, &payment, &authorised, &f->err), OK);
    assert_int_equal(payment_apply_reported(&tx, &payment, &acting, &f->err), OK);
    struct payment after = payment_row(f, &payment.id);
    assert_true(after.capturable);
    assert_int_equal(after.next_action, NEXT_ACTION_NONE);
}

static void a_failure_is_taken_only_while_pending(void **state)
{
    struct fixture *f = *state;
    const struct failure failure = {"card_declined", "generic_decline", "No."};
    for (enum payment_status status = 0; status < PAYMENT_STATUS_COUNT; status++) {
        struct payment payment = insert_payment(f, status);
        struct tx tx = tx_of(f);
        assert_int_equal(payment_fail(&tx, &payment, &failure, &f->err), OK);
        struct payment after = payment_row(f, &payment.id);
        assert_int_equal(after.status, status == PAYMENT_PENDING ? PAYMENT_FAILED : status);
        assert_string_equal(events_of(f, &payment.id), status == PAYMENT_PENDING ? "payment.failed" : "");
        if (status == PAYMENT_PENDING) {
            assert_string_equal(after.failure.message, "No.");
            assert_int_equal(after.updated_us, NOW_US);
        }
    }
}

// --- amounts

// What is captured when 50.00 of a currency are asked for and the provider says so; -1: a conflict.
static int64_t captured_of(struct fixture *f, const char *currency, int64_t received)
{
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    payment.currency = currency_find(currency);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    reported.currency = text_lower(&f->arena, currency);
    reported.amount_provider_minor = provider_default()->amount_to(5000, payment.currency);
    reported.received_provider_minor = received;
    enum errc rc = payment_apply_reported(&tx, &payment, &reported, &f->err);
    if (rc == ERR_CONFLICT) {
        assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
        assert_string_equal(events_of(f, &payment.id), "");
        return -1;
    }
    assert_int_equal(rc, OK);
    return payment_row(f, &payment.id).captured_minor;
}

static void the_captured_amount_is_the_one_that_the_provider_received(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(captured_of(f, "USD", 5000), 5000);
    assert_int_equal(captured_of(f, "USD", 1), 1);
    assert_int_equal(captured_of(f, "USD", -1), 5000); // not said
    assert_int_equal(captured_of(f, "ISK", 500000), 5000);
    assert_int_equal(captured_of(f, "ISK", 100), 1);
    assert_int_equal(captured_of(f, "JPY", 5000), 5000);
}

static void an_impossible_capture_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(captured_of(f, "USD", 0), -1);
    assert_int_equal(captured_of(f, "USD", 5001), -1);
    assert_int_equal(captured_of(f, "USD", INT64_MAX), -1);
    assert_int_equal(captured_of(f, "ISK", 550), -1); // five and a half
}

// Somebody may have captured less of it at the provider's dashboard.
static void a_capture_made_by_hand_is_not_guessed(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    payment.capture_manual = true;
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    reported.received_provider_minor = -1; // not said
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), ERR_CONFLICT);
    assert_int_equal(payment_row(f, &payment.id).status, PAYMENT_PENDING);
}

// --- whose intent

static void check_conflict(struct fixture *f, struct provider_payment reported, bool ref_known)
{
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    if (!ref_known) {
        run_sql(f, "UPDATE payments SET provider_ref = NULL");
        payment.provider_ref = NULL;
    }
    assert_int_equal(payment_apply_reported(&tx, &payment, &reported, &f->err), ERR_CONFLICT);
    assert_int_not_equal(f->err.message[0], '\0');
    struct payment after = payment_row(f, &payment.id);
    assert_int_equal(after.status, PAYMENT_PENDING);
    assert_int_equal(after.provider_ref != NULL, ref_known);
    assert_string_equal(history_of(f, &payment.id), "");
    assert_string_equal(events_of(f, &payment.id), "");
}

static void an_intent_of_another_payment_changes_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < PROVIDER_PAYMENT_STATES; i++) {
        struct provider_payment right = answer_payment((enum provider_payment_state)i).payment;
        struct provider_payment wrong = right;
        wrong.id = "pi_2";
        check_conflict(f, wrong, true);
        wrong = right;
        wrong.amount_provider_minor = 5001;
        check_conflict(f, wrong, true);
        check_conflict(f, wrong, false);
        wrong = right;
        wrong.currency = "eur";
        check_conflict(f, wrong, true);
        check_conflict(f, wrong, false);
        wrong = right;
        wrong.payment_id = "018f0000-0000-7000-8000-00000000000f";
        check_conflict(f, wrong, false);
    }
}

static void an_intent_that_another_payment_has_is_not_taken_twice(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct payment second = payment;
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    second.id = uuid_new(&random_system, START_US);
    second.provider_ref = NULL;
    assert_int_equal(payment_insert(f->db, &second, &f->err), OK);
    assert_int_equal(payment_apply_reported(&tx, &second, &reported, &f->err), ERR_CONFLICT);
    assert_int_equal(payment_row(f, &second.id).status, PAYMENT_PENDING);
}

// Stripe's ids are of one account; another merchant's may be the same.
static void the_same_intent_id_of_another_merchant_or_mode_is_no_conflict(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_PENDING);
    struct tx tx = tx_of(f);
    struct provider_payment reported = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    for (int i = 0; i < 2; i++) {
        struct payment other = payment;
        other.id = uuid_new(&random_system, START_US);
        other.provider_ref = NULL;
        other.livemode = i == 0;
        other.merchant_id.bytes[15] = i == 0 ? 1 : 9;
        assert_int_equal(payment_insert(f->db, &other, &f->err), OK);
        assert_int_equal(payment_apply_reported(&tx, &other, &reported, &f->err), OK);
        assert_int_equal(payment_row(f, &other.id).status, PAYMENT_COMPLETED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(every_status_treats_each_report_of_the_provider_as_the_contract_says),
        IN_TRANSACTION(an_intent_that_was_not_known_yet_is_taken_the_same_way),
        IN_TRANSACTION(the_same_authorisation_again_says_nothing_new),
        IN_TRANSACTION(an_authorised_payment_asks_no_action_of_its_payer),
        IN_TRANSACTION(a_failure_is_taken_only_while_pending),
        IN_TRANSACTION(the_captured_amount_is_the_one_that_the_provider_received),
        IN_TRANSACTION(an_impossible_capture_is_a_conflict),
        IN_TRANSACTION(a_capture_made_by_hand_is_not_guessed),
        IN_TRANSACTION(an_intent_of_another_payment_changes_nothing),
        IN_TRANSACTION(an_intent_that_another_payment_has_is_not_taken_twice),
        IN_TRANSACTION(the_same_intent_id_of_another_merchant_or_mode_is_no_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
