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

static struct table stored; // the keys under which a fault is stored

bool stripe_faults_stored(const struct stripe_request *request, struct stripe_reply *reply, bool *carries_out)
{
    static struct http_header replayed[] = {{"Idempotent-Replayed", "true"}};
    const char *key = request->idempotency_key;
    *carries_out = false;
    if (!text_equal(request->method, "POST") || !text_equal(request->target, "/v1/customers")) {
        return false;
    }
    bool again = table_find(&stored, key, strlen(key)) != NULL;
    if (!again && !fault_one_in(4)) {
        return false;
    }
    if (!again) {
        struct table_node *node = calloc(1, sizeof(*node));
        REQUIRE(node != NULL);
        table_insert(&stored, node, strdup(key), strlen(key));
        world.counts.faults_stored++;
        *carries_out = random_below(2) == 0;
    }
    *reply = (struct stripe_reply){
        .status = 500,
        .headers = replayed,
        .header_count = again ? 1 : 0,
        .body = "{\"error\":{\"type\":\"api_error\",\"message\":\"made on purpose, and stored\"}}",
    };
    return true;
}

// --- refunds

// Every fourth, by its id, so that it is the same one each time.
static bool is_bare(const char *refund_id)
{
    unsigned sum = 0;
    for (; *refund_id != '\0'; refund_id++) {
        sum = sum * 31 + (unsigned char)*refund_id;
    }
    return sum % 4 == 0;
}

static bool strip(struct json_object *value)
{
    bool stripped = false;
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            stripped |= strip(json_object_array_get_idx(value, i));
        }
    } else if (text_equal(json_get_str(value, "object"), "refund")) {
        stripped = is_bare(json_get_str(value, "id"));
        if (stripped) {
            json_object_object_del(value, "metadata");
        }
    } else if (json_object_is_type(value, json_type_object)) {
        stripped = strip(json_get(value, "data")); // of a list, or an event's,
        stripped |= strip(json_get(value, "object"));
    }
    return stripped;
}

const char *stripe_faults_bare(const char *body, struct arena *arena)
{
    struct json_object *value JSON_CLEANUP = NULL;
    if (body == NULL || strstr(body, "refund_id") == NULL ||
        json_parse_bounded(body, strlen(body), VALUES_MAX, &value, NULL) != OK || !strip(value)) {
        return body;
    }
    world.counts.refunds_bare++;
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
