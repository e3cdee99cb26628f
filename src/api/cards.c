// GET /v1/payments/cards.
#include "store/cards.h"
#include "api/api.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "op/state/render.h"

void card_list_read(struct request *request)
{
    listing_read(request, &card_listing);
}

static enum errc render_row(struct request *request, struct db_rows *rows, struct arena *arena,
                            struct json_object **item, struct err *err)
{
    struct card card = {0};
    enum errc rc = card_read(rows, arena, &card, err);
    return rc == OK ? render_card(&card, &api_options(request->api)->keyring->master, RENDER_LIST, arena,
                                  item, err)
                    : rc;
}

enum errc card_list_work(struct request *request, struct tx *tx, struct err *err)
{
    return listing_answer(request, tx, &request->principal.merchant_id, render_row, err);
}
