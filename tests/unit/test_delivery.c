// One event's way to its merchant: signed, in order, retried, stopped and taken up again, on a virtual clock.
#include "delivery_fixture.h"

#include "base/crypto.h"
#include "base/text.h"

#define URL "https://shop.example/hooks"

static struct uuid shop_with(struct fixture *f, int status)
{
    f->fake.endpoints[0] = (struct endpoint){URL, status, NULL};
    return add_merchant(f, 1, URL);
}

static const char *hmac_hex(struct fixture *f, const char *secret, const char *signed_text)
{
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(secret, strlen(secret), &(struct crypto_part){signed_text, strlen(signed_text)}, 1, mac);
    text_hex(mac, sizeof(mac), hex);
    return arena_printf(&f->arena, "sha256=%s", hex);
}

static void an_event_is_posted_as_it_was_stored_signed_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 204);
    start(f);
    uint32_t number = append(f, shop, 1);
    fixture_wake(f);
    assert_int_equal(f->fake.request_count, 1);
    const struct request *request = &f->fake.requests[0];
    assert_string_equal(request->url, URL);
    assert_string_equal(request->body, "{\"event\": 1}");
    assert_string_equal(request_header(request, "Content-Type"), "application/json");
    assert_string_equal(request_header(request, "X-Event-Id"), "02000000-0000-0000-0000-000000000001");
    assert_string_equal(request_header(request, "X-Event-Type"), "payment.completed");
    assert_string_equal(request_header(request, "X-Payments-Timestamp"), "1700000000");
    assert_string_equal(request_header(request, "X-Payments-Signature"),
                        hmac_hex(f, SECRET_NEW, "1700000000.{\"event\": 1}"));
    assert_string_equal(request_header(request, "webhook-id"), "02000000-0000-0000-0000-000000000001");
    assert_string_equal(request_header(request, "webhook-timestamp"), "1700000000");
    assert_memory_equal(request_header(request, "webhook-signature"), "v1,", 3);

    struct event_row row = event(f, number);
    assert_string_equal(row.status, "delivered");
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.last_status_code, 204);
    assert_null(row.last_error);
    assert_int_equal(row.delivered_us, START_US);
}

static void an_answer_that_is_too_large_counts_by_its_status(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, STATUS_TOO_LARGE_200);
    uint32_t number = append(f, shop, 1);
    start(f);
    assert_string_equal(event(f, number).status, "delivered");
}

static void a_redirect_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 302);
    uint32_t number = append(f, shop, 1);
    start(f);
    struct event_row row = event(f, number);
    assert_string_equal(row.status, "retrying");
    assert_int_equal(row.last_status_code, 302);
    assert_string_equal(row.last_error, "the endpoint answered 302; redirects are not followed");
}

static void the_next_event_of_a_transaction_follows_the_delivered_one(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 500);
    append(f, shop, 1);
    append(f, shop, 1);
    append(f, shop, 2);
    start(f);
    assert_int_equal(f->fake.request_count, 2);
    assert_string_equal(f->fake.requests[0].body, "{\"event\": 1}");
    assert_string_equal(f->fake.requests[1].body, "{\"event\": 3}");
    f->fake.endpoints[0].status = 200;
    run_for_s(f, 6);
    assert_int_equal(f->fake.request_count, 5);
    assert_string_equal(event(f, 2).status, "delivered");
    assert_int_equal(event(f, 2).attempts, 1);
}

static void a_failing_event_is_tried_by_schedule_until_it_is_dead(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 503);
    uint32_t number = append(f, shop, 1);
    uint32_t next = append(f, shop, 1);
    start(f);
    assert_string_equal(event(f, number).status, "retrying");
    assert_string_equal(event(f, number).last_error, "the endpoint answered 503");
    run_for_s(f, 400);
    assert_string_equal(event(f, number).status, "dead");
    assert_int_equal(event(f, number).attempts, 3);
    assert_int_equal(event(f, number).next_attempt_us, 0);
    assert_string_equal(event(f, next).status, "retrying");

    const struct request *requests = f->fake.requests;
    assert_in_range(requests[1].mono_us, 5 * US_PER_S, 6 * US_PER_S);
    assert_in_range(requests[2].mono_us - requests[1].mono_us, 300 * US_PER_S, 360 * US_PER_S);
    assert_string_equal(requests[3].body, "{\"event\": 2}");
    assert_int_equal(requests[3].mono_us, requests[2].mono_us);
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    assert_int_equal(stats.dead_total, 1);
    assert_int_equal(stats.failed_total, (int64_t)f->fake.request_count);
}

