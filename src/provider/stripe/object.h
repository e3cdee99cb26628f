// Stripe's objects in neutral terms. JSON is untrusted; text is copied into the arena. Pure; any thread.
#pragma once

#include "base/json_reader.h"
#include "provider/provider.h"

// The metadata that holds a struct request_mark, beside payment_id, refund_id and merchant_id. A merchant's
// own metadata may not have these names.
#define STRIPE_MARK_KEY "paymentsd_key"
#define STRIPE_MARK_HASH "paymentsd_hash"

// An error object of Stripe's: nothing in it may hold a secret. All NULL where there is none.
struct failure stripe_failure_read(const struct json_value *error, struct arena *arena);
// A PaymentIntent object to neutral terms. False where it is not one (no id). Text is copied into the arena.
bool stripe_intent_read(const struct json_value *object, struct arena *arena,
                        struct provider_payment *intent);

// What a PaymentIntent object was made from.
void stripe_origin_read(const struct json_value *object, struct arena *arena, struct payment_origin *origin);
// The mark in an object's metadata; its key is NULL where there is none or it is not whole.
struct request_mark stripe_mark_read(const struct json_value *metadata, struct arena *arena);

// A Refund object, the same way.
bool stripe_refund_read(const struct json_value *object, struct arena *arena, struct provider_refund *refund);
// A PaymentMethod object, the same way.
bool stripe_method_read(const struct json_value *object, struct arena *arena, struct provider_method *method);
// The payment method of an intent or a set-up. False where it is not told with it.
bool stripe_told_method_read(const struct json_value *object, struct arena *arena,
                             struct provider_method *method);
// A SetupIntent object, the same way. *has_method: its payment method is told with it, and read.
bool stripe_setup_read(const struct json_value *object, struct arena *arena, struct setup *setup,
                       struct provider_method *method, bool *has_method);
bool stripe_customer_read(const struct json_value *object, struct arena *arena,
                          struct provider_customer *customer);
