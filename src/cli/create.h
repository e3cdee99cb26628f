// Creates merchants and API keys, with their audit entries, and prints a new key.
#pragma once

#include "cli/command.h"
#include "domain/api_key.h"
#include "store/api_keys.h"
#include "store/merchants.h"

// What an operator asks for.
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

// Inserts a merchant with that name (kept by reference), and an audit entry. ERR_EXISTS if a merchant has the
// name; admins may share one.
enum errc create_merchant(struct db *db, const struct keyring *keyring, const char *name, bool is_admin,
                          struct merchant *merchant, struct err *err) MUST_CHECK;

// Inserts a key for new_key->merchant, and an audit entry. Sets row and text.
enum errc create_key(struct db *db, const struct keyring *keyring, struct arena *arena,
                     const struct key_spec *spec, struct new_key *new_key, struct err *err) MUST_CHECK;

// Prints the key; it cannot be printed again. Returns the exit status.
int new_key_print(struct command *command, const struct new_key *new_key);
