// See sending.h. Any thread, by turns.
#include "delivery/sending.h"

#include <stdlib.h>

#include "base/require.h"

struct sending *sending_new(void)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    REQUIRE(sending);
    list_init(&sending->link);
    return sending;
}

void sending_free(struct sending *sending)
{
    REQUIRE(!list_linked(&sending->link));
    http_call_release(&sending->call);
    arena_release(&sending->arena);
    free(sending);
}

void sending_free_all(struct list *sendings)
{
    while (!list_empty(sendings)) {
        sending_free(CONTAINER_OF(list_take_first(sendings), struct sending, link));
    }
}
