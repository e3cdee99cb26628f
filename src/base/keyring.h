// The service's own two secrets: the master key that seals what the database keeps, and the pepper that API
// keys are hashed and the audit chain is keyed with. They live in files beside the database, never in it.
#pragma once

#include <stdbool.h>

#include "base/crypto.h"
#include "base/err.h"

struct keyring {
    struct seal_key master;
    uint8_t pepper[32];
    uint8_t pepper_id[8]; // first 8 bytes of its SHA-256
};

// Reads both files (32 bytes as base64 or 64 hex digits). Where create is true, a missing one is made: 0600,
// fsynced, with its directory. ERR_CONFIG with one plain line: missing, unreadable, malformed, or readable by
// others.
enum errc keyring_load(struct keyring *keyring, const char *master_key_file, const char *pepper_file,
                       bool create, struct err *err) MUST_CHECK;
// Whether those of the two files that are there could be loaded. Makes none. ERR_CONFIG.
enum errc keyring_check(const char *master_key_file, const char *pepper_file, struct err *err) MUST_CHECK;
void keyring_wipe(struct keyring *keyring);
