// See auth_guard.h.
#include "api/auth_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/failures.h"
#include "base/json.h"
#include "base/log.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "store/audit.h"

#define COUNTS_MAX 1000
#define COUNTS_OF_STRANGERS_MAX 500
#define WRITE_EVERY_US (60 * US_PER_S)

struct counted {
    struct table_node node;
    struct list link;
    char key[192];
    const char *event_type; // static
    struct address client;
    struct uuid merchant_id;
    char key_prefix[16];
    int64_t count;
};

struct auth_guard {
    struct loop *loop;
    struct store *store;
    const struct keyring *keyring;
    struct failures *failures; // of keys
    struct table counts;
    struct list counts_order;
    size_t of_strangers; // counts without one of our keys
    int64_t dropped;     // counts that found no room
    struct timer timer;
    bool writing;
    struct store_job job;
    struct list written; // what the job under way writes
};

static const char *severity_of(const char *event_type)
{
    if (text_equal(event_type, "auth.success")) {
        return "info";
    }
    return text_equal(event_type, "auth.rate_limited") ? "critical" : "warn";
}

static enum errc write_one(struct auth_guard *guard, struct db *db, struct arena *arena,
                           const struct counted *counted, struct err *err)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&counted->client, address);
    struct audit_entry entry = {
        .event_type = counted->event_type,
        .severity = severity_of(counted->event_type),
        .actor_ip = address,
        .merchant_id = uuid_is_nil(&counted->merchant_id) ? NULL : &counted->merchant_id,
        .key_prefix = counted->key_prefix[0] != '\0' ? counted->key_prefix : NULL,
        .detail = arena_printf(arena, "%lld in the last minute", (long long)counted->count),
        .metadata_json = arena_printf(arena, "{\"count\":%lld}", (long long)counted->count),
    };
    return audit_append(db, guard->keyring->pepper, &entry, loop_wall_us(guard->loop), err);
}

static enum errc run_write(struct store_job *job, struct db *db, struct err *err)
{
    struct auth_guard *guard = CONTAINER_OF(job, struct auth_guard, job);
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    enum errc rc = OK;
    LIST_EACH_SAFE(&guard->written, node, after)
    {
        if (rc == OK) {
            rc = write_one(guard, db, &arena, CONTAINER_OF(node, struct counted, link), err);
        }
    }
    return rc;
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
}

static void write_counts(struct auth_guard *guard)
{
    if (guard->writing || list_empty(&guard->counts_order)) {
        return;
    }
    if (guard->dropped > 0) {
        LOG(LOG_WARN, "authentication events beyond the bound were not counted",
            LOG_INT("count", guard->dropped));
        guard->dropped = 0;
    }
    list_splice(&guard->written, &guard->counts_order);
    table_release(&guard->counts);
    guard->counts = TABLE_EMPTY;
    guard->of_strangers = 0;
    guard->writing = true;
    guard->job = (struct store_job){.lane = STORE_WRITE, .run = run_write, .done = written};
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
    guard->failures = failures_open(loop);
    list_init(&guard->counts_order);
    list_init(&guard->written);
    timer_init(&guard->timer, on_timer);
    timer_start(loop, &guard->timer, WRITE_EVERY_US);
    return guard;
}

void auth_guard_free(struct auth_guard *guard)
{
    timer_stop(guard->loop, &guard->timer);
    REQUIRE(!guard->writing);
    failures_free(guard->failures);
    for (struct list *node = list_take_first(&guard->counts_order); node != NULL;
         node = list_take_first(&guard->counts_order)) {
        free(CONTAINER_OF(node, struct counted, link));
    }
    table_release(&guard->counts);
    free(guard);
}

int64_t auth_guard_failed(struct auth_guard *guard, const struct address *client)
{
    return failures_add(guard->failures, client);
}

void auth_guard_count(struct auth_guard *guard, const char *event_type, const struct address *client,
                      const struct uuid *merchant_id, const char *key_prefix)
{
    char key[sizeof(((struct counted *)0)->key)];
    char address[ADDRESS_TEXT_BYTES];
    address_format(client, address);
    int length = snprintf(key, sizeof(key), "%s|%s|%s", event_type, address, key_prefix);
    REQUIRE(length > 0 && (size_t)length < sizeof(key));
    struct table_node *node = table_find(&guard->counts, key, (size_t)length);
    if (node != NULL) {
        CONTAINER_OF(node, struct counted, node)->count++;
        return;
    }
    bool stranger = key_prefix[0] == '\0';
    if (guard->counts.count == COUNTS_MAX || (stranger && guard->of_strangers == COUNTS_OF_STRANGERS_MAX)) {
        guard->dropped++;
        return;
    }
    guard->of_strangers += stranger;
    struct counted *counted = calloc(1, sizeof(*counted));
    REQUIRE(counted != NULL);
    memcpy(counted->key, key, sizeof(key));
    counted->event_type = event_type;
    counted->client = *client;
    counted->merchant_id = merchant_id != NULL ? *merchant_id : (struct uuid){{0}};
    (void)snprintf(counted->key_prefix, sizeof(counted->key_prefix), "%s", key_prefix);
    counted->count = 1;
    table_insert(&guard->counts, &counted->node, counted->key, (size_t)length);
    list_append(&guard->counts_order, &counted->link);
}

bool auth_guard_drain(struct auth_guard *guard)
{
    timer_stop(guard->loop, &guard->timer);
    write_counts(guard);
    return !guard->writing && list_empty(&guard->counts_order);
}
