// What the sandbox does by itself as time goes on. Pure: the owner asks what is due. See errand_work.h.
#include "sandbox/errand_work.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/deliveries.h"
#include "sandbox/disputes.h"
#include "sandbox/ids.h"
#include "sandbox/intents.h"
#include "sandbox/refunds.h"
#include "sandbox/setup_intents.h"
#include "sandbox/state.h"

#define ERRAND_TAIL_CHARS 20

static const struct {
    const char *name;
    void (*run)(const struct moment *at, const char *id); // NULL: it hands out a delivery
} kinds[] = {
    [ERRAND_DELIVER] = {"deliver", NULL},
    [ERRAND_SETTLE] = {"settle", intent_settle},
    [ERRAND_SETUP] = {"setup", setup_intent_settle},
    [ERRAND_REFUND] = {"refund", refund_settle},
    [ERRAND_DISPUTE] = {"dispute", dispute_begin},
};

void errand_add(const struct moment *at, enum errand_kind kind, int64_t due_us, struct json_object *task)
{
    struct document errand DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    json_add_str(task, "id", id_new(at->sandbox->random, at->arena, "errand_", ERRAND_TAIL_CHARS));
    json_add_str(task, "errand", kinds[kind].name);
    document_begin(at, OBJECT_ERRAND, task, &errand);
    errand_postpone(at, &errand, due_us);
}

void errand_add_about(const struct moment *at, enum errand_kind kind, int64_t due_us, const char *id)
{
    struct json_object *task = json_new_object();
    json_add_str(task, "about", id);
    errand_add(at, kind, due_us, task);
}

void errand_postpone(const struct moment *at, struct document *errand, int64_t due_us)
{
    json_add_i64(errand->json, "due_us", due_us);
    document_save(errand);
    errands_push(&at->sandbox->errands, due_us, at->account->id, json_get_str(errand->json, "id"));
}

void errand_restore(struct sandbox *sandbox, const struct account *account, const char *id, const char *text)
{
    struct json_object *task JSON_CLEANUP = NULL;
    // A journal holds one line for each change of an errand, so the queue gets it once for each; only the due
    // time of the last is still the errand's own when it comes up.
    if (json_parse(text, strlen(text), &task, NULL) == OK) {
        errands_push(&sandbox->errands, json_get_i64(task, "due_us", 0), account->id, id);
    }
}

int64_t sandbox_next_due_us(const struct sandbox *sandbox)
{
    return errands_due_us(&sandbox->errands);
}

// Does one errand that is due; true: it is a delivery, handed out.
static bool run_errand(const struct moment *at, const struct errand *due, struct sandbox_delivery *delivery)
{
    struct document errand DOCUMENT_CLEANUP = DOCUMENT_EMPTY;
    if (!document_open(at, OBJECT_ERRAND, due->id, &errand) ||
        json_get_i64(errand.json, "due_us", 0) != due->due_us) {
        return false;
    }
    const char *name = json_get_str(errand.json, "errand");
    if (text_equal(name, kinds[ERRAND_DELIVER].name)) {
        return delivery_prepare(at, &errand, delivery);
    }
    for (size_t i = ERRAND_DELIVER + 1; i < COUNT_OF(kinds); i++) {
        if (text_equal(name, kinds[i].name)) {
            kinds[i].run(at, json_get_str(errand.json, "about"));
        }
    }
    object_remove(at->sandbox, at->account, errand.object);
    return false;
}

bool sandbox_next_delivery(struct sandbox *sandbox, int64_t now_us, struct arena *arena,
                           struct sandbox_delivery *delivery)
{
    struct errand errand;
    while (errands_pop(&sandbox->errands, now_us, &errand)) {
        struct moment at = {.sandbox = sandbox,
                            .account = account_of_id(sandbox, errand.account_id),
                            .now_us = now_us,
                            .arena = arena};
        if (at.account != NULL && run_errand(&at, &errand, delivery)) {
            return true;
        }
    }
    return false;
}
