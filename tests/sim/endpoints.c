// See endpoints.h.
#include "endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/list.h"
#include "base/require.h"
#include "base/table.h"
#include "base/text.h"
#include "base/uuid.h"
#include "service.h"
#include "world.h"

struct event {
    struct table_node node;
    char id[UUID_TEXT_BYTES];
};

// A payment or a saved card.
struct subject {
    struct table_node node;
    char id[UUID_TEXT_BYTES];
    char latest_event_id[UUID_TEXT_BYTES]; // ids are in the order of events, whatever the clock does
};

static struct table events;
static struct table subjects;

static bool signature_is_valid(const char *timestamp, const char *signature, const char *body)
{
    const struct crypto_part parts[] = {{timestamp, strlen(timestamp)}, {".", 1}, {body, strlen(body)}};
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    crypto_hmac(WEBHOOK_SECRET, strlen(WEBHOOK_SECRET), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    return text_starts_with(signature, "sha256=") && text_equal(signature + strlen("sha256="), hex);
}

bool endpoint_has(const char *event_id)
{
    return table_find(&events, event_id, strlen(event_id)) != NULL;
}

static void visit_event(struct table_node *node, void *context)
{
    void (*visit)(const char *event_id) = *(void (**)(const char *event_id))context;
    visit(CONTAINER_OF(node, struct event, node)->id);
}

void endpoint_each(void (*visit)(const char *event_id))
{
    table_each(&events, visit_event, (void *)&visit);
}

static void add_event(const char *event_id)
{
    struct event *event = calloc(1, sizeof(*event));
    REQUIRE(event != NULL);
    (void)snprintf(event->id, sizeof(event->id), "%s", event_id);
    table_insert(&events, &event->node, event->id, strlen(event->id));
}

static struct subject *subject_of(const char *id)
{
    struct table_node *found = table_find(&subjects, id, strlen(id));
    if (found != NULL) {
        return CONTAINER_OF(found, struct subject, node);
    }
    struct subject *subject = calloc(1, sizeof(*subject));
    REQUIRE(subject != NULL);
    (void)snprintf(subject->id, sizeof(subject->id), "%s", id);
    table_insert(&subjects, &subject->node, subject->id, strlen(subject->id));
    return subject;
}

void endpoint_receive(const char *event_id, const char *timestamp, const char *signature, const char *body)
{
    struct json_object *event JSON_CLEANUP = NULL;
    world.counts.merchant_events++;
    if (event_id == NULL || timestamp == NULL || signature == NULL ||
        !signature_is_valid(timestamp, signature, body)) {
        violation("an event reached a merchant without a valid signature");
        return;
    }
    REQUIRE(json_parse(body, strlen(body), &event, NULL) == OK);
    struct json_object *data = json_get(event, "data");
    const char *payment_id = json_get_str(data, "payment_id");
    const char *id = payment_id != NULL ? payment_id : json_get_str(data, "card_id");
    note("merchant: %s %s of %s", json_get_str(event, "type"), event_id, id);
    if (endpoint_has(event_id)) {
        return;
    }
    add_event(event_id);
    struct subject *subject = subject_of(id);
    if (strcmp(subject->latest_event_id, event_id) > 0) {
        violation("event %s of %s arrived after a later one", event_id, id);
    } else {
        (void)snprintf(subject->latest_event_id, sizeof(subject->latest_event_id), "%s", event_id);
    }
}
