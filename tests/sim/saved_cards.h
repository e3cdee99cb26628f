// The cards that merchants save in a run: what their payers do, and what merchants may rely on. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "client.h"

// When the card's bank asks its holder to authenticate. For a charge off session nobody is there to do so.
enum challenge {
    CHALLENGE_NEVER,
    CHALLENGE_ON_SESSION,   // not for a charge off session
    CHALLENGE_UNTIL_SET_UP, // not for a charge off session once the holder has authenticated
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
    int payer;                // index of its holder
    bool was_pending;         // it was pending when the merchant first saw it
    int64_t authenticated_us; // when its holder first authenticated, for any purpose; 0: not yet
    bool deletion_sent;       // so it may be gone
    int64_t deleted_us;       // when the deletion was answered; 0: not yet
    bool fetched;             // saved_cards_fetch_all fetched it
    char shown_status[16];    // the status in the latest answer; empty: none since saved_cards_fetch_all
};

struct saved_card_charge {
    const struct saved_card *card;
    const struct client_request *request;
    bool off_session;
    int64_t placed_us;
};

// Schedules the requests that save a merchant's cards. `charge` charges a card, with or without its holder.
void saved_cards_start(int merchant, void (*charge)(struct saved_card *card));
// Charges each card once more, within 10 minutes.
void saved_cards_charge_all(void);
// Fetches each card once more.
void saved_cards_fetch_all(void);
// A random card of the merchant. NULL: it has none.
struct saved_card *saved_cards_pick(int merchant);
// Whether its customer was deleted at Stripe's dashboard, so the card may be gone.
bool saved_card_lost_customer(const struct saved_card *card);
// NULL: there is no card with this id.
struct saved_card *saved_cards_find(const char *id);
// The holder has authenticated.
void saved_card_authenticated(struct saved_card *card);
// Records that a request which charges the card was sent.
void saved_cards_add_charge(const struct saved_card *card, const struct client_request *request,
                            bool off_session);
// Checks, when such a request was answered 2xx, that the card could be charged.
void saved_cards_check_charge(const struct client_request *request);
void saved_cards_each(void (*visit)(const struct saved_card *card));
void saved_cards_each_charge(void (*visit)(const struct saved_card_charge *charge));
