// One attempt: the request that an event becomes, and what an answer means. Loop thread; no I/O here.
#pragma once

#include "base/config.h"
#include "base/keyring.h"
#include "delivery/sending.h"
#include "domain/retry.h"

// Fills the sending's call, all but `done`. An error says why it cannot be sent: ERR_CRYPTO, the merchant's
// secret does not open; ERR_FORBIDDEN, the URL is http:// and the operator does not allow it (any more);
// ERR_VALIDATION, it is no URL.
enum errc attempt_prepare(struct sending *sending, const struct keyring *keyring, const struct config *config,
                          int64_t now_us, struct err *err) MUST_CHECK;

// Whether the endpoint answered. Whatever becomes of the body is of no interest.
bool attempt_answered(const struct http_call *call);

// What the call's end means for the event. Text into the sending's arena.
struct outbox_attempt attempt_read(struct sending *sending, const struct retry_schedule *schedule,
                                   int64_t now_us, uint32_t random32);

// What an event becomes that could not be sent.
struct outbox_attempt attempt_fail(struct sending *sending, const struct retry_schedule *schedule,
                                   const char *why, int64_t now_us, uint32_t random32);
