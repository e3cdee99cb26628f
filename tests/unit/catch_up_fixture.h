// For tests of catching up: a process that starts an hour later, and what the provider lists then.
#pragma once

#include "engine_fixture.h"

#include "op/kinds/catch_up.h"
#include "op/state/catch_up_schedule.h"

#define OTHER_MERCHANT "018f0000-0000-7000-8000-000000000009"

// A process that ends, and one that starts like this an hour later.
static inline void start_again(struct fixture *f, enum engine_start start)
{
    engine_run_s(f, 120); // so that it has noted when it ran
    f->start = start;
    engine_crash(f);
    engine_run_s(f, 3600);
    engine_begin(f);
}

static inline bool held(struct fixture *f)
{
    struct tx tx = tx_for(f, "api", NULL);
    transaction_begin(f);
    enum errc rc = catch_up_check(&tx, &f->merchant_id, CATCH_UP_TEST, &f->err);
    transaction_end(f);
    assert_true(rc == OK || rc == ERR_CATCHING_UP);
    return rc == ERR_CATCHING_UP;
}

static inline struct uuid lost_id(struct fixture *f)
{
    return uuid_new(&random_system, loop_wall_us(&f->loop.base));
}

// The intent of a payment of this service's, in a list of all.
static inline struct provider_payment made(struct fixture *f, const struct uuid *payment_id,
                                           const char *payment_ref)
{
    char merchant[UUID_TEXT_BYTES];
    uuid_format(&f->merchant_id, merchant);
    struct provider_payment reported = listed(f, payment_id, payment_ref, PROVIDER_PAYMENT_SUCCEEDED);
    reported.merchant_id = arena_strdup(&f->arena, merchant);
    reported.created_s = uuid_ms(payment_id) / 1000 + 1;
    reported.origin = (struct payment_origin){
        .mark = {.key = arena_printf(&f->arena, "key of %s", payment_ref), .hash = {1, 2, 3}},
        .payment_method = "pm_1",
    };
    return reported;
}

static inline void will_list(struct fixture *f, struct provider_payment *payments, size_t count,
                             const char *next_page)
{
    fake_provider_will(&f->provider, answer_list(payments, count, next_page));
}

static inline void will_list_no_refunds(struct fixture *f)
{
    fake_provider_will(&f->provider, (struct provider_answer){.outcome = PROVIDER_DONE, .status = 200});
}

static inline size_t pages_asked(struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_PAYMENTS_SINCE);
}

static inline struct uuid bought(struct fixture *f)
{
    engine_begin(f);
    fake_provider_will(&f->provider, answer_payment(PROVIDER_PAYMENT_SUCCEEDED));
    return buy(f)->payment.id;
}
