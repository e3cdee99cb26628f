// Making merchants and keys, with their audit entries, in the transaction of a command; showing a new key.
#pragma once

#include "cli/command.h"
#include "domain/api_key.h"
#include "store/api_keys.h"
#include "store/merchants.h"

struct key_spec {
    uint32_t scopes;
    bool livemode;
    const char *name;   // NULL: none
    int64_t expires_us; // 0: never
};

struct new_key {
    struct api_key row;
    struct merchant merchant;
    bool merchant_is_new;
    char text[API_KEY_CHARS + 1];
};
void new_key_wipe(struct new_key *new_key);

// A new row of that name (kept by reference), written with its audit entry. ERR_EXISTS where a merchant has
// the name already; admins may share one.
enum errc create_merchant(struct db *db, const struct keyring *keyring, const char *name, bool is_admin,
                          struct merchant *merchant, struct err *err) MUST_CHECK;

// A key for new_key->merchant, written with its audit entry. Fills in row and text.
enum errc create_key(struct db *db, const struct keyring *keyring, struct arena *arena,
                     const struct key_spec *spec, struct new_key *new_key, struct err *err) MUST_CHECK;

// Shows the key, this once. Answers the exit status.
int new_key_print(struct command *command, const struct new_key *new_key);

// For --json: the names of the scopes as an array.
struct json_object *scopes_json(uint32_t scopes);
