// Events for merchants. Database threads.
#pragma once

#include "base/json_writer.h"
#include "store/outbox.h"
#include "store/tx.h"

// An event that is being written: {"id","type","created_at","data":{...}}.
struct emission {
    struct outbox_next next;
    struct outbox_event event;
    struct json_writer json; // at the members of data
};

// Begins an event for the merchant's endpoint. transaction: the payment or card that the event is about,
// whose events are delivered in order; NULL: none.
enum errc emit_begin(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                     const struct uuid *transaction, const char *type, struct emission *emission,
                     struct err *err) MUST_CHECK;
// Writes it to the outbox, once its data is written. An event that is begun may be left without this.
enum errc emit_finish(struct tx *tx, struct emission *emission, struct err *err) MUST_CHECK;
