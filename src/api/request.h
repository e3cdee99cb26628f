// One request on its way through the API. The loop thread reads and checks it (pure), one database job
// authenticates and does the work, the loop thread answers. Its memory is the exchange's arena and moves with
// the job.
#pragma once

#include "api/problems.h"
#include "api/serial_queue.h"
#include "base/json.h"
#include "net/form.h"
#include "net/http_server.h"
#include "op/engine/op.h"
#include "store/api_keys.h"
#include "store/store.h"

struct api;
struct export_state;
struct route;

#define REQUEST_ID_BYTES 129
#define REQUEST_HEADERS_MAX 8

// Who asks, once authenticated.
struct principal {
    struct uuid merchant_id;     // whom it acts for
    struct uuid own_merchant_id; // this and the prefix are known also of a key that is refused, if it is ours
    bool is_admin;
    bool livemode; // a live key sees both modes, a test key only test objects
    uint32_t scopes;
    char prefix[16];
};

struct request;

// One job of a request's.
struct request_step {
    // Database thread, in a transaction, after authentication and only where nothing is wrong. May run again
    // from the start.
    enum errc (*work)(struct request *request, struct tx *tx, struct err *err);
    enum store_queue queue;
    bool one_at_a_time; // waits until no other such job runs
    // Loop thread, before the job: calls request_go_on, now or later. NULL: the job is queued at once.
    void (*before)(struct request *request);
};

struct request {
    struct api *api;
    struct http_exchange *exchange;
    const struct route *route;
    struct arena *arena; // the exchange's
    const char *param;   // the path's {id}; NULL: none
    int64_t now_us;      // when its head was there
    int64_t arrived_us;  // the same, monotonic
    struct address client;

    // What it brought. Of the key only its hash goes further.
    const char *acting_for; // X-Merchant-Id
    const char *idempotency_key;
    struct json_object *body; // an object, or NULL
    struct form query;
    uint8_t key_hash[32];

    // What is wrong with it: `refusal` (a header, the body's form) before `problems` (its fields).
    struct problems problems;
    void *input; // the route's own reading of it

    struct store_job job;
    // What authentication found; also set when it failed, for the log and the limit.
    struct principal principal;
    const char *auth_event; // audit's event type of a failure
    struct serial_entry entry;
    struct request_step step; // the present job
    struct request_step then; // another job behind it, set by its work; no work: it was the last
    const struct op_kind
        *wait_for; // whose answer about subject_id is this request's; NULL: it has one itself
    struct uuid subject_id;
    struct op *op; // prepared, and run once the transaction is committed; NULL: it is under way
    struct op_waiter waiter;

    // The answer.
    const char *reply;                                           // body
    void (*more)(struct http_exchange *exchange, void *context); // NULL: that is all of it
    struct export_state *export;                                 // of a list as CSV
    const char *content_type;                                    // NULL: JSON
    const char *csv_name;  // the file as which a browser saves it, without .csv; NULL: it is no CSV
    const char *allow;     // of a 405
    int64_t retry_after_s; // 0: none
    int status;
    const char *error_code;             // the first one that is answered, for the log; NULL: none
    struct http_reservation answer_use; // of a large one

    struct err refusal;
    char id[REQUEST_ID_BYTES];
    bool has_room; // an operation may be prepared: its place is reserved until the job is done
    bool replayed;
};

// Sets a 200 or 201 answer of {"success":true,"data":...}; takes `data`.
void request_answer(struct request *request, int status, struct json_object *data);
