// See stripe_faults.h.
#include "stripe_faults.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/require.h"
#include "base/table.h"
#include "base/text.h"
#include "service.h"
#include "world.h"

#define VALUES_MAX 100000

// --- customers

static struct table stored; // idempotency keys that have a stored fault

enum stored_fault stripe_faults_stored(const char *method, const char *target, const char *key)
{
    if (!text_equal(method, "POST") || !text_equal(target, "/v1/customers")) {
        return FAULT_NONE;
    }
    if (table_find(&stored, key, strlen(key)) != NULL) {
        return FAULT_REPLAYED;
    }
    if (!fault_one_in(4)) {
        return FAULT_NONE;
    }
    struct table_node *node = calloc(1, sizeof(*node));
    REQUIRE(node != NULL);
    table_insert(&stored, node, strdup(key), strlen(key));
    world.counts.faults_stored++;
    return random_below(2) == 0 ? FAULT_STORED_AFTER_EFFECT : FAULT_STORED;
}

// --- refunds

// One refund in four, chosen by its id, so that it is the same refund each time.
static bool is_stripped(const char *refund_id)
{
    unsigned sum = 0;
    for (; *refund_id != '\0'; refund_id++) {
        sum = sum * 31 + (unsigned char)*refund_id;
    }
    return sum % 4 == 0;
}

static bool strip_refunds(struct json_object *value)
{
    bool stripped = false;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            stripped |= strip_refunds(json_object_array_get_idx(value, i));
        }
    } else if (text_equal(json_get_str(value, "object"), "refund")) {
        stripped = is_stripped(json_get_str(value, "id"));
        if (stripped) {
            json_object_object_del(value, "metadata");
        }
    } else if (json_object_is_type(value, json_type_object)) {
        stripped = strip_refunds(json_get(value, "data")); // of a list or an event
        stripped |= strip_refunds(json_get(value, "object"));
    }
    return stripped;
}

// Most bodies name no such refund, and parsing them took an eighth of a run.
static bool names_stripped_refund(const char *body, struct arena *arena)
{
    static const char start[] = "\"re_";
    for (const char *at = strstr(body, start); at != NULL; at = strstr(at + 1, start)) {
        if (is_stripped(arena_strndup(arena, at + 1, strcspn(at + 1, "\"")))) {
            return true;
        }
    }
    return false;
}

const char *stripe_faults_strip_refunds(const char *body, struct arena *arena)
{
    struct json_object *value JSON_CLEANUP = NULL;
    if (body == NULL || strstr(body, "refund_id") == NULL || !names_stripped_refund(body, arena) ||
        json_parse_bounded(body, strlen(body), VALUES_MAX, &value, NULL) != OK || !strip_refunds(value)) {
        return body;
    }
    world.counts.refunds_stripped++;
    return json_text(arena, value);
}

const char *stripe_faults_sign(const char *signature, const char *body, struct arena *arena)
{
    uint8_t mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    size_t time_bytes = strcspn(signature, ",") - strlen("t=");
    const struct crypto_part parts[] = {
        {signature + strlen("t="), time_bytes}, {".", 1}, {body, strlen(body)}};
    crypto_hmac(STRIPE_WEBHOOK_SECRET, strlen(STRIPE_WEBHOOK_SECRET), parts, COUNT_OF(parts), mac);
    text_hex(mac, sizeof(mac), hex);
    return arena_printf(arena, "t=%.*s,v1=%s", (int)time_bytes, signature + strlen("t="), hex);
}
