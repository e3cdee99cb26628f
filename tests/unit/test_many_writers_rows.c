// Two nodes at the same moment: cards, credentials, the outbox, the audit log, and keys that are kept.
#include "many_writers.h"

#include "op/state/emit_event.h"
#include "store/api_keys.h"
#include "store/audit.h"
#include "store/kept_rows.h"
#include "store/outbox.h"

// --- cards

static struct deed save_deed(struct fixture *f, const char *key)
{
    struct caller *caller =
        caller_new(f, key, NULL, "{\"payment_method_id\":\"pm_card_visa\"}", card_create_read);
    return (struct deed){.caller = caller, .work = card_create_work};
}

static void one_card_that_is_saved_twice_is_one_card(void **state)
{
    struct fixture *f = *state;
    struct deed first = save_deed(f, "a");
    struct deed second = save_deed(f, "b");
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards"), 1);
    assert_null(second.caller->request.op);
    assert_ptr_equal(second.caller->request.wait_for, &op_card); // it waits for the first
    deed_end(&first);
    deed_end(&second);
}

static struct deed default_deed(struct fixture *f, const struct uuid *card_id)
{
    return (struct deed){.caller = caller_new(f, NULL, card_id, NULL, NULL), .work = card_default_work};
}

static void a_customer_has_one_default_card(void **state)
{
    struct fixture *f = *state;
    struct card card;
    transaction_begin(f);
    assert_int_equal(insert_card(f, f->db, &card, &f->err), OK);
    card.id = (struct uuid){.bytes = {0x06, [15] = 2}};
    card.provider_ref = "pm_2";
    assert_int_equal(card_insert(f->db, &card, &f->err), OK);
    transaction_end(f);
    struct deed first = default_deed(f, &CARD_ID);
    struct deed second = default_deed(f, &card.id);
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM cards WHERE is_default = 1"), 1);
    deed_end(&first);
    deed_end(&second);
}

// --- credentials

// keys: fields of JSON.
#define CREDENTIALS(keys) "{\"provider\":\"stripe\",\"stripe\":{" keys "}}"
#define WEBHOOK_SECRET "\"webhook_secret\":\"whsec_0123456789abcdef0123456789abcdef\""

static struct deed credentials_deed(struct fixture *f, const char *body)
{
    return (struct deed){.caller = caller_new(f, NULL, NULL, body, providers_put_read),
                         .work = providers_put_work};
}

static void credentials_that_two_nodes_set_can_be_opened(void **state)
{
    struct fixture *f = *state;
    static const char body[] = CREDENTIALS("\"secret_key\":\"sk_live_0123456789abcdef\"," WEBHOOK_SECRET);
    struct deed first = credentials_deed(f, body);
    struct deed second = credentials_deed(f, body);
    first.caller->request.principal.livemode = second.caller->request.principal.livemode = true;
    struct credential row = {0};
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(at_once(f, &first, &second), OK);
    transaction_begin(f);
    assert_int_equal(credential_get(f->db, &f->merchant_id, "stripe", true, &f->arena, &row, &f->err), OK);
    transaction_end(f);
    const struct sealed sealed = {row.webhook_secret, row.webhook_secret_bytes};
    assert_int_equal(seal_open(&f->keyring.master, &f->arena,
                               sealed_context(&f->arena, SEALED_PROVIDER_WEBHOOK, &row.id), sealed, &text,
                               &bytes, &f->err),
                     OK);
    deed_end(&first);
    deed_end(&second);
}

// After the request's credentials were read, as its authentication may do.
static enum errc put_after_read(struct deed *deed, struct tx *tx, struct err *err)
{
    struct credential row = {0};
    enum errc rc = credential_get(tx->db, &deed->f->merchant_id, "stripe", false, tx->arena, &row, err);
    return rc == OK ? providers_put_work(&deed->caller->request, tx, err) : rc;
}

static void a_new_key_does_not_undo_a_new_webhook_secret(void **state)
{
    struct fixture *f = *state;
    struct deed first =
        credentials_deed(f, CREDENTIALS("\"secret_key\":\"sk_test_0123456789abcdef\"," WEBHOOK_SECRET));
    struct deed second = credentials_deed(f, CREDENTIALS("\"secret_key\":\"sk_test_fedcba9876543210\""));
    second.run = put_after_read;
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM credentials WHERE webhook_secret IS NOT NULL"), 1);
    deed_end(&first);
    deed_end(&second);
}

// --- notes on an operation

