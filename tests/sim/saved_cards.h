// The cards that shops save in a run: what the payers do about them, and what a shop may rely on. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "client.h"

// When the card's bank asks for its holder.
enum challenge {
    CHALLENGE_NEVER,
    CHALLENGE_ON_SESSION,   // not for a charge without him
    CHALLENGE_UNTIL_SET_UP, // not for such a charge once he has authenticated
    CHALLENGE_ALWAYS,
};

struct saved_card_kind {
    const char *method;
    enum challenge challenge;
    bool declines; // every charge
};

struct saved_card {
    char id[UUID_TEXT_BYTES];
    int merchant;
    const struct saved_card_kind *kind;
    int payer;                // whose it is
    bool was_pending;         // it was pending as the shop learned of it
    int64_t authenticated_us; // when its holder first authenticated, here or for a charge; 0: not yet
    bool deletion_sent;       // it may be gone
    int64_t deleted_us;       // when its deletion was answered; 0: it was not
    bool fetched;             // wallet_look asked for it
    char shown_status[16];    // the status that it was shown with last; empty: none since then
};

struct saved_card_charge {
    const struct saved_card *card;
    const struct client_request *request;
    bool off_session;
    int64_t placed_us;
};

// Lays out the cards that a merchant saves.
void saved_cards_start(int merchant);
// Each card is charged once more, within some minutes.
void saved_cards_charge_all(void);
// Each card is asked for once more.
void saved_cards_fetch_all(void);
// Some card of the merchant's. NULL: it has none.
struct saved_card *saved_cards_pick(int merchant);
// Whether its customer was deleted at Stripe's dashboard, so that it may be gone.
bool saved_card_lost_customer(const struct saved_card *card);
// NULL: there is none of that id.
struct saved_card *saved_cards_find(const char *id);
void saved_card_authenticated(struct saved_card *card);
// An order that charges it was placed; it was answered 2xx.
void saved_cards_add_charge(const struct saved_card *card, const struct client_request *request,
                            bool off_session);
void saved_cards_check_charge(const struct client_request *request);
void saved_cards_each(void (*visit)(const struct saved_card *card));
void saved_cards_each_charge(void (*visit)(const struct saved_card_charge *charge));
