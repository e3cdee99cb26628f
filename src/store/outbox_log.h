// The outbox as its merchant sees it: each event's delivery, without its body, and sending one again.
#pragma once

#include "store/listing.h"
#include "store/outbox.h"

extern const struct listing outbox_log_listing;

// The row that a query in those columns stands on, body and merchant left out. Text into the arena.
void outbox_log_read(struct db_rows *rows, struct arena *arena, struct outbox_event *event);

// ERR_NOT_FOUND: the merchant has none of this id.
enum errc outbox_log_get(struct db *db, const struct uuid *id, const struct uuid *merchant_id,
                         struct arena *arena, struct outbox_event *event, struct err *err) MUST_CHECK;

// Makes an event due now, whatever became of it and whatever stands before it; one that is being sent stays
// as it is. Where it had used its schedule up, this is one more attempt. Its merchant has an endpoint.
enum errc outbox_redeliver(struct db *db, const struct uuid *id, int64_t now_us, struct err *err) MUST_CHECK;
