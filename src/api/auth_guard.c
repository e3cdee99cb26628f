// See auth_guard.h.
#include "api/auth_guard.h"

#include <stdlib.h>
#include <string.h>

#include "api/failure_limit.h"
#include "base/json.h"
#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/audit.h"

// Entries in one minute: in total, without one of our keys (of strangers), and of one merchant. Events over a
// limit are counted in one entry for their merchant, or else in one for all.
#define COUNTS_MAX 1000
#define COUNTS_OF_STRANGERS_MAX 500
#define COUNTS_OF_MERCHANT_MAX 50
// Entries are kept for months, so strangers may cause only a limited number a day.
#define STRANGERS_A_DAY 5000
#define DAY_US (24 * 3600 * US_PER_S)
// Keys used in one minute; the uses of others are not noted in it.
#define USED_MAX 10000
#define WRITE_EVERY_US (60 * US_PER_S)

// What is counted in one entry. Compared as bytes, so all of them are set.
struct counted_key {
    const char *event_type;  // static; the same text at another address is counted apart
    struct uuid merchant_id; // the API keys of two merchants may have the same prefix
    struct address client;   // an IPv6 address is cut to its /64, which belongs to one subscriber
    char key_prefix[16];
    bool summed; // of all addresses over the limit: without a client and a prefix
};

struct counted {
    struct table_node node;
    struct list link;
    struct counted_key key;
    int64_t count;
};

// A key, and when it was last used.
struct used {
    struct table_node node;
    struct list link;
    struct uuid key_id;
    int64_t at_us;
};

struct auth_guard {
    struct loop *loop;
    struct store *store;
    const struct keyring *keyring;
    struct failure_limit *failures; // of authentication
    struct table counts;
    struct list counts_order;
    size_t of_strangers;      // entries without one of our keys
    int64_t strangers_budget; // in microseconds; each of their entries costs DAY_US / STRANGERS_A_DAY
    int64_t budget_us;        // monotonic; when the budget was last filled
    struct timer timer;
    bool writing;
    struct store_job job;
    struct list written; // the entries that the present job writes
    size_t written_count;
    struct table used;
    struct list used_order;
    struct list written_used; // what the present job writes of it
};

static const char *severity_of(const char *event_type)
{
    if (text_equal(event_type, "auth.success")) {
        return "info";
    }
    return text_equal(event_type, "auth.rate_limited") ? "critical" : "warn";
}

static struct audit_entry entry_of(struct arena *arena, const struct counted *counted)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&counted->key.client, address);
    const char *actor_ip = address_is_ipv4(&counted->key.client) ? arena_strdup(arena, address)
                                                                 : arena_printf(arena, "%s/64", address);
    return (struct audit_entry){
        .event_type = counted->key.event_type,
        .severity = severity_of(counted->key.event_type),
        .actor_ip = counted->key.summed ? NULL : actor_ip,
        .merchant_id = uuid_is_nil(&counted->key.merchant_id) ? NULL : &counted->key.merchant_id,
        .key_prefix = counted->key.key_prefix[0] != '\0' ? counted->key.key_prefix : NULL,
        .detail = arena_printf(arena, "%lld in the last minute%s", (long long)counted->count,
                               counted->key.summed ? ", from other addresses" : ""),
        .metadata_json = arena_printf(arena, "{\"count\":%lld}", (long long)counted->count),
    };
}

static enum errc run_write(struct store_job *job, struct tx *tx, struct err *err)
{
    struct auth_guard *guard = CONTAINER_OF(job, struct auth_guard, job);
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct audit_entry *entries = arena_alloc(&arena, guard->written_count * sizeof(*entries));
    size_t count = 0;
    LIST_EACH_SAFE(&guard->written, node, after)
    {
        entries[count++] = entry_of(&arena, CONTAINER_OF(node, struct counted, link));
    }
    // This locks the log, so two nodes never note uses at once.
    enum errc rc =
        audit_append_all(tx->db, guard->keyring->pepper, entries, count, loop_wall_us(guard->loop), err);
    LIST_EACH_SAFE(&guard->written_used, node, after)
    {
        const struct used *used = CONTAINER_OF(node, struct used, link);
        rc = rc == OK ? api_key_note_use(tx->db, &used->key_id, used->at_us, err) : rc;
    }
    return rc;
}

static void free_used(struct list *list)
{
    for (struct list *node = list_take_first(list); node != NULL; node = list_take_first(list)) {
        free(CONTAINER_OF(node, struct used, link));
    }
}

static void written(struct store_job *job)
{
    struct auth_guard *guard = CONTAINER_OF(job, struct auth_guard, job);
    guard->writing = false;
    if (job->result != OK) {
        LOG(LOG_ERROR, "the audit log could not be written", LOG_STR("error", job->err.message));
    }
    for (struct list *node = list_take_first(&guard->written); node != NULL;
         node = list_take_first(&guard->written)) {
        free(CONTAINER_OF(node, struct counted, link));
    }
    free_used(&guard->written_used);
}

static void write_counts(struct auth_guard *guard)
{
    if (guard->writing || list_empty(&guard->counts_order)) {
        return;
    }
    list_splice(&guard->written, &guard->counts_order);
    guard->written_count = guard->counts.count;
    table_release(&guard->counts);
    guard->counts = TABLE_EMPTY;
    guard->of_strangers = 0;
    list_splice(&guard->written_used, &guard->used_order);
    table_release(&guard->used);
    guard->used = TABLE_EMPTY;
    guard->writing = true;
    guard->job = (struct store_job){.queue = STORE_WRITE, .run = run_write, .done = written};
    store_submit_always(guard->store, &guard->job);
}

