// See failure_limit.h.
#include "api/failure_limit.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/table.h"
#include "base/timefmt.h"
#include "op/engine/notices.h"

#define FAILURES_MAX 10
#define WINDOW_US (300 * US_PER_S)
#define ADDRESSES_MAX 10000

struct failing {
    struct table_node node;
    struct list link; // oldest first, so that the table stays within its bound
    struct address address;
    int64_t at_us[FAILURES_MAX]; // a ring: the last failures
    int next;
};

struct failure_limit {
    struct loop *loop;
    struct notices *notices; // NULL: it is not shared
    const char *topic;
    struct table table;
    struct list order;
};

struct failure_limit *failure_limit_open(struct loop *loop)
{
    struct failure_limit *limit = calloc(1, sizeof(*limit));
    REQUIRE(limit != NULL);
    limit->loop = loop;
    list_init(&limit->order);
    return limit;
}

void failure_limit_free(struct failure_limit *limit)
{
    for (struct list *node = list_take_first(&limit->order); node != NULL;
         node = list_take_first(&limit->order)) {
        free(CONTAINER_OF(node, struct failing, link));
    }
    table_release(&limit->table);
    free(limit);
}

static struct failing *find(const struct failure_limit *limit, const struct address *address)
{
    struct table_node *node = table_find(&limit->table, address, sizeof(*address));
    return node != NULL ? CONTAINER_OF(node, struct failing, node) : NULL;
}

static struct failing *insert(struct failure_limit *limit, const struct address *address)
{
    struct failing *failing = NULL;
    if (limit->table.count == ADDRESSES_MAX) {
        failing = CONTAINER_OF(list_take_first(&limit->order), struct failing, link);
        table_remove(&limit->table, &failing->node);
    } else {
        failing = malloc(sizeof(*failing));
        REQUIRE(failing != NULL);
    }
    *failing = (struct failing){.address = *address};
    for (int i = 0; i < FAILURES_MAX; i++) {
        failing->at_us[i] = -WINDOW_US;
    }
    table_insert(&limit->table, &failing->node, &failing->address, sizeof(failing->address));
    list_append(&limit->order, &failing->link);
    return failing;
}

static int64_t wait_s(const struct failure_limit *limit, const struct failing *failing)
{
    int64_t oldest_us = failing->at_us[failing->next]; // the tenth last
    int64_t left_us = oldest_us + WINDOW_US - loop_mono_us(limit->loop);
    return left_us > 0 ? left_us / US_PER_S + 1 : 0;
}

static struct uuid id_of(const struct address *address)
{
    struct uuid id;
    _Static_assert(sizeof(id.bytes) == sizeof(address->bytes), "a notice is about 16 bytes");
    memcpy(id.bytes, address->bytes, sizeof(id.bytes));
    return id;
}

// The notice's value is the wall clock time at which the address may fail again.
static void tell_limit(const struct failure_limit *limit, const struct failing *failing)
{
    const int64_t wait = wait_s(limit, failing);
    if (wait > 0 && limit->notices != NULL) {
        const struct uuid about = id_of(&failing->address);
        notices_tell(limit->notices, limit->topic, &about, loop_wall_us(limit->loop) + wait * US_PER_S);
    }
}

static void hear_limit(void *context, const struct uuid *about, int64_t value)
{
    struct failure_limit *limit = context;
    const int64_t left_us = value - loop_wall_us(limit->loop);
    struct address address;
    memcpy(address.bytes, about->bytes, sizeof(address.bytes));
    struct failing *failing = find(limit, &address);
    if (left_us <= 0 || left_us > WINDOW_US + US_PER_S) { // it is over, or the clocks differ
        return;
    }
    if (failing == NULL) {
        failing = insert(limit, &address);
    }
    for (int i = 0; i < FAILURES_MAX; i++) {
        failing->at_us[i] = loop_mono_us(limit->loop) + left_us - WINDOW_US;
    }
}

void failure_limit_share(struct failure_limit *limit, struct notices *notices, const char *topic)
{
    limit->notices = notices;
    limit->topic = topic;
    notices_listen(notices, topic, hear_limit, limit);
    notices_end_by_value(notices, topic);
}

int64_t failure_limit_wait_s(const struct failure_limit *limit, const struct address *client)
{
    struct address address = address_subscriber(client);
    const struct failing *failing = find(limit, &address);
    return failing != NULL ? wait_s(limit, failing) : 0;
}

int64_t failure_limit_add(struct failure_limit *limit, const struct address *client)
{
    struct address address = address_subscriber(client);
    struct failing *failing = find(limit, &address);
    if (failing == NULL) {
        failing = insert(limit, &address);
    }
    int64_t wait = wait_s(limit, failing);
    if (wait == 0) {
        failing->at_us[failing->next] = loop_mono_us(limit->loop);
        failing->next = (failing->next + 1) % FAILURES_MAX;
        list_remove(&failing->link);
        list_append(&limit->order, &failing->link);
        tell_limit(limit, failing);
    }
    return wait;
}
