// The queries on payments, operations, replies and keys: what they find, and in what order.
#include "database.h"
#include "queries_fixture.h"

#include "store/idempotency.h"
#include "store/prune.h"

// --- payments

static void another_merchants_payment_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct uuid id = insert_payment(f, START_US, false);
    const struct uuid other = {.bytes = {0x01, [15] = 2}};
    struct payment payment;
    assert_int_equal(payment_get(f->db, &id, &other, &f->arena, &payment, &f->err), ERR_NOT_FOUND);
    assert_int_equal(payment_get(f->db, &id, &f->merchant_id, &f->arena, &payment, &f->err), OK);
}

// --- operations

// The numbers of the claimed operations as a set of bits.
static uint32_t claim(struct fixture *f, int64_t now_us, size_t max)
{
    struct operation claimed[16];
    size_t count = 0;
    uint32_t numbers = 0;
    assert_int_equal(operations_claim(f->db, &(struct uuid){0}, now_us, 110 * US_PER_S, &f->arena, claimed,
                                      max, &count, &f->err),
                     OK);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        numbers |= 1u << claimed[i].subject_id.bytes[15];
        assert_int_equal(claimed[i].next_attempt_us, now_us + 110 * US_PER_S);
        assert_string_equal(claimed[i].body, "amount=1");
    }
    return numbers;
}

static int64_t next_due(struct fixture *f)
{
    int64_t due_us = 0;
    assert_int_equal(operations_next_due(f->db, &(struct uuid){0}, &due_us, &f->err), OK);
    return due_us;
}

static void operations_are_claimed_when_due_the_longest_due_first(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(next_due(f), INT64_MAX);
    for (uint8_t i = 1; i <= 5; i++) {
        insert_operation(f, i, NOW_US - i * US_PER_S);
    }
    insert_operation(f, 6, NOW_US + 1);
    assert_int_equal(next_due(f), NOW_US - 5 * US_PER_S);
    assert_int_equal(claim(f, NOW_US, 2), 1u << 5 | 1u << 4);
    assert_int_equal(claim(f, NOW_US, 16), 1u << 3 | 1u << 2 | 1u << 1);
    assert_int_equal(claim(f, NOW_US, 16), 0);
    assert_int_equal(next_due(f), NOW_US + 1);
    assert_int_equal(claim(f, NOW_US + 1, 16), 1u << 6);
}

static void a_claimed_operation_comes_back_when_its_lease_ends(void **state)
{
    struct fixture *f = *state;
    insert_operation(f, 1, NOW_US);
    assert_int_equal(claim(f, NOW_US, 16), 1u << 1);
    assert_int_equal(claim(f, NOW_US + 110 * US_PER_S - 1, 16), 0);
    assert_int_equal(claim(f, NOW_US + 110 * US_PER_S, 16), 1u << 1);
}

static void a_start_ends_every_lease(void **state)
{
    struct fixture *f = *state;
    int64_t released = 0;
    insert_operation(f, 1, NOW_US);
    insert_operation(f, 2, NOW_US + 86400 * US_PER_S); // due tomorrow, and held by nobody
    claim(f, NOW_US, 16);
    assert_int_equal(operations_release_leases(f->db, NOW_US, 3600 * US_PER_S, &released, &f->err), OK);
    assert_int_equal(released, 1);
    assert_int_equal(claim(f, NOW_US, 16), 1u << 1);
}

static void an_operation_that_is_opened_again_only_becomes_due_sooner(void **state)
{
    struct fixture *f = *state;
    struct operation operation = operation_of(f, 1, NOW_US);
    operation.attempts = 3;
    assert_int_equal(operation_insert(f->db, &operation, &f->err), OK);
    insert_operation(f, 1, NOW_US + 1);
    assert_int_equal(next_due(f), NOW_US);
    insert_operation(f, 1, NOW_US - 1);
    assert_int_equal(next_due(f), NOW_US - 1);
    struct operation found;
    assert_int_equal(operation_get(f->db, &operation.subject_id, "charge", &f->arena, &found, &f->err), OK);
    assert_int_equal(found.attempts, 3);
    assert_int_equal(operation_get(f->db, &operation.subject_id, "cancel", &f->arena, &found, &f->err),
                     ERR_NOT_FOUND);
}

