// See access_change.h. The text of a key is in struct new_key alone: the row has its HMAC.
#include "op/state/access_change.h"

#include <string.h>

#include "base/crypto.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "domain/scopes.h"
#include "store/audit.h"

#define NAME_BYTES_MAX 100
#define NAMED_MAX 50 // admins may share a name; merchants may not

enum errc access_check_name(const char *text, struct err *err)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes > NAME_BYTES_MAX) {
        return err_set(err, ERR_VALIDATION, "must be 1 to %d bytes long", NAME_BYTES_MAX);
    }
    bool clean = text_is_utf8(text, bytes);
    for (size_t i = 0; i < bytes; i++) {
        clean = clean && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    }
    return clean ? OK : err_set(err, ERR_VALIDATION, "must be UTF-8 without control characters");
}

enum errc access_check_merchant_name(const char *text, struct err *err)
{
    struct uuid id;
    return uuid_parse(text, &id) ? err_set(err, ERR_VALIDATION, "must not look like an ID")
                                 : access_check_name(text, err);
}

// --- the audit log

static struct json_writer begin_metadata(const struct access_change *change)
{
    struct json_writer metadata = json_writer(change->arena);
    json_open_object(&metadata, NULL);
    return metadata;
}

// Finishes the metadata. `prefix`: of the key that the entry is about; the key that acts goes before it.
static enum errc record(const struct access_change *change, const char *event_type, const char *severity,
                        const char *done, const struct uuid *merchant_id, const char *prefix,
                        struct json_writer *metadata, struct err *err)
{
    const struct acting_key *by = change->by;
    if (by != NULL) {
        json_write_uuid(metadata, "acting_key_id", by->id);
    }
    const struct audit_entry entry = {
        .event_type = event_type,
        .severity = severity,
        .actor_ip = by != NULL ? by->address : NULL,
        .merchant_id = merchant_id,
        .key_prefix = by != NULL ? by->prefix : prefix,
        .detail =
            arena_printf(change->arena, "%s %s", done, by != NULL ? "by an admin" : "on the command line"),
        .metadata_json = json_finish(metadata),
    };
    return audit_append(change->db, change->keyring->pepper, &entry, change->now_us, err);
}

// --- merchants

// The entry that the caller appends needs the log's lock anyway. Taken before the names are read, it also
// keeps two transactions from giving one name twice.
static enum errc check_unique(const struct access_change *change, const char *name, bool is_admin,
                              const struct uuid *own_id, struct err *err)
{
    struct merchant named[NAMED_MAX];
    size_t count = 0;
    bool more = false;
    enum errc rc = audit_lock(change->db, err);
    if (rc == OK) {
        rc = merchant_find_named(change->db, name, change->arena, named, NAMED_MAX, &count, &more, err);
    }
    for (size_t i = 0; rc == OK && i < count; i++) {
        bool is_own = own_id != NULL && uuid_equal(&named[i].id, own_id);
        if (!is_own && (!is_admin || !named[i].is_admin)) {
            char id[UUID_TEXT_BYTES];
            uuid_format(&named[i].id, id);
            return err_set(err, ERR_EXISTS, "the name \"%.100s\" is already taken by the %s %s", name,
                           named[i].is_admin ? "admin" : "merchant", id);
        }
    }
    return rc;
}

enum errc access_create_merchant(const struct access_change *change, const char *name, bool is_admin,
                                 struct merchant *merchant, struct err *err)
{
    enum errc rc = check_unique(change, name, is_admin, NULL, err);
    if (rc != OK) {
        return rc;
    }
    *merchant = (struct merchant){
        .id = uuid_new(change->random, change->now_us),
        .name = name,
        .is_admin = is_admin,
        .is_active = true,
        .created_us = change->now_us,
        .updated_us = change->now_us,
    };
    rc = merchant_insert(change->db, merchant, err);
    if (rc != OK) {
        return rc;
    }
    struct json_writer metadata = begin_metadata(change);
    json_write_str(&metadata, "name", name);
    json_write_str(&metadata, "role", merchant_role(merchant));
    return record(change, "merchant.created", "info", "made", &merchant->id, NULL, &metadata, err);
}

enum errc access_update_merchant(const struct access_change *change, const struct uuid *id,
                                 const struct merchant_update *update, struct merchant *merchant,
                                 bool *changed, struct err *err)
{
    *changed = false;
    enum errc rc = merchant_lock(change->db, id, err);
    if (rc == OK) {
        rc = merchant_get(change->db, id, change->arena, merchant, err);
    }
    if (rc != OK) {
        return rc;
    }
    struct json_writer metadata = begin_metadata(change);
    if (update->name != NULL && !text_equal(update->name, merchant->name)) {
        *changed = true;
        rc = check_unique(change, update->name, merchant->is_admin, id, err);
        json_write_str(&metadata, "name", update->name);
        json_write_str(&metadata, "name_before", merchant->name);
        merchant->name = update->name;
    }
    if (update->is_active != NULL && *update->is_active != merchant->is_active) {
        *changed = true;
        json_write_bool(&metadata, "is_active", *update->is_active);
        merchant->is_active = *update->is_active;
    }
    if (rc != OK || !*changed) {
        return rc;
    }
    merchant->updated_us = change->now_us;
    rc = merchant_update(change->db, merchant, err);
    return rc == OK ? record(change, "merchant.updated", "info", "changed", id, NULL, &metadata, err) : rc;
}

// --- API keys

void new_key_wipe(struct new_key *new_key)
{
    crypto_wipe(new_key, sizeof *new_key);
}

static enum errc record_key(const struct access_change *change, const struct api_key *key, struct err *err)
{
    struct json_writer metadata = begin_metadata(change);
    json_write_uuid(&metadata, "key_id", &key->id);
    scopes_write(&metadata, "scopes", key->scopes);
    json_write_bool(&metadata, "livemode", key->livemode);
    if (key->expires_us != 0) {
        json_write_time(&metadata, "expires_at", key->expires_us);
    }
    return record(change, "key.created", "info", "made", &key->merchant_id, key->prefix, &metadata, err);
}

enum errc access_create_key(const struct access_change *change, const struct key_spec *spec,
                            struct new_key *new_key, struct err *err)
{
    char prefix[API_KEY_PREFIX_CHARS + 1];
    api_key_make(change->random, spec->livemode, new_key->text);
    api_key_prefix(new_key->text, prefix);
    new_key->row = (struct api_key){
        .id = uuid_new(change->random, change->now_us),
        .merchant_id = new_key->merchant.id,
        .prefix = arena_strdup(change->arena, prefix),
        .scopes = spec->scopes,
        .livemode = spec->livemode,
        .name = spec->name,
        .expires_us = spec->expires_us,
        .created_us = change->now_us,
    };
    api_key_hash(change->keyring->pepper, new_key->text, new_key->row.hash);
    enum errc rc = api_key_insert(change->db, &new_key->row, err);
    return rc == OK ? record_key(change, &new_key->row, err) : rc;
}

enum errc access_revoke_key(const struct access_change *change, struct api_key *key, bool *changed,
                            struct err *err)
{
    enum errc rc = api_key_revoke(change->db, &key->id, change->now_us, changed, err);
    if (rc != OK || !*changed) {
        return rc;
    }
    key->revoked_us = change->now_us;
    struct json_writer metadata = begin_metadata(change);
    json_write_uuid(&metadata, "key_id", &key->id);
    return record(change, "key.revoked", "critical", "revoked", &key->merchant_id, key->prefix, &metadata,
                  err);
}
