// What a provider answers, for tests: of a payment "pi_1" over 50.00 USD, a card "pm_1" and its setup
// "seti_1".
#pragma once

#include "provider/provider.h"

struct provider_answer answer_payment(enum provider_payment_state state);
struct provider_answer answer_action(void); // requires_action, with a URL
struct provider_answer answer_declined(void);
struct provider_answer answer_unknown(void);
struct provider_answer answer_look_up(void);
struct provider_answer answer_no_auth(void);
struct provider_answer answer_not_found(void);
// A page of a list with these payments.
struct provider_answer answer_list(struct provider_payment *payments, size_t count, const char *next_page);

struct provider_answer answer_customer(const char *customer_ref);
// A payment with the method that it was paid with, which is the customer's.
struct provider_answer answer_paid_method(const char *method_ref, const char *customer_ref,
                                          const char *fingerprint);
struct provider_answer answer_method(const char *method_ref);
struct provider_answer answer_setup(enum setup_state state);
