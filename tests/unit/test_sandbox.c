// The sandbox's state machine in this process. The test sets the clock and the randomness, so that it can
// test what would take hours over HTTP.
#include "sandbox_world.h"

#define HOUR_US (3600 * US_PER_S)

#define CHARGE                                                                                               \
    "amount=1000&currency=usd&payment_method=pm_card_visa&confirm=true&automatic_payment_methods[enabled]="  \
    "true"                                                                                                   \
    "&automatic_payment_methods[allow_redirects]=never"
#define ENDPOINT                                                                                             \
    "url=http%3A%2F%2Fshop.example%2Fhook&enabled_events[]=payment_intent.succeeded&secret=whsec_1"

static const char *charge(struct world *world, int64_t now_us, const char *key)
{
    const char *body = world_ask(world, now_us, "POST", "/v1/payment_intents", CHARGE, key);
    assert_int_equal(world->response.status, 200);
    return body;
}

static bool next_delivery(struct world *world, int64_t now_us, struct sandbox_delivery *delivery)
{
    return sandbox_next_delivery(world->sandbox, now_us, &world->arena, delivery);
}

static void set_fault(struct world *world, const char *settings)
{
    (void)world_ask(world, START_US, "POST", "/_sandbox/faults", settings, NULL);
    assert_int_equal(world->response.status, 200);
}

static void the_same_randomness_and_clock_give_the_same_bytes(void **state)
{
    struct world *one = *state;
    struct world *other;
    (void)world_set_up((void **)&other);
    assert_string_equal(charge(one, START_US, "k"), charge(other, START_US, "k"));
    assert_string_equal(world_ledger(one), world_ledger(other));
    (void)world_tear_down((void **)&other);
}

static void a_kept_answer_is_forgotten_after_a_day(void **state)
{
    struct world *world = *state;
    const char *first = charge(world, START_US, "k");
    assert_string_equal(charge(world, START_US + 24 * HOUR_US - 1, "k"), first);
    assert_string_not_equal(charge(world, START_US + 24 * HOUR_US, "k"), first);
}

static void a_key_is_in_use_exactly_as_long_as_the_latency(void **state)
{
    struct world *world = *state;
    set_fault(world, "{\"latency_ms\":100}");
    const char *first = charge(world, START_US, "k");
    assert_int_equal(world->response.delay_us, 100 * US_PER_MS);
    (void)world_ask(world, START_US + 99999, "POST", "/v1/payment_intents", CHARGE, "k");
    assert_int_equal(world->response.status, 409);
    assert_string_equal(charge(world, START_US + 100000, "k"), first);
}

