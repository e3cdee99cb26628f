// A stand-in for Stripe. Its state machine is pure: the caller supplies time and randomness, and it opens,
// reads and sends nothing. So it answers the same over HTTP (sandbox_run) and in a simulation. One thread at
// a time. docs/sandbox.md says what it does and does not do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "net/http_server.h"

struct sandbox;

// random: the source of ids and secrets; kept by reference.
struct sandbox *sandbox_new(struct random *random);
void sandbox_free(struct sandbox *sandbox);

// One HTTP request. A header that was not sent is NULL.
struct sandbox_request {
    const char *method;
    const char *path;  // percent-decoded, without the query
    const char *query; // raw, "" if none
    const void *body;
    size_t body_bytes;
    const char *authorization;
    const char *stripe_version;
    const char *idempotency_key;
    const char *base_url; // where the caller reached the sandbox, for links: "http://127.0.0.1:12111"
};

#define SANDBOX_HEADERS_MAX 12

struct sandbox_response {
    struct arena *arena; // set by the caller; holds all text of the answer
    bool drop;           // close the connection without an answer
    int64_t delay_us;    // answer (or drop) this long after the request arrived
    int status;
    const char *content_type;
    struct http_reply_header headers[SANDBOX_HEADERS_MAX];
    size_t header_count;
    const char *body;
    size_t body_bytes;
};

// Executes the request at once, and fills in what to answer and when. now_us: wall clock; it never goes back.
void sandbox_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response);

// One attempt to deliver an event to a webhook endpoint.
struct sandbox_delivery {
    const char *account_id;
    const char *job_id;
    const char *url;
    const char *signature; // the Stripe-Signature header
    const char *body;
    size_t body_bytes;
};

// When sandbox_next_delivery will have something to do; INT64_MAX: never.
int64_t sandbox_next_due_us(const struct sandbox *sandbox);
// Runs the jobs that are due, up to the next delivery, which the caller sends and then reports to
// sandbox_delivery_done. Text in the arena. False: no delivery is due.
bool sandbox_next_delivery(struct sandbox *sandbox, int64_t now_us, struct arena *arena,
                           struct sandbox_delivery *delivery);
// accepted: the endpoint answered 2xx. Otherwise the delivery is retried later, a few times.
void sandbox_delivery_done(struct sandbox *sandbox, int64_t now_us, const char *account_id,
                           const char *job_id, bool accepted);

// The journal keeps the state over restarts. Once it is on, every change appends a line, and the owner takes
// the lines away after each call above. Lines that are restored in order into an empty sandbox rebuild it.
void sandbox_journal_on(struct sandbox *sandbox);
struct buf *sandbox_journal(struct sandbox *sandbox);
enum errc sandbox_restore_line(struct sandbox *sandbox, const char *line, size_t bytes,
                               struct err *err) MUST_CHECK;
// Writes lines for all objects, which replace every line before. write gets them in parts.
void sandbox_journal_everything(struct sandbox *sandbox,
                                void (*write)(const struct buf *lines, void *context), void *context);

struct sandbox_options {
    const char *listen;    // "127.0.0.1:12111"; port 0: any
    const char *data_file; // NULL: everything in memory
};
// Serves until SIGTERM or SIGINT. Prints "sandbox listening on http://HOST:PORT" on stdout when it is ready.
// ERR_CONFIG, ERR_IO.
enum errc sandbox_run(const struct sandbox_options *options, struct err *err) MUST_CHECK;
