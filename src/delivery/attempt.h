// One attempt at one event: a claim, or the transaction that writes the event, makes it on a database thread;
// then it belongs to the loop until its result is recorded. Here are its parts that need no I/O: the request
// that an event becomes, and what the answer means.
#pragma once

#include "base/arena.h"
#include "base/config.h"
#include "base/keyring.h"
#include "base/list.h"
#include "delivery/send_slots.h"
#include "domain/retry.h"
#include "net/http_client.h"
#include "store/merchants.h"
#include "store/outbox.h"
#include "store/store.h"

#define ATTEMPT_HEADERS_MAX 8

struct sender;

enum attempt_claim { ATTEMPT_NOTHING_DUE, ATTEMPT_CLAIMED, ATTEMPT_SET_ASIDE };

struct attempt {
    struct list link;         // in the claim, then in one of the sender's lists
    struct event_lease lease; // of a transaction that leased the event as it wrote it
    struct send_slots *slots; // it holds one of them; NULL: no longer
    struct sender *sender;
    struct arena arena;        // holds what the rows, the call and the result point to
    struct outbox_event event; // next_attempt_us is the end of the lease
    struct merchant merchant;  // as claimed: every attempt uses the present URL and secret
    enum attempt_claim claim;
    bool endpoint_failed; // as claimed: the merchant's last attempt failed
    struct http_call call;
    struct http_header headers[ATTEMPT_HEADERS_MAX];
    struct outbox_attempt result;
    struct outbox_recorded recorded;
    struct attempt *next; // at the merchant's next event, claimed as this one is recorded; it gets the slot
    struct store_job record;
};

// Any thread. Takes over a slot of that merchant; slots NULL: it has none yet.
struct attempt *attempt_new(struct send_slots *slots, const struct uuid *merchant_id);
// Copies the event and its merchant, as far as an attempt needs them.
void attempt_copy(struct attempt *attempt, const struct outbox_event *event, const struct merchant *merchant);
// Database thread, in a transaction. Claims the merchant's event that is due longest. If the event's row or
// the merchant's is damaged, the event is set aside, the longer the older it is, so that the others go on.
enum errc attempt_claim(struct attempt *attempt, struct tx *tx, int64_t now_us, int64_t lease_us,
                        struct err *err) MUST_CHECK;
// How long an event is leased: longer than an attempt can take.
int64_t attempt_lease_us(const struct config *config);

// Returns the slot. True: an event may be due that waits for it.
bool attempt_release_slot(struct attempt *attempt);
// Wipes and frees it, and returns its slot if it still has one. It must be in no list, and its call and its
// job must have ended.
void attempt_free(struct attempt *attempt);
// Frees all of a list.
void attempt_free_all(struct list *attempts);

// The rest: loop thread.

// Fills the attempt's call, except `done`. An error says why it cannot be sent. ERR_CRYPTO: the merchant's
// secret does not open; ERR_FORBIDDEN: the URL is http:// and the operator does not allow it (any more);
// ERR_VALIDATION: it is not a URL.
enum errc attempt_prepare(struct attempt *attempt, const struct keyring *keyring, const struct config *config,
                          int64_t now_us, struct err *err) MUST_CHECK;

// Whether the endpoint answered. What happens to the body does not matter.
bool attempt_answered(const struct http_call *call);

// What the call's end means for the event. Text into the attempt's arena.
struct outbox_attempt attempt_read(struct attempt *attempt, const struct retry_schedule *schedule,
                                   int64_t now_us, uint32_t random32);

// The result of an attempt that could not be sent, for this reason.
struct outbox_attempt attempt_fail(struct attempt *attempt, const struct retry_schedule *schedule,
                                   const char *why, int64_t now_us, uint32_t random32);
