// Prints API keys. Only a new one is printed whole.
#include "cli/key_print.h"

#include <stdio.h>

#include "base/timefmt.h"
#include "domain/scopes.h"

void key_write(struct json_writer *json, const struct api_key *key, const struct merchant *merchant,
               int64_t now_us)
{
    json_write_uuid(json, "id", &key->id);
    json_write_str(json, "prefix", key->prefix);
    json_write_uuid(json, "merchant_id", &key->merchant_id);
    json_write_str(json, "merchant", merchant->name);
    scopes_write(json, "scopes", key->scopes);
    json_write_str(json, "mode", key->livemode ? "live" : "test");
    json_write_str(json, "name", key->name);
    json_write_str(json, "state", api_key_state(key, merchant->is_active, now_us));
    json_write_time_or_null(json, "expires_at", key->expires_us);
    json_write_time_or_null(json, "revoked_at", key->revoked_us);
    json_write_time_or_null(json, "created_at", key->created_us);
}

// --- a new key

static void print_json(struct command *command, const struct new_key *new_key, const char *id,
                       const char *merchant_id, const char *expires)
{
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_str(&answer, "id", id);
    json_write_str(&answer, "key", new_key->text);
    json_write_str(&answer, "prefix", new_key->row.prefix);
    scopes_write(&answer, "scopes", new_key->row.scopes);
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
