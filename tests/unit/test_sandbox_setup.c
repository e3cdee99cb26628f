// Setting up cards, in this process: every call on a SetupIntent in every status, and what happens later.
#include "sandbox_world.h"

#include "base/text.h"

#define INTENTS "/v1/setup_intents"
#define RETURN "return_url=https://shop.example/"

static struct json_object *parse(const char *text)
{
    struct json_object *json = NULL;
    assert_non_null(text);
    assert_int_equal(json_parse(text, strlen(text), &json, NULL), OK);
    return json;
}

static struct json_object *post(struct world *world, const char *path, const char *form)
{
    return parse(world_ask(world, START_US, "POST", path, form, NULL));
}

static struct json_object *get(struct world *world, const char *path)
{
    return parse(world_ask(world, START_US, "GET", path, "", NULL));
}

static const char *path_of(struct world *world, const char *id, const char *action)
{
    return arena_printf(&world->arena, INTENTS "/%s%s", id, action);
}

// Answers the 3-D Secure page of the intent. An intent without one gets an address that does not exist.
static void press(struct world *world, struct json_object *intent, const char *body)
{
    static const char host[] = "http://sandbox.example";
    struct json_object *redirect = json_get(json_get(intent, "next_action"), "redirect_to_url");
    const char *url = redirect == NULL ? "http://sandbox.example/_sandbox/authenticate/acct_1/seti_1?key=k"
                                       : json_get_str(redirect, "url");
    const char *path = url + strlen(host);
    size_t path_bytes = strcspn(path, "?");
    const struct sandbox_request request = {.method = "POST",
                                            .path = arena_strndup(&world->arena, path, path_bytes),
                                            .query = path + path_bytes + 1,
                                            .body = body,
                                            .body_bytes = strlen(body),
                                            .base_url = host};
    world->response = (struct sandbox_response){.arena = &world->arena};
    sandbox_handle(world->sandbox, START_US, &request, &world->response);
    assert_int_equal(world->response.status, redirect == NULL ? 404 : 303);
}

static void pass_time(struct world *world, int64_t now_us)
{
    struct sandbox_delivery delivery;
    assert_false(sandbox_next_delivery(world->sandbox, now_us, &world->arena, &delivery));
}

static const struct beginning {
    const char *status;
    const char *form;
    bool canceled;
} beginnings[] = {
    {"requires_payment_method", "", false},
    {"requires_confirmation", "payment_method=pm_card_visa", false},
    {"requires_action", "payment_method=pm_card_authenticationRequired&confirm=true&" RETURN, false},
    {"processing", "payment_method=pm_sandbox_processing&confirm=true&" RETURN, false},
    {"succeeded", "payment_method=pm_card_visa&confirm=true&" RETURN, false},
    {"canceled", "", true},
};

static const struct action {
    const char *call; // NULL: not a call of the API
    const char *form;
    const char *page;
    const char *to[COUNT_OF(beginnings)]; // NULL: a call is refused, anything else does nothing
} actions[] = {
    {.call = "",
     .form = "payment_method=pm_card_visa",
     .to = {"requires_confirmation", "requires_confirmation"}},
    {.call = "/confirm",
     .form = RETURN "&payment_method=pm_card_visa",
     .to = {"succeeded", "succeeded", "succeeded"}},
    {.call = "/confirm",
     .form = RETURN "&payment_method=pm_card_authenticationRequired",
     .to = {"requires_action", "requires_action", "requires_action"}},
    {.call = "/confirm",
     .form = RETURN "&payment_method=pm_card_chargeDeclined",
     .to = {"requires_payment_method", "requires_payment_method", "requires_payment_method"}},
    {.call = "/confirm",
     .form = RETURN "&payment_method=pm_sandbox_processing",
     .to = {"processing", "processing", "processing"}},
    {.call = "/cancel", .form = "", .to = {"canceled", "canceled", "canceled"}},
    {.page = "action=complete", .to = {[2] = "succeeded"}},
    {.page = "action=fail", .to = {[2] = "requires_payment_method"}},
    {.to = {[3] = "succeeded"}}, // time passes
};

