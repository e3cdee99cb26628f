// Leases of several nodes, in one open transaction: who may claim what, and whose record counts.
#include "outbox_fixture.h"

#include "store/nodes.h"
#include "store/operations.h"

static const struct uuid node_a = {.bytes = {0x0a}};
static const struct uuid node_b = {.bytes = {0x0b}};
static const struct uuid merchant = {.bytes = {0x01, [15] = 1}};

// As node_insert does, whose clock is PostgreSQL's.
static void register_node(struct fixture *f, const struct uuid *id)
{
    assert_int_equal(db_run(f->db, NULL, &f->err,
                            "INSERT INTO nodes (id, name, started_us, beat, beat_us, trusts)"
                            " VALUES ($1, 'host', $2, 7, $2, 0)",
                            DB_ID(id), DB_I64(NOW)),
                     OK);
}

static void end_node(struct fixture *f, const struct uuid *id)
{
    bool removed = false;
    assert_int_equal(node_remove(f->db, &(struct node_row){*id, 7}, &removed, &f->err), OK);
    assert_true(removed);
    assert_int_equal(nodes_release_ended(f->db, NOW, &f->err), OK);
}

static int setup_nodes(void **state)
{
    const int rc = setup(state);
    register_node(*state, &node_a);
    register_node(*state, &node_b);
    add_merchant(*state, 1, true);
    return rc;
}

// --- operations

static struct operation sample(int64_t due_us, const struct uuid *node_id)
{
    struct operation row = {
        .subject_id = {.bytes = {0x05}},
        .kind = "charge",
        .merchant_id = merchant,
        .credential_version_id = {.bytes = {0x06}},
        .next_attempt_us = due_us,
        .created_us = NOW,
    };
    row.node_id = node_id != NULL ? *node_id : (struct uuid){0};
    return row;
}

static void open_operation(struct fixture *f, int64_t due_us, const struct uuid *node_id)
{
    const struct operation row = sample(due_us, node_id);
    assert_int_equal(operation_insert(f->db, &row, &f->err), OK);
}

static size_t claim_operation(struct fixture *f, const struct uuid *node_id, int64_t now_us,
                              struct operation *row)
{
    size_t count = 0;
    assert_int_equal(operations_claim(f->db, node_id, now_us, LEASE, &f->arena, row, 1, &count, &f->err), OK);
    return count;
}

static int64_t due_for(struct fixture *f, const struct uuid *node_id)
{
    int64_t due_us = 0;
    assert_int_equal(operations_next_due(f->db, node_id, &due_us, &f->err), OK);
    return due_us;
}

static struct operation stored(struct fixture *f)
{
    struct operation row = sample(0, NULL);
    assert_int_equal(operation_get(f->db, &row.subject_id, "charge", &f->arena, &row, &f->err), OK);
    return row;
}

static void a_live_nodes_operation_is_claimed_by_no_other_whatever_its_time(void **state)
{
    struct fixture *f = *state;
    struct operation row;
    open_operation(f, NOW, NULL);
    assert_int_equal(claim_operation(f, &node_a, NOW, &row), 1);
    assert_memory_equal(&row.node_id, &node_a, sizeof(node_a));
    assert_int_equal(claim_operation(f, &node_b, NOW + 10 * LEASE, &row), 0);
    assert_int_equal(due_for(f, &node_b), INT64_MAX);
    assert_int_equal(due_for(f, &node_a), NOW + LEASE);
    assert_int_equal(claim_operation(f, &node_a, NOW + LEASE, &row), 1);
}

static void who_wants_an_operation_sooner_leaves_it_to_its_node(void **state)
{
    struct fixture *f = *state;
    struct operation row;
    open_operation(f, NOW + LEASE, &node_a);
    open_operation(f, NOW + 1, NULL);
    assert_int_equal(stored(f).next_attempt_us, NOW + 1);
    assert_int_equal(claim_operation(f, &node_b, NOW + 1, &row), 0);
    assert_int_equal(claim_operation(f, &node_a, NOW + 1, &row), 1);
}

