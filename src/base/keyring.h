// The service's own two secrets. The master key seals secrets in the database; the pepper is the HMAC key of
// API keys and of the audit chain. They live in files beside the database, never in it.
#pragma once

#include <stdbool.h>

#include "base/crypto.h"
#include "base/err.h"

struct keyring {
    struct seal_key master;
    uint8_t pepper[32];
    uint8_t pepper_id[8]; // first 8 bytes of its SHA-256
};

// Reads both files (32 bytes as base64 or 64 hex digits). If `create`, makes a missing one: 0600, durable,
// with its directory. ERR_CONFIG: a file is missing, unreadable, malformed, or readable by others.
enum errc keyring_load(struct keyring *keyring, const char *master_key_file, const char *pepper_file,
                       bool create, struct err *err) MUST_CHECK;
// Whether the files that exist could be loaded; makes none. ERR_CONFIG.
enum errc keyring_check(const char *master_key_file, const char *pepper_file, struct err *err) MUST_CHECK;
void keyring_wipe(struct keyring *keyring);
