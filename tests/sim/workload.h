// What merchants and payers do in a run: pay, save cards and charge them, capture, cancel, refund here and at
// Stripe's dashboard, authenticate or abandon the payment. One thread.
#pragma once

// Sets the merchants' Stripe credentials and schedules all requests of the run.
void workload_start(void);
