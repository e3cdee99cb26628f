// What a payment provider must do, in neutral terms. stripe.c is one; a second is a folder beside it.
// Calls and callbacks on the loop thread; everything else here is pure and may run on any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "domain/payment.h"
#include "net/http_client.h"

enum provider_verb {
    PROVIDER_CHARGE,   // create and confirm a payment, at most once for an idempotency key
    PROVIDER_RETRIEVE, // read one by the provider's id
    PROVIDER_LIST,     // one page of those created within a time, newest first
    PROVIDER_CANCEL,   // so that nobody can pay it any more
};

enum provider_outcome {
    PROVIDER_DONE,    // the provider did it, or read it: the answer holds what it says
    PROVIDER_REFUSED, // definitely not done, and the same request never will be
    PROVIDER_NO_AUTH, // the secret key was refused; says nothing of earlier attempts
    PROVIDER_UNKNOWN, // may have happened or not; the same request may be sent again under the same key
    PROVIDER_LOOK_UP, // may have happened or not, and sending it again would not tell
};

struct provider_answer {
    enum provider_outcome outcome;
    int status;             // HTTP; 0: no answer came
    const char *request_id; // the provider's, for its support; NULL: none
    int64_t retry_after_us; // 0: not said
    struct failure failure; // of a refusal, and of NO_AUTH
    bool has_intent;        // a refusal can have one too: a declined payment leaves it behind
    struct intent intent;
    struct intent *intents; // PROVIDER_LIST
    size_t intent_count;
    const char *next_page; // where the next page begins; NULL: this was the last
    const char *trouble;   // why the outcome is unknown, for logs; NULL: it is known
};

// The caller owns a call until `done`, which comes exactly once and never from within provider_send.
struct provider_call {
    enum provider_verb verb;
    const char *idempotency_key; // CHARGE, CANCEL
    const char *body;            // CHARGE: exactly what charge_body made when the payment was prepared
    const char *ref;             // RETRIEVE, CANCEL: the provider's id
    int64_t created_from_s;      // LIST: both inclusive
    int64_t created_until_s;
    const char *page; // LIST: next_page of the answer before; NULL: the first
    struct secret secret_key;
    struct arena *arena; // the answer's text lives there
    void (*done)(struct provider_call *call);

    struct provider_answer answer; // filled before `done`

    struct http_call http; // the provider's own while the call is under way
    struct http_header headers[6];
};

struct provider;
struct provider_ops {
    void (*send)(struct provider *provider, struct provider_call *call);
    // The request body that charges this payment, stored before it is sent and resent unchanged. In the
    // arena.
    enum errc (*charge_body)(const struct payment *payment, struct arena *arena, const char **body,
                             struct err *err);
};
struct provider {
    const struct provider_ops *ops;
};

static inline void provider_send(struct provider *provider, struct provider_call *call)
{
    provider->ops->send(provider, call);
}

static inline enum errc provider_charge_body(struct provider *provider, const struct payment *payment,
                                             struct arena *arena, const char **body, struct err *err)
{
    return provider->ops->charge_body(payment, arena, body, err);
}