static void a_body_is_written_once(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {NULL, "amount=1", "amount=2", NULL};
    struct operation operation = operation_of(f, 1, NOW_US);
    operation.body = NULL;
    assert_int_equal(operation_insert(f->db, &operation, &f->err), OK);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct operation found;
        operation.body = bodies[i];
        assert_int_equal(operation_update(f->db, &operation, &f->err), OK);
        assert_int_equal(operation_get(f->db, &operation.subject_id, "charge", &f->arena, &found, &f->err),
                         OK);
        assert_true(i == 0 ? found.body == NULL : strcmp(found.body, "amount=1") == 0);
    }
}

static void a_clock_that_was_set_undoes_the_conclusions_drawn_from_it(void **state)
{
    struct fixture *f = *state;
    struct operation charge = operation_of(f, 1, NOW_US + 99);
    struct operation sync = charge;
    sync.kind = "sync";
    sync.body = NULL;
    struct operation refund = charge;
    refund.kind = "refund";
    charge.absent_us = sync.absent_us = START_US;
    assert_int_equal(operation_insert(f->db, &charge, &f->err), OK);
    assert_int_equal(operation_insert(f->db, &sync, &f->err), OK);
    assert_int_equal(operation_insert(f->db, &refund, &f->err), OK);
    const char *const sent_again[] = {"refund", "cancel"};
    assert_int_equal(operations_distrust_clock(f->db, sent_again, NOW_US, -7, &f->err), OK);
    struct operation found;
    assert_int_equal(operation_get(f->db, &charge.subject_id, "charge", &f->arena, &found, &f->err), OK);
    assert_true(found.lookup_only);
    assert_int_equal(found.absent_us, 0);
    assert_int_equal(found.next_attempt_us, NOW_US);
    assert_int_equal(found.created_us, charge.created_us - 7);
    assert_int_equal(operation_get(f->db, &charge.subject_id, "refund", &f->arena, &found, &f->err), OK);
    assert_false(found.lookup_only);
    assert_int_equal(operation_get(f->db, &charge.subject_id, "sync", &f->arena, &found, &f->err), OK);
    assert_false(found.lookup_only);
    assert_int_equal(found.next_attempt_us, NOW_US);
}

// --- replies and keys

static struct uuid insert_reply(struct fixture *f, int64_t at_us, const char *text, bool fresh_expected)
{
    struct uuid id = {{(uint8_t)(at_us / 1000 >> 40), (uint8_t)(at_us / 1000 >> 32),
                       (uint8_t)(at_us / 1000 >> 24), (uint8_t)(at_us / 1000 >> 16),
                       (uint8_t)(at_us / 1000 >> 8), (uint8_t)(at_us / 1000), 0x70}};
    struct stored_reply reply = {.status = 201, .sealed = (const uint8_t *)text, .bytes = strlen(text)};
    bool fresh = !fresh_expected;
    assert_int_equal(reply_insert(f->db, &id, &reply, at_us, &fresh, &f->err), OK);
    assert_int_equal(fresh, fresh_expected);
    return id;
}

static void the_first_reply_is_kept(void **state)
{
    struct fixture *f = *state;
    struct uuid id = insert_reply(f, START_US, "first", true);
    insert_reply(f, START_US, "second", false);
    struct stored_reply reply;
    assert_int_equal(reply_get(f->db, &id, &f->arena, &reply, &f->err), OK);
    assert_int_equal(reply.status, 201);
    assert_memory_equal(reply.sealed, "first", 5);
    const struct uuid missing = {{9}};
    assert_int_equal(reply_get(f->db, &missing, &f->arena, &reply, &f->err), OK);
    assert_null(reply.sealed);
}

