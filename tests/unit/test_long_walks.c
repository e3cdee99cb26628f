// Commands walk tables that grow without end. A driver may read a result whole, so no query of theirs has a
// long result, and the walk leaves out no row where one query ends and the next begins.
#include "database_fixture.h"

#include "base/crypto.h"
#include "store/audit.h"
#include "store/sealed.h"

#define ROWS_MAX 1000 // of one result
#define NOW_US (INT64_C(1700000000) * 1000000)

static const uint8_t pepper[32] = {1, 2, 3};

// --- the longest result

static const struct db_driver *driver;
static int64_t longest;
static int64_t length; // of the result that was begun last

static enum errc count_query(struct db *db, struct db_rows *rows, const char *sql,
                             const struct db_value *values, size_t count, struct err *err)
{
    length = strncmp(sql, "SELECT", strlen("SELECT")) == 0 ? 0 : length; // updates come in between
    return driver->query(db, rows, sql, values, count, err);
}

static enum errc count_next(struct db_rows *rows, bool *has, struct err *err)
{
    const enum errc rc = driver->next(rows, has, err);
    length += *has;
    longest = length > longest ? length : longest;
    return rc;
}

static void count_begin(struct db *db)
{
    static struct db_driver counting;
    driver = db->driver;
    counting = *driver;
    counting.query = count_query;
    counting.next = count_next;
    db->driver = &counting;
    longest = 0;
}

static void count_end(struct db *db)
{
    db->driver = driver;
    assert_in_range(longest, 1, ROWS_MAX);
}

// --- the audit log

static void append_entries(struct fixture *f, size_t count)
{
    static const struct audit_entry entry = {.event_type = "auth.success", .severity = "info", .detail = "d"};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(audit_append(f->db, pepper, &entry, NOW_US + f->made++, &f->err), OK);
    }
}

static void assert_verified(struct fixture *f, int64_t entries, int64_t broken_seq)
{
    int64_t count = 0;
    int64_t broken = 0;
    uint8_t head[AUDIT_MAC_BYTES];
    count_begin(f->db);
    assert_int_equal(audit_verify(f->db, pepper, &count, &broken, head, &f->err), OK);
    count_end(f->db);
    assert_int_equal(count, entries);
    assert_int_equal(broken, broken_seq);
}

static void prune(struct fixture *f, int64_t until)
{
    struct audit_head after = {0};
    for (bool more = true; more;) {
        assert_int_equal(audit_prune(f->db, pepper, NOW_US + until, 100, &after, &more, &f->err), OK);
    }
}

static void the_audit_log_is_verified_in_parts(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        append_entries(f, ROWS_MAX - 1);
        assert_verified(f, f->made, 0);
        append_entries(f, 1);
        assert_verified(f, f->made, 0);
    }
    prune(f, ROWS_MAX + 7);
    assert_verified(f, f->made, 0);
    database_run(f->db, "UPDATE audit_log SET detail = 'e' WHERE seq = 2600");
    assert_verified(f, 2599, 2600);
    database_run(f->db, "UPDATE audit_log SET detail = 'd' WHERE seq = 2600;"
                        "DELETE FROM audit_log WHERE seq = 2008"); // the first of the second part
    assert_verified(f, 2007, 2009);
}

static void an_entry_before_the_first_is_found(void **state)
{
    struct fixture *f = *state;
    append_entries(f, 3);
    database_run(f->db, "UPDATE audit_log SET seq = -9223372036854775807 WHERE seq = 3");
    assert_verified(f, 0, -INT64_MAX);
}

// --- sealed values

static struct seal_key key_of(uint8_t number)
{
    struct seal_key key;
    const uint8_t bytes[SEAL_KEY_BYTES] = {number};
    seal_key_set(&key, bytes);
    return key;
}

// The number is the id's last four bytes.
static struct uuid id_of(int64_t number)
{
    struct uuid id = {.bytes = {1}};
    for (unsigned i = 0; i < 4; i++) {
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return id;
}

static void add_reply(struct fixture *f, const struct seal_key *key, int64_t number)
{
    const struct uuid id = id_of(number);
    const struct sealed body = seal(key, &f->arena, sealed_context(&f->arena, SEALED_REPLY, &id), "reply", 5);
    assert_int_equal(db_run(f->db, NULL, &f->err,
                            "INSERT INTO replies (subject_id, status, body, created_us)"
                            " VALUES ($1, 201, $2, 1)",
                            DB_ID(&id), DB_BYTES(body.data, body.bytes)),
                     OK);
}

// Many have one merchant, some have another mode, and some have no body any more.
static void add_event(struct fixture *f, const struct seal_key *key, int64_t number)
{
    const struct uuid merchant_id = id_of(number / 1500);
    const char *event_id = arena_printf(&f->arena, "evt_%lld", (long long)number);
    const struct sealed body = seal(key, &f->arena, sealed_event_context(&f->arena, event_id), "event", 5);
    assert_int_equal(db_run(f->db, NULL, &f->err,
                            "INSERT INTO inbox (merchant_id, livemode, event_id, type, body, received_us)"
                            " VALUES ($1, $2, $3, 't', $4, 1)",
                            DB_ID(&merchant_id), DB_I64(number % 2), DB_STR(event_id),
                            number % 5 == 0 ? DB_NIL : DB_BYTES(body.data, body.bytes)),
                     OK);
}

static void assert_sealed_with(struct fixture *f, const struct seal_key *key, const char *count_sql,
                               int64_t expected)
{
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_first(f->db, &rows, &has, &f->err, count_sql, DB_BYTES(key->id, sizeof(key->id))),
                     OK);
    assert_int_equal(db_i64(&rows, 0), expected);
}

static void sealed_values_get_another_key_in_parts(void **state)
{
    struct fixture *f = *state;
    const struct seal_key old = key_of(1);
    const struct seal_key new = key_of(2);
    for (int64_t i = 0; i < 3000; i++) {
        add_reply(f, &old, i);
    }
    for (int64_t i = 0; i < 3500; i++) {
        add_event(f, &old, i);
    }
    int64_t count = 0;
    count_begin(f->db);
    assert_int_equal(sealed_rekey(f->db, &old, &new, &count, &f->err), OK);
    count_end(f->db);
    assert_int_equal(count, 3000 + 2800);
    // A sealed value begins with its version and the key's id.
    assert_sealed_with(f, &new, "SELECT count(*) FROM replies WHERE substr(body, 2, 8) = $1", 3000);
    assert_sealed_with(f, &new, "SELECT count(*) FROM inbox WHERE substr(body, 2, 8) = $1", 2800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_audit_log_is_verified_in_parts),
        TEST(an_entry_before_the_first_is_found),
        TEST(sealed_values_get_another_key_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
