// API keys as lists show them.
#pragma once

#include <json-c/json.h>

#include "base/arena.h"
#include "store/api_keys.h"
#include "store/merchants.h"

// "active", "revoked", "expired", or "inactive" as its merchant.
const char *key_state(const struct api_key *key, const struct merchant *merchant, int64_t now_us);

struct json_object *key_json(const struct api_key *key, const struct merchant *merchant, int64_t now_us);
