// Accounts, their objects, and the journal of changes. Pure: persist.c writes the journal's file. See
// state.h. Invariant: the lines of a run, applied in order to an empty sandbox, give the same objects in the
// same order.
#include "sandbox/state.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

#define TAIL_CHARS_MAX 64

char *id_new(struct random *random, struct arena *arena, const char *prefix, size_t tail_chars)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    REQUIRE(tail_chars <= TAIL_CHARS_MAX);
    uint8_t bytes[TAIL_CHARS_MAX];
    random->fill(random, bytes, (unsigned)tail_chars);
    char tail[TAIL_CHARS_MAX];
    for (size_t i = 0; i < tail_chars; i++) {
        // 256 is not a multiple of 62, so some digits are a little likelier. That does not matter here.
        tail[i] = digits[bytes[i] % 62];
    }
    return arena_printf(arena, "%s%.*s", prefix, (int)tail_chars, tail);
}

#define ACCOUNT_TAIL_CHARS 15

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);
    REQUIRE(memory != NULL);
    return memory;
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    REQUIRE(copy != NULL || text == NULL);
    return copy;
}

const char *object_kind_name(enum object_kind kind)
{
    static const char *const names[OBJECT_KIND_COUNT] = {
        [OBJECT_INTENT] = "payment_intent",
        [OBJECT_CHARGE] = "charge",
        [OBJECT_REFUND] = "refund",
        [OBJECT_METHOD] = "payment_method",
        [OBJECT_SETUP_INTENT] = "setup_intent",
        [OBJECT_SETUP_ATTEMPT] = "setup_attempt",
        [OBJECT_CUSTOMER] = "customer",
        [OBJECT_DISPUTE] = "dispute",
        [OBJECT_TRANSACTION] = "balance_transaction",
        [OBJECT_ENDPOINT] = "webhook_endpoint",
        [OBJECT_EVENT] = "event",
        [OBJECT_ANSWER] = "answer",
        [OBJECT_JOB] = "errand",
    };
    return names[kind];
}

struct sandbox *sandbox_new(struct random *random)
{
    struct sandbox *sandbox = allocate(sizeof(*sandbox));
    sandbox->random = random;
    list_init(&sandbox->accounts);
    return sandbox;
}

static struct account *account_add(struct sandbox *sandbox, const char *key, const char *id)
{
    struct account *account = allocate(sizeof(*account));
    account->key = copy_text(key);
    snprintf(account->id, sizeof(account->id), "%s", id);
    account->livemode = text_starts_with(key + 2, "_live_"); // after "sk" or "rk"
    for (size_t i = 0; i < OBJECT_KIND_COUNT; i++) {
        list_init(&account->sets[i].in_order);
    }
    list_init(&account->link);
    list_append(&sandbox->accounts, &account->link);
    table_insert(&sandbox->accounts_by_key, &account->by_key, account->key, strlen(account->key));
    table_insert(&sandbox->accounts_by_id, &account->by_id, account->id, strlen(account->id));
    return account;
}

struct account *account_of_key(struct sandbox *sandbox, const char *key)
{
    struct table_node *node = table_find(&sandbox->accounts_by_key, key, strlen(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, by_key);
    }
    if (sandbox->accounts_by_key.count >= ACCOUNTS_MAX) {
        return NULL;
    }
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    return account_add(sandbox, key, id_new(sandbox->random, &arena, "acct_1", ACCOUNT_TAIL_CHARS));
}

struct account *account_of_id(const struct sandbox *sandbox, const char *id)
{
    struct table_node *node = table_find(&sandbox->accounts_by_id, id, strlen(id));
    return node == NULL ? NULL : CONTAINER_OF(node, struct account, by_id);
}

static int64_t object_bytes(const struct object *object)
{
    return (int64_t)(sizeof(*object) + strlen(object->id) + strlen(object->text) +
                     (object->hidden == NULL ? 0 : strlen(object->hidden)));
}

struct object *object_find(const struct account *account, enum object_kind kind, const char *id)
{
    struct table_node *node = table_find(&account->sets[kind].by_id, id, strlen(id));
    return node == NULL ? NULL : CONTAINER_OF(node, struct object, by_id);
}

