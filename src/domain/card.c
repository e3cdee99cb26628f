// See card.h. Pure; any thread.
#include "domain/card.h"

#include "base/require.h"
#include "base/text.h"

static const char *const names[CARD_STATUS_COUNT] = {
    [CARD_SAVING] = "saving", [CARD_PENDING] = "pending", [CARD_ACTIVE] = "active",
    [CARD_FAILED] = "failed", [CARD_GONE] = "gone",
};

const char *card_status_name(enum card_status status)
{
    REQUIRE(status < CARD_STATUS_COUNT);
    return names[status];
}

bool card_status_parse(const char *name, enum card_status *status)
{
    for (int i = 0; i < CARD_STATUS_COUNT; i++) {
        if (text_equal(name, names[i])) {
            *status = (enum card_status)i;
            return true;
        }
    }
    return false;
}
