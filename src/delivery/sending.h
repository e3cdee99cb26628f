// One claimed event on its way: made by the claim on a database thread, then the loop's until its attempt is
// recorded.
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "net/http_client.h"
#include "store/merchants.h"
#include "store/outbox.h"
#include "store/store.h"

#define SENDING_HEADERS_MAX 8

struct sender;

struct sending {
    struct list link; // in the claim, then in one of the sender's lists
    struct sender *sender;
    struct arena arena;        // holds what the rows, the call and the attempt point to
    struct outbox_event event; // next_attempt_us is the end of the lease
    struct merchant merchant;  // as it was at the claim: every attempt uses the present URL and secret
    struct http_call call;
    struct http_header headers[SENDING_HEADERS_MAX];
    struct outbox_attempt attempt;
    bool recorded;
    struct store_job record;
};

struct sending *sending_new(void);
// Wipes and frees it; it must be in no list, and neither its call nor its job under way.
void sending_free(struct sending *sending);
// Frees all of a list.
void sending_free_all(struct list *sendings);
