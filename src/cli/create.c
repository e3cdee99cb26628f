// The only place that creates merchants and keys. The text of a key goes to stdout and is stored nowhere.
#include "cli/create.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/json_writer.h"
#include "base/timefmt.h"
#include "cli/key_print.h"
#include "domain/scopes.h"
#include "store/audit.h"

#define NAMED_MAX 50 // admins may share a name; merchants may not

void new_key_wipe(struct new_key *new_key)
{
    crypto_wipe(new_key, sizeof *new_key);
}

static enum errc check_unique(struct db *db, const char *name, bool is_admin, struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct merchant named[NAMED_MAX];
    size_t count = 0;
    bool more = false;
    enum errc rc = merchant_find_named(db, name, &arena, named, NAMED_MAX, &count, &more, err);
    for (size_t i = 0; rc == OK && i < count; i++) {
        if (!is_admin || !named[i].is_admin) {
            char id[UUID_TEXT_BYTES];
            uuid_format(&named[i].id, id);
            return err_set(err, ERR_EXISTS, "the name \"%.100s\" is already taken by the %s %s", name,
                           named[i].is_admin ? "admin" : "merchant", id);
        }
    }
    return rc;
}

enum errc create_merchant(struct db *db, const struct keyring *keyring, const char *name, bool is_admin,
                          struct merchant *merchant, struct err *err)
{
    enum errc rc = check_unique(db, name, is_admin, err);
    if (rc != OK) {
        return rc;
    }
    int64_t now_us = command_now_us();
    *merchant = (struct merchant){
        .id = uuid_new(&random_system, now_us),
        .name = name,
        .is_admin = is_admin,
        .is_active = true,
        .created_us = now_us,
        .updated_us = now_us,
    };
    rc = merchant_insert(db, merchant, err);
    if (rc != OK) {
        return rc;
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer metadata = json_writer(&arena);
    json_open_object(&metadata, NULL);
    json_write_str(&metadata, "name", name);
    json_write_str(&metadata, "role", is_admin ? "admin" : "merchant");
    const struct audit_entry entry = {
        .event_type = "merchant.created",
        .severity = "info",
        .merchant_id = &merchant->id,
        .detail = "made on the command line",
        .metadata_json = json_finish(&metadata),
    };
    return audit_append(db, keyring->pepper, &entry, now_us, err);
}

static enum errc audit_key(struct db *db, const struct keyring *keyring, const struct api_key *key,
                           struct err *err)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct json_writer metadata = json_writer(&arena);
    json_open_object(&metadata, NULL);
    char id[UUID_TEXT_BYTES];
    uuid_format(&key->id, id);
    json_write_str(&metadata, "key_id", id);
    scopes_write(&metadata, key->scopes);
    json_write_bool(&metadata, "livemode", key->livemode);
    if (key->expires_us != 0) {
        char expires[TIME_TEXT_BYTES];
        time_format(key->expires_us, expires);
        json_write_str(&metadata, "expires_at", expires);
    }
    const struct audit_entry entry = {
        .event_type = "key.created",
        .severity = "info",
        .merchant_id = &key->merchant_id,
        .key_prefix = key->prefix,
        .detail = "made on the command line",
        .metadata_json = json_finish(&metadata),
    };
    return audit_append(db, keyring->pepper, &entry, key->created_us, err);
}

enum errc create_key(struct db *db, const struct keyring *keyring, struct arena *arena,
                     const struct key_spec *spec, struct new_key *new_key, struct err *err)
{
    int64_t now_us = command_now_us();
    char prefix[API_KEY_PREFIX_CHARS + 1];
    api_key_make(&random_system, spec->livemode, new_key->text);
    api_key_prefix(new_key->text, prefix);
    new_key->row = (struct api_key){
        .id = uuid_new(&random_system, now_us),
        .merchant_id = new_key->merchant.id,
        .prefix = arena_strdup(arena, prefix),
        .scopes = spec->scopes,
        .livemode = spec->livemode,
        .name = spec->name,
        .expires_us = spec->expires_us,
        .created_us = now_us,
    };
    api_key_hash(keyring->pepper, new_key->text, new_key->row.hash);
    enum errc rc = api_key_insert(db, &new_key->row, err);
    return rc != OK ? rc : audit_key(db, keyring, &new_key->row, err);
}

static void print_json(struct command *command, const struct new_key *new_key, const char *id,
                       const char *merchant_id, const char *expires)
{
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_str(&answer, "id", id);
    json_write_str(&answer, "key", new_key->text);
    json_write_str(&answer, "prefix", new_key->row.prefix);
    scopes_write(&answer, new_key->row.scopes);
    json_write_str(&answer, "mode", new_key->row.livemode ? "live" : "test");
    json_write_str(&answer, "name", new_key->row.name);
    json_write_str(&answer, "expires_at", expires);
    json_write_str(&answer, "merchant_id", merchant_id);
    (void)puts(json_finish(&answer));
}

static void print_text(struct command *command, const struct new_key *new_key, const char *id,
                       const char *merchant_id, const char *expires)
{
    const struct merchant *merchant = &new_key->merchant;
    (void)printf("API key (%s mode) for the %s%s \"%s\":\n\n    %s\n\n",
                 new_key->row.livemode ? "live" : "test", new_key->merchant_is_new ? "new " : "",
                 merchant->is_admin ? "admin" : "merchant", merchant->name, new_key->text);
    (void)printf("Copy it now: it is shown only once and cannot be recovered.\n\n");
    (void)printf("id        %s\nmerchant  %s\nscopes    %s\nexpires   %s\n", id, merchant_id,
                 scopes_format(&command->arena, new_key->row.scopes), expires ? expires : "never");
    if (new_key->row.name != NULL) {
        (void)printf("name      %s\n", new_key->row.name);
    }
}

int new_key_print(struct command *command, const struct new_key *new_key)
{
    char id[UUID_TEXT_BYTES];
    char merchant_id[UUID_TEXT_BYTES];
    char expires[TIME_TEXT_BYTES];
    uuid_format(&new_key->row.id, id);
    uuid_format(&new_key->merchant.id, merchant_id);
    if (new_key->row.expires_us != 0) {
        time_format(new_key->row.expires_us, expires);
    }
    (command->json ? print_json : print_text)(command, new_key, id, merchant_id,
                                              new_key->row.expires_us != 0 ? expires : NULL);
    if (fflush(stdout) != 0) {
        struct err err;
        (void)err_set(
            &err, ERR_IO,
            "the key was created but could not be printed: revoke it (revokeapikey %s) and create another",
            id);
        return command_fail(&err);
    }
    return 0;
}
