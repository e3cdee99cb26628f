// Proves whether the merchant's present key belongs to the account of an operation's key. The provider
// refused the operation's key while its outcome is unknown, so the present key reads the evidence: a payment
// that is known to be in the refused key's account. If it can read it, both keys belong to one account, and
// the operation goes on with the present key; what moves money is then only looked up, never sent again. If
// it cannot, the refusal stands. A cancellation asks for the proof even at its first attempt, because it may
// be sent twice. Database threads, except key_proof_begin and key_proof_evaluate: loop thread.
#include "base/log.h"
#include "base/text.h"
#include "op/engine/engine_private.h"
#include "store/credentials.h"

enum errc key_proof_find_present(struct op *op, struct tx *tx, struct err *err)
{
    struct credential present = {0};
    if (!op->row.unresolved && !op->kind->needs_present) {
        return OK;
    }
    enum errc rc = credential_get(tx->db, &op->row.merchant_id, op_provider(op)->name, op->row.livemode,
                                  &op->arena, &present, err);
    op->present_version_id = present.version_id;
    return rc == ERR_NOT_FOUND ? OK : rc;
}

bool op_has_other_key(const struct op *op)
{
    return !uuid_is_nil(&op->present_version_id) &&
           !uuid_equal(&op->present_version_id, &op->row.credential_version_id);
}

enum errc key_proof_open_present(struct op *op, struct tx *tx, struct err *err)
{
    return op->evidence_ref != NULL && op_has_other_key(op)
               ? op_open_key(op, tx, &op->present_version_id, &op->present_key, err)
               : OK;
}

bool key_proof_begin(struct op *op)
{
    if (op->call.answer->outcome != PROVIDER_NO_AUTH || op->present_key.len == 0 || op->proof != PROOF_NONE) {
        return false;
    }
    op->proof = PROOF_ASKED;
    op->refused = op->call.answer;
    op->refused_verb = op->call.verb;
    op->call.verb = PROVIDER_RETRIEVE;
    op->call.ref = op->evidence_ref;
    op->call.body = NULL;
    op->call.send_before_us = 0;
    op->call.secret_key = op->present_key;
    return true;
}

void key_proof_evaluate(struct op *op)
{
    struct provider_answer *answer = op->call.answer;
    if (op->proof != PROOF_ASKED) {
        return;
    }
    if (answer->outcome == PROVIDER_DONE && text_equal(answer->payment.id, op->evidence_ref)) {
        op->proof = PROOF_SAME_ACCOUNT;
        return;
    }
    if (answer->outcome == PROVIDER_REFUSED &&
        op_provider(op)->failure_meaning(answer->failure.code) == FAILURE_NO_SUCH_OBJECT) {
        op->proof = PROOF_OTHER_ACCOUNT;
    }
    op->call.verb = op->refused_verb;
    if (answer->outcome == PROVIDER_UNKNOWN || answer->outcome == PROVIDER_LOOK_UP) {
        answer->outcome = PROVIDER_UNKNOWN; // try again: the present key may be the account's
    } else {
        op->call.answer = op->refused;
    }
}

enum errc key_proof_switch_key(struct op *op, struct tx *tx, struct err *err)
{
    const uint8_t *sealed = NULL;
    size_t bytes = 0;
    op_at(op, tx->now_us);
    enum errc rc =
        credential_version_get(tx->db, &op->present_version_id, &op->settle_arena, &sealed, &bytes, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK
                                   : rc; // replaced and wiped meanwhile: the next attempt has the new one
    }
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    LOG(LOG_WARN,
        "a secret key was refused: the operation goes on with the merchant's current key of the same account",
        LOG_STR("subject_id", id), LOG_STR("operation", op->kind->name));
    op->row.credential_version_id = op->present_version_id;
    bool sent_again = op->row.body == NULL || op->kind->sends_no_body; // it does no harm twice
    op->row.lookup_only = op->row.lookup_only || !sent_again;
    return OK;
}
