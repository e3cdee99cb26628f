// See failures.h.
#include "api/failures.h"

#include <stdlib.h>

#include "base/require.h"
#include "base/table.h"
#include "base/timefmt.h"

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

struct failures {
    struct loop *loop;
    struct table table;
    struct list order;
};

struct failures *failures_open(struct loop *loop)
{
    struct failures *failures = calloc(1, sizeof(*failures));
    REQUIRE(failures != NULL);
    failures->loop = loop;
    list_init(&failures->order);
    return failures;
}

void failures_free(struct failures *failures)
{
    for (struct list *node = list_take_first(&failures->order); node != NULL;
         node = list_take_first(&failures->order)) {
        free(CONTAINER_OF(node, struct failing, link));
    }
    table_release(&failures->table);
    free(failures);
}

static struct failing *find(const struct failures *failures, const struct address *address)
{
    struct table_node *node = table_find(&failures->table, address, sizeof(*address));
    return node != NULL ? CONTAINER_OF(node, struct failing, node) : NULL;
}

static struct failing *insert(struct failures *failures, const struct address *address)
{
    struct failing *failing = NULL;
    if (failures->table.count == ADDRESSES_MAX) {
        failing = CONTAINER_OF(list_take_first(&failures->order), struct failing, link);
        table_remove(&failures->table, &failing->node);
    } else {
        failing = malloc(sizeof(*failing));
        REQUIRE(failing != NULL);
    }
    *failing = (struct failing){.address = *address};
    for (int i = 0; i < FAILURES_MAX; i++) {
        failing->at_us[i] = -WINDOW_US;
    }
    table_insert(&failures->table, &failing->node, &failing->address, sizeof(failing->address));
    list_append(&failures->order, &failing->link);
    return failing;
}

static int64_t wait_s(const struct failures *failures, const struct failing *failing)
{
    int64_t oldest_us = failing->at_us[failing->next]; // the tenth last
    int64_t left_us = oldest_us + WINDOW_US - loop_mono_us(failures->loop);
    return left_us > 0 ? left_us / US_PER_S + 1 : 0;
}

int64_t failures_wait_s(const struct failures *failures, const struct address *client)
{
    struct address address = address_subscriber(client);
    const struct failing *failing = find(failures, &address);
    return failing != NULL ? wait_s(failures, failing) : 0;
}

int64_t failures_add(struct failures *failures, const struct address *client)
{
    struct address address = address_subscriber(client);
    struct failing *failing = find(failures, &address);
    if (failing == NULL) {
        failing = insert(failures, &address);
    }
    int64_t wait = wait_s(failures, failing);
    if (wait == 0) {
        failing->at_us[failing->next] = loop_mono_us(failures->loop);
        failing->next = (failing->next + 1) % FAILURES_MAX;
        list_remove(&failing->link);
        list_append(&failures->order, &failing->link);
    }
    return wait;
}
