// Applies what the provider reports about a payment in an attempt's transaction. If it does not fit, the
// payment is as it was before, in memory too. Database threads.
#include "op/engine/op.h"
#include "store/payments.h"

enum errc op_apply_reported(struct op *op, struct tx *tx, struct payment *payment,
                            enum errc (*apply)(struct tx *tx, struct payment *payment,
                                               const struct provider_payment *reported, struct err *err),
                            bool *fits, struct err *err)
{
    struct err why = {0};
    enum errc rc = apply(tx, payment, &op->call.answer->payment, &why);
    *fits = rc == OK;
    if (rc == ERR_CONFLICT) {
        op->call.answer->reason = arena_strdup(&op->arena, why.message);
        return payment_get(tx->db, &payment->id, NULL, tx->arena, payment, err);
    }
    if (rc != OK) {
        *err = why;
    }
    return rc;
}
