// See refund.h. Pure; any thread.
#include "domain/refund.h"

#include "base/require.h"
#include "base/text.h"

bool refund_can_move(enum refund_status from, enum refund_status to)
{
    static const bool moves[REFUND_STATUS_COUNT][REFUND_STATUS_COUNT] = {
        [REFUND_PENDING] = {[REFUND_COMPLETED] = true, [REFUND_FAILED] = true},
        [REFUND_COMPLETED] = {[REFUND_FAILED] = true},
    };
    REQUIRE(from < REFUND_STATUS_COUNT && to < REFUND_STATUS_COUNT);
    return moves[from][to];
}

static const char *const names[REFUND_STATUS_COUNT] = {
    [REFUND_PENDING] = "pending", [REFUND_COMPLETED] = "completed", [REFUND_FAILED] = "failed"};

const char *refund_status_name(enum refund_status status)
{
    REQUIRE(status < REFUND_STATUS_COUNT);
    return names[status];
}

bool refund_status_parse(const char *name, enum refund_status *status)
{
    for (int i = 0; i < REFUND_STATUS_COUNT; i++) {
        if (text_equal(name, names[i])) {
            *status = (enum refund_status)i;
            return true;
        }
    }
    return false;
}

bool refund_reason_known(const char *reason)
{
    return text_equal(reason, "duplicate") || text_equal(reason, "fraudulent") ||
           text_equal(reason, "requested_by_customer");
}
