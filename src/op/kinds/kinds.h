// Every kind of operation; each is in the file of its name unless its comment names another. An operation's
// row names its kind, and the engine gets the whole list. Constant; any thread.
#pragma once

#include "op/engine/op.h"

extern const struct op_kind op_authenticate; // confirms a failed payment once more, with its payer present
extern const struct op_kind op_cancel;
extern const struct op_kind op_capture;
extern const struct op_kind op_card;       // saves a card, and creates its customer before
extern const struct op_kind op_card_keep;  // saves the card of a payment that completed
extern const struct op_kind op_card_setup; // checks a card whose payer must authenticate
extern const struct op_kind op_card_sync;  // reads a saved card after an event about it
extern const struct op_kind op_catch_up;   // imports what this database lacks of an account
extern const struct op_kind op_charge;     // charge_customer.c creates its customer before
extern const struct op_kind op_detach;     // detaches a deleted card from its customer
extern const struct op_kind op_events;     // fetches events that were not delivered
extern const struct op_kind op_refund;
extern const struct op_kind op_refund_sync; // refund.c: checks a refund that is pending at the provider
extern const struct op_kind op_refund_list; // refund_list.c: reads all refunds of a payment
extern const struct op_kind op_sync;        // checks a payment that is not finished at the provider

// All kinds, for engine_open; NULL ends the list. At a start their `start` functions run in this order.
extern const struct op_kind *const op_kinds[];
