// Sends attempts and records their results: the second and third steps of a delivery (delivery.h). Loop
// thread.
#pragma once

#include "delivery/attempt.h"
#include "delivery/options.h"

struct sender {
    const struct delivery_options *options;
    struct retry_schedule schedule;
    void (*ended)(struct sender *sender); // an attempt ended: its merchant has room for another, and its
                                          // transaction may have a next event
    bool draining;                        // an attempt without an answer is left to its lease

    struct list attempts;   // with the client, or with the store
    struct list unrecorded; // the store failed; tried again by the timer
    struct timer record_again;
    struct delivery_stats stats;
};

// The options are kept by reference.
void sender_init(struct sender *sender, const struct delivery_options *options,
                 const struct retry_schedule *schedule, void (*ended)(struct sender *sender));
// Takes the attempt, which is in no list.
void sender_send(struct sender *sender, struct attempt *attempt);
// Writes the merchant of each attempt in flight to `merchants`, which has room for all, and returns their
// number.
size_t sender_busy(const struct sender *sender, struct uuid *merchants);
// From now on a result that the store refuses is not tried again: its event is left to its lease.
void sender_drain(struct sender *sender);
// No attempt may be in flight.
void sender_release(struct sender *sender);
