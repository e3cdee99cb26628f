// GET and POST /v1/admin/api-keys, and POST /v1/admin/api-keys/{id}/revoke: what createapikey, listapikeys
// and revokeapikey do. A key gives no more than it has: its scopes, and the modes that it sees. The text of a
// new key is in the answer that made it, and is stored nowhere: see docs/decisions/admins-over-http.md.
#include "api/admins.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "api/listing.h"
#include "base/timefmt.h"
#include "domain/scopes.h"
#include "op/state/render.h"

#define NO_SUCH_KEY "there is no such API key"

static void write_key(const struct request *request, struct json_writer *json,
                      const struct api_key_shown *shown)
{
    const struct api_key *key = &shown->key;
    json_write_uuid(json, "id", &key->id);
    json_write_uuid(json, "merchant_id", &key->merchant_id);
    json_write_str(json, "prefix", key->prefix);
    json_write_str(json, "name", key->name);
    scopes_write(json, "scopes", key->scopes);
    json_write_bool(json, "livemode", key->livemode);
    json_write_str(json, "state", api_key_state(key, shown->merchant_active, request->now_us));
    json_write_time_or_null(json, "expires_at", key->expires_us);
    json_write_time_or_null(json, "revoked_at", key->revoked_us);
    json_write_time_or_null(json, "last_used_at", shown->used_us);
    json_write_time(json, "created_at", key->created_us);
}

// --- the list

void admin_keys_read(struct request *request)
{
    listing_read(request, &api_key_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)err;
    struct api_key_shown shown = {0};
    api_key_read(rows, request->arena, &shown);
    write_key(request, json, &shown);
    return OK;
}

enum errc admin_keys_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, NULL, render_row, err);
}

// --- a new one

struct create_input {
    struct uuid merchant_id;
    struct key_spec spec;
};

static uint32_t read_scopes(struct request *request)
{
    const struct json_value *list = json_find(request->body, "scopes");
    uint32_t scopes = 0;
    if (list == NULL) {
        field_error(request, "scopes", "is required");
        return 0;
    }
    if (!json_is(list, JSON_ARRAY) || json_first(list) == NULL) {
        field_error(request, "scopes", "must be an array of at least one scope");
        return 0;
    }
    for (const struct json_value *each = json_first(list); each != NULL; each = json_next(list, each)) {
        uint32_t scope = 0;
        struct err err;
        if (!json_is(each, JSON_STRING)) {
            field_error(request, "scopes", "must be an array of strings");
        } else if (scope_parse(each->text, &scope, &err) != OK) {
            field_error(request, "scopes", err.message);
        }
        scopes |= scope;
    }
    return scopes;
}

static int64_t read_expiry(struct request *request)
{
    const char *text = field_text(request, request->body, "", "expires_at", FIELD_OPTIONAL, 64);
    int64_t expires_us = 0;
    struct err err;
    if (text != NULL && time_parse(text, &expires_us, &err) != OK) {
        field_error(request, "expires_at", err.message);
    }
    return expires_us;
}

static void hash_request(struct request *request, const struct create_input *input)
{
    const struct key_spec *spec = &input->spec;
    struct json_writer fields = json_writer(request->arena);
    json_open_object(&fields, NULL);
    json_write_uuid(&fields, "merchant_id", &input->merchant_id);
    scopes_write(&fields, "scopes", spec->scopes);
    json_write_bool(&fields, "livemode", spec->livemode);
    idempotency_field(&fields, "name", spec->name);
    if (spec->expires_us != 0) {
        json_write_i64(&fields, "expires_us", spec->expires_us);
    }
    idempotency_hash(request, &fields);
}

