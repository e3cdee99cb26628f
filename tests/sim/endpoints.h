// The merchants' webhook endpoints and the events that reached them. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Receives a delivery. Its signature must be valid, and new events of a payment or card must arrive in order.
void endpoint_receive(const char *event_id, const char *timestamp, const char *signature, const char *body);
// Whether the event has arrived.
bool endpoint_has(const char *event_id);
// Visits every event that has arrived.
void endpoint_each(void (*visit)(const char *event_id));
