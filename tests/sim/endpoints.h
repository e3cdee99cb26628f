// The merchants' endpoints: what arrived there. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// A delivery: its signature must be right, and what is new must come in the order of a payment's events.
void endpoint_receive(const char *event_id, const char *timestamp, const char *signature, const char *body);
bool endpoint_has(const char *event_id);
