// See resolve.h. A lookup runs on libuv's thread pool. It cannot be stopped once begun, so a time-out only
// stops waiting for it.
#include "net/resolve.h"

#include <netdb.h>
#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"

struct lookup {
    uv_getaddrinfo_t request;
    struct timer timer;
    struct uv_service_loop *loop;
    // NULL: nobody waits any more
    void (*done)(void *context, const struct address *addresses, size_t count, bool tried);
    void (*over)(void *context); // NULL: not wanted
    void *context;
};

static void finish(struct lookup *lookup, const struct address *addresses, size_t count, bool tried)
{
    if (lookup->done == NULL) {
        return;
    }
    timer_stop(uv_service_loop_base(lookup->loop), &lookup->timer);
    if (!uv_service_loop_is_closing(lookup->loop)) { // else the caller is gone already
        lookup->done(lookup->context, addresses, count, tried);
    }
    lookup->done = NULL;
}

static void end(struct lookup *lookup)
{
    if (lookup->over != NULL) {
        lookup->over(lookup->context);
    }
    free(lookup);
}

static void timed_out(struct timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, timer);
    bool was_queued = uv_cancel((uv_req_t *)&lookup->request) == 0;
    finish(lookup, NULL, 0, !was_queued);
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    size_t count = 0;
    for (struct addrinfo *item = list; status == 0 && item != NULL && count < RESOLVE_ADDRESSES_MAX;
         item = item->ai_next) {
        count += address_from_sockaddr(item->ai_addr, &addresses[count]);
    }
    uv_freeaddrinfo(list);
    finish(lookup, addresses, count, true);
    end(lookup);
}

void resolve_until_over(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
                        void (*done)(void *context, const struct address *addresses, size_t count,
                                     bool tried),
                        void (*over)(void *context), void *context)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    REQUIRE(lookup != NULL);
    lookup->loop = loop;
    lookup->done = done;
    lookup->over = over;
    lookup->context = context;
    timer_init(&lookup->timer, timed_out);
    timer_start(uv_service_loop_base(loop), &lookup->timer, timeout_ms * US_PER_MS);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(uv_service_loop_uv(loop), &lookup->request, resolved, host, NULL, &hints) != 0) {
        finish(lookup, NULL, 0, true); // not a name that could resolve: too long, or not valid in DNS
        end(lookup);
    }
}

void resolve(struct uv_service_loop *loop, const char *host, int64_t timeout_ms,
             void (*done)(void *context, const struct address *addresses, size_t count, bool tried),
             void *context)
{
    resolve_until_over(loop, host, timeout_ms, done, NULL, context);
}