static void an_event_is_due_when_it_was_held_long_enough(void **state)
{
    struct world *world = *state;
    struct sandbox_delivery delivery;
    (void)world_ask(world, START_US, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    set_fault(world, "{\"hold_events_ms\":3600000}");
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
    (void)charge(world, START_US, NULL);
    assert_int_equal(sandbox_next_due_us(world->sandbox), START_US + HOUR_US);
    assert_false(next_delivery(world, START_US + HOUR_US - 1, &delivery));
    assert_true(next_delivery(world, START_US + HOUR_US, &delivery));
    assert_string_equal(delivery.url, "http://shop.example/hook");
    assert_non_null(strstr(delivery.body, "\"type\":\"payment_intent.succeeded\""));
    assert_memory_equal(delivery.signature, "t=1800003600,v1=", strlen("t=1800003600,v1="));
    assert_false(next_delivery(world, START_US + 2 * HOUR_US, &delivery));
}

static void a_refused_event_is_tried_five_times_and_then_abandoned(void **state)
{
    struct world *world = *state;
    struct sandbox_delivery delivery;
    static const int64_t delays_us[] = {US_PER_S / 2, 2 * US_PER_S, 10 * US_PER_S, 60 * US_PER_S};
    int64_t now_us = START_US;
    (void)world_ask(world, now_us, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    (void)charge(world, now_us, NULL);
    for (size_t i = 0; i < COUNT_OF(delays_us); i++) {
        assert_true(next_delivery(world, now_us, &delivery));
        sandbox_delivery_done(world->sandbox, now_us, delivery.account_id, delivery.job_id, false);
        now_us += delays_us[i];
        assert_int_equal(sandbox_next_due_us(world->sandbox), now_us);
    }
    assert_true(next_delivery(world, now_us, &delivery));
    sandbox_delivery_done(world->sandbox, now_us, delivery.account_id, delivery.job_id, false);
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
}

static void an_endpoint_that_is_disabled_gets_no_further_attempt(void **state)
{
    struct world *world = *state;
    struct sandbox_delivery delivery;
    struct json_object *endpoint JSON_CLEANUP = NULL;
    const char *text = world_ask(world, START_US, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    assert_int_equal(json_parse(text, strlen(text), &endpoint, NULL), OK);
    (void)charge(world, START_US, NULL);
    assert_true(next_delivery(world, START_US, &delivery));
    sandbox_delivery_done(world->sandbox, START_US, delivery.account_id, delivery.job_id, false);
    (void)world_ask(world, START_US, "POST",
                    arena_printf(&world->arena, "/v1/webhook_endpoints/%s", json_get_str(endpoint, "id")),
                    "disabled=true", NULL);
    assert_int_equal(world->response.status, 200);
    assert_false(next_delivery(world, START_US + HOUR_US, &delivery));
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
}

static void a_delivery_that_was_accepted_is_over_even_if_recorded_twice(void **state)
{
    struct world *world = *state;
    struct sandbox_delivery delivery;
    (void)world_ask(world, START_US, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    (void)charge(world, START_US, NULL);
    assert_true(next_delivery(world, START_US, &delivery));
    sandbox_delivery_done(world->sandbox, START_US, delivery.account_id, delivery.job_id, true);
    sandbox_delivery_done(world->sandbox, START_US, delivery.account_id, delivery.job_id, false);
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
}

static void keep_lines(const struct buf *lines, void *context)
{
    buf_add(context, lines->data, lines->len);
}

static void a_journal_rebuilds_what_was(void **state)
{
    struct world *world = *state;
    struct world *other;
    struct sandbox_delivery delivery;
    sandbox_journal_on(world->sandbox);
    (void)world_ask(world, START_US, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    const char *first = charge(world, START_US, "k");
    assert_true(next_delivery(world, START_US, &delivery));
    sandbox_delivery_done(world->sandbox, START_US, delivery.account_id, delivery.job_id, false);
    const char *books = world_ledger(world);

    (void)world_set_up((void **)&other);
    other->random.state = 1; // another run draws other numbers
    world_restore(other, buf_str(sandbox_journal(world->sandbox)));
    assert_string_equal(world_ledger(other), books);
    assert_string_equal(charge(other, START_US, "k"), first);
    // The delivery that was in progress when the run ended is retried once, when its retry is due.
    assert_true(next_delivery(other, START_US + US_PER_S / 2, &delivery));
    assert_false(next_delivery(other, START_US + HOUR_US, &delivery));
    (void)world_tear_down((void **)&other);
}

static void a_rewritten_journal_says_the_same_in_fewer_lines(void **state)
{
    struct world *world = *state;
    struct world *other;
    struct buf whole BUF_CLEANUP = BUF_MAX((size_t)1 << 20);
    sandbox_journal_on(world->sandbox);
    (void)charge(world, START_US, "k");
    (void)world_ask(world, START_US, "POST", "/v1/webhook_endpoints", ENDPOINT, NULL);
    size_t bytes_before = sandbox_journal(world->sandbox)->len;
    sandbox_journal_everything(world->sandbox, keep_lines, &whole);
    assert_true(whole.len < bytes_before);

    (void)world_set_up((void **)&other);
    world_restore(other, buf_str(&whole));
    assert_string_equal(world_ledger(other), world_ledger(world));
    (void)world_tear_down((void **)&other);
}

static void a_damaged_journal_is_refused(void **state)
{
    struct world *world = *state;
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "{\"key\":\"sk_test_a\"}",
        "{\"key\":\"sk_test_a\",\"account\":\"acct_1\",\"kind\":\"gift_card\",\"id\":\"x\",\"text\":\"{}\"}",
        "{\"key\":\"sk_test_a\",\"account\":\"acct_1\",\"kind\":\"charge\",\"id\":\"x\",\"text\":\"{\"}",
        "{\"key\":\"sk_test_a\",\"account\":\"acct_1\",\"kind\":\"charge\",\"id\":\"x\",\"text\":\"1\"}",
        "{\"key\":\"s\",\"account\":\"acct_1\",\"kind\":\"charge\",\"id\":\"x\",\"text\":\"{}\"}",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct err err;
        assert_int_equal(sandbox_restore_line(world->sandbox, lines[i], strlen(lines[i]), &err),
                         ERR_BAD_REQUEST);
    }
    assert_string_equal(world_ledger(world), "{\"charges\":[],\"refunds\":[]}");
}

static const char *const pieces[] = {
    "amount=1000",
    "currency=usd",
    "payment_method=pm_card_visa",
    "payment_method=pm_card_authenticationRequired",
    "payment_method=pm_card_declined",
    "payment_method=pm_sandbox_processing",
    "confirm=true",
    "off_session=true",
    "return_url=https://x.test/",
    "capture_method=manual",
    "metadata[a]=b",
    "metadata[]=x",
    "metadata[a][b]=c",
    "metadata=",
    "expand[]=latest_charge",
    "expand[]=.",
    "expand[]=data.refunds.data.balance_transaction",
    "expand[]=latest_charge.balance_transaction.source.refunds",
    "expand[]=data.invoice_settings.default_payment_method",
    "source=x",
    "expand[]=latest_charge.payment_intent.latest_charge",
    "[]=",
    "=",
    "&",
    "%00",
    "%ff",
    "amount[]=1",
    "limit=1",
    "created[gte]=9223372036854775807",
    "created=-1",
    "query=metadata['a']:'b'",
    "query=metadata['",
    "query=-name~'abc' OR created>=1",
    "types[]=*",
    "starting_after=x",
    "amount_to_capture=1",
    "customer=cus_x",
    "customer=%22",
    "email=a@b.test",
    "email=@",
    "payment_intent=pi_x",
    "charge=",
    "type=card",
    "card[token]=tok_visa",
    "card[exp_month]=13",
    "billing_details[address][city]=x",
    "address=",
    "address[city]=x",
    "invoice_settings[default_payment_method]=pm_x",
    "disabled=true",
    "client_secret=x",
    "setup_future_usage=off_session",
};
static const char *const paths[] = {
    "/v1/payment_intents",
    "/v1/payment_intents/search",
    "/v1/payment_intents//confirm",
    "/v1/events",
    "/v1/charges",
    "/v1/webhook_endpoints",
    "/v1/",
    "/",
    "/_sandbox/",
    "/_sandbox/authenticate/",
    "/_sandbox/authenticate/a/b",
    "/_sandbox/faults",
    "/v1/payment_methods/x",
    "/v1/payment_methods",
    "/v1/payment_methods/pm_card_visa/attach",
    "/v1/payment_methods/x/detach",
    "/v1/customers",
    "/v1/customers/x",
    "/v1/customers/search",
    "/v1/customers//payment_methods/",
    "/v1/customers/x/payment_methods/y",
    "/v1/customers/x/payment_methods",
    "/v1/charges/x/refunds",
    "/v1/balance_transactions",
    "/v1/balance_transactions/x",
    "/v1/refunds",
    "/v1/refunds/x/cancel",
    "/v1/disputes",
    "/v1/disputes/x/close",
    "/_sandbox/disputes/",
    "/_sandbox/payment_methods/update",
    "/_sandbox/payment_methods//update",
};
static const char *const methods[] = {"GET", "POST", "DELETE", "PUT"};

// Random requests made of these pieces: each gets an answer, and the ledger stays JSON.
static void no_request_is_too_strange(void **state)
{
    struct world *world = *state;
    for (int round = 0; round < 20000; round++) {
        uint8_t dice[12];
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        struct buf text BUF_CLEANUP = BUF_MAX(4096);
        world->random.base.fill(&world->random.base, dice, sizeof(dice));
        buf_add_str(&text, dice[8] % 2 == 0 ? CHARGE : "limit=1");
        for (int i = 0; i < dice[0] % 8; i++) {
            buf_printf(&text, "&%s", pieces[dice[i + 1] % COUNT_OF(pieces)]);
        }
        const struct sandbox_request request = {.method = methods[dice[9] % COUNT_OF(methods)],
                                                .path = paths[dice[10] % COUNT_OF(paths)],
                                                .query = buf_str(&text),
                                                .body = buf_str(&text),
                                                .body_bytes = text.len,
                                                .authorization =
                                                    dice[11] % 16 == 0 ? NULL : "Bearer sk_test_unit",
                                                .idempotency_key = dice[11] % 4 == 0 ? "k" : NULL,
                                                .base_url = "http://sandbox.example"};
        struct sandbox_response response = {.arena = &arena};
        sandbox_handle(world->sandbox, START_US + round, &request, &response);
        assert_in_range(response.status, 200, 500);
        assert_true(response.body_bytes > 0 || response.status == 303);
    }
    struct json_object *books JSON_CLEANUP = NULL;
    const char *text = world_ledger(world);
    assert_int_equal(json_parse(text, strlen(text), &books, NULL), OK);
    assert_true(json_object_array_length(json_get(books, "charges")) > 0);
}

static const char *response_value(const struct sandbox_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (strcmp(response->headers[i].name, name) == 0) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

static void only_a_little_of_a_request_is_given_back(void **state)
{
    struct world *world = *state;
    static const char *const authorizations[] = {"Bearer sk_test_unit", NULL};
    for (size_t i = 0; i < COUNT_OF(authorizations); i++) {
        char version[1000] = "2026-10-28.";
        memset(version + strlen(version), 'v', sizeof(version) - strlen(version) - 1);
        char key[257] = "";
        memset(key, 'k', sizeof(key) - 1);
        struct sandbox_request request = {.method = "POST",
                                          .path = "/v1/payment_intents",
                                          .query = "",
                                          .authorization = authorizations[i],
                                          .stripe_version = version,
                                          .idempotency_key = key,
                                          .base_url = "http://sandbox.example"};
        struct sandbox_response response = {.arena = &world->arena};
        sandbox_handle(world->sandbox, START_US, &request, &response);
        assert_null(response_value(&response, "Idempotency-Key"));
        assert_int_equal(strlen(response_value(&response, "Stripe-Version")), 40);
        key[255] = '\0';
        sandbox_handle(world->sandbox, START_US, &request, &response);
        assert_string_equal(response_value(&response, "Idempotency-Key"), key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_randomness_and_clock_give_the_same_bytes, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_kept_answer_is_forgotten_after_a_day, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_in_use_exactly_as_long_as_the_latency, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(an_event_is_due_when_it_was_held_long_enough, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_refused_event_is_tried_five_times_and_then_abandoned, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(an_endpoint_that_is_disabled_gets_no_further_attempt, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_delivery_that_was_accepted_is_over_even_if_recorded_twice,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_journal_rebuilds_what_was, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_rewritten_journal_says_the_same_in_fewer_lines, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_journal_is_refused, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(no_request_is_too_strange, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(only_a_little_of_a_request_is_given_back, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
