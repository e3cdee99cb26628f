// What happens to an operation after an attempt: the verdict that settle sets, and the time of the next
// attempt that follows from it. Database threads, in the job that settles or abandons the outcome.
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/engine/engine_private.h"

void op_retry(struct op *op)
{
    op->verdict = VERDICT_RETRY;
    op->retry_by_us = 0; // an earlier run of settle may have chosen one
    op->row.unresolved = true;
}

void op_poll(struct op *op)
{
    if (provider_is_out_of_reach(op->call.answer)) {
        op_retry(op);
    } else {
        op->verdict = VERDICT_POLL;
    }
}

void op_at(struct op *op, int64_t at_us)
{
    op->verdict = VERDICT_AT;
    op->verdict_at_us = at_us;
}

void op_next_step(struct op *op, const struct tx *tx)
{
    op->row.attempts = 0;
    op->row.unresolved = false;
    op->row.resent_us = 0;
    op_at(op, tx->now_us);
}

void op_send_anew(struct op *op, const struct tx *tx)
{
    bool first = op->row.resent_us == 0;
    op->row.resent_us = tx->now_us;
    op_retry(op);
    if (first) {
        op_at(op, tx->now_us);
    }
}

static int64_t retry_delay_us(const struct op *op, const struct tx *tx)
{
    const struct provider_answer *answer = op->call.answer;
    int64_t cap_us = op->engine->options.config->reconcile_interval_ms * US_PER_MS;
    int64_t delay_us = provider_is_out_of_reach(answer)
                           ? retry_provider_delay_us(op->row.attempts, cap_us, random_u32(tx->random))
                           : retry_check_delay_us(tx->now_us - op->row.created_us, random_u32(tx->random));
    return answer->retry_after_us > delay_us ? answer->retry_after_us : delay_us;
}

void op_apply_verdict(struct op *op, const struct tx *tx)
{
    op->row.node_id = (struct uuid){0};
    switch (op->verdict) {
    case VERDICT_CLOSE:
        break;
    case VERDICT_RETRY:
        op->row.next_attempt_us = tx->now_us + retry_delay_us(op, tx);
        if (op->retry_by_us != 0 && op->row.next_attempt_us > op->retry_by_us) {
            op->row.next_attempt_us = op->retry_by_us;
        }
        break;
    case VERDICT_POLL:
        op->row.next_attempt_us =
            tx->now_us + retry_check_delay_us(tx->now_us - op->row.created_us, random_u32(tx->random));
        break;
    case VERDICT_AT:
        op->row.next_attempt_us = op->verdict_at_us;
        break;
    }
}
