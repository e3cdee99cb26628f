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
    bool fails;   // its last attempt failed
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

void send_slots_destroy(struct send_slots *slots)
{
    REQUIRE(slots->taken == 0);
    table_release(&slots->merchants);
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

static void set_fails(struct send_slots *slots, struct holder *holder, bool fails)
{
    if (holder->fails != fails) {
        holder->fails = fails;
        slots->failing_taken += fails ? holder->taken : -holder->taken;
    }
}

static bool failing_have_room(const struct send_slots *slots)
{
    return slots->failing_taken < (slots->max + 1) / 2;
}

static int64_t merchant_max(const struct send_slots *slots, bool fails)
{
    return fails ? 1 : slots->merchant_max;
}

static void add(struct send_slots *slots, struct holder *holder, const struct uuid *merchant_id, bool fails)
{
    if (holder == NULL) {
        holder = calloc(1, sizeof(*holder));
        REQUIRE(holder != NULL);
        holder->merchant_id = *merchant_id;
        table_insert(&slots->merchants, &holder->node, &holder->merchant_id, sizeof(holder->merchant_id));
    }
    set_fails(slots, holder, fails);
    holder->taken++;
    slots->taken++;
    slots->failing_taken += fails;
}

// ---

enum slot_take send_slots_take(struct send_slots *slots, const struct uuid *merchant_id, bool fails)
{
    enum slot_take take = SLOT_TAKEN;
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    if (holder != NULL && holder->taken >= merchant_max(slots, fails)) {
        holder->awaited = true;
        take = SLOT_MERCHANT_FULL;
    } else if (fails && !failing_have_room(slots)) {
        slots->failing_awaited = true;
        take = SLOT_MERCHANT_FULL;
    } else if (slots->taken >= slots->max) {
        slots->awaited = true;
        take = SLOT_NONE_FREE;
    } else {
        add(slots, holder, merchant_id, fails);
    }
    unlock(slots);
    return take;
}

bool send_slots_take_new(struct send_slots *slots, const struct uuid *merchant_id, bool fails)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    int64_t max = slots->awaited ? slots->max / 2 : slots->max;
    bool taken = slots->open && slots->taken < max && (!fails || failing_have_room(slots)) &&
                 (holder == NULL || (!holder->awaited && holder->taken < merchant_max(slots, fails)));
    if (taken) {
        add(slots, holder, merchant_id, fails);
    }
    unlock(slots);
    return taken;
}

void send_slots_report(struct send_slots *slots, const struct uuid *merchant_id, bool failed)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    REQUIRE(holder != NULL);
    set_fails(slots, holder, failed);
    unlock(slots);
}

bool send_slots_pass_on(struct send_slots *slots, const struct uuid *merchant_id)
{
    lock(slots);
    const struct holder *holder = find(slots, merchant_id);
    REQUIRE(holder != NULL);
    bool others_wait = slots->awaited && slots->taken >= slots->max;
    bool passes = slots->open && holder->awaited && !others_wait;
    unlock(slots);
    return passes;
}

bool send_slots_release(struct send_slots *slots, const struct uuid *merchant_id)
{
    lock(slots);
    struct holder *holder = find(slots, merchant_id);
    REQUIRE(holder != NULL);
    bool awaited = slots->awaited || holder->awaited;
    slots->taken--;
    slots->failing_taken -= holder->fails;
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
