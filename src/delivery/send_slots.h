// Slots limit the deliveries in flight: of all merchants together, and of each one. An attempt takes a slot
// before its event is leased, and holds it until its result is recorded or left to the lease.
//
// Two take slots: the claim, for events that are due, and a transaction that writes an event and leases it
// at once. While the claim has merchants yet to visit, or left events for want of a slot, the second leaves
// it half of the slots. A transaction that is rolled back releases its slots like an attempt that has ended.
//
// A merchant whose last attempt failed has one slot until an attempt succeeds, and all such merchants
// together have half of the slots. So endpoints that hang until the time-out never hold the slots that the
// others need. Who fails is read from the database together with the event, so it survives a restart; here
// is only what is in flight.
//
// Any thread, under a mutex: database threads take slots, and the loop thread releases them.
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/table.h"
#include "base/uuid.h"

enum slot_take {
    SLOT_TAKEN,
    SLOT_MERCHANT_FULL, // the merchant has its share, or all that fail have theirs
    SLOT_NONE_FREE
};

struct send_slots {
    pthread_mutex_t mutex;
    int64_t max;
    int64_t merchant_max;
    int64_t taken;
    struct table merchants; // those that hold a slot
    int64_t failing_taken;  // slots of merchants whose last attempt failed
    bool failing_awaited;   // an event of one of them may be due that got no slot because those were taken
    bool open;              // for new events
    bool awaited;           // an event may be due that got no slot because none was free
};

void send_slots_init(struct send_slots *slots, int64_t max, int64_t merchant_max);
void send_slots_destroy(struct send_slots *slots); // none may be taken

// From now on new events get slots, or no longer.
void send_slots_open(struct send_slots *slots, bool open);

// For the claim. Notes who waits where it gives none. fails: the merchant's last attempt failed.
enum slot_take send_slots_take(struct send_slots *slots, const struct uuid *merchant_id, bool fails);
// For a new event whose merchant has no other one that is due.
bool send_slots_take_new(struct send_slots *slots, const struct uuid *merchant_id, bool fails);
// The merchant's attempt has failed or succeeded; before its slot is released.
void send_slots_report(struct send_slots *slots, const struct uuid *merchant_id, bool failed);
// Whether a slot of this merchant may pass to its next event without a claim: it has events that wait for a
// slot, and no other merchant needs this one.
bool send_slots_pass_on(struct send_slots *slots, const struct uuid *merchant_id);
// True: an event may be due that waits for this slot.
bool send_slots_release(struct send_slots *slots, const struct uuid *merchant_id);

// Whether a slot is free. If not, it is noted that an event may wait for one.
bool send_slots_free(struct send_slots *slots);
// The claim found no further due event of this merchant.
void send_slots_merchant_done(struct send_slots *slots, const struct uuid *merchant_id);
// Whether the claim left due events because no slot was free, or has merchants yet to visit.
void send_slots_set_awaited(struct send_slots *slots, bool awaited);

int64_t send_slots_taken(struct send_slots *slots);
