// See modification.h.
#include "op/kinds/modification.h"

#include "op/state/render.h"

bool modification_is_refused(const struct op *op)
{
    const struct provider_answer *answer = op->call.answer;
    bool first = op->row.attempts == 1 && !op->row.unresolved && op->refusal.code == NULL;
    return (answer->outcome == PROVIDER_REFUSED && op->refusal.code != NULL) ||
           (answer->outcome == PROVIDER_NO_AUTH && first);
}

void modification_refuse(struct op *op)
{
    const struct provider_ops *provider = op_provider(op);
    struct err *refusal = &op->record->answer.refusal;
    const struct failure *failure = &op->refusal;
    if (op->call.answer->outcome == PROVIDER_NO_AUTH) {
        (void)err_set(refusal, ERR_PROVIDER_AUTH_FAILED, "%s", op->call.answer->failure.message);
    } else if (failure->code == NULL) {
        (void)err_set(refusal, ERR_PROVIDER_REJECTED, "%s did not do it", provider->display_name);
    } else if (provider->failure_meaning(failure->code) == FAILURE_UNEXPECTED_STATE) {
        (void)err_set(refusal, ERR_CONFLICT, "the payment's state at %s does not allow it",
                      provider->display_name);
    } else if (failure->message != NULL) {
        (void)err_set(refusal, ERR_PROVIDER_REJECTED, "%s: %s", failure->code, failure->message);
    } else {
        (void)err_set(refusal, ERR_PROVIDER_REJECTED, "%s: %s gave no reason", failure->code,
                      provider->display_name);
    }
}

enum errc modification_undo(struct op *op, struct tx *tx, struct payment *payment, bool authorised,
                            const char *what, struct err *err)
{
    modification_refuse(op);
    return authorised ? payment_set_capturable(tx, payment, true, what, err)
                      : append_history(tx, payment, what, err);
}

enum errc modification_answer(struct tx *tx, const struct payment *payment, int status,
                              struct op_answer *answer, struct err *err)
{
    struct json_writer json = render_success(tx->arena);
    enum errc rc = render_payment(&json, payment, &tx->keyring->master, RENDER_ANSWER, err);
    if (rc == OK) {
        *answer = (struct op_answer){.status = status, .body = json_finish(&json)};
    }
    return rc;
}

enum errc modification_answer_unfinished(struct tx *tx, const struct payment *payment,
                                         const struct op_kind *kind, struct op_answer *answer,
                                         struct err *err)
{
    struct operation open = {0};
    enum errc rc = operation_get(tx->db, &payment->id, kind->name, tx->arena, &open, err);
    if (rc == OK) {
        return modification_answer(tx, payment, 202, answer, err);
    }
    if (rc == ERR_NOT_FOUND) {
        (void)err_set(&answer->refusal, ERR_CONFLICT, "%s did not do it: the payment is still pending",
                      provider_find(payment->provider)->display_name);
        return OK;
    }
    return rc;
}
