// GET /v1/payments and /v1/payments/{id}.
#include "store/payments.h"

#include "api/api.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "op/render.h"

#define PAGE_SIZE_DEFAULT 50
#define PAGE_SIZE_MAX 100
#define PAGE_MAX 1000000

enum errc payment_get_work(struct request *request, struct db *db, struct err *err)
{
    struct uuid id;
    struct payment payment = {0};
    if (!uuid_parse(request->param, &id)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such payment");
    }
    enum errc rc = payment_get(db, &id, &request->principal.merchant_id, request->arena, &payment, err);
    if (rc == ERR_NOT_FOUND || (rc == OK && payment.livemode && !request->principal.livemode)) {
        return err_set(err, ERR_NOT_FOUND, "there is no such payment");
    }
    struct json_object *data = NULL;
    if (rc == OK) {
        rc = render_payment(&payment, &api_options(request->api)->keyring->master, RENDER_ANSWER,
                            request->arena, &data, err);
    }
    if (rc == OK) {
        request_answer(request, 200, data);
    }
    return rc;
}

struct list_input {
    int64_t page;
    int64_t page_size;
};

void payment_list_read(struct request *request)
{
    static const char *const names[] = {"page", "page_size", NULL};
    struct list_input *input = ARENA_NEW(request->arena, struct list_input);
    request->input = input;
    query_only(request, names);
    input->page = query_i64(request, "page", 1, PAGE_MAX, 1);
    input->page_size = query_i64(request, "page_size", 1, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT);
}

static void answer_list(struct request *request, struct json_object *items, const struct payment_page *page)
{
    const struct list_input *input = request->input;
    struct json_object *meta = json_new_object();
    json_add_i64(meta, "page", input->page);
    json_add_i64(meta, "page_size", input->page_size);
    json_add_i64(meta, "total", page->total);
    if (page->total_exceeded) {
        json_add_bool(meta, "total_exceeded", true);
    }
    json_add(meta, "next_cursor", NULL);
    struct json_object *body JSON_CLEANUP = json_new_object();
    json_add_bool(body, "success", true);
    json_add(body, "data", items);
    json_add(body, "meta", meta);
    request->status = 200;
    request->reply = json_text(request->arena, body);
}

enum errc payment_list_work(struct request *request, struct db *db, struct err *err)
{
    const struct list_input *input = request->input;
    struct payment_query query = {
        .merchant_id = request->principal.merchant_id,
        .test_only = !request->principal.livemode,
        .offset = (input->page - 1) * input->page_size,
        .limit = input->page_size,
    };
    struct payment_page page = {0};
    enum errc rc = payment_list(db, &query, request->arena, &page, err);
    struct json_object *items JSON_CLEANUP = json_object_new_array();
    for (size_t i = 0; rc == OK && i < page.count; i++) {
        struct json_object *item = NULL;
        rc = render_payment(&page.payments[i], &api_options(request->api)->keyring->master, RENDER_LIST,
                            request->arena, &item, err);
        if (rc == OK) {
            (void)json_object_array_add(items, item);
        }
    }
    if (rc == OK) {
        answer_list(request, json_object_get(items), &page);
    }
    return rc;
}
