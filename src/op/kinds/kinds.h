// Every kind of operation, by the file that it is in. An operation's row names its kind; the engine gets the
// whole list.
#pragma once

#include "op/engine/op.h"

extern const struct op_kind op_authenticate; // brings a failed payment back to its payer
extern const struct op_kind op_cancel;
extern const struct op_kind op_capture;
extern const struct op_kind op_card;       // saves a card, and makes its customer before
extern const struct op_kind op_card_keep;  // saves the card of a payment that completed
extern const struct op_kind op_card_setup; // checks a card whose payer has to authenticate
extern const struct op_kind op_card_sync;  // reads a saved card that an event told of
extern const struct op_kind op_catch_up;   // of credentials: asks for what this database lacks
extern const struct op_kind op_charge;     // charge_customer.c makes its customer before
extern const struct op_kind op_detach;     // takes a deleted card from its customer
extern const struct op_kind op_events;     // of credentials: asks for events that did not come
extern const struct op_kind op_refund;
extern const struct op_kind op_refund_sync; // refund.c: checks a refund that is pending at the provider
extern const struct op_kind op_refund_list; // refund_list.c: reads all refunds of a payment
extern const struct op_kind op_sync;        // checks a payment that is not finished at the provider

// All of them, for engine_open. What starts first comes first.
extern const struct op_kind *const op_kinds[];
