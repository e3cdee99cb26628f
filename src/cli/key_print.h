// API keys as the commands print them, without their secret part.
#pragma once

#include <json-c/json.h>

#include "base/arena.h"
#include "store/api_keys.h"
#include "store/merchants.h"

// "active", "revoked", "expired", or "inactive" if its merchant is.
const char *key_state(const struct api_key *key, const struct merchant *merchant, int64_t now_us);

// The caller owns the object.
struct json_object *key_json(const struct api_key *key, const struct merchant *merchant, int64_t now_us);

// The names of the scopes as an array, which the caller owns.
struct json_object *scopes_json(uint32_t scopes);
