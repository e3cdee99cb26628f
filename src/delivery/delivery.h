// Delivers the outbox's events: lease -> POST -> record (a transaction). A new event is leased in the
// transaction that writes it if it can be sent at once, and all others by a claim, which is a transaction of
// its own. At least once, in order within a transaction id, and no endpoint delays another. Loop thread.
#pragma once

#include "delivery/options.h"

struct delivery;

// Delivers what is open and what is added, until delivery_drain. ERR_CONFIG: the schedule is not valid.
enum errc delivery_start(const struct delivery_options *options, struct delivery **delivery,
                         struct err *err) MUST_CHECK;
// An event was appended or an endpoint changed: looks now instead of at the next sweep.
void delivery_wake(struct delivery *delivery);
// What the store must tell the delivery, from before the first event is written.
struct event_listener delivery_listener(struct delivery *delivery);
// Starts no new attempts; those in flight are recorded. True once none is in flight. A caller that cannot
// wait so long closes the HTTP client and then the store; the next process repeats attempts that had no
// answer.
bool delivery_drain(struct delivery *delivery);
// Only after delivery_drain returned true.
void delivery_free(struct delivery *delivery);

void delivery_stats(struct delivery *delivery, struct delivery_stats *stats);
