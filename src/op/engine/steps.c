// What becomes of an operation that is not at its end: when it is asked again, and under which key.
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/engine/op.h"

static bool out_of_reach(const struct op *op)
{
    return op->call.answer.outcome == PROVIDER_UNKNOWN || op->call.answer.outcome == PROVIDER_LOOK_UP;
}

void op_put_off(struct op *op, struct tx *tx)
{
    const struct provider_answer *answer = &op->call.answer;
    int64_t reconcile_us = engine_options(op->engine)->config->reconcile_interval_ms * US_PER_MS;
    int64_t delay_us = out_of_reach(op)
                           ? retry_provider_delay_us(op->row.attempts, reconcile_us, tx_random32(tx))
                           : retry_check_delay_us(tx->now_us - op->row.created_us, tx_random32(tx));
    if (answer->retry_after_us > delay_us) {
        delay_us = answer->retry_after_us;
    }
    op->open = true;
    op->row.unresolved = true;
    op->row.next_attempt_us = tx->now_us + delay_us;
}

void op_check_again(struct op *op, struct tx *tx)
{
    if (out_of_reach(op)) {
        op_put_off(op, tx);
        return;
    }
    op->open = true;
    op->row.next_attempt_us =
        tx->now_us + retry_check_delay_us(tx->now_us - op->row.created_us, tx_random32(tx));
}

void op_next_step(struct op *op, struct tx *tx)
{
    op->open = true;
    op->row.attempts = 0;
    op->row.unresolved = false;
    op->row.absent_us = 0;
    op->row.next_attempt_us = tx->now_us;
}

void op_send_anew(struct op *op, struct tx *tx)
{
    bool first = op->row.absent_us == 0;
    op->row.absent_us = tx->now_us;
    op_put_off(op, tx);
    if (first) {
        op->row.next_attempt_us = tx->now_us;
    }
}

enum errc op_ask_after(struct tx *tx, const struct payment *payment, struct err *err)
{
    return schedule_operation(tx, payment, op_sync.name, retry_check_delay_us(0, tx_random32(tx)), err);
}
