// See step.h.
#include "op/kinds/step.h"

const char *step_key(struct arena *arena, const char *step, const struct uuid *subject_id,
                     const struct uuid *customer_id, int64_t number)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(subject_id, id);
    const char *key = arena_printf(arena, "%s_%s", step, id);
    if (customer_id != NULL) {
        uuid_format(customer_id, id);
        key = arena_printf(arena, "%s_%s", key, id);
    }
    return number == 0 ? key : arena_printf(arena, "%s_%lld", key, (long long)number);
}

int64_t step_charge_window_end_us(const struct op *op)
{
    return op->row.created_us + engine_options(op->engine)->config->charge_window_ms * US_PER_MS;
}

bool step_is_in_charge_window(const struct op *op, int64_t now_us)
{
    return now_us >= op->row.created_us && now_us < step_charge_window_end_us(op);
}

bool step_key_is_held(const struct op *op, int64_t now_us)
{
    return now_us >= op->row.created_us && now_us < op->row.created_us + STEP_KEY_HELD_US;
}

bool step_patience_is_over(const struct op *op, int64_t now_us)
{
    return now_us - op->row.created_us > engine_options(op->engine)->config->patience_ms * US_PER_MS;
}