static enum errc read_operation(struct deed *deed, struct tx *tx, struct err *err)
{
    return operation_get(tx->db, &CARD_ID, OPERATION_CARD, tx->arena, (struct operation *)deed->what, err);
}

static enum errc write_operation(struct deed *deed, struct tx *tx, struct err *err)
{
    return operation_update(tx->db, deed->what, err);
}

static enum errc note_saving(struct deed *deed, struct tx *tx, struct err *err)
{
    int64_t count = 0;
    return cards_saving_look_up(tx->db, &deed->f->merchant_id, false, "pm_card_visa", NULL, &count, err);
}

static void a_note_on_an_operation_is_kept_beside_its_settle(void **state)
{
    struct fixture *f = *state;
    struct operation row = {0};
    struct prepared card = prepare(f, prepare_card);
    struct deed first = {.run = read_operation, .then = write_operation, .what = &row};
    struct deed second = {.run = note_saving};
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT look_up FROM operations"), 1);
    op_free(card.op);
    deed_end(&first);
    deed_end(&second);
}

// --- the outbox

static enum errc emit(struct deed *deed, struct tx *tx, struct err *err)
{
    struct emission emission;
    enum errc rc = payment_lock(tx->db, &PAYMENT_ID, err);
    if (rc == OK) {
        rc = emit_begin(tx, &deed->f->merchant_id, false, &PAYMENT_ID, "payment.refunded", &emission, err);
    }
    return rc == OK ? emit_finish(tx, &emission, err) : rc;
}

static enum errc record(struct deed *deed, struct tx *tx, struct err *err)
{
    const struct outbox_attempt attempt = {
        .outcome = OUTBOX_DELIVERED, .at_us = tx->now_us, .status_code = 200};
    struct outbox_recorded recorded;
    return outbox_record(tx->db, deed->what, &attempt, &recorded, err);
}

// An event that is being sent.
static struct outbox_event sent_event_of(struct fixture *f)
{
    struct deed deed = {.run = emit};
    struct outbox_event event = {0};
    bool has = false;
    bool damaged = false;
    const struct uuid nobody = {{0}};
    const int64_t now_us = loop_wall_us(&f->loop.base);
    put_payment(f, payment_of(f, PAYMENT_COMPLETED));
    assert_int_equal(deed_alone(&deed, f), OK);
    transaction_begin(f);
    assert_int_equal(outbox_claim(f->db, &f->merchant_id, &nobody, now_us, now_us + US_PER_S, &f->arena,
                                  &event, &has, &damaged, &f->err),
                     OK);
    transaction_end(f);
    assert_true(has);
    deed_end(&deed);
    return event;
}

#define BLOCKED "SELECT count(*) FROM outbox WHERE next_attempt_us = 9223372036854775807"

static void an_event_that_is_written_while_the_one_before_it_ends_is_sent(void **state)
{
    struct fixture *f = *state;
    const struct outbox_event event = sent_event_of(f);
    struct deed first = {.run = emit};
    struct deed second = {.run = record, .what = &event};
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM outbox WHERE status = 'delivered'"), 1);
    assert_int_equal(sql_number(f, BLOCKED), 0);
    deed_end(&first);
    deed_end(&second);
}

static void an_event_whose_predecessor_ends_while_it_is_written_is_sent(void **state)
{
    struct fixture *f = *state;
    const struct outbox_event event = sent_event_of(f);
    struct deed first = {.run = record, .what = &event};
    struct deed second = {.run = emit};
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, BLOCKED), 0);
    deed_end(&first);
    deed_end(&second);
}

static void events_of_one_payment_keep_their_order(void **state)
{
    struct fixture *f = *state;
    const struct outbox_event event = sent_event_of(f);
    struct deed first = {.run = emit};
    struct deed second = {.run = emit};
    (void)event;
    assert_int_equal(at_once(f, &first, &second), OK);
    assert_int_equal(sql_number(f, BLOCKED), 2);
    deed_end(&first);
    deed_end(&second);
}

// --- the audit log

static const uint8_t pepper[32] = {1};

static enum errc append_entries(struct deed *deed, struct tx *tx, struct err *err)
{
    static const struct audit_entry entries[2] = {
        {.event_type = "key.created", .severity = "info", .detail = "one"},
        {.event_type = "key.revoked", .severity = "info", .detail = "two"}};
    (void)deed;
    return audit_append_all(tx->db, pepper, entries, COUNT_OF(entries), tx->now_us, err);
}

