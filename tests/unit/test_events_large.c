// Pages of events that are larger than an answer may be: asked for with fewer events, down to a single one,
// so that no page stops the feed forever.
#include "events_fixture.h"

#include "log_capture.h"

static void happen(int64_t made_s, size_t bytes)
{
    event_at(made_s)->bytes = bytes;
}

static void a_page_that_is_too_large_is_asked_for_with_fewer_events(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, 24 * HOUR_S);
    for (int i = 0; i < 150; i++) {
        happen(now_s(f) - 20 * HOUR_S + i * 60, 1 + (size_t)(i * 7 % 400));
    }
    engine_begin(f);
    engine_run_s(f, 60);
    assert_all_applied_once_in_order(f);
    assert_in_range(f->provider.events_asked, 30, 300);
    assert_int_equal(asking(f), 0);
}

static void more_than_an_answer_holds_of_one_second_is_asked_for_with_less_on_it(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, HOUR_S);
    for (int i = 0; i < 60; i++) {
        happen(now_s(f) - 1800, 90);
    }
    happen(now_s(f) - 1700, 1);
    engine_begin(f);
    engine_run_s(f, 60);
    assert_int_equal(applied(f), 61);
    assert_int_equal(written(f), 61);
    assert_int_equal(asking(f), 0);
}

static void an_event_that_is_too_large_by_itself_is_skipped(void **state)
{
    struct fixture *f = *state;
    give_webhook_secret(f);
    buy_and_stop(f, 24 * HOUR_S);
    for (int i = 0; i < 50; i++) {
        happen(now_s(f) - 20 * HOUR_S + i * 60, 10);
    }
    happen(now_s(f) - 15 * HOUR_S, ANSWER_BYTES_MAX + 1);
    happen(now_s(f) - 15 * HOUR_S, 10); // of the same second, and newer
    happen(now_s(f) - 15 * HOUR_S + 1, 10);
    happen(now_s(f) - 10, 10);
    BUF_CLEANUP struct buf logged = BUF_MAX(100000);
    struct capture capture = capture_start();
    engine_begin(f);
    engine_run_s(f, 60);
    capture_end(&capture, &logged);
    const char *line = strstr(buf_str(&logged), "is skipped");
    assert_non_null(line);
    assert_null(strstr(line + 1, "is skipped"));
    assert_int_equal(applied(f), 53);
    assert_int_equal(written(f), 53);
    assert_int_equal(asking(f), 0);
    assert_in_range(f->provider.events_asked, 50, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENTS_TEST(a_page_that_is_too_large_is_asked_for_with_fewer_events),
        EVENTS_TEST(more_than_an_answer_holds_of_one_second_is_asked_for_with_less_on_it),
        EVENTS_TEST(an_event_that_is_too_large_by_itself_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