static void on_timer(struct timer *timer)
{
    struct auth_guard *guard = CONTAINER_OF(timer, struct auth_guard, timer);
    write_counts(guard);
    timer_start(guard->loop, &guard->timer, WRITE_EVERY_US);
}

struct auth_guard *auth_guard_open(struct loop *loop, struct store *store, const struct keyring *keyring)
{
    struct auth_guard *guard = calloc(1, sizeof(*guard));
    REQUIRE(guard != NULL);
    guard->loop = loop;
    guard->store = store;
    guard->keyring = keyring;
    guard->failures = failure_limit_open(loop);
    guard->strangers_budget = DAY_US;
    guard->budget_us = loop_mono_us(loop);
    list_init(&guard->counts_order);
    list_init(&guard->written);
    list_init(&guard->used_order);
    list_init(&guard->written_used);
    timer_init(&guard->timer, on_timer);
    timer_start(loop, &guard->timer, WRITE_EVERY_US);
    return guard;
}

void auth_guard_share(struct auth_guard *guard, struct notices *notices)
{
    failure_limit_share(guard->failures, notices, "bad_keys");
}

void auth_guard_free(struct auth_guard *guard)
{
    timer_stop(guard->loop, &guard->timer);
    REQUIRE(!guard->writing);
    failure_limit_free(guard->failures);
    for (struct list *node = list_take_first(&guard->counts_order); node != NULL;
         node = list_take_first(&guard->counts_order)) {
        free(CONTAINER_OF(node, struct counted, link));
    }
    table_release(&guard->counts);
    free_used(&guard->used_order);
    table_release(&guard->used);
    free(guard);
}

int64_t auth_guard_failed(struct auth_guard *guard, const struct address *client)
{
    return failure_limit_add(guard->failures, client);
}

static bool merchant_below_limit(const struct auth_guard *guard, const struct uuid *merchant_id)
{
    size_t taken = 0;
    LIST_EACH_SAFE(&guard->counts_order, node, after)
    {
        taken += uuid_equal(&CONTAINER_OF(node, struct counted, link)->key.merchant_id, merchant_id);
    }
    return taken < COUNTS_OF_MERCHANT_MAX;
}

static bool strangers_take_entry(struct auth_guard *guard)
{
    const int64_t price = DAY_US / STRANGERS_A_DAY;
    int64_t now_us = loop_mono_us(guard->loop);
    guard->strangers_budget += now_us - guard->budget_us;
    guard->budget_us = now_us;
    if (guard->strangers_budget > DAY_US) {
        guard->strangers_budget = DAY_US;
    }
    if (guard->of_strangers == COUNTS_OF_STRANGERS_MAX || guard->strangers_budget < price) {
        return false;
    }
    guard->of_strangers++;
    guard->strangers_budget -= price;
    return true;
}

// Counts it in the entry with its key. Without one, makes the entry if may_add.
static bool count_as(struct auth_guard *guard, const struct counted_key *key, bool may_add)
{
    struct table_node *node = table_find(&guard->counts, key, sizeof(*key));
    if (node != NULL) {
        CONTAINER_OF(node, struct counted, node)->count++;
        return true;
    }
    if (!may_add) {
        return false;
    }
    struct counted *counted = calloc(1, sizeof(*counted));
    REQUIRE(counted != NULL);
    memcpy(&counted->key, key, sizeof(*key));
    counted->count = 1;
    table_insert(&guard->counts, &counted->node, &counted->key, sizeof(counted->key));
    list_append(&guard->counts_order, &counted->link);
    return true;
}

void auth_guard_count(struct auth_guard *guard, const char *event_type, const struct address *client,
                      const struct uuid *merchant_id, const char *key_prefix)
{
    struct counted_key key;
    memset(&key, 0, sizeof(key));
    key.event_type = event_type;
    key.client = address_subscriber(client);
    memcpy(key.key_prefix, key_prefix, strnlen(key_prefix, sizeof(key.key_prefix) - 1));
    if (merchant_id != NULL) {
        key.merchant_id = *merchant_id;
    }
    bool may_add = guard->counts.count < COUNTS_MAX;
    if (count_as(guard, &key, false) ||
        (may_add &&
         (merchant_id != NULL ? merchant_below_limit(guard, merchant_id) : strangers_take_entry(guard)) &&
         count_as(guard, &key, true))) {
        return;
    }
    key.summed = true;
    memset(&key.client, 0, sizeof(key.client));
    memset(key.key_prefix, 0, sizeof(key.key_prefix));
    if (count_as(guard, &key, merchant_id == NULL || may_add)) {
        return;
    }
    // Too many merchants at once: one more entry of each type counts all others.
    memset(&key.merchant_id, 0, sizeof(key.merchant_id));
    (void)count_as(guard, &key, true);
}

void auth_guard_used(struct auth_guard *guard, const struct uuid *key_id, int64_t now_us)
{
    struct table_node *node = table_find(&guard->used, key_id, sizeof(*key_id));
    if (node != NULL) {
        CONTAINER_OF(node, struct used, node)->at_us = now_us;
        return;
    }
    if (guard->used.count == USED_MAX) {
        return;
    }
    struct used *used = calloc(1, sizeof(*used));
    REQUIRE(used != NULL);
    used->key_id = *key_id;
    used->at_us = now_us;
    table_insert(&guard->used, &used->node, &used->key_id, sizeof(used->key_id));
    list_append(&guard->used_order, &used->link);
}

bool auth_guard_drain(struct auth_guard *guard)
{
    timer_stop(guard->loop, &guard->timer);
    write_counts(guard);
    return !guard->writing && list_empty(&guard->counts_order);
}
