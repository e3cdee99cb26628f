// For tests of the provider's events: builds an event as a merchant's secret verified it, and applies it.
#pragma once

#include "tx_fixture.h"

#include "base/require.h"
#include "base/text.h"
#include "op/state/inbound.h"

struct sent_event {
    const char *event_id;
    const char *type;
    bool livemode;
    const char *object;            // members of the object beside metadata
    const struct uuid *payment_id; // in metadata; NULL: none
    const struct uuid *merchant_id;
};

#define PAID                                                                                                 \
    "\"id\":\"pi_1\",\"status\":\"succeeded\",\"amount\":5000,\"amount_received\":5000,\"currency\":\"usd\""
#define DECLINED                                                                                             \
    "\"id\":\"pi_1\",\"status\":\"requires_payment_method\",\"amount\":5000,\"currency\":\"usd\","           \
    "\"last_payment_error\":{\"code\":\"card_declined\"}"
#define CHARGE(amount_refunded, refunded)                                                                    \
    "\"id\":\"ch_1\",\"payment_intent\":\"pi_1\",\"amount\":5000,\"amount_captured\":5000,\"currency\":"     \
    "\"usd\","                                                                                               \
    "\"amount_refunded\":" amount_refunded ",\"refunded\":" refunded

static inline const char *id_text(struct fixture *f, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(id, text);
    return arena_strdup(&f->arena, text);
}

// As a delivery that this merchant's secret verified.
static inline struct inbound verified(struct fixture *f, struct sent_event sent,
                                      const struct uuid *merchant_id)
{
    REQUIRE(merchant_id != NULL);
    const char *metadata = "";
    if (sent.payment_id != NULL) {
        metadata = arena_printf(&f->arena, "\"payment_id\":\"%s\"", id_text(f, sent.payment_id));
    }
    if (sent.merchant_id != NULL) {
        metadata =
            arena_printf(&f->arena, "%s,\"merchant_id\":\"%s\"", metadata, id_text(f, sent.merchant_id));
    }
    struct inbound inbound = {.merchant_id = *merchant_id};
    inbound.body = arena_printf(
        &f->arena,
        "{\"id\":\"%s\",\"type\":\"%s\",\"livemode\":%s,\"data\":{\"object\":{%s,\"metadata\":{%s}}}}",
        sent.event_id, sent.type, sent.livemode ? "true" : "false", sent.object, metadata);
    inbound.body_bytes = strlen(inbound.body);
    assert_int_equal(
        provider_default()->event_parse(inbound.body, inbound.body_bytes, &f->arena, &inbound.event, &f->err),
        OK);
    return inbound;
}

// As the API applies it. The transaction, for what its commit triggers.
static inline struct tx apply_for(struct fixture *f, struct sent_event sent, const struct uuid *merchant_id)
{
    struct inbound inbound = verified(f, sent, merchant_id);
    struct tx tx = tx_of(f);
    tx.cause_ref = sent.event_id;
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    return tx;
}

static inline struct tx apply(struct fixture *f, struct sent_event sent)
{
    return apply_for(f, sent, &f->merchant_id);
}

static inline int64_t recorded(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM inbox");
}

// Of the only event that was recorded: "kept awaits_payment".
static inline const char *outcome(struct fixture *f)
{
    DB_ROWS(rows);
    assert_int_equal(
        db_one(f->db, &rows, "no event", &f->err, "SELECT outcome || coalesce(' ' || reason, '') FROM inbox"),
        OK);
    return db_text(&rows, 0, &f->arena);
}

static inline int64_t kept(struct fixture *f)
{
    return sql_number(f, "SELECT count(*) FROM inbox WHERE body IS NOT NULL");
}
