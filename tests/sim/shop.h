// What merchants and payers do in a run: pay, save cards and charge them, capture, cancel, refund here and at
// Stripe's dashboard, authenticate or walk away. One thread.
#pragma once

struct wallet_card;

// Sets up the merchants' Stripe credentials, and lays out the run's orders.
void shop_open(void);
// Charges a saved card, with its holder there or without him.
void shop_charge(struct wallet_card *card);