static void two_nodes_append_to_one_chain(void **state)
{
    struct fixture *f = *state;
    struct deed first = {.run = append_entries};
    struct deed second = {.run = append_entries};
    int64_t count = 0;
    int64_t broken = 0;
    uint8_t head[32];
    assert_int_equal(at_once(f, &first, &second), OK);
    transaction_begin(f);
    assert_int_equal(audit_verify(f->db, pepper, &count, &broken, head, &f->err), OK);
    transaction_end(f);
    assert_int_equal(count, 4);
    assert_int_equal(broken, 0);
    assert_int_equal(second.runs, 1); // it was its turn, and not a conflict
    deed_end(&first);
    deed_end(&second);
}

// --- kept rows

static const uint8_t hash[32] = {7};

static bool is_revoked(struct db *db, struct fixture *f)
{
    struct api_key key = {0};
    struct api_key_owner owner;
    assert_int_equal(api_key_find(db, hash, &f->arena, &key, &owner, &f->err), OK);
    return key.revoked_us != 0;
}

static struct api_key insert_key(struct fixture *f)
{
    const struct api_key key = sample_key(&f->merchant_id, hash, START_US);
    transaction_begin(f);
    assert_int_equal(api_key_insert(f->db, &key, &f->err), OK);
    transaction_end(f);
    return key;
}

static void revoke_key(struct db *db, struct fixture *f, const struct api_key *key)
{
    bool changed = false;
    assert_int_equal(api_key_revoke(db, &key->id, START_US, &changed, &f->err), OK);
}

static void a_key_that_is_revoked_at_one_node_stops_at_the_other(void **state)
{
    struct fixture *f = *state;
    const struct api_key key = insert_key(f);
    struct db *db = database_open(f->scratch.database, true);
    kept_rows_start(db);
    database_begin(db, true);
    assert_false(is_revoked(db, f));
    transaction_begin(f);
    revoke_key(f->db, f, &key);
    transaction_end(f);
    database_commit(db);
    database_begin(db, true);
    assert_true(is_revoked(db, f));
    database_commit(db);
    kept_rows_stop(db);
    db->driver->close(db);
}

static void a_key_that_is_revoked_stops_in_the_same_transaction(void **state)
{
    struct fixture *f = *state;
    const struct api_key key = insert_key(f);
    struct db *db = database_open(f->scratch.database, true);
    kept_rows_start(db);
    database_begin(db, true);
    assert_false(is_revoked(db, f));
    revoke_key(db, f, &key);
    assert_true(is_revoked(db, f));
    database_commit(db);
    kept_rows_stop(db);
    db->driver->close(db);
}

// --- ids that keep an order

static void the_database_counts_ids_as_the_program_does(void **state)
{
    struct fixture *f = *state;
    struct uuid id = uuid_new(&random_system, START_US);
    for (size_t full = 0; full < 7; full++) { // the last bytes that carry
        DB_ROWS(rows);
        memset(id.bytes + 16 - full, 0xff, full);
        id.bytes[15 - full] = 0x41;
        const struct uuid after = uuid_after(&id);
        transaction_begin(f);
        assert_int_equal(db_one(f->db, &rows, "none", &f->err, "SELECT id_after($1, $2)",
                                DB_ID(&f->version_id), DB_ID(&id)),
                         OK);
        const struct uuid counted = db_uuid(&rows, 0);
        db_rows_close(&rows);
        transaction_end(f);
        assert_memory_equal(counted.bytes, after.bytes, sizeof(after.bytes));
    }
}

int main(void)
{
    SKIP_WITHOUT_NODES();
    const struct CMUnitTest tests[] = {
        TEST(one_card_that_is_saved_twice_is_one_card),
        TEST(a_customer_has_one_default_card),
        TEST(credentials_that_two_nodes_set_can_be_opened),
        TEST(a_new_key_does_not_undo_a_new_webhook_secret),
        TEST(a_note_on_an_operation_is_kept_beside_its_settle),
        TEST(an_event_that_is_written_while_the_one_before_it_ends_is_sent),
        TEST(an_event_whose_predecessor_ends_while_it_is_written_is_sent),
        TEST(events_of_one_payment_keep_their_order),
        TEST(two_nodes_append_to_one_chain),
        TEST(a_key_that_is_revoked_at_one_node_stops_at_the_other),
        TEST(a_key_that_is_revoked_stops_in_the_same_transaction),
        TEST(the_database_counts_ids_as_the_program_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