void admin_key_create_read(struct request *request)
{
    static const char *const names[] = {"merchant_id", "scopes", "livemode", "name", "expires_at", NULL};
    struct create_input *input = ARENA_NEW(request->arena, struct create_input);
    request->input = input;
    query_only(request, (const char *const[]){NULL});
    fields_only(request, request->body, "", names);
    const char *merchant_id = field_text(request, request->body, "", "merchant_id", FIELD_REQUIRED, 64);
    if (merchant_id != NULL && !uuid_parse(merchant_id, &input->merchant_id)) {
        field_error(request, "merchant_id", "must be a UUID");
    }
    input->spec.scopes = read_scopes(request);
    input->spec.livemode = field_bool(request, request->body, "livemode", false);
    if (json_find(request->body, "livemode") == NULL) {
        field_error(request, "livemode", "is required");
    }
    input->spec.name = field_text(request, request->body, "", "name", FIELD_OPTIONAL, 100);
    struct err err;
    if (input->spec.name != NULL && access_check_name(input->spec.name, &err) != OK) {
        field_error(request, "name", err.message);
    }
    input->spec.expires_us = read_expiry(request);
    hash_request(request, input);
}

// The key was shown before.
static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_writer *json, struct err *err)
{
    struct api_key_shown shown = {0};
    enum errc rc = api_key_show(tx->db, id, request->arena, &shown, err);
    if (rc == OK) {
        write_key(request, json, &shown);
        json_write_null(json, "key");
    }
    return rc;
}

static const struct idempotent_kind key_kind = {.name = "api_key", .render = render_present};

// Whether the key that acts may give this.
static enum errc check_given(struct request *request, const struct key_spec *spec, struct err *err)
{
    const uint32_t lacking = spec->scopes & ~request->principal.scopes;
    if (lacking != 0) {
        return err_set(err, ERR_FORBIDDEN, "this API key lacks %s, so it cannot give it to another key",
                       scopes_format(request->arena, lacking));
    }
    if (spec->livemode && !request->principal.livemode) {
        return err_set(err, ERR_FORBIDDEN, "a test key can only make test keys");
    }
    if (spec->expires_us != 0 && spec->expires_us <= request->now_us) {
        field_error(request, "expires_at", "must be in the future");
        return err_set(err, ERR_VALIDATION, "the request's fields");
    }
    return OK;
}

enum errc admin_key_create_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct create_input *input = request->input;
    const bool livemode = request->principal.livemode;
    bool repeated = false;
    enum errc rc = idempotency_answer_repeat(request, tx, &key_kind, &livemode, &repeated, err);
    if (rc != OK || repeated) {
        return rc;
    }
    rc = check_given(request, &input->spec, err);
    struct new_key *made = ARENA_NEW(request->arena, struct new_key);
    if (rc == OK) {
        rc = merchant_get(tx->db, &input->merchant_id, request->arena, &made->merchant, err);
    }
    if (rc == OK) {
        rc = access_create_key(admin_change(request, tx), &input->spec, made, err);
    }
    if (rc == OK) {
        rc = idempotency_record_key(request, tx, &key_kind, livemode, &made->row.id, NULL, err);
    }
    if (rc == OK) {
        const struct api_key_shown shown = {.key = made->row, .merchant_active = made->merchant.is_active};
        struct json_writer json = render_success(request->arena);
        write_key(request, &json, &shown);
        json_write_str(&json, "key", made->text);
        request_answer(request, 201, &json);
    }
    new_key_wipe(made);
    return rc;
}

// --- revoking one

void admin_key_revoke_read(struct request *request)
{
    query_only(request, (const char *const[]){NULL});
}

enum errc admin_key_revoke_work(struct request *request, struct tx *tx, struct err *err)
{
    struct uuid id;
    struct api_key_shown shown = {0};
    bool changed = false;
    enum errc rc = admin_path_id(request, &id, NO_SUCH_KEY, err);
    if (rc == OK) {
        rc = api_key_show(tx->db, &id, request->arena, &shown, err);
    }
    if (rc == OK && shown.key.livemode && !request->principal.livemode) {
        return err_set(err, ERR_NOT_FOUND, NO_SUCH_KEY);
    }
    if (rc == OK && uuid_equal(&id, &request->principal.key_id)) {
        return err_set(err, ERR_CONFLICT, "an API key cannot revoke itself: use another admin's key");
    }
    if (rc == OK) {
        rc = access_revoke_key(admin_change(request, tx), &shown.key, &changed, err);
    }
    if (rc == OK) {
        struct json_writer json = render_success(request->arena);
        write_key(request, &json, &shown);
        request_answer(request, 200, &json);
    }
    return rc;
}
