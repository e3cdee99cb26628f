// Sends attempts and records their results: the second and third steps of a delivery (delivery.h). Loop
// thread.
#pragma once

#include "delivery/attempt.h"
#include "delivery/options.h"

struct sender {
    const struct delivery_options *options;
    struct retry_schedule schedule;
    // An attempt ended. due: an event may be due that waited for its slot, or that it made due.
    void (*ended)(struct sender *sender, bool due);
    // A damaged event was set aside.
    void (*set_aside)(struct sender *sender, const struct uuid *event_id);
    bool draining; // an attempt without an answer is left to its lease

    struct list attempts;   // with the client, or with the store
    struct list unrecorded; // the store failed; tried again by the timer
    struct timer record_again;
    struct delivery_stats stats;
};

// The options are kept by reference.
void sender_init(struct sender *sender, const struct delivery_options *options,
                 const struct retry_schedule *schedule, void (*ended)(struct sender *sender, bool due),
                 void (*set_aside)(struct sender *sender, const struct uuid *event_id));
// Takes the attempt, which is in no list and holds a slot.
void sender_send(struct sender *sender, struct attempt *attempt);
// From now on a result that the store refuses is not tried again: its event is left to its lease.
void sender_drain(struct sender *sender);
// No attempt may be in flight.
void sender_release(struct sender *sender);
