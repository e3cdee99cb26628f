// Accounts and their objects. Pure. See state.h.
#include "sandbox/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/ids.h"
#include "sandbox/journal.h"
#include "sandbox/scheduled_jobs.h"

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
    account->livemode = text_starts_with(key + 2, "_live_"); // behind "sk" or "rk"
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

struct account *account_restore(struct sandbox *sandbox, const char *key, const char *id)
{
    struct table_node *node = table_find(&sandbox->accounts_by_key, key, strlen(key));
    if (node != NULL) {
        return CONTAINER_OF(node, struct account, by_key);
    }
    bool sane = strlen(key) > 3 && strlen(id) < sizeof(((struct account *)0)->id) &&
                account_of_id(sandbox, id) == NULL;
    return sane ? account_add(sandbox, key, id) : NULL;
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
    journal_remove(sandbox, account, object);
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
    journal_put(context->sandbox, context->account, object);
    return object;
}

void object_restore(struct sandbox *sandbox, struct account *account, enum object_kind kind, const char *id,
                    int64_t created_us, const char *text, const char *hidden)
{
    if (text != NULL) {
        object_store(sandbox, account, kind, id, created_us, text, hidden);
        if (kind == OBJECT_JOB) {
            job_restore(sandbox, account, id, text);
        }
        return;
    }
    struct object *object = object_find(account, kind, id);
    if (object != NULL) {
        object_forget(sandbox, account, object);
    }
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

// What was stored here was made here, so that it parses is an invariant.
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
