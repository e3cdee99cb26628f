// The look-up runs on libuv's thread pool. It cannot be stopped once begun, so a time-out only stops waiting
// for it.
#include "net/resolve.h"

#include <netdb.h>
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"

struct look_up {
    uv_getaddrinfo_t request;
    struct timer timer;
    struct uv_service_loop *loop;
    // NULL: nobody waits any more
    void (*done)(void *context, const struct address *addresses, size_t count, bool tried);
    void (*over)(void *context); // NULL: nobody asks
    void *context;
};

static void finish(struct look_up *look_up, const struct address *addresses, size_t count, bool tried)
{
    if (look_up->done == NULL) {
        return;
    }
    timer_stop(uv_service_loop_base(look_up->loop), &look_up->timer);
    if (!uv_service_loop_is_closing(look_up->loop)) { // else whoever asked is gone already
        look_up->done(look_up->context, addresses, count, tried);
    }
    look_up->done = NULL;
}

static void end(struct look_up *look_up)
{
    if (look_up->over != NULL) {
        look_up->over(look_up->context);
    }
    free(look_up);
}

static void timed_out(struct timer *timer)
{
    struct look_up *look_up = CONTAINER_OF(timer, struct look_up, timer);
    bool was_queued = uv_cancel((uv_req_t *)&look_up->request) == 0;
    finish(look_up, NULL, 0, !was_queued);
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct look_up *look_up = CONTAINER_OF(request, struct look_up, request);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    size_t count = 0;
    for (struct addrinfo *item = list; status == 0 && item != NULL && count < RESOLVE_ADDRESSES_MAX;
         item = item->ai_next) {
        count += address_from_sockaddr(item->ai_addr, &addresses[count]);
    }
    uv_freeaddrinfo(list);
    finish(look_up, addresses, count, true);
    end(look_up);
}

void resolve_until_over(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
                        void (*done)(void *context, const struct address *addresses, size_t count,
                                     bool tried),
                        void (*over)(void *context), void *context)
{
    struct look_up *look_up = calloc(1, sizeof(*look_up));
    REQUIRE(look_up != NULL);
    look_up->loop = loop;
    look_up->done = done;
    look_up->over = over;
    look_up->context = context;
    timer_init(&look_up->timer, timed_out);
    timer_start(uv_service_loop_base(loop), &look_up->timer, timeout_ms * US_PER_MS);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(uv_service_loop_uv(loop), &look_up->request, resolved, host, NULL, &hints) != 0) {
        finish(look_up, NULL, 0, true); // no name that could resolve: too long, not valid in DNS
        end(look_up);
    }
}

void resolve(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
             void (*done)(void *context, const struct address *addresses, size_t count, bool tried),
             void *context)
{
    resolve_until_over(loop, host, timeout_ms, done, NULL, context);
}