static void a_timestamp_is_that_of_its_attempt(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 500);
    append(f, shop, 1);
    start(f);
    run_for_s(f, 6);
    assert_int_equal(f->fake.request_count, 2);
    const char *stamp = request_header(&f->fake.requests[1], "X-Payments-Timestamp");
    int64_t seconds = 0;
    assert_int_equal(text_to_i64(stamp, &seconds, NULL), OK);
    assert_in_range(seconds, 1700000005, 1700000006);
    const char *signed_text = arena_printf(&f->arena, "%s.{\"event\": 1}", stamp);
    assert_string_equal(request_header(&f->fake.requests[1], "X-Payments-Signature"),
                        hmac_hex(f, SECRET_NEW, signed_text));
}

static void a_longer_retry_after_is_waited_for_and_a_shorter_is_not(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 503);
    f->fake.endpoints[0].retry_after = "60";
    append(f, shop, 1);
    start(f);
    run_for_s(f, 59);
    assert_int_equal(f->fake.request_count, 1);
    run_for_s(f, 1);
    assert_int_equal(f->fake.request_count, 2);
    run_for_s(f, 299);
    assert_int_equal(f->fake.request_count, 2);
}

static void a_410_stops_the_merchants_events_until_its_url_is_set(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 410);
    uint32_t first = append(f, shop, 1);
    start(f);
    uint32_t second = append(f, shop, 2);
    fixture_wake(f);
    run_for_s(f, 24 * 3600);
    assert_int_equal(f->fake.request_count, 1);
    assert_string_equal(event(f, first).status, "pending");
    assert_int_equal(event(f, first).last_status_code, 410);
    assert_string_equal(event(f, second).status, "pending");

    f->fake.endpoints[0].status = 200;
    set_endpoint(f, (struct endpoint_change){shop, URL, .release = true});
    fixture_wake(f);
    assert_string_equal(event(f, first).status, "delivered");
    assert_string_equal(event(f, second).status, "delivered");
    assert_int_equal(event(f, first).attempts, 2);
}

static void without_a_url_an_event_waits_76_hours_and_expires(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = add_merchant(f, 1, NULL);
    uint32_t number = append(f, shop, 1);
    start(f);
    run_for_s(f, 76 * 3600 - 10);
    assert_string_equal(event(f, number).status, "pending");
    run_for_s(f, 20);
    assert_string_equal(event(f, number).status, "dead");
    assert_string_equal(event(f, number).last_error, "there was no endpoint to send it to");
}

static void a_url_that_another_program_set_is_noticed(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){URL, 200, NULL};
    struct uuid shop = add_merchant(f, 1, NULL);
    uint32_t number = append(f, shop, 1);
    start(f);
    set_endpoint(f, (struct endpoint_change){shop, URL});
    run_for_s(f, 11);
    assert_string_equal(event(f, number).status, "delivered");
}

static void an_attempt_uses_the_url_and_the_secrets_of_its_time(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 500);
    f->fake.endpoints[1] = (struct endpoint){"https://new.example/", 500, NULL};
    append(f, shop, 1);
    start(f);
    set_endpoint(f, (struct endpoint_change){shop, "https://new.example/",
                                             .secret_old_until_us = START_US + 60 * US_PER_S});
    run_for_s(f, 6);
    run_for_s(f, 360);
    assert_int_equal(f->fake.request_count, 3);
    const struct request *during = &f->fake.requests[1];
    const struct request *after = &f->fake.requests[2];
    assert_string_equal(during->url, "https://new.example/");
    const char *signed_text =
        arena_printf(&f->arena, "%s.%s", request_header(during, "X-Payments-Timestamp"), during->body);
    const char *both = arena_printf(&f->arena, "%s,%s", hmac_hex(f, SECRET_NEW, signed_text),
                                    hmac_hex(f, SECRET_OLD, signed_text));
    assert_string_equal(request_header(during, "X-Payments-Signature"), both);
    assert_non_null(strstr(request_header(during, "webhook-signature"), " v1,"));
    assert_null(strchr(request_header(after, "X-Payments-Signature"), ','));
    assert_null(strchr(request_header(after, "webhook-signature"), ' '));
}

