// See endpoints.h.
#include "endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "service.h"
#include "world.h"

struct received {
    char event_id[37];
    char payment_id[37];
};

static struct received *all;
static size_t count;
static size_t capacity;

static bool signature_is_right(const char *timestamp, const char *signature, const char *body)
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
    for (size_t i = count; i > 0; i--) {
        if (text_equal(all[i - 1].event_id, event_id)) {
            return true;
        }
    }
    return false;
}

// A later event of the payment was here before this one: ids tell the order, whatever the clock did.
static bool is_late(const char *event_id, const char *payment_id)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(all[i].payment_id, payment_id) && strcmp(all[i].event_id, event_id) > 0) {
            return true;
        }
    }
    return false;
}

void endpoint_receive(const char *event_id, const char *timestamp, const char *signature, const char *body)
{
    struct json_object *event JSON_CLEANUP = NULL;
    world.counts.merchant_events++;
    if (event_id == NULL || timestamp == NULL || signature == NULL ||
        !signature_is_right(timestamp, signature, body)) {
        violation("an event came to a merchant without a right signature");
        return;
    }
    REQUIRE(json_parse(body, strlen(body), &event, NULL) == OK);
    const char *payment_id = json_get_str(json_get(event, "data"), "payment_id");
    note("merchant: %s %s of %s", json_get_str(event, "type"), event_id, payment_id);
    if (endpoint_has(event_id)) {
        return;
    }
    if (is_late(event_id, payment_id)) {
        violation("event %s of payment %s came behind a later one", event_id, payment_id);
    }
    if (count == capacity) {
        capacity = capacity ? capacity * 2 : 256;
        all = realloc(all, capacity * sizeof(*all));
        REQUIRE(all != NULL);
    }
    struct received *received = &all[count++];
    (void)snprintf(received->event_id, sizeof(received->event_id), "%s", event_id);
    (void)snprintf(received->payment_id, sizeof(received->payment_id), "%s", payment_id);
}
