// Making merchants and keys, with their audit entries, in the transaction of a command; showing a new key.
#pragma once

#include "cli/command.h"
#include "domain/api_key.h"
#include "store/api_keys.h"
#include "store/merchants.h"

struct key_wish {
    uint32_t scopes;
    bool livemode;
    const char *name;   // NULL: none
    int64_t expires_us; // 0: never
};

struct issued_key {
    struct api_key row;
    struct merchant merchant;
    bool merchant_is_new;
    char text[API_KEY_CHARS + 1];
};
void issued_key_wipe(struct issued_key *issued);

// A new row of that name (kept by reference), written with its audit entry. ERR_EXISTS where a merchant has
// the name already; admins may share one.
enum errc issue_merchant(struct db *db, const struct keyring *keyring, const char *name, bool is_admin,
                         struct merchant *merchant, struct err *err) MUST_CHECK;

// A key for issued->merchant, written with its audit entry. Fills in row and text.
enum errc issue_key(struct db *db, const struct keyring *keyring, struct arena *arena,
                    const struct key_wish *wish, struct issued_key *issued, struct err *err) MUST_CHECK;

// Shows the key, this once. Answers the exit status.
int issue_print(struct command *command, const struct issued_key *issued);

// For --json: the names of the scopes as an array.
struct json_object *issue_scopes_json(uint32_t scopes);
