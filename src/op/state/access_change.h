// Who may use the service: creates and changes merchants and API keys, each with its entry in the audit log,
// for the command line and the API alike. Database threads.
#pragma once

#include "domain/api_key.h"
#include "store/api_keys.h"
#include "store/merchants.h"
#include "store/tx.h"

// The key that acts. None acts on the command line.
struct acting_key {
    const struct uuid *id;
    const char *prefix;
    const char *address; // of the client
};

// One change: the transaction that it is a part of, and who makes it.
struct access_change {
    struct db *db;
    struct arena *arena; // what is read and made lives as long as it
    struct random *random;
    const struct keyring *keyring;
    int64_t now_us;
    const struct acting_key *by; // NULL: the command line
};

// 1 to 100 bytes of UTF-8 without control characters. ERR_VALIDATION, with a message that goes on after the
// field's name: "must be ...".
enum errc access_check_name(const char *text, struct err *err) MUST_CHECK;
// The same for a merchant, which people name by its name or its id.
enum errc access_check_merchant_name(const char *text, struct err *err) MUST_CHECK;

// Inserts a merchant with that name (kept by reference). ERR_EXISTS if a merchant has the name; admins may
// share one.
enum errc access_create_merchant(const struct access_change *change, const char *name, bool is_admin,
                                 struct merchant *merchant, struct err *err) MUST_CHECK;

struct merchant_update {
    const char *name;      // NULL: it stays
    const bool *is_active; // NULL: it stays
};
// Locks the merchant, changes it, and reads it into *merchant. *changed is false, and the log has no entry,
// if it was so already. ERR_NOT_FOUND; ERR_EXISTS as above.
enum errc access_update_merchant(const struct access_change *change, const struct uuid *id,
                                 const struct merchant_update *update, struct merchant *merchant,
                                 bool *changed, struct err *err) MUST_CHECK;

// What is asked of a new key.
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
    char text[API_KEY_CHARS + 1]; // stored nowhere
};
void new_key_wipe(struct new_key *new_key);

// Inserts a key for new_key->merchant. Sets row and text.
enum errc access_create_key(const struct access_change *change, const struct key_spec *spec,
                            struct new_key *new_key, struct err *err) MUST_CHECK;

// Revokes the key and sets its revoked_us. *changed is false, and the log has no entry, if it was revoked
// already.
enum errc access_revoke_key(const struct access_change *change, struct api_key *key, bool *changed,
                            struct err *err) MUST_CHECK;