static void a_forbidden_address_is_recorded_and_tried_again(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, STATUS_FORBIDDEN);
    uint32_t number = append(f, shop, 1);
    start(f);
    assert_string_equal(event(f, number).last_error, "address not allowed");
    assert_string_equal(event(f, number).status, "retrying");
    assert_int_equal(event(f, number).last_status_code, 0);
}

static void http_is_sent_to_only_where_it_is_allowed(void **state)
{
    struct fixture *f = *state;
    f->fake.endpoints[0] = (struct endpoint){"http://shop.example/", 200, NULL};
    struct uuid shop = add_merchant(f, 1, "http://shop.example/");
    uint32_t number = append(f, shop, 1);
    start(f);
    assert_int_equal(f->fake.request_count, 0);
    assert_string_equal(event(f, number).last_error, "http is not allowed");
    assert_string_equal(event(f, number).status, "retrying");
    f->config.webhook_allow_http = true;
    run_for_s(f, 6);
    assert_string_equal(event(f, number).status, "delivered");
}

static void a_secret_that_does_not_open_sends_nothing_unsigned(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 200);
    run_sql(f, "UPDATE merchants SET webhook_secret = x'00'");
    uint32_t number = append(f, shop, 1);
    start(f);
    assert_int_equal(f->fake.request_count, 0);
    assert_string_equal(event(f, number).status, "retrying");
}

static void damaged_events_and_merchants_are_set_aside_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct uuid shop = shop_with(f, 200);
    struct uuid damaged_shop = add_merchant(f, 2, URL);
    uint32_t damaged = append(f, shop, 1);
    run_sql(f, "UPDATE outbox SET attempts = -1");
    uint32_t of_damaged_shop = append(f, damaged_shop, 2);
    run_sql(f, "UPDATE merchants SET is_active = 7 WHERE id = x'01000000000000000000000000000002'");
    uint32_t whole = append(f, shop, 3);
    append(f, shop, 4);
    run_sql(f, "UPDATE outbox SET merchant_id = x'01' WHERE id = (SELECT max(id) FROM outbox)");
    start(f);
    run_for_s(f, 6);
    assert_string_equal(event(f, whole).status, "delivered");
    assert_string_equal(event(f, of_damaged_shop).last_error, "a row that it needs is damaged");
    struct delivery_stats stats;
    delivery_stats(f->delivery, &stats);
    assert_int_equal(stats.set_aside_total, 2);

    run_sql(f, "UPDATE outbox SET attempts = 0 WHERE attempts = -1");
    run_sql(f, "UPDATE merchants SET is_active = 1");
    run_for_s(f, 3600);
    assert_string_equal(event(f, damaged).status, "delivered");
    assert_string_equal(event(f, of_damaged_shop).status, "delivered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_posted_as_it_was_stored_signed_and_recorded),
        TEST(an_answer_that_is_too_large_counts_by_its_status),
        TEST(a_redirect_is_a_failure),
        TEST(the_next_event_of_a_transaction_follows_the_delivered_one),
        TEST(a_failing_event_is_tried_by_schedule_until_it_is_dead),
        TEST(a_timestamp_is_that_of_its_attempt),
        TEST(a_longer_retry_after_is_waited_for_and_a_shorter_is_not),
        TEST(a_410_stops_the_merchants_events_until_its_url_is_set),
        TEST(without_a_url_an_event_waits_76_hours_and_expires),
        TEST(a_url_that_another_program_set_is_noticed),
        TEST(an_attempt_uses_the_url_and_the_secrets_of_its_time),
        TEST(a_forbidden_address_is_recorded_and_tried_again),
        TEST(http_is_sent_to_only_where_it_is_allowed),
        TEST(a_secret_that_does_not_open_sends_nothing_unsigned),
        TEST(damaged_events_and_merchants_are_set_aside_and_the_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
