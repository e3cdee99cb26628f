// API keys as the commands print them, without their secret part.
#pragma once

#include "base/json_writer.h"
#include "store/api_keys.h"
#include "store/merchants.h"

// "active", "revoked", "expired", or "inactive" if its merchant is.
const char *key_state(const struct api_key *key, const struct merchant *merchant, int64_t now_us);

// Writes a key's members.
void key_write(struct json_writer *json, const struct api_key *key, const struct merchant *merchant,
               int64_t now_us);

// Writes the names of the scopes as the array "scopes".
void scopes_write(struct json_writer *json, uint32_t scopes);
