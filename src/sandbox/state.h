// The state of a sandbox: accounts, one for each secret key, and their objects as JSON text. A PaymentIntent
// takes 2 kB as text and 9 kB parsed. All kinds are stored in the same way, so that a new kind is a new word
// in the enum. Invariant: every object is in its account's table and list.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/list.h"
#include "base/table.h"
#include "sandbox/faults.h"
#include "sandbox/job_heap.h"
#include "sandbox/sandbox.h"

enum object_kind {
    OBJECT_INTENT,
    OBJECT_CHARGE,
    OBJECT_REFUND,
    OBJECT_METHOD,
    OBJECT_SETUP_INTENT,
    OBJECT_SETUP_ATTEMPT, // one confirmation of a SetupIntent
    OBJECT_CUSTOMER,
    OBJECT_DISPUTE,
    OBJECT_TRANSACTION,
    OBJECT_ENDPOINT,
    OBJECT_EVENT,
    OBJECT_ANSWER, // kept under an idempotency key
    OBJECT_JOB,    // scheduled
    OBJECT_KIND_COUNT
};

struct object {
    struct table_node by_id;
    struct list link; // in its account's list of the kind, oldest first
    enum object_kind kind;
    int64_t created_us;
    char *id;
    char *text;   // as Stripe shows it
    char *hidden; // what Stripe would not show; NULL: nothing
};

struct object_set {
    struct table by_id;
    struct list in_order;
};

struct account {
    struct table_node by_key;
    struct table_node by_id;
    struct list link;
    char *key;
    char id[32];
    bool livemode;
    struct object_set sets[OBJECT_KIND_COUNT];
};

#define ACCOUNTS_MAX 10000
#define EVENTS_MAX 10000 // of one account; the oldest are removed
#define STATE_BYTES_MAX (INT64_C(2) << 30)

struct sandbox {
    struct random *random;
    struct table accounts_by_key;
    struct table accounts_by_id;
    struct list accounts;
    int64_t bytes; // of all objects
    struct job_heap jobs;
    struct faults faults;
    bool journal_on;
    struct buf journal;
};

// Who changes what, and when: every change needs it.
struct context {
    struct sandbox *sandbox;
    struct account *account;
    int64_t now_us;
    struct arena *arena;
    const char *request_id;      // NULL: it happens without a request
    const char *idempotency_key; // NULL: none
    const char *base_url;
};

static inline int64_t context_seconds(const struct context *context)
{
    return context->now_us / 1000000;
}

// It may be off by a day around the turn of the year.
static inline int64_t context_year(const struct context *context)
{
    return 1970 + context_seconds(context) / INT64_C(31556952);
}

// The account of a key, made at first use; NULL: there are too many.
struct account *account_of_key(struct sandbox *sandbox, const char *key);
struct account *account_of_id(const struct sandbox *sandbox, const char *id);

// prefix ("pi_3") and tail_chars (at most 64) random characters, in the arena.
char *id_new(struct random *random, struct arena *arena, const char *prefix, size_t tail_chars);

#define ID_TAIL_CHARS 23 // what an object's id has after "pi_3"

// Stores an object from its text. It replaces an object of that id and keeps its place in the list.
struct object *object_put(const struct context *context, enum object_kind kind, const char *id,
                          int64_t created_us, const char *text, const char *hidden);
struct object *object_find(const struct account *account, enum object_kind kind, const char *id);
void object_remove(struct sandbox *sandbox, struct account *account, struct object *object);
const char *object_kind_name(enum object_kind kind);

// A parsed copy of an object, to read and change it. document_save stores the changes.
struct document {
    struct sandbox *sandbox;
    struct account *account;
    enum object_kind kind;
    struct object *object; // NULL: new, not saved yet
    int64_t created_us;
    struct json_object *json;
    struct json_object *hidden; // always an object
};

#define DOCUMENT_CLEANUP __attribute__((cleanup(document_close)))
#define DOCUMENT_EMPTY ((struct document){0})

// False: there is no such object.
bool document_open(const struct context *context, enum object_kind kind, const char *id,
                   struct document *document);
// A new object of json, which it takes; its id is json's "id".
void document_begin(const struct context *context, enum object_kind kind, struct json_object *json,
                    struct document *document);
void document_save(struct document *document);
void document_close(struct document *document);

// Adds members that are null.
void json_add_nulls(struct json_object *json, const char *const *names, size_t count);