static void old_replies_are_pruned_the_oldest_first_and_in_small_steps(void **state)
{
    struct fixture *f = *state;
    struct uuid ids[10];
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = insert_reply(f, START_US + (int64_t)i * US_PER_S, "reply", true);
    }
    bool more = false;
    assert_int_equal(prune_replies(f->db, START_US + 5 * US_PER_S, 3, &more, &f->err), OK);
    assert_true(more);
    struct stored_reply reply;
    assert_int_equal(reply_get(f->db, &ids[2], &f->arena, &reply, &f->err), OK);
    assert_null(reply.sealed);
    assert_int_equal(prune_replies(f->db, START_US + 5 * US_PER_S, 100, &more, &f->err), OK);
    assert_false(more);
    assert_int_equal(reply_get(f->db, &ids[5], &f->arena, &reply, &f->err), OK);
    assert_non_null(reply.sealed);
}

static void a_key_is_one_merchants_in_one_mode_for_one_kind_of_request(void **state)
{
    struct fixture *f = *state;
    struct idempotency_key key = {.merchant_id = f->merchant_id,
                                  .kind = "payment",
                                  .key = "order-123",
                                  .request_hash = {7},
                                  .subject_id = {{5}},
                                  .created_us = START_US};
    assert_int_equal(idempotency_insert(f->db, &key, &f->err), OK);
    assert_int_equal(DATABASE_UNDONE(f->db, idempotency_insert(f->db, &key, &f->err), &f->err), ERR_EXISTS);
    struct idempotency_key found;
    bool has = false;
    assert_int_equal(
        idempotency_find(f->db, &f->merchant_id, false, "payment", "order-123", &found, &has, &f->err), OK);
    assert_true(has);
    assert_int_equal(found.request_hash[0], 7);
    assert_int_equal(found.subject_id.bytes[0], 5);
    const struct uuid other = {.bytes = {0x01, [15] = 2}};
    struct idempotency_key others[] = {key, key, key, key};
    others[0].merchant_id = other;
    others[1].livemode = true;
    others[2].kind = "refund";
    others[3].key = "Order-123";
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        const struct idempotency_key *o = &others[i];
        assert_int_equal(
            idempotency_find(f->db, &o->merchant_id, o->livemode, o->kind, o->key, &found, &has, &f->err),
            OK);
        assert_false(has);
        assert_int_equal(idempotency_insert(f->db, o, &f->err), OK);
    }
}

static void one_provider_id_is_one_payments_within_a_merchant_and_a_mode(void **state)
{
    struct fixture *f = *state;
    struct uuid ids[] = {insert_payment(f, START_US, false), insert_payment(f, START_US, false),
                         insert_payment(f, START_US, true)};
    struct payment payments[3];
    for (size_t i = 0; i < 3; i++) {
        payments[i] = payment_row(f, &ids[i]);
        payments[i].provider_ref = "pi_1";
    }
    assert_int_equal(payment_update(f->db, &payments[0], &f->err), OK);
    assert_int_equal(DATABASE_UNDONE(f->db, payment_update(f->db, &payments[1], &f->err), &f->err),
                     ERR_EXISTS);
    assert_int_equal(payment_update(f->db, &payments[2], &f->err), OK);
    struct payment found;
    assert_int_equal(payment_by_ref(f->db, &f->merchant_id, true, "pi_1", &f->arena, &found, &f->err), OK);
    assert_memory_equal(&found.id, &ids[2], sizeof(ids[2]));
    assert_int_equal(payment_by_ref(f->db, &f->merchant_id, true, "pi_2", &f->arena, &found, &f->err),
                     ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(another_merchants_payment_is_not_found),
        IN_TRANSACTION(operations_are_claimed_when_due_the_longest_due_first),
        IN_TRANSACTION(a_claimed_operation_comes_back_when_its_lease_ends),
        IN_TRANSACTION(a_start_ends_every_lease),
        IN_TRANSACTION(an_operation_that_is_opened_again_only_becomes_due_sooner),
        IN_TRANSACTION(a_body_is_written_once),
        IN_TRANSACTION(a_clock_that_was_set_undoes_the_conclusions_drawn_from_it),
        IN_TRANSACTION(the_first_reply_is_kept),
        IN_TRANSACTION(old_replies_are_pruned_the_oldest_first_and_in_small_steps),
        IN_TRANSACTION(a_key_is_one_merchants_in_one_mode_for_one_kind_of_request),
        IN_TRANSACTION(one_provider_id_is_one_payments_within_a_merchant_and_a_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
