// The cards that shops save in a run: what the payers do about them, and what a shop may rely on. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "orders.h"

// When the card's bank asks for its holder.
enum asking {
    ASKS_NEVER,
    ASKS_ON_SESSION,   // not for a charge without him
    ASKS_UNTIL_SET_UP, // not for such a charge once he has authenticated
    ASKS_ALWAYS,
};

struct wallet_kind {
    const char *method;
    enum asking asking;
    bool declines; // every charge
};

struct wallet_card {
    char id[UUID_TEXT_BYTES];
    int merchant;
    const struct wallet_kind *kind;
    int payer;          // whose it is
    bool waited;        // it was pending as the shop learned of it
    int64_t passed_us;  // when its holder first authenticated, here or for a charge; 0: not yet
    bool deletion_sent; // it may be gone
    int64_t deleted_us; // when its deletion was answered; 0: it was not
    bool looked;        // wallet_look asked for it
    char shown[16];     // the status that it was shown with last; empty: none since then
};

struct wallet_charge {
    const struct wallet_card *card;
    const struct order *order;
    bool off_session;
    int64_t placed_us;
};

// Lays out the cards that a merchant saves.
void wallet_open(int merchant);
// Each card is charged once more, within some minutes.
void wallet_charge_all(void);
// Each card is asked for once more.
void wallet_look(void);
// Some card of the merchant's. NULL: it has none.
struct wallet_card *wallet_pick(int merchant);
// Whether its customer was deleted at Stripe's dashboard, so that it may be gone.
bool wallet_was_forgotten(const struct wallet_card *card);
// NULL: there is none of that id.
struct wallet_card *wallet_find(const char *id);
void wallet_passed(struct wallet_card *card);
// An order that charges it was placed; it was answered 2xx.
void wallet_charge_placed(const struct wallet_card *card, const struct order *order, bool off_session);
void wallet_charge_answered(const struct order *order);
void wallet_each(void (*visit)(const struct wallet_card *card));
void wallet_each_charge(void (*visit)(const struct wallet_charge *charge));