// A line is a JSON object with all that is needed to repeat the change.
static void journal_add(struct sandbox *sandbox, const struct account *account, const struct object *object,
                        bool removed)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    struct json_object *line JSON_CLEANUP = json_new_object();
    json_add_str(line, "key", account->key);
    json_add_str(line, "account", account->id);
    json_add_str(line, "kind", object_kind_name(object->kind));
    json_add_str(line, "id", object->id);
    json_add_i64(line, "created_us", object->created_us);
    if (!removed) {
        json_add_str(line, "text", object->text);
        json_add_str(line, "hidden", object->hidden);
    }
    buf_add_str(&sandbox->journal, json_text(&arena, line));
    buf_add_str(&sandbox->journal, "\n");
}

static void object_free(struct object *object)
{
    free(object->id);
    free(object->text);
    free(object->hidden);
    free(object);
}

static void object_forget(struct sandbox *sandbox, struct account *account, struct object *object)
{
    sandbox->bytes -= object_bytes(object);
    table_remove(&account->sets[object->kind].by_id, &object->by_id);
    list_remove(&object->link);
    object_free(object);
}

void object_remove(struct sandbox *sandbox, struct account *account, struct object *object)
{
    if (sandbox->journal_on) {
        journal_add(sandbox, account, object, true);
    }
    object_forget(sandbox, account, object);
}

static struct object *object_store(struct sandbox *sandbox, struct account *account, enum object_kind kind,
                                   const char *id, int64_t created_us, const char *text, const char *hidden)
{
    struct object *object = object_find(account, kind, id);
    if (object == NULL) {
        object = allocate(sizeof(*object));
        object->kind = kind;
        object->id = copy_text(id);
        object->created_us = created_us;
        list_init(&object->link);
        list_append(&account->sets[kind].in_order, &object->link);
        table_insert(&account->sets[kind].by_id, &object->by_id, object->id, strlen(object->id));
    } else {
        sandbox->bytes -= object_bytes(object);
        free(object->text);
        free(object->hidden);
    }
    object->text = copy_text(text);
    object->hidden = copy_text(hidden);
    sandbox->bytes += object_bytes(object);
    return object;
}

struct object *object_put(const struct context *context, enum object_kind kind, const char *id,
                          int64_t created_us, const char *text, const char *hidden)
{
    struct object *object =
        object_store(context->sandbox, context->account, kind, id, created_us, text, hidden);
    if (context->sandbox->journal_on) {
        journal_add(context->sandbox, context->account, object, false);
    }
    return object;
}

void sandbox_free(struct sandbox *sandbox)
{
    LIST_EACH_SAFE(&sandbox->accounts, account_link, after_account)
    {
        struct account *account = CONTAINER_OF(account_link, struct account, link);
        for (size_t i = 0; i < OBJECT_KIND_COUNT; i++) {
            LIST_EACH_SAFE(&account->sets[i].in_order, link, after)
            {
                object_free(CONTAINER_OF(link, struct object, link));
            }
            table_release(&account->sets[i].by_id);
        }
        free(account->key);
        free(account);
    }
    table_release(&sandbox->accounts_by_key);
    table_release(&sandbox->accounts_by_id);
    job_heap_release(&sandbox->jobs);
    buf_release(&sandbox->journal);
    free(sandbox);
}

// The sandbox wrote this text itself or checked it, so it always parses.
static struct json_object *parse_own(const char *text)
{
    struct json_object *json = NULL;
    REQUIRE(json_parse(text, strlen(text), &json, NULL) == OK);
    return json;
}

bool document_open(const struct context *context, enum object_kind kind, const char *id,
                   struct document *document)
{
    struct object *object = id == NULL ? NULL : object_find(context->account, kind, id);
    if (object == NULL) {
        return false;
    }
    *document =
        (struct document){.sandbox = context->sandbox,
                          .account = context->account,
                          .kind = kind,
                          .object = object,
                          .created_us = object->created_us,
                          .json = parse_own(object->text),
                          .hidden = object->hidden == NULL ? json_new_object() : parse_own(object->hidden)};
    return true;
}

void document_begin(const struct context *context, enum object_kind kind, struct json_object *json,
                    struct document *document)
{
    *document = (struct document){.sandbox = context->sandbox,
                                  .account = context->account,
                                  .kind = kind,
                                  .created_us = context->now_us,
                                  .json = json,
                                  .hidden = json_new_object()};
}

void document_save(struct document *document)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *hidden =
        json_object_object_length(document->hidden) == 0 ? NULL : json_text(&arena, document->hidden);
    const struct context context = {.sandbox = document->sandbox, .account = document->account};
    document->object = object_put(&context, document->kind, json_get_str(document->json, "id"),
                                  document->created_us, json_text(&arena, document->json), hidden);
}

