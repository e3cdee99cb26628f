// Who calls: the API key in the Authorization header, Bearer or Basic.
// https://docs.stripe.com/api/authentication
#pragma once

#include "sandbox/refusal.h"
#include "sandbox/state.h"

// The key's account, made at first use; NULL: *refusal is filled (401, or 429 where there are too many
// accounts). A publishable key is of the account whose secret key has the same tail: pk_test_a of sk_test_a.
struct account *authorize(struct sandbox *sandbox, const char *authorization, struct arena *arena,
                          bool *publishable, struct refusal *refusal);
