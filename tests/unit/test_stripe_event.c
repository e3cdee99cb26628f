// What is read from the body of a Stripe event.
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "net/form.h"
#include "provider/stripe/event.h"

#define TIME_S INT64_C(1700000000)

struct fixture {
    struct arena arena;
    struct err err;
    struct provider_event event;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

static enum errc parse(struct fixture *f, const char *body)
{
    return stripe_event_parse(body, strlen(body), &f->arena, &f->event, &f->err);
}

// An event of this type about an intent with these members.
static const struct provider_event *intent_event(struct fixture *f, const char *type, const char *members)
{
    const char *body = arena_printf(
        &f->arena,
        "{\"id\":\"evt_7\",\"object\":\"event\",\"livemode\":true,\"type\":\"%s\",\"data\":{\"object\":"
        "{\"id\":\"pi_7\",\"object\":\"payment_intent\"%s}}}",
        type, members);
    assert_int_equal(parse(f, body), OK);
    return &f->event;
}

#define MONEY ",\"amount\":5000,\"currency\":\"usd\""
#define SUCCEEDED ",\"status\":\"succeeded\",\"amount_received\":5000"

static void an_intent_event_is_read_whole(void **state)
{
    struct fixture *f = *state;
    const struct provider_event *event = intent_event(
        f, "payment_intent.succeeded",
        MONEY SUCCEEDED ",\"client_secret\":\"pi_7_secret_x\",\"metadata\":{\"payment_id\":\"p\","
                        "\"merchant_id\":\"m\"}");
    assert_int_equal(event->kind, EVENT_PAYMENT);
    assert_true(event->complete);
    assert_true(event->livemode);
    assert_string_equal(event->id, "evt_7");
    assert_string_equal(event->object_id, "pi_7");
    assert_string_equal(event->payment_ref, "pi_7");
    assert_string_equal(event->payment_id, "p");
    assert_string_equal(event->merchant_id, "m");
    assert_int_equal(event->payment.state, PROVIDER_PAYMENT_SUCCEEDED);
    assert_int_equal(event->payment.amount_provider_minor, 5000);
    assert_int_equal(event->payment.received_provider_minor, 5000);
    assert_string_equal(event->payment.currency, "usd");
    assert_null(event->payment.client_secret);
}

static void each_type_means_one_state(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *type;
        const char *status;
        enum provider_payment_state means;
    } types[] = {
        {"payment_intent.succeeded", "succeeded", PROVIDER_PAYMENT_SUCCEEDED},
        {"payment_intent.payment_failed", "requires_payment_method", PROVIDER_PAYMENT_ATTEMPT_FAILED},
        {"payment_intent.canceled", "canceled", PROVIDER_PAYMENT_CANCELED},
        {"payment_intent.amount_capturable_updated", "requires_capture", PROVIDER_PAYMENT_CAPTURABLE},
        {"payment_intent.processing", "processing", PROVIDER_PAYMENT_PROCESSING},
        {"payment_intent.requires_action", "requires_action", PROVIDER_PAYMENT_OPEN},
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct provider_event *event = intent_event(
            f, types[i].type,
            arena_printf(&f->arena, MONEY ",\"amount_received\":5000,\"status\":\"%s\"", types[i].status));
        assert_int_equal(event->kind, EVENT_PAYMENT);
        assert_true(event->complete);
        assert_int_equal(event->payment.state, types[i].means);
    }
}

static void an_event_that_lacks_what_is_needed_is_incomplete(void **state)
{
    struct fixture *f = *state;
    static const char *const lacking[] = {
        "",
        SUCCEEDED ",\"currency\":\"usd\"",
        SUCCEEDED ",\"amount\":5000",
        SUCCEEDED ",\"amount\":\"5000\",\"currency\":\"usd\"",
        SUCCEEDED ",\"amount\":5000.5,\"currency\":\"usd\"",
        MONEY ",\"status\":\"succeeded\"",
        MONEY ",\"amount_received\":5000",
        MONEY ",\"amount_received\":5000,\"status\":7",
    };
    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        const struct provider_event *event = intent_event(f, "payment_intent.succeeded", lacking[i]);
        assert_int_equal(event->kind, EVENT_PAYMENT);
        assert_false(event->complete);
        assert_string_equal(event->payment_ref, "pi_7");
    }
}

// Its object is of the moment of the event, so a status that is not the type's own is a contradiction.
static void an_event_whose_object_contradicts_its_type_is_incomplete(void **state)
{
    struct fixture *f = *state;
    static const char *const types[] = {"payment_intent.payment_failed", "payment_intent.canceled",
                                        "payment_intent.amount_capturable_updated",
                                        "payment_intent.processing", "payment_intent.requires_action"};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_false(intent_event(f, types[i], MONEY SUCCEEDED)->complete);
    }
}

