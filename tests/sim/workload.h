// What merchants and payers do in a run: pay, save cards and charge them, capture, cancel, refund here and at
// Stripe's dashboard, authenticate or walk away. One thread.
#pragma once

struct saved_card;

// Sets up the merchants' Stripe credentials, and lays out the run's orders.
void workload_start(void);
// Charges a saved card, with its holder there or without him.
void workload_charge(struct saved_card *card);
