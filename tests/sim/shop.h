// What merchants and payers do in a run: pay, save cards and charge them, capture, cancel, refund here and at
// Stripe's dashboard, authenticate or walk away. One thread.
#pragma once

// Sets up the merchants' Stripe credentials, and lays out the run's orders.
void shop_open(void);
