// A slot's states: which moves are allowed, and the list and the counters that each state has.
#include "unit_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/uuid.h"
#include "op/engine/limiter_private.h"

#include "fake_loop.h"

#define PATH_MAX_MOVES 4

static const struct uuid merchant = {.bytes = {1}};
static const int64_t operations_max = 100;
static const int64_t reconcile_interval_ms = 5000;

struct world {
    struct fake_loop loop;
    struct limiter *limiter;
};

static void open_world(struct world *world)
{
    fake_loop_init(&world->loop, 0);
    world->limiter = limiter_open(&(struct limiter_options){.loop = &world->loop.base,
                                                            .random = &random_system,
                                                            .rates = {.test = 8, .live = 8},
                                                            .operations_max = &operations_max,
                                                            .reconcile_interval_ms = &reconcile_interval_ms});
}

static struct limiter_slot taken(struct world *world, enum call_source source)
{
    struct limiter_slot slot;
    int64_t wait_us = 0;
    assert_true(limiter_take(world->limiter, &merchant, false, source, &slot, &wait_us));
    return slot;
}

// A slot in this state, by the shortest way from a taken one.
static void bring_to(struct limiter_slot *slot, enum limiter_slot_state state)
{
    static const enum limiter_slot_state paths[SLOT_STATE_COUNT][PATH_MAX_MOVES] = {
        [SLOT_QUEUED] = {SLOT_QUEUED},
        [SLOT_CALLING] = {SLOT_CALLING},
        [SLOT_ABANDONED] = {SLOT_CALLING, SLOT_ABANDONED},
        [SLOT_ANSWERED] = {SLOT_CALLING, SLOT_ANSWERED},
        [SLOT_QUEUED_AGAIN] = {SLOT_CALLING, SLOT_ANSWERED, SLOT_QUEUED_AGAIN},
    };
    if (state == SLOT_FREE) {
        limiter_release(slot);
    }
    for (const enum limiter_slot_state *to = paths[state]; *to != SLOT_FREE; to++) {
        limiter_move(slot, *to);
    }
    assert_int_equal(slot->state, state);
}

static bool is_queued(const struct limiter_slot *slot)
{
    return slot->state == SLOT_QUEUED || slot->state == SLOT_QUEUED_AGAIN;
}

// The slot is the only one: every list and every counter follows from its state.
static void assert_kept(struct world *world, const struct limiter_slot *slot)
{
    const struct limiter *limiter = world->limiter;
    const struct account *account = slot->account;
    const struct list *queue = &account->queues[slot->source];
    bool in_flight = slot->state == SLOT_CALLING || slot->state == SLOT_ABANDONED;
    struct limiter_stats stats;
    limiter_stats(world->limiter, &stats);
    assert_int_equal(account->slots[slot->source], slot->state != SLOT_FREE);
    assert_int_equal(limiter->slots[slot->source], slot->state != SLOT_FREE);
    assert_int_equal(list_linked(&account->idle_link), slot->state == SLOT_FREE);
    assert_int_equal(stats.queued, is_queued(slot));
    assert_int_equal(queue->next == &slot->link, is_queued(slot));
    assert_int_equal(list_empty(queue), !is_queued(slot));
    assert_int_equal(list_linked(&account->queued_link), is_queued(slot));
    assert_int_equal(account->in_flight, in_flight);
    assert_int_equal(limiter->in_flight, in_flight);
    assert_int_equal(limiter->calling.next == &slot->link, slot->state == SLOT_CALLING);
    assert_int_equal(list_empty(&limiter->calling), slot->state != SLOT_CALLING);
    assert_int_equal(limiter->abandoned.next == &slot->link, slot->state == SLOT_ABANDONED);
    assert_int_equal(list_empty(&limiter->abandoned), slot->state != SLOT_ABANDONED);
}

// In a process of its own.
static bool move_aborts(struct limiter_slot *slot, enum limiter_slot_state to)
{
    const pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); // cmocka's handler would report a failed test
        (void)close(STDERR_FILENO);
        limiter_move(slot, to);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

// From the row's state to the column's: FREE, HELD, QUEUED, CALLING, ABANDONED, ANSWERED, QUEUED_AGAIN.
static const bool allowed[SLOT_STATE_COUNT][SLOT_STATE_COUNT] = {
    [SLOT_FREE] = {0, 1, 0, 0, 0, 0, 0},         [SLOT_HELD] = {1, 0, 1, 1, 0, 0, 0},
    [SLOT_QUEUED] = {1, 1, 0, 0, 0, 0, 0},       [SLOT_CALLING] = {1, 0, 0, 0, 1, 1, 0},
    [SLOT_ABANDONED] = {1, 0, 0, 0, 0, 1, 0},    [SLOT_ANSWERED] = {1, 0, 0, 1, 0, 0, 1},
    [SLOT_QUEUED_AGAIN] = {1, 0, 0, 0, 0, 1, 0},
};

