// The other two sides of the triangle: POST, and record how it ended. Loop thread.
#pragma once

#include "delivery/attempt.h"
#include "delivery/delivery.h"

struct sender {
    const struct delivery_options *options;
    struct retry_schedule schedule;
    void (*ended)(struct sender *sender); // one less is in flight: its merchant has room, its transaction
                                          // perhaps a next event
    bool draining;                        // nothing new is begun; what has no answer is left to its lease

    struct list sendings;   // with the client, or with the store
    struct list unrecorded; // the store failed; tried again by the timer
    struct timer record_again;
    struct delivery_stats stats;
};

// The options are kept by reference.
void sender_init(struct sender *sender, const struct delivery_options *options,
                 const struct retry_schedule *schedule, void (*ended)(struct sender *sender));
// Takes the sending, which is in no list.
void sender_send(struct sender *sender, struct sending *sending);
// The merchants of all that is in flight, one for each; `merchants` has room for as many.
size_t sender_busy(const struct sender *sender, struct uuid *merchants);
// From now on it only ends what is under way; what the store refused to record is left to its lease.
void sender_drain(struct sender *sender);
// Nothing may be under way.
void sender_release(struct sender *sender);
