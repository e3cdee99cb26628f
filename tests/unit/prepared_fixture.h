// Begins an operation of any kind as the API does: prepared in a transaction of the store's, and run after
// its commit. Also replaces credentials and applies events.
#pragma once

#include "engine_fixture.h"

#include "op/kinds/card.h"
#include "op/state/inbound.h"
#include "store/cards.h"
#include "store/credentials.h"
#include "store/sealed.h"

struct prepared {
    struct awaited awaited;
    struct fixture *f;
    // Writes the rows of the operation, and prepares it.
    enum errc (*prepare)(struct fixture *f, struct tx *tx, struct op **op, struct err *err);
    struct op *op; // NULL: it is not begun by a request, but is due
};

static inline enum errc prepared_run(struct store_job *job, struct tx *tx, struct err *err)
{
    struct prepared *prepared = CONTAINER_OF(job, struct prepared, awaited.job);
    return prepared->prepare(prepared->f, tx, &prepared->op, err);
}

// Up to the commit.
static inline struct prepared prepare(struct fixture *f, enum errc (*how)(struct fixture *f, struct tx *tx,
                                                                          struct op **op, struct err *err))
{
    struct prepared prepared = {.f = f, .prepare = how};
    prepared.awaited.job =
        (struct store_job){.run = prepared_run, .arena = &f->arena, .cause = "api", .cause_ref = "request-1"};
    assert_int_equal(store_await(f->store, &f->loop, &prepared.awaited), OK);
    return prepared;
}

// Lets the call begin, and runs until time would have to pass.
static inline void prepared_go(struct prepared *prepared)
{
    if (prepared->op != NULL) {
        op_run(prepared->op);
    }
    fake_loop_run_for(&prepared->f->loop, 0);
}

// --- credentials

// As the API does: another secret key is the merchant's present one from now on.
static inline void put_credentials(struct fixture *f, uint8_t number, const char *secret_key)
{
    struct uuid version = {.bytes = {0x03, [15] = number}};
    struct sealed sealed =
        seal(&f->keyring.master, &f->arena, sealed_context(&f->arena, SEALED_PROVIDER_KEY, &version),
             secret_key, strlen(secret_key));
    transaction_begin(f);
    struct credential credential;
    assert_int_equal(credential_get(f->db, &f->merchant_id, "stripe", false, &f->arena, &credential, &f->err),
                     OK);
    credential.version_id = version;
    assert_int_equal(credential_version_insert(f->db, &version, &f->credential_id, sealed.data, sealed.bytes,
                                               START_US, &f->err),
                     OK);
    assert_int_equal(credential_put(f->db, &credential, &f->err), OK);
    assert_int_equal(credential_versions_wipe(f->db, &f->credential_id, &f->err), OK);
    transaction_end(f);
}

// --- a card that is being saved, with its customer

#define CARD_ID ((struct uuid){.bytes = {0x06, [15] = 1}})

static inline struct card card_to_save(const struct fixture *f, const struct tx *tx)
{
    return (struct card){
        .id = CARD_ID,
        .merchant_id = f->merchant_id,
        .status = CARD_SAVING,
        .provider = "stripe",
        .method_sent = "pm_card_visa",
        .customer_email = "buyer@shop.example",
        .credential_version_id = f->version_id,
        .created_us = tx->now_us,
        .updated_us = tx->now_us,
    };
}

static inline enum errc prepare_card(struct fixture *f, struct tx *tx, struct op **op, struct err *err)
{
    struct card card = card_to_save(f, tx);
    return card_prepare(f->engine, tx, &card, op, err);
}

// One that its payer sets up.
static inline enum errc prepare_setup_card(struct fixture *f, struct tx *tx, struct op **op, struct err *err)
{
    struct card card = card_to_save(f, tx);
    card.return_url = "https://shop.example/return";
    return card_prepare(f->engine, tx, &card, op, err);
}

static inline struct card card_row(struct fixture *f)
{
    struct card card = {0};
    transaction_begin(f);
    assert_int_equal(card_get(f->db, &CARD_ID, NULL, &f->arena, &card, &f->err), OK);
    transaction_end(f);
    return card;
}

static inline void apply_event(struct fixture *f, struct provider_event event)
{
    struct inbound inbound = {.merchant_id = f->merchant_id, .event = event};
    struct tx tx = tx_for(f, "event", event.id);
    transaction_begin(f);
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
    transaction_end(f);
}
