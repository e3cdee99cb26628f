// Slots that everybody shares, of which nobody may take more than a share. Loop thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_OWNER_BYTES 16 // a merchant's id, or an address

struct slots;

// What one holder has of them; zeroed at first.
struct slot {
    struct slots *slots; // NULL: none
    struct slot_owner *owner;
};

// So many, and so many of one owner.
struct slots *slots_open(size_t max, size_t share_max);
void slots_close(struct slots *slots); // freed once the last one is given back
size_t slots_taken(const struct slots *slots);

// False: all are taken, or the owner has its share.
bool slot_take(struct slots *slots, const uint8_t owner[SLOT_OWNER_BYTES], struct slot *slot);
void slot_give_back(struct slot *slot); // if it was taken