static void a_failed_payment_tells_why(void **state)
{
    struct fixture *f = *state;
    const struct provider_event *event = intent_event(
        f, "payment_intent.payment_failed",
        MONEY ",\"status\":\"requires_payment_method\",\"last_payment_error\":{\"type\":\"card_error\","
              "\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\",\"message\":\"No.\"}");
    assert_true(event->complete);
    assert_string_equal(event->payment.failure.code, "card_declined");
    assert_string_equal(event->payment.failure.decline_code, "insufficient_funds");
    assert_string_equal(event->payment.failure.message, "No.");
}

static void an_action_is_never_taken_from_an_event(void **state)
{
    struct fixture *f = *state;
    const struct provider_event *event = intent_event(
        f, "payment_intent.requires_action",
        MONEY ",\"status\":\"requires_action\",\"client_secret\":\"pi_7_secret_x\",\"next_action\":"
              "{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":\"https://x.example\"}}");
    assert_true(event->complete);
    assert_int_equal(event->payment.next_action, NEXT_ACTION_NONE);
    assert_null(event->payment.redirect_url);
    assert_null(event->payment.client_secret);
}

// A charge.refunded about a charge with these members.
static const struct provider_event *refund_event(struct fixture *f, const char *members)
{
    const char *body = arena_printf(&f->arena,
                                    "{\"id\":\"evt_8\",\"type\":\"charge.refunded\",\"data\":{\"object\":"
                                    "{\"id\":\"ch_8\",\"object\":\"charge\"%s}}}",
                                    members);
    assert_int_equal(parse(f, body), OK);
    assert_int_equal(f->event.kind, EVENT_CHARGE_REFUNDED);
    return &f->event;
}

static void a_refunded_charge_is_read(void **state)
{
    struct fixture *f = *state;
    const struct provider_event *event = refund_event(
        f, ",\"payment_intent\":\"pi_8\",\"amount\":5000,\"amount_captured\":3000,\"amount_refunded\":"
           "1000,\"refunded\":false,\"currency\":\"usd\"");
    assert_true(event->complete);
    assert_string_equal(event->payment_ref, "pi_8");
    assert_string_equal(event->object_id, "ch_8");
    assert_int_equal(event->charge.amount_minor, 5000);
    assert_int_equal(event->charge.captured_minor, 3000);
    assert_false(event->charge.whole);
}

static void a_refunded_charge_that_lacks_an_amount_is_incomplete(void **state)
{
    struct fixture *f = *state;
    assert_false(
        refund_event(f, ",\"payment_intent\":\"pi_8\",\"amount_refunded\":1,\"currency\":\"usd\"")->complete);
    assert_false(refund_event(f, ",\"payment_intent\":\"pi_8\",\"amount\":1,\"currency\":\"usd\"")->complete);
    assert_false(
        refund_event(f, ",\"payment_intent\":\"pi_8\",\"amount\":1,\"amount_refunded\":1")->complete);
    assert_null(refund_event(f, ",\"amount\":1,\"amount_refunded\":1,\"currency\":\"usd\"")->payment_ref);
}

static void a_dispute_is_read_from_each_of_its_events(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        enum provider_event_kind kind;
    } types[] = {{"created", EVENT_DISPUTE_OPENED},
                 {"updated", EVENT_DISPUTE_CHANGED},
                 {"closed", EVENT_DISPUTE_CLOSED},
                 {"funds_withdrawn", EVENT_OTHER},
                 {"funds_reinstated", EVENT_OTHER}};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const char *body =
            arena_printf(&f->arena,
                         "{\"id\":\"evt_9\",\"type\":\"charge.dispute.%s\",\"created\":1700000000,\"data\":"
                         "{\"object\":{\"id\":\"dp_9\",\"payment_intent\":\"pi_9\",\"status\":\"won\","
                         "\"reason\":\"general\",\"amount\":700,\"currency\":\"usd\","
                         "\"evidence_details\":{\"due_by\":1700000007}}}}",
                         types[i].name);
        assert_int_equal(parse(f, body), OK);
        assert_int_equal(f->event.kind, types[i].kind);
        assert_int_equal(event_is_of_dispute(&f->event), types[i].kind != EVENT_OTHER);
        if (types[i].kind != EVENT_OTHER) {
            const struct provider_dispute *dispute = &f->event.dispute;
            assert_true(f->event.complete);
            assert_int_equal(f->event.created_s, TIME_S);
            assert_string_equal(f->event.payment_ref, "pi_9");
            assert_string_equal(dispute->id, "dp_9");
            assert_string_equal(dispute->status, "won");
            assert_string_equal(dispute->reason, "general");
            assert_int_equal(dispute->amount_provider_minor, 700);
            assert_string_equal(dispute->currency, "usd");
            assert_int_equal(dispute->evidence_due_s, TIME_S + 7);
        }
    }
}

