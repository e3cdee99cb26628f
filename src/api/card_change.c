// DELETE /v1/payments/cards/{id} and POST /v1/payments/cards/{id}/default.
#include "api/api.h"
#include "api/handlers.h"
#include "base/timefmt.h"
#include "op/card.h"
#include "op/render.h"
#include "store/cards.h"

// An active card of this merchant, in a mode that the key may see.
static enum errc find_card(struct request *request, struct db *db, struct card *card, struct err *err)
{
    struct uuid id;
    enum errc rc = uuid_parse(request->param, &id)
                       ? card_get(db, &id, &request->principal.merchant_id, request->arena, card, err)
                       : ERR_NOT_FOUND;
    bool hidden =
        rc == OK && (card->status != CARD_ACTIVE || (card->livemode && !request->principal.livemode));
    return rc == ERR_NOT_FOUND || hidden ? err_set(err, ERR_NOT_FOUND, "there is no such saved card") : rc;
}

enum errc card_delete_work(struct request *request, struct db *db, struct err *err)
{
    struct card card = {0};
    struct change change = request_change(request);
    enum errc rc = find_card(request, db, &card, err);
    if (rc == OK) {
        int64_t charge_window_us = api_options(request->api)->config->charge_window_ms * US_PER_MS;
        rc = card_delete(db, &change, &card, charge_window_us, err);
    }
    request->owed = change.owed;
    request->status = 200;
    request->reply = "{\"success\":true}";
    return rc;
}

enum errc card_default_work(struct request *request, struct db *db, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, db, &card, err);
    if (rc == OK) {
        rc = card_make_default(db, &card, request->now_us, err);
    }
    if (rc == OK) {
        card.is_default = true;
        request_answer(request, 200, render_card(&card));
    }
    return rc;
}
