// What a payment provider does, in words that are no provider's own. provider.c lists the providers; each is
// a folder here. Calls and callbacks run on the loop thread; everything else is pure and may run on any
// thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "domain/card.h"
#include "domain/pace.h"
#include "domain/payment.h"
#include "domain/refund.h"

// What can be asked of a provider. Those that change something carry an idempotency key.
enum provider_verb {
    PROVIDER_CHARGE,          // create and confirm a payment
    PROVIDER_RETRIEVE,        // read one by the provider's id
    PROVIDER_PAID_METHOD,     // read one with the payment method that it was paid with
    PROVIDER_LIST,            // one page of those created since a time, newest first
    PROVIDER_CONFIRM,         // a declined one anew, with the payer present
    PROVIDER_CANCEL,          // so that nobody can pay it any more
    PROVIDER_CAPTURE,         // of an authorised one, once
    PROVIDER_REFUND,          // of a payment, in whole or in part
    PROVIDER_REFUND_RETRIEVE, // read one by the provider's id
    PROVIDER_REFUND_LIST,     // one page of a payment's refunds, newest first
    PROVIDER_PAYMENTS_SINCE,  // as LIST, with what they were made from
    PROVIDER_REFUNDS_SINCE,   // one page of the refunds of a time, newest first
    PROVIDER_CUSTOMER,        // make a customer
    PROVIDER_CUSTOMER_LIST,   // the newest of those made since a time, of an e-mail where there is one
    PROVIDER_ATTACH,          // a payment method to a customer
    PROVIDER_DETACH,          // so that it can never be charged again
    PROVIDER_METHOD_RETRIEVE, // read a payment method by the provider's id
    PROVIDER_SETUP,           // set a payment method up for charges without the payer, with the payer present
    PROVIDER_SETUP_RETRIEVE,  // read a set-up by the provider's id
    PROVIDER_SETUP_LIST,      // a customer's newest
    PROVIDER_SETUP_CANCEL,    // so that the payer can no longer finish it
    PROVIDER_EVENTS,          // one page of the events of a time, of those types that we act on, newest first
    PROVIDER_VERB_COUNT
};

enum provider_outcome {
    PROVIDER_DONE,    // the provider did it, or read it: the answer holds what it says
    PROVIDER_REFUSED, // definitely not done, and the same request never will be
    PROVIDER_NO_AUTH, // the secret key was refused; says nothing of earlier attempts
    PROVIDER_UNKNOWN, // may have happened or not; the same request may be sent again under the same key
    PROVIDER_LOOK_UP, // may have happened or not, and sending it again would not tell
};

// How many of a list's items are asked for at once.
#define PROVIDER_PAGE_ITEMS 100

struct provider_event;

// What a list tells of a customer.
struct provider_customer {
    const char *id;
    const char *customer_id; // metadata[customer_id]; NULL: none
};

// What is kept of a payment method.
struct provider_method {
    const char *id; // may differ from the one that was attached
    const char *brand;
    const char *last4;
    int exp_month; // 0: not said
    int exp_year;
    const char *fingerprint;  // of the card's number; NULL: not said
    const char *customer_ref; // NULL: not said, or none
    bool detached;            // said to be of no customer
};

struct provider_answer {
    enum provider_outcome outcome;
    int status;             // HTTP; 0: no answer came
    const char *request_id; // the provider's, for its support; NULL: none
    int64_t retry_after_us; // 0: not said
    int64_t server_time_us; // the provider's wall clock as it answered; 0: not said
    struct failure failure; // of a refusal, and of NO_AUTH
    bool has_payment;       // a refusal can have one too: a declined payment leaves it behind
    struct provider_payment payment;
    struct provider_payment *payments; // LIST, PAYMENTS_SINCE
    size_t payment_count;
    bool has_refund;
    struct provider_refund refund;
    struct provider_refund *refunds; // REFUND_LIST, REFUNDS_SINCE
    size_t refund_count;
    const char *customer_ref;            // PROVIDER_CUSTOMER
    struct provider_customer *customers; // PROVIDER_CUSTOMER_LIST
    size_t customer_count;
    bool customer_missing; // of a refusal: there is no such customer
    bool has_method;       // ATTACH, METHOD_RETRIEVE; PAID_METHOD and of a set-up, where it is told with it
    struct provider_method method;
    bool has_setup;
    struct setup setup;
    struct setup *setups; // PROVIDER_SETUP_LIST
    size_t setup_count;
    struct provider_event *events; // EVENTS: those of the page that can be read
    size_t event_count;
    const char *next_page;    // where the next page begins; NULL: this was the last
    const char *reason;       // why the outcome is unknown, for logs; NULL: it is known
    bool too_large;           // a list's page that is larger than an answer may be
    bool unreachable;         // no answer of the provider's own, or one that it is out of order
    bool foreign;             // it is not of the provider's form, and no fault of a server either
    uint64_t lost_connection; // `unreachable` is one event for all answers with the same number; 0: an event
                              // of its own
    bool limited;             // these were too many requests of this account
};

// Whether the provider may only have been out of reach: asking again soon may help.
static inline bool provider_is_out_of_reach(const struct provider_answer *answer)
{
    return answer->outcome == PROVIDER_UNKNOWN || answer->outcome == PROVIDER_LOOK_UP;
}

