// GET /v1/customers and GET /v1/customers/{id}. A customer is made for its first card, so customers are only
// read. They are shown once the provider has made them. One that is gone there stays listed: it explains what
// became of its cards.
#include "store/customers.h"
#include "api/api_private.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "op/state/render.h"
#include "store/cards.h"

// As many as a page of a list can have.
#define CARDS_MAX 100

static enum errc write_cards(struct tx *tx, const struct uuid *customer_id, struct json_writer *json,
                             struct err *err)
{
    DB_ROWS(rows);
    bool has = false;
    json_open_array(json, "cards");
    enum errc rc = cards_of_customer(tx->db, customer_id, CARDS_MAX, &rows, err);
    if (rc == OK) {
        rc = db_next(&rows, &has, err);
    }
    while (rc == OK && has) {
        struct card card;
        json_open_object(json, NULL);
        rc = card_read(&rows, NULL, &card, err);
        if (rc == OK) {
            rc = render_card(json, &card, &tx->keyring->master, RENDER_LIST, err);
        }
        json_close(json);
        if (rc == OK) {
            rc = db_next(&rows, &has, err);
        }
    }
    json_close(json);
    return rc;
}

enum errc customer_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct uuid id;
    struct customer customer = {0};
    enum errc rc = uuid_parse(request->param, &id) ? customer_get(tx->db, &id, request->arena, &customer, err)
                                                   : ERR_NOT_FOUND;
    const bool is_hidden =
        rc == OK && (!uuid_equal(&customer.merchant_id, &request->principal.merchant_id) ||
                     (customer.livemode && !request->principal.livemode) || customer.provider_ref == NULL);
    if (rc == ERR_NOT_FOUND || is_hidden) {
        return err_set(err, ERR_NOT_FOUND, "there is no such customer");
    }
    if (rc != OK) {
        return rc;
    }
    struct json_writer json = render_success(request->arena);
    render_customer(&json, &customer);
    rc = write_cards(tx, &customer.id, &json, err);
    if (rc == OK) {
        request_answer(request, 200, &json);
    }
    return rc;
}

void customer_list_read(struct request *request)
{
    listing_read(request, &customer_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct json_writer *json,
                            struct err *err)
{
    (void)request;
    (void)err;
    struct customer customer;
    customer_read(rows, NULL, &customer);
    render_customer(json, &customer);
    return OK;
}

enum errc customer_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
