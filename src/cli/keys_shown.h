// API keys as lists show them.
#pragma once

#include <json-c/json.h>

#include "base/arena.h"
#include "store/api_keys.h"

// "active", "revoked" or "expired".
const char *key_state(const struct api_key *key, int64_t now_us);

struct json_object *key_json(const struct api_key *key, const char *merchant_name, int64_t now_us);
