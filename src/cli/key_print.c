// Prints API keys: never more of a key than its prefix.
#include "cli/key_print.h"

#include "domain/scopes.h"

void scopes_write(struct json_writer *json, uint32_t scopes)
{
    json_open_array(json, "scopes");
    for (uint32_t bit = 1; bit <= SCOPE_ALL; bit <<= 1) {
        if (scopes & bit) {
            json_write_str(json, NULL, scope_name(bit));
        }
    }
    json_close(json);
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

// 0: null.
static void write_time(struct json_writer *json, const char *name, int64_t time_us)
{
    if (time_us != 0) {
        json_write_time(json, name, time_us);
    } else {
        json_write_null(json, name);
    }
}

void key_write(struct json_writer *json, const struct api_key *key, const struct merchant *merchant,
               int64_t now_us)
{
    json_write_uuid(json, "id", &key->id);
    json_write_str(json, "prefix", key->prefix);
    json_write_uuid(json, "merchant_id", &key->merchant_id);
    json_write_str(json, "merchant", merchant->name);
    scopes_write(json, key->scopes);
    json_write_str(json, "mode", key->livemode ? "live" : "test");
    json_write_str(json, "name", key->name);
    json_write_str(json, "state", key_state(key, merchant, now_us));
    write_time(json, "expires_at", key->expires_us);
    write_time(json, "revoked_at", key->revoked_us);
    write_time(json, "created_at", key->created_us);
}