// The id of a new intent in the status.
static const char *begin(struct world *world, const struct beginning *beginning)
{
    struct json_object *intent JSON_CLEANUP = post(world, INTENTS, beginning->form);
    assert_int_equal(world->response.status, 200);
    const char *id = arena_strdup(&world->arena, json_get_str(intent, "id"));
    if (beginning->canceled) {
        (void)world_ask(world, START_US, "POST", path_of(world, id, "/cancel"), "", NULL);
    }
    struct json_object *begun JSON_CLEANUP = get(world, path_of(world, id, ""));
    assert_string_equal(json_get_str(begun, "status"), beginning->status);
    return id;
}

static void act(struct world *world, const char *id, const struct action *action)
{
    struct json_object *intent JSON_CLEANUP = get(world, path_of(world, id, ""));
    if (action->call != NULL) {
        (void)world_ask(world, START_US, "POST", path_of(world, id, action->call), action->form, NULL);
    } else if (action->page != NULL) {
        press(world, intent, action->page);
    } else {
        pass_time(world, START_US + 2 * US_PER_S);
    }
}

// The status of the latest attempt follows the intent's.
static void check_attempt(struct world *world, struct json_object *intent)
{
    const char *status = json_get_str(intent, "status");
    const char *id = json_get_str(intent, "latest_attempt");
    if (id == NULL) {
        assert_true(text_equal(status, "requires_payment_method") ||
                    text_equal(status, "requires_confirmation") || text_equal(status, "canceled"));
        return;
    }
    struct json_object *list JSON_CLEANUP =
        parse(world_ask(world, START_US, "GET", "/v1/setup_attempts",
                        arena_printf(&world->arena, "setup_intent=%s", json_get_str(intent, "id")), NULL));
    struct json_object *attempt = json_object_array_get_idx(json_get(list, "data"), 0);
    assert_string_equal(json_get_str(attempt, "id"), id);
    const char *expected = text_equal(status, "requires_payment_method") ? "failed"
                           : text_equal(status, "canceled")              ? "abandoned"
                                                                         : status;
    assert_string_equal(json_get_str(attempt, "status"), expected);
}

static void every_action_from_every_status_does_what_the_table_allows(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        for (size_t j = 0; j < COUNT_OF(actions); j++) {
            const char *to = actions[j].to[i];
            const char *id = begin(world, &beginnings[i]);
            const char *before = world_ask(world, START_US, "GET", path_of(world, id, ""), "", NULL);
            act(world, id, &actions[j]);
            if (actions[j].call != NULL && to == NULL) {
                struct json_object *answer JSON_CLEANUP = parse(world->response.body);
                assert_int_equal(world->response.status, 400);
                assert_string_equal(json_get_str(json_get(answer, "error"), "code"),
                                    "setup_intent_unexpected_state");
            }
            const char *after = world_ask(world, START_US, "GET", path_of(world, id, ""), "", NULL);
            if (to == NULL) {
                assert_string_equal(after, before);
            }
            struct json_object *intent JSON_CLEANUP = parse(after);
            assert_string_equal(json_get_str(intent, "status"), to == NULL ? beginnings[i].status : to);
            assert_true((json_get(intent, "next_action") != NULL) ==
                        text_equal(json_get_str(intent, "status"), "requires_action"));
            check_attempt(world, intent);
            pass_time(world, START_US + 2 * US_PER_S);
        }
    }
}

static void a_processing_setup_ends_two_seconds_later_and_no_sooner(void **state)
{
    struct world *world = *state;
    const char *id = begin(world, &beginnings[3]);
    pass_time(world, START_US + 2 * US_PER_S - 1);
    struct json_object *waiting JSON_CLEANUP = get(world, path_of(world, id, ""));
    assert_string_equal(json_get_str(waiting, "status"), "processing");
    pass_time(world, START_US + 2 * US_PER_S);
    struct json_object *done JSON_CLEANUP = get(world, path_of(world, id, ""));
    assert_string_equal(json_get_str(done, "status"), "succeeded");
    assert_int_equal(sandbox_next_due_us(world->sandbox), INT64_MAX);
}

