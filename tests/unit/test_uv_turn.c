// A turn of the real loop ends even while more sockets are ready than libuv takes from epoll at once.
#include "unit_test.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "net/uv_loop.h"

#define SOCKETS 1100 // libuv takes 1,024

static struct uv_service_loop *service;
static struct loop *loop;
static struct task turn_over;
static struct task posted_again;
static int served;
static int served_at_end;

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    served++;
}

static void turn_is_over(struct task *task)
{
    (void)task;
    served_at_end = served;
    uv_service_loop_stop(service);
}

static void do_nothing(struct task *task)
{
    (void)task;
}

static void await_turn_end(struct task *task)
{
    (void)task;
    loop_end_turn(loop, &turn_over);
    loop_post(loop, &posted_again);
}

// Left alone, libuv would serve sockets that stay ready 48 times in one turn.
static void many_ready_sockets_do_not_put_off_the_end_of_a_turn(void **state)
{
    (void)state;
    uv_poll_t sockets[SOCKETS];
    int fds[SOCKETS];
    struct task first = {.run = await_turn_end};
    turn_over.run = turn_is_over;
    posted_again.run = do_nothing;
    assert_int_equal(uv_service_loop_open(&service, NULL), OK);
    loop = uv_service_loop_base(service);
    for (size_t i = 0; i < SOCKETS; i++) {
        fds[i] = i == 0 ? eventfd(1, EFD_CLOEXEC) : dup(fds[0]);
        assert_true(fds[i] >= 0);
        assert_int_equal(uv_poll_init(uv_service_loop_uv(service), &sockets[i], fds[i]), 0);
        assert_int_equal(uv_poll_start(&sockets[i], UV_READABLE, on_ready), 0);
    }
    loop_post(loop, &first);
    uv_service_loop_run(service);
    assert_in_range(served_at_end, 1, 4 * SOCKETS);
    for (size_t i = 0; i < SOCKETS; i++) {
        uv_close((uv_handle_t *)&sockets[i], NULL);
        close(fds[i]);
    }
    uv_service_loop_close(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_ready_sockets_do_not_put_off_the_end_of_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
