// See kinds.h.
#include "op/kinds/kinds.h"

#include <stddef.h>

const struct op_kind *const op_kinds[] = {
    &op_charge,       &op_sync,     &op_cancel,     &op_capture,   &op_refund,    &op_refund_list,
    &op_refund_sync,  &op_card,     &op_card_setup, &op_card_keep, &op_card_sync, &op_detach,
    &op_authenticate, &op_catch_up, &op_events,     NULL,
};
