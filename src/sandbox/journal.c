// Every object and every removal as a line, and back. Pure: the file is http's (persist.c).
// Invariant: the lines of a run, applied in order to an empty sandbox, give the same objects in the same
// order.
#include "sandbox/journal.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"

#define JOURNAL_BYTES_MAX ((size_t)256 << 20) // one call makes a few kB; the owner takes them after each
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

static void add_line(struct sandbox *sandbox, const struct account *account, const struct object *object,
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

void journal_put(struct sandbox *sandbox, const struct account *account, const struct object *object)
{
    if (sandbox->journal_on) {
        add_line(sandbox, account, object, false);
    }
}

void journal_remove(struct sandbox *sandbox, const struct account *account, const struct object *object)
{
    if (sandbox->journal_on) {
        add_line(sandbox, account, object, true);
    }
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
                add_line(sandbox, account, CONTAINER_OF(link, struct object, link), false);
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

static bool is_object(const char *text)
{
    struct json_object *json JSON_CLEANUP = NULL;
    return json_parse(text, strlen(text), &json, NULL) == OK && json_object_is_type(json, json_type_object);
}

enum errc sandbox_restore_line(struct sandbox *sandbox, const char *line, size_t bytes, struct err *err)
{
    struct json_object *json JSON_CLEANUP = NULL;
    enum errc code = json_parse(line, bytes, &json, err);
    if (code != OK) {
        return code;
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
