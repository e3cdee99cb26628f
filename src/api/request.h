// One request to the API. The loop thread reads and checks it, database jobs authenticate it and do the work,
// and the loop thread answers. What it reads and builds, and its job, are in its own arena, which is emptied
// before it waits for an operation: thousands may wait for a slow provider. During a job the database thread
// owns it.
#pragma once

#include "api/field_errors.h"
#include "api/serial_queue.h"
#include "api/slots.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "net/form.h"
#include "net/http_server.h"
#include "op/engine/op.h"
#include "store/api_keys.h"
#include "store/store.h"

struct api;
struct export_state;
struct route;

#define REQUEST_HEADERS_MAX 8

// Who sent the request. own_merchant_id, key_id and prefix are also known of a key of ours that was refused.
struct principal {
    struct uuid merchant_id;     // it acts for this one
    struct uuid own_merchant_id; // the key's
    struct uuid key_id;
    bool is_admin;
    bool livemode; // a live key sees both modes, a test key only test objects
    uint32_t scopes;
    char prefix[16];
};

struct request;

struct request_job {
    struct store_job job;
    struct request *request;
};

// One database job of a request.
struct request_step {
    // Database thread, in a transaction, after authentication, and only if the request has no error so far.
    // May run again from the start.
    enum errc (*work)(struct request *request, struct tx *tx, struct err *err);
    enum store_queue queue;
    bool serial; // waits until no other such job runs
    // Loop thread, before the job: calls go_on, now or later. NULL: the job is queued at once.
    void (*before)(struct request *request, void (*go_on)(struct request *request));
    // As store_job.ahead, for what `work` asks; the request has its principal. NULL: work may ask anything.
    void (*ahead)(struct request *request, struct tx *tx);
};

struct request {
    struct api *api;
    struct http_exchange *exchange;
    const struct route *route;
    struct arena *arena; // &memory
    struct arena memory;
    const char *param;  // the path's {id}; NULL: none
    int64_t now_us;     // wall clock, when its head was read
    int64_t arrived_us; // the same, monotonic
    struct address client;

    // What it contained. Of the API key only the hash is kept.
    const char *acting_for; // X-Merchant-Id
    const char *idempotency_key;
    const struct json_value *body; // an object, or NULL
    struct form query;
    uint8_t key_hash[32];
    uint8_t request_hash[32]; // of its fields (idempotency.h)

    void *input; // what the route read of it

    // Its errors. `refusal`, of a header or the body's form, is answered before those of the fields.
    const struct err *refusal; // in `arena`; NULL: none
    struct field_errors field_errors;

    struct request_job *job; // in `arena`; of its present or last step
    uint64_t job_owner;      // of its jobs: whose they are, before anybody has proved it
    struct principal principal;
    const char *auth_event; // the audit event of a failed authentication; NULL: it did not fail
    struct serial_entry entry;
    struct request_step step; // the present job
    struct request_step then; // the job after it, set by its work; without work: none
    // The request waits for the answer of this kind's operation on subject_id. NULL: it has its own answer.
    const struct op_kind *wait_for;
    struct uuid subject_id;
    struct op *op; // prepared, and run after the commit; NULL: none, or another request runs it
    struct op_waiter waiter;

    // The answer.
    const char *reply; // body
    // Asks for the next piece of it. NULL: there is none.
    void (*more)(struct http_exchange *exchange, void *context);
    struct export_state *export; // NULL: it is not a CSV export
    const char *content_type;    // NULL: JSON
    const char *csv_name;        // the file name for a browser, without .csv; NULL: it is not CSV
    const char *allow;           // the methods that a 405 names
    int64_t retry_after_s;       // 0: none
    int status;
    const char *error_code;             // the first error's, for the log; NULL: none
    struct http_reservation answer_use; // of a large answer
    struct slot operation;              // its work may prepare one operation; until the job is done
    const char *unready; // why the engine was not ready when it was to be reserved; NULL: it was

    const char *id;
    bool replayed;
    bool unlogged; // it has no log line of its own
};

// Makes the exchange's request, as its context. Reads the client's address and the request id, and counts the
// request.
struct request *request_new(struct api *api, struct http_exchange *exchange);
// Wipes and frees it.
void request_free(struct request *request);
// Each sets the request's refusal if what it reads is wrong.
void request_read_idempotency_key(struct request *request); // may be absent
void request_read_json(struct request *request);
// Sets its refusal. Loop thread.
void request_refuse(struct request *request, enum errc code, const char *sentence);

// ERR_OVERLOADED where no operation is reserved for it. Any thread.
enum errc request_check_reserved(const struct request *request, struct err *err) MUST_CHECK;

// Finishes and sets a 200 or 201 answer, which render_success began in the request's arena.
void request_answer(struct request *request, int status, struct json_writer *json);
