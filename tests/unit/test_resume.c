// Every call that the service makes, and every point at which it can die around it. After the next start it
// repeats the very same request, with the key, bytes and credentials of the first time, even if the merchant
// has other credentials by then; and a settled operation is not asked again.
#include "op_setup.h"

#include "base/text.h"

#define NEXT_SECRET_KEY "sk_test_second"
#define TEXT_OF_PAYMENT_ID "07000000-0000-0000-0000-000000000001"
#define TEXT_OF_REFUND_ID "08000000-0000-0000-0000-000000000001"

// --- what ends it

static struct provider_answer paid(void)
{
    return answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
}

static struct provider_answer captured(void)
{
    struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    answer.payment.received_provider_minor = 3000;
    return answer;
}

static struct provider_answer canceled(void)
{
    return answer_payment(PROVIDER_PAYMENT_CANCELED);
}

static struct provider_answer customer_made(void)
{
    return answer_customer("cus_1");
}

static struct provider_answer method(void)
{
    return answer_method("pm_1");
}

static struct provider_answer set_up(void)
{
    return answer_setup(SETUP_SUCCEEDED);
}

static struct provider_answer setup_canceled(void)
{
    return answer_setup(SETUP_CANCELED);
}

static struct provider_answer paid_method(void)
{
    return answer_paid_method("pm_1", "cus_1", "f1");
}

static const struct provider_refund the_refund = {.id = "re_1",
                                                  .status = REFUND_COMPLETED,
                                                  .amount_provider_minor = 5000,
                                                  .currency = "usd",
                                                  .payment_ref = "pi_1",
                                                  .refund_id = TEXT_OF_REFUND_ID};

static struct provider_answer refunded(void)
{
    return (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .has_refund = true, .refund = the_refund};
}

static struct provider_answer refund_list(void)
{
    static struct provider_refund listed_refunds[1];
    listed_refunds[0] = the_refund;
    return (struct provider_answer){
        .outcome = PROVIDER_DONE, .status = 200, .refunds = listed_refunds, .refund_count = 1};
}

static struct provider_answer others_refund_list(void)
{
    struct provider_answer answer = refund_list();
    answer.refunds[0].refund_id = NULL;
    return answer;
}

static struct provider_answer intent_list(void)
{
    static struct provider_payment intents[1];
    intents[0] = answer_payment(PROVIDER_PAYMENT_SUCCEEDED).payment;
    intents[0].payment_id = TEXT_OF_PAYMENT_ID;
    return answer_list(intents, 1, NULL);
}

// --- the table

#define PAID "SELECT status = 'completed' FROM payments"
#define FAILED "SELECT status = 'failed' FROM payments"
#define REFUNDED "SELECT count(*) = 1 FROM refunds WHERE status = 'completed'"
#define NOTHING_OPEN "SELECT count(*) = 0 FROM operations WHERE kind <> 'events'"

struct kind {
    const char *what;
    enum errc (*prepare)(struct fixture *f, struct tx *tx, struct op **op, struct err *err);
    enum provider_verb verb;
    struct provider_answer (*answer)(void);
    const char *settled; // SQL: 1 once it is
    bool present;        // it uses the merchant's present credentials: no money and no outcome hangs on it
};

static const struct kind kinds[] = {
    {"charge", prepare_charge, PROVIDER_CHARGE, paid, PAID},
    {"customer of a charge", prepare_saving_charge, PROVIDER_CUSTOMER, customer_made,
     "SELECT provider_ref = 'cus_1' FROM customers"},
    {"charge of a card to be saved", prepare_saving_charge_of_known, PROVIDER_CHARGE, paid, PAID},
    {"card that a payment saves", schedule_card_keep, PROVIDER_PAID_METHOD, paid_method,
     "SELECT status = 'active' FROM cards", true},
    {"charge, looked for", schedule_charge_list, PROVIDER_LIST, intent_list, PAID},
    {"charge, looked for by its id", schedule_charge_retrieve, PROVIDER_RETRIEVE, paid, PAID},
    {"payment, asked after", schedule_sync, PROVIDER_RETRIEVE, paid, PAID},
    {"capture", prepare_capture, PROVIDER_CAPTURE, captured, PAID},
    {"cancel", prepare_cancel, PROVIDER_CANCEL, canceled, FAILED},
    {"authenticate", prepare_authenticate, PROVIDER_CONFIRM, paid, PAID},
    {"cancel of a failed payment", schedule_cancel, PROVIDER_CANCEL, canceled, NOTHING_OPEN},
    {"refund", prepare_refund, PROVIDER_REFUND, refunded, REFUNDED},
    {"refund, looked for", schedule_refund_list, PROVIDER_REFUND_LIST, refund_list, REFUNDED},
    {"refund, asked after", schedule_refund_sync, PROVIDER_REFUND_RETRIEVE, refunded, REFUNDED},
    {"others' refunds", schedule_refunds, PROVIDER_REFUND_LIST, others_refund_list, REFUNDED},
    {"customer", prepare_card, PROVIDER_CUSTOMER, customer_made,
     "SELECT provider_ref = 'cus_1' FROM customers"},
    {"attach", prepare_attach, PROVIDER_ATTACH, method, "SELECT status = 'active' FROM cards"},
    {"detach", schedule_detach, PROVIDER_DETACH, method, NOTHING_OPEN, true},
    {"card, asked after", schedule_card_sync, PROVIDER_METHOD_RETRIEVE, method,
     "SELECT last4 = '4242' FROM cards", true},
    {"set-up", prepare_setup, PROVIDER_SETUP, set_up, "SELECT status = 'active' FROM cards"},
    {"set-up, asked after", schedule_setup_sync, PROVIDER_SETUP_RETRIEVE, set_up,
     "SELECT status = 'active' FROM cards", true},
    {"set-up, canceled", schedule_setup_cancel, PROVIDER_SETUP_CANCEL, setup_canceled, NOTHING_OPEN, true},
};