void document_close(struct document *document)
{
    json_release(&document->json);
    json_release(&document->hidden);
}

void json_add_nulls(struct json_object *json, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_add(json, names[i], NULL);
    }
}

#define JOURNAL_BYTES_MAX                                                                                    \
    ((size_t)256 << 20) // a call adds a few kB, and the owner takes them after each call
#define FLUSH_BYTES ((size_t)1 << 20)

void sandbox_journal_on(struct sandbox *sandbox)
{
    sandbox->journal_on = true;
    sandbox->journal.max = JOURNAL_BYTES_MAX;
}

struct buf *sandbox_journal(struct sandbox *sandbox)
{
    return &sandbox->journal;
}

void sandbox_journal_everything(struct sandbox *sandbox,
                                void (*write)(const struct buf *lines, void *context), void *context)
{
    REQUIRE(sandbox->journal_on);
    buf_release(&sandbox->journal);
    LIST_EACH_SAFE(&sandbox->accounts, account_link, after_account)
    {
        const struct account *account = CONTAINER_OF(account_link, struct account, link);
        for (size_t kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
            LIST_EACH_SAFE(&account->sets[kind].in_order, link, after)
            {
                journal_add(sandbox, account, CONTAINER_OF(link, struct object, link), false);
                if (sandbox->journal.len > FLUSH_BYTES) {
                    write(&sandbox->journal, context);
                    buf_release(&sandbox->journal);
                }
            }
        }
    }
    write(&sandbox->journal, context);
    buf_release(&sandbox->journal);
}

static struct account *account_restore(struct sandbox *sandbox, const char *key, const char *id)
{
    struct table_node *node = table_find(&sandbox->accounts_by_key, key, strlen(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, by_key);
    }
    bool sane = strlen(key) > 3 && strlen(id) < sizeof(((struct account *)0)->id) &&
                account_of_id(sandbox, id) == NULL;
    return sane ? account_add(sandbox, key, id) : NULL;
}

static void object_restore(struct sandbox *sandbox, struct account *account, enum object_kind kind,
                           const char *id, int64_t created_us, const char *text, const char *hidden)
{
    if (text != NULL) {
        object_store(sandbox, account, kind, id, created_us, text, hidden);
        if (kind == OBJECT_JOB) {
            struct json_object *job JSON_CLEANUP = parse_own(text);
            job_heap_push(&sandbox->jobs, json_get_i64(job, "due_us", 0), account->id, id);
        }
        return;
    }
    struct object *object = object_find(account, kind, id);
    if (object != NULL) {
        object_forget(sandbox, account, object);
    }
}

static bool is_object(const char *text)
{
    struct json_object *json JSON_CLEANUP = NULL;
    return json_parse(text, strlen(text), &json, NULL) == OK && json_object_is_type(json, json_type_object);
}

enum errc sandbox_restore_line(struct sandbox *sandbox, const char *line, size_t bytes, struct err *err)
{
    struct json_object *json JSON_CLEANUP = NULL;
    enum errc rc = json_parse(line, bytes, &json, err);
    if (rc != OK) {
        return rc;
    }
    const char *key = json_get_str(json, "key");
    const char *account_id = json_get_str(json, "account");
    const char *kind = json_get_str(json, "kind");
    const char *id = json_get_str(json, "id");
    if (key == NULL || account_id == NULL || kind == NULL || id == NULL) {
        return err_set(err, ERR_BAD_REQUEST, "not a line of a sandbox's journal");
    }
    const char *text = json_get_str(json, "text");
    const char *hidden = json_get_str(json, "hidden");
    if ((text != NULL && !is_object(text)) || (hidden != NULL && !is_object(hidden))) {
        return err_set(err, ERR_BAD_REQUEST, "a line of a sandbox's journal holds a damaged object");
    }
    struct account *account = account_restore(sandbox, key, account_id);
    for (size_t i = 0; account != NULL && i < OBJECT_KIND_COUNT; i++) {
        if (text_equal(object_kind_name((enum object_kind)i), kind)) {
            object_restore(sandbox, account, (enum object_kind)i, id, json_get_i64(json, "created_us", 0),
                           text, hidden);
            return OK;
        }
    }
    return err_set(err, ERR_BAD_REQUEST, "a line of a sandbox's journal names what is unknown here");
}
