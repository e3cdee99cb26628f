// Idempotency keys: the answer to the first request with a key is kept, and repeated to later ones.
// https://docs.stripe.com/api/idempotent_requests
#pragma once

#include "sandbox/call.h"

#define IDEMPOTENCY_KEY_CHARS_MAX 255

enum idempotency {
    IDEMPOTENCY_NONE,   // no key, or not a POST
    IDEMPOTENCY_FIRST,  // nothing is kept: execute
    IDEMPOTENCY_REPLAY, // give the kept answer
    IDEMPOTENCY_REFUSED // refused: another request used the key, or the first one is still in progress
};

struct kept_answer {
    int status;
    const char *body;
    const char *request_id; // of the first
};

// Looks the call's key up. Text of *kept (REPLAY only) lies in the call's arena.
enum idempotency idempotency_look_up(struct call *call, const struct sandbox_request *request,
                                     struct kept_answer *kept);
// Keeps the call's answer. Until busy_until_us the call counts as in progress.
void idempotency_keep(const struct call *call, const struct sandbox_request *request,
                      const struct kept_answer *answer, int64_t busy_until_us);
