// See send_slots.h.
#include "delivery/send_slots.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/require.h"

// A merchant that holds at least one slot.
struct holder {
    struct table_node node;
    struct uuid merchant_id;
    int64_t taken;
    bool awaited; // an event may be due that got no slot because the merchant has its share
};

// A merchant whose last delivery failed.
struct failing {
    struct table_node node;
    struct uuid merchant_id;
};

static void lock(struct send_slots *slots)
{
    REQUIRE(pthread_mutex_lock(&slots->mutex) == 0);
}

static void unlock(struct send_slots *slots)
{
    REQUIRE(pthread_mutex_unlock(&slots->mutex) == 0);
}

void send_slots_init(struct send_slots *slots, int64_t max, int64_t merchant_max)
{
    *slots = (struct send_slots){.max = max, .merchant_max = merchant_max};
    REQUIRE(pthread_mutex_init(&slots->mutex, NULL) == 0);
}

static void free_failing(struct table_node *node, void *context)
{
    struct send_slots *slots = context;
    table_remove(&slots->failing, node);
    free(CONTAINER_OF(node, struct failing, node));
}

void send_slots_destroy(struct send_slots *slots)
{
    REQUIRE(slots->taken == 0);
    table_release(&slots->merchants);
    table_each(&slots->failing, free_failing, slots);
    table_release(&slots->failing);
    (void)pthread_mutex_destroy(&slots->mutex);
}

void send_slots_open(struct send_slots *slots, bool open)
{
    lock(slots);
    slots->open = open;
    unlock(slots);
}

// --- under the mutex

static struct holder *find(const struct send_slots *slots, const struct uuid *merchant_id)
{
    struct table_node *node = table_find(&slots->merchants, merchant_id, sizeof(*merchant_id));
    return node != NULL ? CONTAINER_OF(node, struct holder, node) : NULL;
}

static bool is_failing(const struct send_slots *slots, const struct uuid *merchant_id)
{
    return table_find(&slots->failing, merchant_id, sizeof(*merchant_id)) != NULL;
}

static bool failing_have_room(const struct send_slots *slots)
{
    return slots->failing_taken < (slots->max + 1) / 2;
}

static int64_t merchant_max(const struct send_slots *slots, bool failing)
{
    return failing ? 1 : slots->merchant_max;
}

static void add(struct send_slots *slots, struct holder *holder, const struct uuid *merchant_id)
{
    if (holder == NULL) {
        holder = calloc(1, sizeof(*holder));
        REQUIRE(holder != NULL);
        holder->merchant_id = *merchant_id;
        table_insert(&slots->merchants, &holder->node, &holder->merchant_id, sizeof(holder->merchant_id));
    }
    holder->taken++;
    slots->taken++;
    slots->failing_taken += is_failing(slots, merchant_id);
}

// ---

enum slot_take send_slots_take(struct send_slots *slots, const struct uuid *merchant_id)
{
    enum slot_take take = SLOT_TAKEN;
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    bool failing = is_failing(slots, merchant_id);
    if (holder != NULL && holder->taken >= merchant_max(slots, failing)) {
        holder->awaited = true;
        take = SLOT_MERCHANT_FULL;
    } else if (failing && !failing_have_room(slots)) {
        slots->failing_awaited = true;
        take = SLOT_MERCHANT_FULL;
    } else if (slots->taken >= slots->max) {
        slots->awaited = true;
        take = SLOT_NONE_FREE;
    } else {
        add(slots, holder, merchant_id);
    }
    unlock(slots);
    return take;
}

bool send_slots_take_new(struct send_slots *slots, const struct uuid *merchant_id)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    bool failing = is_failing(slots, merchant_id);
    bool taken = slots->open && !slots->awaited && slots->taken < slots->max &&
                 (!failing || failing_have_room(slots)) &&
                 (holder == NULL || (!holder->awaited && holder->taken < merchant_max(slots, failing)));
    if (taken) {
        add(slots, holder, merchant_id);
    }
    unlock(slots);
    return taken;
}

void send_slots_report(struct send_slots *slots, const struct uuid *merchant_id, bool failed)
{
    lock(slots);
    const struct holder *holder = find(slots, merchant_id);
    REQUIRE(holder != NULL);
    struct table_node *node = table_find(&slots->failing, merchant_id, sizeof(*merchant_id));
    if (failed && node == NULL) {
        struct failing *failing = malloc(sizeof(*failing));
        REQUIRE(failing != NULL);
        failing->merchant_id = *merchant_id;
        table_insert(&slots->failing, &failing->node, &failing->merchant_id, sizeof(failing->merchant_id));
        slots->failing_taken += holder->taken;
    } else if (!failed && node != NULL) {
        free_failing(node, slots);
        slots->failing_taken -= holder->taken;
    }
    unlock(slots);
}

bool send_slots_release(struct send_slots *slots, const struct uuid *merchant_id)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    REQUIRE(holder != NULL);
    bool awaited = slots->awaited || holder->awaited;
    slots->taken--;
    slots->failing_taken -= is_failing(slots, merchant_id);
    if (slots->failing_awaited && failing_have_room(slots)) {
        slots->failing_awaited = false;
        awaited = true;
    }
    if (--holder->taken == 0) {
        table_remove(&slots->merchants, &holder->node);
        free(holder);
    }
    unlock(slots);
    return awaited;
}

bool send_slots_free(struct send_slots *slots)
{
    lock(slots);
    bool is_free = slots->taken < slots->max;
    slots->awaited = slots->awaited || !is_free;
    unlock(slots);
    return is_free;
}

void send_slots_merchant_done(struct send_slots *slots, const struct uuid *merchant_id)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    if (holder != NULL) {
        holder->awaited = false;
    }
    unlock(slots);
}

void send_slots_set_awaited(struct send_slots *slots, bool awaited)
{
    lock(slots);
    slots->awaited = awaited;
    unlock(slots);
}

int64_t send_slots_taken(struct send_slots *slots)
{
    lock(slots);
    int64_t taken = slots->taken;
    unlock(slots);
    return taken;
}
