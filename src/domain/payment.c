// The table of moves that a payment may make, and the names of its states. There are no other moves. Pure;
// any thread.
#include "domain/payment.h"

#include <stddef.h>
#include <string.h>

#include "base/require.h"

struct move_row {
    enum payment_status from;
    enum payment_move move;
    enum payment_status to;
};

// failed -> completed: the provider says so later, and money that moved counts.
// failed -> pending: the payer is present now, and the provider has confirmed the payment once more.
// refunded -> completed: a completed refund failed later, which card refunds may do for weeks.
static const struct move_row moves[] = {
    {PAYMENT_PENDING, MOVE_COMPLETE, PAYMENT_COMPLETED},
    {PAYMENT_PENDING, MOVE_FAIL, PAYMENT_FAILED},
    {PAYMENT_FAILED, MOVE_COMPLETE, PAYMENT_COMPLETED},
    {PAYMENT_FAILED, MOVE_REOPEN, PAYMENT_PENDING},
    {PAYMENT_COMPLETED, MOVE_REFUND_WHOLE, PAYMENT_REFUNDED},
    {PAYMENT_REFUNDED, MOVE_REFUND_UNDONE, PAYMENT_COMPLETED},
};

bool payment_can_move(enum payment_status status, enum payment_move move, enum payment_status *to)
{
    REQUIRE((unsigned)status < PAYMENT_STATUS_COUNT && (unsigned)move < PAYMENT_MOVE_COUNT);
    for (size_t i = 0; i < COUNT_OF(moves); i++) {
        if (moves[i].from == status && moves[i].move == move) {
            *to = moves[i].to;
            return true;
        }
    }
    return false;
}

static const char *const status_names[] = {
    [PAYMENT_PENDING] = "pending",
    [PAYMENT_COMPLETED] = "completed",
    [PAYMENT_FAILED] = "failed",
    [PAYMENT_REFUNDED] = "refunded",
};
_Static_assert(COUNT_OF(status_names) == PAYMENT_STATUS_COUNT, "every status has a name");

const char *payment_status_name(enum payment_status status)
{
    REQUIRE((unsigned)status < PAYMENT_STATUS_COUNT);
    return status_names[status];
}

bool payment_status_parse(const char *name, enum payment_status *status)
{
    for (size_t i = 0; i < COUNT_OF(status_names); i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status = (enum payment_status)i;
            return true;
        }
    }
    return false;
}

const char *next_action_name(enum next_action_type type)
{
    switch (type) {
    case NEXT_ACTION_NONE:
        return NULL;
    case NEXT_ACTION_REDIRECT:
        return "redirect_to_url";
    case NEXT_ACTION_SDK:
        return "use_stripe_sdk";
    }
    require_failed("a next action has a name", __FILE__, __LINE__);
}

enum next_action_type next_action_of_name(const char *name)
{
    for (int type = NEXT_ACTION_REDIRECT; name != NULL && type <= NEXT_ACTION_SDK; type++) {
        if (strcmp(name, next_action_name(type)) == 0) {
            return (enum next_action_type)type;
        }
    }
    return NEXT_ACTION_NONE;
}