static void every_move_keeps_lists_and_counters_or_aborts(void **state)
{
    (void)state;
    for (int from = 0; from < SLOT_STATE_COUNT; from++) {
        for (int to = 0; to < SLOT_STATE_COUNT; to++) {
            struct world world;
            open_world(&world);
            struct limiter_slot slot = taken(&world, to % 2 == 0 ? CALL_FROM_API : CALL_FROM_RECOVERY);
            bring_to(&slot, (enum limiter_slot_state)from);
            assert_kept(&world, &slot);
            assert_int_equal(limiter_can_move((enum limiter_slot_state)from, (enum limiter_slot_state)to),
                             allowed[from][to]);
            if (allowed[from][to]) {
                limiter_move(&slot, (enum limiter_slot_state)to);
                assert_int_equal(slot.state, to);
                assert_kept(&world, &slot);
            } else {
                assert_true(move_aborts(&slot, (enum limiter_slot_state)to));
            }
            limiter_release(&slot);
            assert_kept(&world, &slot);
            limiter_close(world.limiter, limiter_release);
        }
    }
}

static void a_state_tells_whether_a_call_was_sent(void **state)
{
    (void)state;
    static const bool called[SLOT_STATE_COUNT] = {
        [SLOT_CALLING] = true, [SLOT_ABANDONED] = true, [SLOT_ANSWERED] = true, [SLOT_QUEUED_AGAIN] = true};
    for (int at = 0; at < SLOT_STATE_COUNT; at++) {
        struct limiter_slot slot = {.state = (enum limiter_slot_state)at};
        assert_int_equal(limiter_slot_has_called(&slot), called[at]);
    }
}

static void a_further_call_is_queued_before_first_calls(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    static const enum limiter_slot_state states[] = {SLOT_QUEUED, SLOT_QUEUED, SLOT_QUEUED_AGAIN};
    static const size_t order[] = {2, 0, 1};
    struct limiter_slot slots[COUNT_OF(states)];
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        slots[i] = taken(&world, CALL_FROM_API);
        bring_to(&slots[i], states[i]);
    }
    const struct list *node = &slots[0].account->queues[CALL_FROM_API];
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        node = node->next;
        assert_ptr_equal(node, &slots[order[i]].link);
    }
    limiter_close(world.limiter, limiter_release);
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        assert_int_equal(slots[i].state, SLOT_FREE);
    }
}

static void an_account_is_idle_when_its_last_slot_is_free(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    struct limiter_slot of_api = taken(&world, CALL_FROM_API);
    struct limiter_slot of_recovery = taken(&world, CALL_FROM_RECOVERY);
    const struct account *account = of_api.account;
    limiter_release(&of_api);
    assert_false(list_linked(&account->idle_link));
    limiter_release(&of_recovery);
    assert_true(list_linked(&account->idle_link));
    limiter_release(&of_recovery); // is free
    assert_int_equal(account->slots[CALL_FROM_RECOVERY], 0);
    limiter_close(world.limiter, limiter_release);
}

// Each of four nodes has a quarter of the account's 8 calls a second, and takes no more slots than it can
// call.
static void an_account_is_shared_out_among_the_nodes(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    limiter_set_nodes(world.limiter, 4);
    struct limiter_slot slots[10];
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        slots[i] = taken(&world, CALL_FROM_API);
    }
    struct limiter_slot another;
    int64_t wait_us = 0;
    assert_int_equal(limiter_rate(world.limiter, slots[0].account), 2);
    assert_false(limiter_take(world.limiter, &merchant, false, CALL_FROM_API, &another, &wait_us));
    limiter_set_nodes(world.limiter, 1); // the others have ended
    assert_true(limiter_take(world.limiter, &merchant, false, CALL_FROM_API, &another, &wait_us));
    limiter_release(&another);
    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        limiter_release(&slots[i]);
    }
    limiter_close(world.limiter, limiter_release);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_keeps_lists_and_counters_or_aborts),
        cmocka_unit_test(a_state_tells_whether_a_call_was_sent),
        cmocka_unit_test(a_further_call_is_queued_before_first_calls),
        cmocka_unit_test(an_account_is_shared_out_among_the_nodes),
        cmocka_unit_test(an_account_is_idle_when_its_last_slot_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
