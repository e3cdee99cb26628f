// See stripe_faults.h.
#include "stripe_faults.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/require.h"
#include "base/table.h"
#include "base/text.h"
#include "service.h"
#include "world.h"

#define BODY_BYTES_MAX ((size_t)64 << 20)

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
    for (; *refund_id != '"'; refund_id++) {
        sum = sum * 31 + (unsigned char)*refund_id;
    }
    return sum % 4 == 0;
}

// Works on the text, as the sandbox writes it: to parse and write whole pages took a twelfth of a run.
const char *stripe_faults_strip_refunds(const char *body, struct arena *arena)
{
    static const char refund[] = "{\"id\":\"re_";
    static const char metadata[] = "\"metadata\":{";
    if (body == NULL) {
        return NULL;
    }
    struct buf kept BUF_CLEANUP = BUF_MAX(BODY_BYTES_MAX);
    const char *rest = body;
    for (const char *at = strstr(body, refund); at != NULL; at = strstr(at + 1, refund)) {
        const char *from = strstr(at, metadata);
        REQUIRE(from != NULL);
        const char *to = strchr(from, '}');
        REQUIRE(to != NULL);
        bool is_empty = to == from + strlen(metadata);
        if (!is_empty && is_stripped(at + strlen("{\"id\":\""))) {
            REQUIRE(to[1] == ',');
            buf_add(&kept, rest, (size_t)(from - rest));
            rest = to + 2;
        }
    }
    if (rest == body) {
        return body;
    }
    world.counts.refunds_stripped++;
    buf_add_str(&kept, rest);
    return arena_strdup(arena, buf_str(&kept));
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
