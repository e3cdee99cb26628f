// New connections, where accept(2) fails first.
#include "server_fixture.h"

#include <errno.h>
#include <sys/socket.h>

static int accept_errno; // of the next call; 0: it succeeds
static int accepts;

int __real_accept4(int fd, struct sockaddr *peer, socklen_t *peer_bytes, int flags);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *peer_bytes, int flags);

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *peer_bytes, int flags)
{
    accepts++;
    if (accept_errno != 0) {
        errno = accept_errno;
        accept_errno = 0;
        return -1;
    }
    return __real_accept4(fd, peer, peer_bytes, flags);
}

// How many connections the server has after the turn in which accept failed.
static size_t connections_after(int error)
{
    struct http_server_options options = usual_options();
    open_server(&options);
    accepts = 0;
    accept_errno = error;
    int fd = wire_connect(http_server_port(server));
    assert_true(fd >= 0);
    while (accepts == 0) {
        uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
    }
    size_t count = http_server_connections(server);
    close(fd);
    return count;
}

static void the_error_of_one_connection_does_not_keep_the_next_waiting(void **state)
{
    static const int errors[] = {ECONNABORTED, EINTR,        EPROTO,      EPERM,     ENETDOWN,   ENOPROTOOPT,
                                 EHOSTDOWN,    EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EOPNOTSUPP, ENONET};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (connections_after(errors[i]) != 1) {
            fail_msg("%s", strerror(errors[i]));
        }
        (void)close_server(state);
    }
}

static void out_of_descriptors_or_memory_it_stops_until_it_tries_again(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        assert_int_equal(connections_after(errors[i]), 0);
        assert_int_equal(accepts, 1);
        while (accepts == 1) { // the sweep
            uv_run(uv_service_loop_uv(service), UV_RUN_ONCE);
        }
        (void)close_server(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_error_of_one_connection_does_not_keep_the_next_waiting),
        cmocka_unit_test(out_of_descriptors_or_memory_it_stops_until_it_tries_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
