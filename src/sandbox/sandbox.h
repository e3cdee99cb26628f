// A stand-in for Stripe. The machine behind it is pure: time and randomness come in, bytes go out, nothing is
// opened, read or sent, so that it answers the same over HTTP (sandbox_run) and inside a simulated run.
// One thread at a time. What it does and does not do: docs/sandbox.md.
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

// One HTTP request. NULL for a header that did not come.
struct sandbox_request {
    const char *method;
    const char *path;  // percent-decoded, without the query
    const char *query; // raw, "" if none
    const void *body;
    size_t body_bytes;
    const char *authorization;
    const char *stripe_version;
    const char *idempotency_key;
    const char
        *base_url; // where the caller reached the sandbox, "http://127.0.0.1:12111": pages are linked from it
};

#define SANDBOX_HEADERS_MAX 12

struct sandbox_response {
    struct arena *arena; // set by the caller; all text of the answer lies in it
    bool drop;           // end the connection without an answer
    int64_t delay_us;    // answer (or drop) this long after the request came
    int status;
    const char *content_type;
    struct http_reply_header headers[SANDBOX_HEADERS_MAX];
    size_t header_count;
    const char *body;
    size_t body_bytes;
};

// Executes the request at once and says what to answer, and when. now_us: wall clock, never going back.
void sandbox_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response);

// One attempt to hand an event to a webhook endpoint.
struct sandbox_delivery {
    const char *account_id;
    const char *job_id;
    const char *url;
    const char *signature; // the Stripe-Signature header
    const char *body;
    size_t body_bytes;
};

// When sandbox_next_delivery has something to do, INT64_MAX if never.
int64_t sandbox_next_due_us(const struct sandbox *sandbox);
// Does what is due, and hands out the next delivery that is; false: none. Text in the arena. Each one handed
// out must come back through sandbox_delivery_done.
bool sandbox_next_delivery(struct sandbox *sandbox, int64_t now_us, struct arena *arena,
                           struct sandbox_delivery *delivery);
// accepted: the endpoint answered 2xx. Otherwise the attempt is repeated later, a few times.
void sandbox_delivery_done(struct sandbox *sandbox, int64_t now_us, const char *account_id,
                           const char *job_id, bool accepted);

// Keeping state over restarts. Once on, every change appends one line to the journal, which the owner takes
// away after each call above; fed back line by line into an empty sandbox, the journal rebuilds it.
void sandbox_journal_on(struct sandbox *sandbox);
struct buf *sandbox_journal(struct sandbox *sandbox);
enum errc sandbox_restore_line(struct sandbox *sandbox, const char *line, size_t bytes,
                               struct err *err) MUST_CHECK;
// Appends lines for everything there is to the journal, in place of the lines since the start.
void sandbox_journal_everything(struct sandbox *sandbox,
                                void (*write)(const struct buf *lines, void *context), void *context);

struct sandbox_options {
    const char *listen;    // "127.0.0.1:12111"; port 0: any
    const char *data_file; // NULL: everything in memory
};
// Serves until SIGTERM or SIGINT. Prints "sandbox listening on http://HOST:PORT" on stdout when it does.
// ERR_CONFIG, ERR_IO.
enum errc sandbox_run(const struct sandbox_options *options, struct err *err) MUST_CHECK;
