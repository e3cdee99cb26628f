// See refused_events.h. The number of entries is limited: the one refused longest ago is removed first.
#include "api/refused_events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/require.h"
#include "base/table.h"
#include "base/timefmt.h"

#define ENTRIES_MAX 10000
#define WARN_EVERY_US (3600 * US_PER_S)

struct entry_key {
    struct uuid merchant_id;
    uint8_t livemode;
};

struct entry {
    struct table_node node;
    struct list link; // oldest first
    struct entry_key key;
    struct refused_count count;
    int64_t warned_us;
};

struct refused_events {
    pthread_mutex_t mutex;
    struct table table;
    struct list order;
};

struct refused_events *refused_events_open(void)
{
    struct refused_events *refused = calloc(1, sizeof(*refused));
    REQUIRE(refused != NULL && pthread_mutex_init(&refused->mutex, NULL) == 0);
    list_init(&refused->order);
    return refused;
}

void refused_events_free(struct refused_events *refused)
{
    for (struct list *node = list_take_first(&refused->order); node != NULL;
         node = list_take_first(&refused->order)) {
        free(CONTAINER_OF(node, struct entry, link));
    }
    table_release(&refused->table);
    (void)pthread_mutex_destroy(&refused->mutex);
    free(refused);
}

static struct entry_key key_of(const struct uuid *merchant_id, bool livemode)
{
    struct entry_key key;
    memset(&key, 0, sizeof(key)); // it is compared as bytes
    key.merchant_id = *merchant_id;
    key.livemode = livemode;
    return key;
}

static struct entry *find(const struct refused_events *refused, const struct entry_key *key)
{
    struct table_node *node = table_find(&refused->table, key, sizeof(*key));
    return node != NULL ? CONTAINER_OF(node, struct entry, node) : NULL;
}

static struct entry *insert(struct refused_events *refused, const struct entry_key *key)
{
    if (refused->table.count == ENTRIES_MAX) {
        struct entry *oldest = CONTAINER_OF(list_take_first(&refused->order), struct entry, link);
        table_remove(&refused->table, &oldest->node);
        free(oldest);
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    REQUIRE(entry != NULL);
    entry->key = *key;
    table_insert(&refused->table, &entry->node, &entry->key, sizeof(entry->key));
    list_append(&refused->order, &entry->link);
    return entry;
}

void refused_events_add(struct refused_events *refused, const struct uuid *merchant_id, bool livemode,
                        int64_t now_us)
{
    struct entry_key key = key_of(merchant_id, livemode);
    REQUIRE(pthread_mutex_lock(&refused->mutex) == 0);
    struct entry *entry = find(refused, &key);
    if (entry == NULL) {
        entry = insert(refused, &key);
    }
    entry->count.count++;
    entry->count.last_us = now_us;
    list_remove(&entry->link);
    list_append(&refused->order, &entry->link);
    int64_t since_us = now_us - entry->warned_us;
    int64_t count = since_us < 0 || since_us >= WARN_EVERY_US ? entry->count.count : 0;
    if (count > 0) {
        entry->warned_us = now_us;
    }
    REQUIRE(pthread_mutex_unlock(&refused->mutex) == 0);
    if (count > 0) {
        char id[UUID_TEXT_BYTES];
        uuid_format(merchant_id, id);
        LOG(LOG_WARN,
            "the provider's events are refused: their signatures match none of the merchant's signing "
            "secrets; "
            "compare webhook_secret with the endpoint's signing secret at the provider",
            LOG_STR("merchant_id", id), LOG_STR("mode", livemode ? "live" : "test"),
            LOG_INT("refused", count));
    }
}

void refused_events_clear(struct refused_events *refused, const struct uuid *merchant_id, bool livemode)
{
    struct entry_key key = key_of(merchant_id, livemode);
    REQUIRE(pthread_mutex_lock(&refused->mutex) == 0);
    struct entry *entry = find(refused, &key);
    if (entry != NULL) {
        entry->count =
            (struct refused_count){0}; // kept, so that strangers cannot make it warn again and again
    }
    REQUIRE(pthread_mutex_unlock(&refused->mutex) == 0);
}

struct refused_count refused_events_of(struct refused_events *refused, const struct uuid *merchant_id,
                                       bool livemode)
{
    struct entry_key key = key_of(merchant_id, livemode);
    REQUIRE(pthread_mutex_lock(&refused->mutex) == 0);
    const struct entry *entry = find(refused, &key);
    struct refused_count count = entry != NULL ? entry->count : (struct refused_count){0};
    REQUIRE(pthread_mutex_unlock(&refused->mutex) == 0);
    return count;
}
