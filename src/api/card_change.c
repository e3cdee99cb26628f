// GET and DELETE /v1/payments/cards/{id} and POST /v1/payments/cards/{id}/default.
#include "op/state/card_change.h"
#include "api/api.h"
#include "api/handlers.h"
#include "base/timefmt.h"
#include "op/kinds/card.h"
#include "op/state/render.h"
#include "store/cards.h"

// A card of this merchant that is there, in a mode that the key may see.
static enum errc find_card(struct request *request, struct tx *tx, struct card *card, struct err *err)
{
    struct uuid id;
    enum errc rc = uuid_parse(request->param, &id)
                       ? card_get(tx->db, &id, &request->principal.merchant_id, request->arena, card, err)
                       : ERR_NOT_FOUND;
    bool there = card->status == CARD_ACTIVE || card->status == CARD_PENDING || card->status == CARD_FAILED;
    bool hidden = rc == OK && (!there || (card->livemode && !request->principal.livemode));
    return rc == ERR_NOT_FOUND || hidden ? err_set(err, ERR_NOT_FOUND, "there is no such saved card") : rc;
}

static enum errc answer(struct request *request, const struct card *card, struct err *err)
{
    struct json_object *data = NULL;
    enum errc rc = render_card(card, &api_options(request->api)->keyring->master, RENDER_ANSWER,
                               request->arena, &data, err);
    if (rc == OK) {
        request_answer(request, 200, data);
    }
    return rc;
}

enum errc card_get_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    return rc == OK ? answer(request, &card, err) : rc;
}

enum errc card_delete_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    if (rc == OK) {
        int64_t charge_window_us = api_options(request->api)->config->charge_window_ms * US_PER_MS;
        rc = card_delete(tx, &card, charge_window_us, err);
    }
    request->status = 200;
    request->reply = "{\"success\":true}";
    return rc;
}

enum errc card_default_work(struct request *request, struct tx *tx, struct err *err)
{
    struct card card = {0};
    enum errc rc = find_card(request, tx, &card, err);
    if (rc == OK && card.status != CARD_ACTIVE) {
        return err_set(err, ERR_CONFLICT, "the card is not active: its status is %s",
                       card_status_name(card.status));
    }
    if (rc == OK) {
        rc = card_set_default(tx, &card, err);
    }
    return rc == OK ? answer(request, &card, err) : rc;
}