static void who_begins_an_operation_that_waited_leases_it(void **state)
{
    struct fixture *f = *state;
    open_operation(f, NOW + 2 * LEASE, NULL);
    open_operation(f, NOW + LEASE, &node_b);
    const struct operation row = stored(f);
    assert_memory_equal(&row.node_id, &node_b, sizeof(node_b));
    assert_int_equal(row.next_attempt_us, NOW + LEASE);
}

static void an_ended_nodes_operation_is_due_at_once(void **state)
{
    struct fixture *f = *state;
    struct operation row;
    open_operation(f, NOW + LEASE, &node_a);
    end_node(f, &node_a);
    assert_int_equal(due_for(f, &node_b), NOW);
    assert_int_equal(claim_operation(f, &node_b, NOW, &row), 1);
    assert_memory_equal(&row.node_id, &node_b, sizeof(node_b));
}

static void what_is_not_leased_keeps_its_time_when_a_node_ends(void **state)
{
    struct fixture *f = *state;
    open_operation(f, NOW + LEASE, NULL);
    end_node(f, &node_a);
    assert_int_equal(due_for(f, &node_b), NOW + LEASE);
}

static void a_lease_under_an_id_that_is_gone_ends_with_its_time(void **state)
{
    struct fixture *f = *state;
    struct operation row;
    end_node(f, &node_a);
    open_operation(f, NOW + LEASE, &node_a);
    assert_int_equal(claim_operation(f, &node_b, NOW + LEASE - 1, &row), 0);
    assert_int_equal(claim_operation(f, &node_b, NOW + LEASE, &row), 1);
}

static void a_node_that_beats_is_not_removed(void **state)
{
    struct fixture *f = *state;
    bool removed = true;
    assert_int_equal(node_remove(f->db, &(struct node_row){node_a, 6}, &removed, &f->err), OK);
    assert_false(removed);
}

// --- the outbox

static bool claim_event(struct fixture *f, const struct uuid *node_id, int64_t now_us,
                        struct outbox_event *event)
{
    bool has = false;
    bool damaged = false;
    assert_int_equal(outbox_claim(f->db, &merchant, node_id, now_us, now_us + LEASE, &f->arena, event, &has,
                                  &damaged, &f->err),
                     OK);
    assert_false(damaged);
    return has;
}

static void an_event_is_recorded_only_by_the_node_that_leases_it(void **state)
{
    struct fixture *f = *state;
    const struct outbox_attempt delivered = {.outcome = OUTBOX_DELIVERED, .at_us = NOW, .status_code = 200};
    struct outbox_event first;
    struct outbox_event second;
    const struct uuid id = append(f, merchant, (struct uuid){0}, NOW);
    assert_true(claim_event(f, &node_a, NOW, &first));
    assert_false(claim_event(f, &node_b, NOW + 10 * LEASE, &second));
    end_node(f, &node_a);
    assert_row(f, id, "pending", NOW);
    assert_true(claim_event(f, &node_b, NOW, &second)); // at the same moment, so the leases end together
    assert_false(record(f, &first, delivered));
    assert_row(f, id, "processing", NOW + LEASE);
    assert_true(record(f, &second, delivered));
    assert_row(f, id, "delivered", 0);
}

#define NODES(name) cmocka_unit_test_setup_teardown(name, setup_nodes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(a_live_nodes_operation_is_claimed_by_no_other_whatever_its_time),
        NODES(who_wants_an_operation_sooner_leaves_it_to_its_node),
        NODES(who_begins_an_operation_that_waited_leases_it),
        NODES(an_ended_nodes_operation_is_due_at_once),
        NODES(what_is_not_leased_keeps_its_time_when_a_node_ends),
        NODES(a_lease_under_an_id_that_is_gone_ends_with_its_time),
        NODES(a_node_that_beats_is_not_removed),
        NODES(an_event_is_recorded_only_by_the_node_that_leases_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
