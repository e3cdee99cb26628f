// A limited number of slots, of which one owner may hold only a share. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_OWNER_BYTES 16 // a merchant's id, an address, or the start of a key's hash

struct slots;

// Zeroed: not reserved.
struct slot {
    struct slots *slots;
    struct slot_owner *owner;
};

// max: slots in all; share_max: of one owner.
struct slots *slots_open(size_t max, size_t share_max);
void slots_close(struct slots *slots); // freed once the last slot is released
size_t slots_reserved(const struct slots *slots);
// How many of them the owner holds.
size_t slots_reserved_of(const struct slots *slots, const uint8_t owner[SLOT_OWNER_BYTES]);

// False: no slot is free, or the owner holds its share.
bool slot_reserve(struct slots *slots, const uint8_t owner[SLOT_OWNER_BYTES], struct slot *slot);
void slot_release(struct slot *slot); // does nothing if it is not reserved
