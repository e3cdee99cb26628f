// Which call is next, among many hosts.
#include "unit_test.h"

#include "net/http_queue.h"

#define ENTRIES 6

static struct http_queue queue;
static struct http_queue_entry entries[ENTRIES];

static void join(int from, int to, const char *url)
{
    for (int i = from; i < to; i++) {
        list_init(&entries[i].link);
        http_queue_add(&queue, &entries[i], url);
    }
}

static void expect_next(int expected)
{
    assert_ptr_equal(http_queue_take(&queue), expected < 0 ? NULL : &entries[expected]);
}

static void leave(int first, int end)
{
    for (int i = first; i < end; i++) {
        http_queue_remove(&queue, &entries[i]);
    }
}

static void calls_to_one_host_go_in_order_as_many_at_once_as_it_may_have(void **state)
{
    (void)state;
    http_queue_init(&queue, 10, 2);
    join(0, 4, "https://a.example/path");
    expect_next(0);
    expect_next(1);
    expect_next(-1);
    leave(1, 2);
    expect_next(2);
    expect_next(-1);
    leave(0, 1);
    leave(2, 3);
    expect_next(3);
    leave(3, 4);
    http_queue_release(&queue);
}

static void no_host_waits_for_another(void **state)
{
    (void)state;
    http_queue_init(&queue, 10, 1);
    join(0, 3, "https://a.example/x?y=https://b.example");
    join(3, 4, "https://b.example");
    join(4, 5, "https://a.example:444/x");
    join(5, 6, "http://a.example#x");
    expect_next(0);
    expect_next(3);
    expect_next(4);
    expect_next(5);
    expect_next(-1);
    leave(0, 6); // some of them while they wait
    http_queue_release(&queue);
}

static void hosts_take_turns_when_connections_are_few(void **state)
{
    (void)state;
    http_queue_init(&queue, 1, 10);
    join(0, 3, "https://a.example/");
    join(3, 5, "https://b.example/");
    static const int order[] = {0, 3, 1, 4, 2};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        expect_next(order[i]);
        expect_next(-1);
        leave(order[i], order[i] + 1);
    }
    http_queue_release(&queue);
}

static void a_waiter_that_stops_waiting_delays_nobody(void **state)
{
    (void)state;
    http_queue_init(&queue, 1, 1);
    join(0, 3, "https://a.example/");
    join(3, 4, "https://b.example/");
    expect_next(0);
    leave(1, 2);
    leave(3, 4);
    expect_next(-1);
    leave(0, 1);
    expect_next(2);
    leave(2, 3);
    expect_next(-1);
    http_queue_release(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_to_one_host_go_in_order_as_many_at_once_as_it_may_have),
        cmocka_unit_test(no_host_waits_for_another),
        cmocka_unit_test(hosts_take_turns_when_connections_are_few),
        cmocka_unit_test(a_waiter_that_stops_waiting_delays_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
