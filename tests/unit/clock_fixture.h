// For tests of clocks that jump: sets the engine's wall clock, and begins a refund.
#pragma once

#include "op_setup.h"

static inline void jump_s(struct fixture *f, int64_t seconds)
{
    f->loop.wall_offset_us += seconds * US_PER_S;
}

static inline int64_t wall_us(const struct fixture *f)
{
    return f->loop.mono_us + f->loop.wall_offset_us;
}

static inline void begin_refund(struct fixture *f)
{
    engine_begin(f);
    struct prepared refund = prepare(f, prepare_refund);
    fake_provider_will(&f->provider, answer_unknown());
    prepared_go(&refund);
}