// The caller owns a call until `done`, which comes exactly once and never from within provider_send.
struct provider_call {
    enum provider_verb verb;
    const char *idempotency_key; // of every verb that changes something
    const char *body;            // exactly as it was made when the operation was prepared; NULL: none
    const char *ref;             // the provider's id of what the verb is about; REFUND_LIST: of the payment;
                                 // SETUP_LIST: of the customer; CUSTOMER_LIST: the e-mail, NULL: any
    int64_t created_from_s;      // of a list by time: inclusive
    int64_t created_until_s;     // EVENTS: exclusive; 0: whatever there is
    const char *page;            // of a list: next_page of the answer before; NULL: the first
    int page_items;              // of a list: how many at once
    int64_t send_before_us;      // wall clock: the request may not be written later; 0: whenever
    bool livemode;               // the secret key's mode
    struct secret secret_key;    // its text stays until `done`
    struct arena *arena;         // the answer and its text live there
    void (*done)(struct provider_call *call);

    struct provider_answer *answer; // set before `done`

    void *transport; // the provider's own while the call is under way
};

// What the code of a failure means, as far as we act on it.
enum failure_meaning {
    FAILURE_OTHER,
    FAILURE_UNEXPECTED_STATE, // the object's state does not allow what was asked for
    FAILURE_NO_SUCH_OBJECT,
    FAILURE_NEEDS_PAYER, // the payer has to authenticate
};

// The signature of an event, parsed. `parts` are the provider's own.
struct provider_signature {
    int64_t time_s;
    const void *parts;
};

struct provider;
struct provider_ops {
    const char *name;         // as rows and the API have it
    const char *display_name; // as messages have it

    void (*send)(struct provider *provider, struct provider_call *call);
    // Of a call that is under way: it ends soon, as one that is not answered, unless it is by then.
    void (*abandon_call)(struct provider *provider, struct provider_call *call);

    // The request bodies, made when an operation is prepared, stored, and sent unchanged ever after. In the
    // arena. `customer_ref`: of a saved card, or of one that is saved by this payment. `method_ref`: a saved
    // card's, NULL for payment->payment_method. With a customer and without off_session the card is set up
    // for later charges.
    enum errc (*charge_body)(const struct payment *payment, const char *customer_ref, const char *method_ref,
                             bool off_session, struct arena *arena, const char **body, struct err *err);
    const char *(*capture_body)(const struct payment *payment, int64_t amount_minor, struct arena *arena);
    // What a capture_body asks for, in the provider's minor units.
    int64_t (*capture_amount)(const char *body);
    const char *(*refund_body)(const struct refund *refund, const char *payment_ref, struct arena *arena);
    const char *(*customer_body)(const struct customer *customer, const char *email, const char *name,
                                 struct arena *arena);
    const char *(*attach_body)(const char *customer_ref, struct arena *arena);
    const char *(*setup_body)(const struct card *card, const char *customer_ref, struct arena *arena);
    const char *(*confirm_body)(const char *method_ref, const char *return_url, struct arena *arena);

    // An amount in the provider's minor units, from 0 to the currency's minor_max, and back. Back:
    // ERR_VALIDATION if it is negative, too large or not whole in our minor unit.
    int64_t (*amount_to)(int64_t amount_minor, const struct currency *currency);
    enum errc (*amount_from)(int64_t provider_minor, const struct currency *currency, int64_t *amount_minor,
                             struct err *err);

    // The header that holds an event's signature. parse takes NULL for a header that is missing.
    // ERR_SIGNATURE_INVALID: it cannot be read, or is not from about now. matches compares in constant time.
    const char *signature_header;
    enum errc (*signature_parse)(const char *header, int64_t now_s, struct arena *arena,
                                 struct provider_signature *signature, struct err *err);
    bool (*signature_matches)(const struct provider_signature *signature, const struct secret *secret,
                              const void *body, size_t body_bytes);
    // Reads an event from its body. ERR_BAD_REQUEST: it is none. Text in the arena.
    enum errc (*event_parse)(const char *body, size_t bytes, struct arena *arena,
                             struct provider_event *event, struct err *err);

    // Whether a text has the form of a secret key, a webhook secret, a payment method; *livemode only if it
    // has. The texts after "must be a" of a message say which form that is.
    bool (*is_secret_key)(const char *text, bool *livemode);
    bool (*is_webhook_secret)(const char *text);
    bool (*is_payment_method)(const char *text);
    const char *secret_key_form;
    const char *webhook_secret_form;
    const char *payment_method_form;
    // Whether it is probably one of this provider's credentials, of whatever sort.
    bool (*resembles_credential)(const char *text);
    const char *card_form; // collects a card's data from the payer and makes a payment method of it

    enum failure_meaning (*failure_meaning)(const char *code);
    // What an account may ask for in a second at this address; 0: not known.
    struct pace_rates (*default_rates)(const char *api_base);
    const char *api_base_setting; // the environment variable that sets the address, for messages
};
struct provider {
    const struct provider_ops *ops;
};

// The provider of a row or a request; NULL: there is none of this name. Static storage; any thread.
const struct provider_ops *provider_find(const char *name);
// The provider of a request or an account that names none.
const struct provider_ops *provider_default(void);
// The provider one of whose credentials the text resembles; NULL: none.
const struct provider_ops *provider_of_credential(const char *text);

static inline void provider_send(struct provider *provider, struct provider_call *call)
{
    provider->ops->send(provider, call);
}

static inline void provider_abandon_call(struct provider *provider, struct provider_call *call)
{
    provider->ops->abandon_call(provider, call);
}