static void a_journal_rebuilds_setups_on_their_way(void **state)
{
    struct world *world = *state;
    struct world *other;
    sandbox_journal_on(world->sandbox);
    const char *challenged = begin(world, &beginnings[2]);
    const char *processing = begin(world, &beginnings[3]);
    const char *all = world_ask(world, START_US, "GET", INTENTS, "expand[]=data.latest_attempt", NULL);

    (void)world_set_up((void **)&other);
    world_restore(other, buf_str(sandbox_journal(world->sandbox)));
    assert_string_equal(world_ask(other, START_US, "GET", INTENTS, "expand[]=data.latest_attempt", NULL),
                        all);
    struct json_object *intent JSON_CLEANUP = get(other, path_of(other, challenged, ""));
    press(other, intent, "action=complete");
    pass_time(other, START_US + 2 * US_PER_S);
    struct json_object *first JSON_CLEANUP = get(other, path_of(other, challenged, ""));
    struct json_object *second JSON_CLEANUP = get(other, path_of(other, processing, ""));
    assert_string_equal(json_get_str(first, "status"), "succeeded");
    assert_string_equal(json_get_str(second, "status"), "succeeded");
    (void)world_tear_down((void **)&other);
}

// How a charge of the card at that time ends: a status, or why it was declined.
static const char *charge(struct world *world, int64_t now_us, const char *customer, const char *method)
{
    const char *form = arena_printf(
        &world->arena, "amount=1000&currency=usd&confirm=true&" RETURN "&customer=%s&payment_method=%s",
        customer, method);
    struct json_object *answer JSON_CLEANUP =
        parse(world_ask(world, now_us, "POST", "/v1/payment_intents", form, NULL));
    struct json_object *error = json_get(answer, "error");
    return arena_strdup(&world->arena,
                        error == NULL ? json_get_str(answer, "status") : json_get_str(error, "code"));
}

static void a_card_is_good_until_its_month_is_over(void **state)
{
    struct world *world = *state;
    int64_t over_us = 0;
    struct json_object *customer JSON_CLEANUP = post(world, "/v1/customers", "");
    const char *customer_id = json_get_str(customer, "id");
    struct json_object *method JSON_CLEANUP = post(world, "/v1/payment_methods/pm_card_visa/attach",
                                                   arena_printf(&world->arena, "customer=%s", customer_id));
    struct json_object *card = json_get(method, "card");
    assert_int_equal(json_get_i64(card, "exp_month", 0), 12);
    const char *over =
        arena_printf(&world->arena, "%lld-01-01T00:00:00Z", (long long)json_get_i64(card, "exp_year", 0) + 1);
    assert_int_equal(time_parse(over, &over_us, NULL), OK);
    const char *method_id = json_get_str(method, "id");
    assert_string_equal(charge(world, over_us - 1, customer_id, method_id), "succeeded");
    assert_string_equal(charge(world, over_us, customer_id, method_id), "expired_card");
}

static void a_card_that_is_detached_while_its_holder_authenticates_stays_so(void **state)
{
    struct world *world = *state;
    struct json_object *customer JSON_CLEANUP = post(world, "/v1/customers", "");
    const char *owner = arena_printf(&world->arena, "customer=%s", json_get_str(customer, "id"));
    struct json_object *method JSON_CLEANUP =
        post(world, "/v1/payment_methods/pm_card_authenticationRequired/attach", owner);
    const char *method_path =
        arena_printf(&world->arena, "/v1/payment_methods/%s", json_get_str(method, "id"));
    struct json_object *intent JSON_CLEANUP =
        post(world, "/v1/payment_intents",
             arena_printf(&world->arena,
                          "amount=1000&currency=usd&confirm=true&setup_future_usage=off_session&" RETURN
                          "&%s&payment_method=%s",
                          owner, json_get_str(method, "id")));
    assert_string_equal(json_get_str(intent, "status"), "requires_action");
    struct json_object *detached JSON_CLEANUP =
        post(world, arena_printf(&world->arena, "%s/detach", method_path), "");
    assert_null(json_get_str(detached, "customer"));
    press(world, intent, "action=complete");
    struct json_object *later JSON_CLEANUP = get(world, method_path);
    assert_null(json_get_str(later, "customer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_action_from_every_status_does_what_the_table_allows,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_processing_setup_ends_two_seconds_later_and_no_sooner, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_card_is_good_until_its_month_is_over, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(a_card_that_is_detached_while_its_holder_authenticates_stays_so,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(a_journal_rebuilds_setups_on_their_way, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