enum point { PLANNED, SENT, ANSWERED, SETTLED, POINT_COUNT };
static const char *const points[] = {"planned", "sent", "answered", "settled"};

// --- the walk

static void answer_held(struct fixture *f, const struct kind *kind)
{
    fake_provider_answer(&f->provider, kind->answer());
    fake_loop_run_for(&f->loop, 0);
}

// The request as it was planned, where it does not leave.
static struct fake_call planned_call(struct fixture *f, const struct prepared *prepared)
{
    const struct provider_call *call = &prepared->op->call;
    return (struct fake_call){.verb = call->verb,
                              .idempotency_key = arena_strdup(&f->arena, call->idempotency_key),
                              .body = arena_strdup(&f->arena, call->body),
                              .ref = arena_strdup(&f->arena, call->ref)};
}

// Begins it, and dies at the point. The request as it was, or, where none was made yet, its verb alone.
static struct fake_call die_at(struct fixture *f, const struct kind *kind, enum point point)
{
    struct prepared prepared = prepare(f, kind->prepare);
    struct fake_call first = {.verb = kind->verb};
    if (point == PLANNED && prepared.op != NULL) {
        first = planned_call(f, &prepared);
        op_free(prepared.op);
    } else if (point != PLANNED) {
        prepared_go(&prepared);
        assert_int_equal(f->provider.call_count, 1);
        first = f->provider.calls[0];
    }
    if (point == ANSWERED) {
        run_sql(f, "CREATE TRIGGER refuse_update BEFORE UPDATE ON operations FOR EACH ROW " REFUSES);
        run_sql(f, "CREATE TRIGGER refuse_delete BEFORE DELETE ON operations FOR EACH ROW " REFUSES);
    }
    if (point >= ANSWERED) {
        answer_held(f, kind);
        assert_int_equal(sql_number(f, kind->settled), point == SETTLED);
    }
    engine_crash(f);
    if (point == ANSWERED) {
        run_sql(f, "DROP TRIGGER refuse_update /*ON operations*/");
        run_sql(f, "DROP TRIGGER refuse_delete /*ON operations*/");
    }
    return first;
}

static void check_resumed(struct fixture *f, const struct kind *kind, enum point point,
                          const struct fake_call *first, size_t made)
{
    const struct fake_call *call = &f->provider.calls[made];
    bool same = f->provider.call_count == made + 1 && call->verb == kind->verb &&
                text_equal(call->secret_key, kind->present ? NEXT_SECRET_KEY : SECRET_KEY);
    if (same && (point != PLANNED || first->idempotency_key != NULL)) {
        same = call->verb == first->verb && text_equal(call->idempotency_key, first->idempotency_key) &&
               text_equal(call->body, first->body) && text_equal(call->ref, first->ref);
    }
    if (!same) {
        fail_msg("%s, %s: %zu calls, then the verb %d, %s, %s, with %s", kind->what, points[point],
                 f->provider.call_count, (int)call->verb, call->idempotency_key, call->body,
                 call->secret_key);
    }
    answer_held(f, kind);
    if (sql_number(f, kind->settled) != 1) {
        fail_msg("%s, %s: not settled after the start", kind->what, points[point]);
    }
}

static void check_not_repeated(struct fixture *f, const struct kind *kind)
{
    if (fake_provider_count(&f->provider, kind->verb) != 1) {
        fail_msg("%s: asked again though it was settled", kind->what);
    }
}

static void check_point(const struct kind *kind, enum point point)
{
    void *state = NULL;
    assert_int_equal(engine_fixture_setup(&state), 0);
    struct fixture *f = state;
    f->provider.holds = true;
    engine_begin(f);
    struct fake_call first = die_at(f, kind, point);
    size_t made = f->provider.call_count;
    put_credentials(f, 2, NEXT_SECRET_KEY);
    engine_begin(f);
    if (point == SETTLED) {
        engine_run_s(f, 60);
        check_not_repeated(f, kind);
    } else {
        check_resumed(f, kind, point, &first, made);
    }
    assert_int_equal(engine_fixture_teardown(&state), 0);
}

static void begun_operations_go_on_after_a_start_as_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (int point = PLANNED; point < POINT_COUNT; point++) {
            check_point(&kinds[i], (enum point)point);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begun_operations_go_on_after_a_start_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
