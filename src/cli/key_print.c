// Prints API keys: never more of a key than its prefix.
#include "cli/key_print.h"

#include "base/json.h"
#include "base/timefmt.h"
#include "domain/scopes.h"

struct json_object *scopes_json(uint32_t scopes)
{
    struct json_object *names = json_object_new_array();
    for (uint32_t bit = 1; bit <= SCOPE_ALL; bit <<= 1) {
        if (scopes & bit) {
            (void)json_object_array_add(names, json_object_new_string(scope_name(bit)));
        }
    }
    return names;
}

const char *key_state(const struct api_key *key, const struct merchant *merchant, int64_t now_us)
{
    if (key->revoked_us != 0) {
        return "revoked";
    }
    if (key->expires_us != 0 && key->expires_us <= now_us) {
        return "expired";
    }
    return merchant->is_active ? "active" : "inactive";
}

static void add_time(struct json_object *object, const char *name, int64_t time_us)
{
    char text[TIME_TEXT_BYTES];
    time_format(time_us, text);
    json_add_str(object, name, time_us == 0 ? NULL : text);
}

struct json_object *key_json(const struct api_key *key, const struct merchant *merchant, int64_t now_us)
{
    struct json_object *object = json_new_object();
    char id[UUID_TEXT_BYTES];
    uuid_format(&key->id, id);
    json_add_str(object, "id", id);
    json_add_str(object, "prefix", key->prefix);
    uuid_format(&key->merchant_id, id);
    json_add_str(object, "merchant_id", id);
    json_add_str(object, "merchant", merchant->name);
    json_add(object, "scopes", scopes_json(key->scopes));
    json_add_str(object, "mode", key->livemode ? "live" : "test");
    json_add_str(object, "name", key->name);
    json_add_str(object, "state", key_state(key, merchant, now_us));
    add_time(object, "expires_at", key->expires_us);
    add_time(object, "revoked_at", key->revoked_us);
    add_time(object, "created_at", key->created_us);
    return object;
}
