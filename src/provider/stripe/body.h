// The forms that Stripe is sent, as struct provider_ops describes them. Pure; any thread.
#pragma once

#include "provider/provider.h"

enum errc stripe_charge_body(const struct payment *payment, const char *customer_ref, const char *method_ref,
                             bool off_session, struct arena *arena, const char **body, struct err *err);
const char *stripe_capture_body(const struct payment *payment, int64_t amount_minor, struct arena *arena);
int64_t stripe_capture_amount(const char *body);
const char *stripe_refund_body(const struct refund *refund, const char *payment_ref, struct arena *arena);
const char *stripe_customer_body(const struct customer *customer, const char *email, const char *name,
                                 struct arena *arena);
const char *stripe_attach_body(const char *customer_ref, struct arena *arena);
const char *stripe_setup_body(const struct card *card, const char *customer_ref, struct arena *arena);
const char *stripe_confirm_body(const char *method_ref, const char *return_url, struct arena *arena);
