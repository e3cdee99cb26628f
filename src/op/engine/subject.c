// The rows that a transaction locks before it records what became of an operation: first what the operation
// is about, then the operation itself. Everybody keeps this order (docs/decisions/many-writers.md). Database
// threads.
#include "base/require.h"
#include "op/engine/engine_private.h"
#include "store/cards.h"
#include "store/credentials.h"
#include "store/payments.h"

static enum errc lock_subject(const struct op *op, struct tx *tx, struct err *err)
{
    const struct uuid *id = &op->row.subject_id;
    switch (op->kind->subject) {
    case SUBJECT_PAYMENT:
        return payment_lock(tx->db, id, err);
    case SUBJECT_REFUND:
        return payment_lock_refunded(tx->db, id, err);
    case SUBJECT_PAID_CARD: {
        const enum errc rc = payment_lock_saving(tx->db, id, err);
        return rc == OK ? card_lock(tx->db, id, err) : rc;
    }
    case SUBJECT_CARD:
        return card_lock(tx->db, id, err);
    case SUBJECT_ACCOUNT:
        return credential_lock(tx->db, id, err);
    }
    require_failed("an operation has a subject", __FILE__, __LINE__);
}

void op_ask_held(struct op *op, struct tx *tx)
{
    struct operation row = {0};
    struct err ignored;
    db_asked(lock_subject(op, tx, &ignored));
    db_asked(operation_get(tx->db, &op->row.subject_id, op->kind->name, tx->arena, &row, &ignored));
}

enum errc op_get_held(struct op *op, struct tx *tx, struct operation *row, bool *held, struct err *err)
{
    *held = false;
    enum errc rc = lock_subject(op, tx, err);
    if (rc == OK) {
        rc = operation_get(tx->db, &op->row.subject_id, op->kind->name, &op->settle_arena, row, err);
    }
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc; // closed by another way
    }
    *held = uuid_equal(&row->node_id, &op->leased_by);
    return OK;
}
