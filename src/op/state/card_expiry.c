// Tells a merchant, from the first day of a card's last month, that the card expires: once for each expiry,
// which the row keeps, so that neither a restart nor a clock that is set back tells it again. Cards are taken
// a few at a time. Database thread.
#include "base/timefmt.h"
#include "op/kinds/card.h"
#include "store/cards.h"

#define CARDS_MAX 100

enum errc card_emit_expiring(struct tx *tx, struct err *err)
{
    struct card *cards = arena_alloc(tx->arena, CARDS_MAX * sizeof(*cards));
    size_t count = 0;
    enum errc rc = cards_expiring(tx->db, time_month(tx->now_us), tx->arena, cards, CARDS_MAX, &count, err);
    for (size_t i = 0; rc == OK && i < count; i++) {
        rc = card_emit(tx, &cards[i], "card.expiring", err);
        if (rc == OK) {
            rc = card_expiring_told(tx->db, &cards[i], err);
        }
    }
    return rc;
}
