// What becomes of an operation that is not at its end: when it is asked again, and under which key.
#include "base/timefmt.h"
#include "domain/retry.h"
#include "op/op.h"

static uint32_t random32(struct change *change)
{
    uint32_t value = 0;
    change->random->fill(change->random, &value, sizeof(value));
    return value;
}

static bool out_of_reach(const struct op *op)
{
    return op->call.answer.outcome == PROVIDER_UNKNOWN || op->call.answer.outcome == PROVIDER_LOOK_UP;
}

void op_put_off(struct op *op, struct change *change)
{
    const struct provider_answer *answer = &op->call.answer;
    int64_t reconcile_us = engine_options(op->engine)->config->reconcile_interval_ms * US_PER_MS;
    int64_t delay_us = out_of_reach(op)
                           ? retry_provider_delay_us(op->row.attempts, reconcile_us, random32(change))
                           : retry_check_delay_us(change->now_us - op->row.created_us, random32(change));
    if (answer->retry_after_us > delay_us) {
        delay_us = answer->retry_after_us;
    }
    op->open = true;
    op->row.unresolved = true;
    op->row.next_attempt_us = change->now_us + delay_us;
}

void op_check_again(struct op *op, struct change *change)
{
    if (out_of_reach(op)) {
        op_put_off(op, change);
        return;
    }
    op->open = true;
    op->row.next_attempt_us =
        change->now_us + retry_check_delay_us(change->now_us - op->row.created_us, random32(change));
}

void op_next_step(struct op *op, struct change *change)
{
    op->open = true;
    op->row.attempts = 0;
    op->row.unresolved = false;
    op->row.absent_us = 0;
    op->row.next_attempt_us = change->now_us;
}

void op_send_anew(struct op *op, struct change *change)
{
    bool first = op->row.absent_us == 0;
    op->row.absent_us = change->now_us;
    op_put_off(op, change);
    if (first) {
        op->row.next_attempt_us = change->now_us;
    }
}

enum errc op_ask_after(struct db *db, struct change *change, const struct payment *payment, struct err *err)
{
    return change_owe(db, change, payment, op_sync.name, retry_check_delay_us(0, random32(change)), err);
}
