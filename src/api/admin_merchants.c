// GET and POST /v1/admin/merchants, and PUT /v1/admin/merchants/{id}: what createmerchant, listmerchants and
// updatemerchant do. A merchant has no mode, so a test key may not change one: live payments would stop.
#include "api/admins.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "api/listing.h"
#include "base/text.h"
#include "op/state/render.h"

const struct access_change *admin_change(struct request *request, struct tx *tx)
{
    char address[ADDRESS_TEXT_BYTES];
    address_format(&request->client, address);
    struct acting_key *by = ARENA_NEW(request->arena, struct acting_key);
    *by = (struct acting_key){.id = &request->principal.key_id,
                              .prefix = request->principal.prefix,
                              .address = arena_strdup(request->arena, address)};
    struct access_change *change = ARENA_NEW(request->arena, struct access_change);
    *change = (struct access_change){.db = tx->db,
                                     .arena = request->arena,
                                     .random = tx->random,
                                     .keyring = tx->keyring,
                                     .now_us = tx->now_us,
                                     .by = by};
    return change;
}

enum errc admin_path_id(const struct request *request, struct uuid *id, const char *missing, struct err *err)
{
    return uuid_parse(request->param, id) ? OK : err_set(err, ERR_NOT_FOUND, "%s", missing);
}

#define NO_SUCH_MERCHANT "there is no such merchant"

static void write_merchant(struct json_writer *json, const struct merchant *merchant)
{
    json_write_uuid(json, "id", &merchant->id);
    json_write_str(json, "name", merchant->name);
    json_write_str(json, "role", merchant_role(merchant));
    json_write_bool(json, "is_active", merchant->is_active);
    json_write_str(json, "webhook_url", merchant->webhook_url);
    json_write_time(json, "created_at", merchant->created_us);
    json_write_time(json, "updated_at", merchant->updated_us);
}

static void answer_merchant(struct request *request, int status, const struct merchant *merchant)
{
    struct json_writer json = render_success(request->arena);
    write_merchant(&json, merchant);
    request_answer(request, status, &json);
}

static const char *read_name(struct request *request, enum field_need need)
{
    const char *name = field_text(request, request->body, "", "name", need, 100);
    struct err err;
    if (name != NULL && access_check_merchant_name(name, &err) != OK) {
        field_error(request, "name", err.message);
    }
    return name;
}

// A name that is taken is the caller's to change.
static enum errc as_conflict(enum errc rc, struct err *err)
{
    if (rc == ERR_EXISTS) {
        err->code = ERR_CONFLICT;
    }
    return rc == ERR_EXISTS ? ERR_CONFLICT : rc;
}

// --- the list

void admin_merchants_read(struct request *request)
{
    listing_read(request, &merchant_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)err;
    struct merchant merchant = {0};
    merchant_read(rows, request->arena, &merchant);
    write_merchant(json, &merchant);
    return OK;
}

enum errc admin_merchants_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, NULL, render_row, err);
}

// --- a new one

struct create_input {
    const char *name;
    const char *role;
};

void admin_merchant_create_read(struct request *request)
{
    struct create_input *input = ARENA_NEW(request->arena, struct create_input);
    request->input = input;
    query_only(request, (const char *const[]){NULL});
    fields_only(request, request->body, "", (const char *const[]){"name", "role", NULL});
    input->name = read_name(request, FIELD_REQUIRED);
    input->role = field_text(request, request->body, "", "role", FIELD_DECIDES, 16);
    if (input->role != NULL && !text_equal(input->role, "merchant") && !text_equal(input->role, "admin")) {
        field_error(request, "role", "must be \"merchant\" or \"admin\"");
    }
    struct json_writer fields = json_writer(request->arena);
    json_open_object(&fields, NULL);
    idempotency_field(&fields, "name", input->name);
    idempotency_field(&fields, "role", text_equal(input->role, "merchant") ? NULL : input->role);
    idempotency_hash(request, &fields);
}

static enum errc render_present(struct request *request, struct tx *tx, const struct uuid *id,
                                struct json_writer *json, struct err *err)
{
    struct merchant merchant = {0};
    enum errc rc = merchant_get(tx->db, id, request->arena, &merchant, err);
    if (rc == OK) {
        write_merchant(json, &merchant);
    }
    return rc;
}

static const struct idempotent_kind merchant_kind = {.name = "merchant", .render = render_present};

enum errc admin_merchant_create_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct create_input *input = request->input;
    const bool livemode = request->principal.livemode;
    struct merchant merchant = {0};
    bool repeated = false;
    enum errc rc = idempotency_answer_repeat(request, tx, &merchant_kind, &livemode, &repeated, err);
    if (rc != OK || repeated) {
        return rc;
    }
    rc = access_create_merchant(admin_change(request, tx), input->name, text_equal(input->role, "admin"),
                                &merchant, err);
    if (rc == OK) {
        rc = idempotency_record_key(request, tx, &merchant_kind, livemode, &merchant.id, NULL, err);
    }
    if (rc == OK) {
        answer_merchant(request, 201, &merchant);
    }
    return as_conflict(rc, err);
}

// --- changing one

struct update_input {
    struct merchant_update update;
    bool is_active;
};

void admin_merchant_update_read(struct request *request)
{
    struct update_input *input = ARENA_NEW(request->arena, struct update_input);
    request->input = input;
    query_only(request, (const char *const[]){NULL});
    fields_only(request, request->body, "", (const char *const[]){"name", "is_active", NULL});
    input->update.name = read_name(request, FIELD_DECIDES);
    input->is_active = field_bool(request, request->body, "is_active", true);
    if (json_find(request->body, "is_active") != NULL) {
        input->update.is_active = &input->is_active;
    }
}

enum errc admin_merchant_update_work(struct request *request, struct tx *tx, struct err *err)
{
    const struct update_input *input = request->input;
    struct uuid id;
    enum errc rc = admin_path_id(request, &id, NO_SUCH_MERCHANT, err);
    if (rc != OK) {
        return rc;
    }
    if (!request->principal.livemode) {
        return err_set(err, ERR_FORBIDDEN, "only an admin's live API key may change a merchant");
    }
    const bool deactivates = input->update.is_active != NULL && !*input->update.is_active;
    if (deactivates && uuid_equal(&id, &request->principal.own_merchant_id)) {
        return err_set(err, ERR_CONFLICT, "an admin cannot deactivate itself: use another admin's key");
    }
    struct merchant merchant = {0};
    bool changed = false;
    rc = access_update_merchant(admin_change(request, tx), &id, &input->update, &merchant, &changed, err);
    if (rc == OK) {
        answer_merchant(request, 200, &merchant);
    }
    return as_conflict(rc, err);
}