static void a_thin_event_names_its_object_and_says_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f,
                           "{\"id\":\"evt_9\",\"object\":\"v2.core.event\",\"livemode\":true,"
                           "\"type\":\"v1.payment_intent.succeeded\","
                           "\"created\":\"2023-11-14T22:13:20.000Z\",\"related_object\":{\"id\":\"pi_7\"}}"),
                     OK);
    assert_int_equal(f->event.kind, EVENT_PAYMENT);
    assert_true(f->event.thin);
    assert_false(f->event.complete);
    assert_true(f->event.livemode);
    assert_int_equal(f->event.created_s, TIME_S);
    assert_string_equal(f->event.payment_ref, "pi_7");
    assert_int_equal(parse(f, "{\"id\":\"evt_9\",\"type\":\"v2.core.event_destination.ping\"}"), OK);
    assert_int_equal(f->event.kind, EVENT_OTHER);
    assert_int_equal(parse(f, "{\"id\":\"evt_9\",\"type\":\"v1.refund.created\"}"), OK);
    assert_int_equal(f->event.kind, EVENT_OTHER); // of what?
}

static void a_type_that_nothing_acts_on_is_still_an_event(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        parse(f, "{\"id\":\"evt_9\",\"type\":\"invoice.paid\",\"data\":{\"object\":{\"id\":\"in_1\"}}}"), OK);
    assert_int_equal(f->event.kind, EVENT_OTHER);
    assert_false(f->event.livemode);
    assert_string_equal(f->event.object_id, "in_1");
    assert_null(f->event.payment_ref);
    assert_null(f->event.payment_id);
}

static void a_body_that_is_no_event_is_refused(void **state)
{
    struct fixture *f = *state;
    char long_id[400];
    (void)snprintf(long_id, sizeof(long_id), "{\"id\":\"%0256d\",\"type\":\"t\",\"data\":{\"object\":{}}}",
                   0);
    const char *const bodies[] = {
        "",
        "x",
        "[]",
        "7",
        "null",
        "{}",
        "{\"id\":\"evt_1\"}",
        "{\"id\":7,\"type\":\"t\",\"data\":{\"object\":{}}}",
        "{\"id\":\"\",\"type\":\"t\",\"data\":{\"object\":{}}}",
        "{\"id\":\"evt_1\",\"type\":7,\"data\":{\"object\":{}}}",
        "{\"id\":\"evt_1\",\"id\":\"evt_2\",\"type\":\"t\",\"data\":{\"object\":{}}}",
        long_id,
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        f->err = (struct err){0};
        if (parse(f, bodies[i]) != ERR_BAD_REQUEST || f->err.message[0] == '\0') {
            fail_msg("not refused: %s", bodies[i]);
        }
    }
}

// Every type that is asked for is acted on.
static void the_types_that_are_asked_for_are_those_that_are_acted_on(void **state)
{
    struct fixture *f = *state;
    struct buf query BUF_CLEANUP = BUF_MAX(4096);
    stripe_event_add_types(&query);
    struct form form = {0};
    assert_int_equal(form_parse(buf_str(&query), query.len, &f->arena, &form, &f->err), OK);
    assert_in_range(form.count, 16, 20); // Stripe takes no more
    for (size_t i = 0; i < form.count; i++) {
        assert_string_equal(form.fields[i].name, "types[]");
        const char *body = arena_printf(
            &f->arena,
            "{\"id\":\"evt_1\",\"type\":\"%s\",\"data\":{\"object\":{\"id\":\"x_1\",\"captured\":true}}}",
            form.fields[i].value);
        assert_int_equal(parse(f, body), OK);
        assert_int_not_equal(f->event.kind, EVENT_OTHER);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_intent_event_is_read_whole),
        TEST(each_type_means_one_state),
        TEST(an_event_that_lacks_what_is_needed_is_incomplete),
        TEST(an_event_whose_object_contradicts_its_type_is_incomplete),
        TEST(a_failed_payment_tells_why),
        TEST(an_action_is_never_taken_from_an_event),
        TEST(a_refunded_charge_is_read),
        TEST(a_refunded_charge_that_lacks_an_amount_is_incomplete),
        TEST(a_dispute_is_read_from_each_of_its_events),
        TEST(a_thin_event_names_its_object_and_says_nothing_of_it),
        TEST(a_type_that_nothing_acts_on_is_still_an_event),
        TEST(a_body_that_is_no_event_is_refused),
        TEST(the_types_that_are_asked_for_are_those_that_are_acted_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
