// For tests of the limiter, added to engine_fixture.h: rates, statistics, the answers of a provider that is
// unreachable or is called too often, and a second merchant.
#pragma once

#include "engine_fixture.h"

#include "op/engine/engine_private.h"
#include "store/merchants.h"

static inline struct limiter_stats stats_of(struct fixture *f)
{
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    return stats.limiter;
}

// Starts the engine of a new process with this rate.
static inline void begin_at(struct fixture *f, int64_t rate)
{
    f->rates = (struct pace_rates){.test = rate, .live = rate};
    engine_crash(f);
    engine_begin(f);
}

// Leaves this many operations of unknown outcome open, as a process that ended would.
static inline void leave_open(struct fixture *f, int count)
{
    f->config.operations_max = 1000;
    for (int i = 0; i < count; i++) {
        assert_int_equal(buyer_prepare(buyer_new(f)), OK);
    }
}

static inline struct provider_answer answer_unreachable(void)
{
    struct provider_answer answer = answer_unknown();
    answer.unreachable = true;
    return answer;
}

static inline struct provider_answer answer_limited(void)
{
    return (struct provider_answer){
        .outcome = PROVIDER_UNKNOWN, .status = 429, .limited = true, .reason = "rate_limit"};
}

// A buyer at another merchant.
static inline struct buyer *stranger_new(struct fixture *f)
{
    struct buyer *buyer = buyer_new(f);
    buyer->payment.merchant_id = (struct uuid){.bytes = {0x01, [15] = 2}};
    struct merchant merchant = {.id = buyer->payment.merchant_id, .name = "other", .is_active = true};
    transaction_begin(f);
    if (merchant_get(f->db, &merchant.id, &f->arena, &merchant, &f->err) == ERR_NOT_FOUND) {
        assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    }
    transaction_end(f);
    return buyer;
}
