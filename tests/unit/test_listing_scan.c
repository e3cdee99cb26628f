// Scans of lists: rows that match little are found in order, each once, and no scan passes more rows than it
// may.
#include "listing_fixture.h"
#include "statement_costs.h"

#include <inttypes.h>

#include "store/listing_scan.h"

#define ROWS 20000
#define ROWS_MAX 1000

// Every 3,000th payment, of both modes in turn.
static void make_few_match(struct fixture *f)
{
    insert_many(f, ROWS);
    for (int64_t i = 2998; i < ROWS; i += 2999) {
        char id[sizeof(struct uuid) + 1];
        (void)snprintf(id, sizeof(id), "%016" PRId64, i); // as insert_many makes them
        assert_int_equal(db_run(f->db, NULL, &f->err, "UPDATE payments SET currency = 'EUR' WHERE id = $1",
                                DB_BYTES(id, sizeof(struct uuid))),
                         OK);
    }
}

static struct listing_query sparse_query(struct fixture *f)
{
    struct listing_query query = query_of(f);
    listing_where(&query, "currency = :value", DB_STR("EUR"));
    return query;
}

// Adds what one scan finds. Returns whether the list goes on after it.
static bool scan_on(struct fixture *f, struct listing_query *query, struct uuid *end, struct found *found)
{
    struct listing_scan scan;
    listing_scan_begin(&scan, query, 10, ROWS_MAX);
    const size_t before = found->count;
    bool has = true;
    while (has) {
        assert_int_equal(listing_scan_next(&scan, f->db, found->count - before, 1000, &has, &f->err), OK);
        if (has) {
            const struct found some = list(f, &scan.window, 100);
            memcpy(&found->ids[found->count], some.ids, some.count * sizeof(some.ids[0]));
            found->count += some.count;
        }
    }
    *end = scan.end;
    return scan.more;
}

static void assert_scans_find_the_list(struct fixture *f, struct listing_query query, int scans_min)
{
    const struct found whole = list(f, &query, 100);
    struct found found = {0};
    struct uuid end;
    int scans = 1;
    while (scan_on(f, &query, &end, &found)) {
        listing_below(&query, &end);
        scans++;
    }
    assert_in_range(scans, scans_min, scans_min + 2);
    assert_int_equal(found.count, whole.count);
    assert_memory_equal(found.ids, whole.ids, whole.count * sizeof(whole.ids[0]));
}

static void scans_put_together_are_the_whole_list(void **state)
{
    struct fixture *f = *state;
    make_few_match(f);
    struct listing_query query = sparse_query(f);
    assert_int_equal(list(f, &query, 100).count, ROWS / 2999);
    assert_scans_find_the_list(f, query, ROWS / 2 / ROWS_MAX);
    query.live = false;
    assert_scans_find_the_list(f, query, ROWS / 2 / ROWS_MAX);
    query.live = true;
    query.test = false;
    assert_scans_find_the_list(f, query, ROWS / 2 / ROWS_MAX);
}

static void a_scan_keeps_the_ends_of_its_query(void **state)
{
    struct fixture *f = *state;
    make_few_match(f);
    struct listing_query query = sparse_query(f);
    const struct found whole = list(f, &query, 100);
    query.from = &whole.ids[4];
    listing_below(&query, &whole.ids[1]);
    assert_int_equal(list(f, &query, 100).count, 3);
    assert_scans_find_the_list(f, query, 3 * 2999 / 2 / ROWS_MAX);
}

static int64_t steps_of_scan(struct fixture *f, struct listing_query *query)
{
    int64_t steps = 0;
    struct found found = {0};
    struct uuid end;
    steps_begin(f->db, &steps);
    assert_true(scan_on(f, query, &end, &found));
    steps_end(f->db);
    return steps;
}

static void a_scan_costs_the_same_beside_any_number_of_rows(void **state)
{
    struct fixture *f = *state;
    struct listing_query query = query_of(f);
    listing_where(&query, "currency = :value", DB_STR("CHF"));
    insert_many(f, 3 * ROWS_MAX);
    const int64_t steps = steps_of_scan(f, &query);
    assert_in_range(steps, ROWS_MAX, 40 * ROWS_MAX);
    insert_many(f, ROWS);
    assert_in_range(steps_of_scan(f, &query), steps * 9 / 10, steps * 11 / 10);
}

static void a_list_that_passes_no_rows_is_one_window(void **state)
{
    struct fixture *f = *state;
    insert_many(f, 2 * ROWS_MAX);
    struct listing_query query = query_of(f);
    struct listing_scan scan;
    bool has = false;
    listing_scan_begin(&scan, &query, 10, ROWS_MAX);
    assert_int_equal(listing_scan_next(&scan, f->db, 0, 1000, &has, &f->err), OK);
    assert_true(has);
    assert_int_equal(count(f, &scan.window, 10000), 2 * ROWS_MAX);
    assert_int_equal(listing_scan_next(&scan, f->db, 0, 1000, &has, &f->err), OK);
    assert_false(has);
    assert_false(scan.more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scans_put_together_are_the_whole_list),
        TEST(a_scan_keeps_the_ends_of_its_query),
        ONLY_SQLITE("its steps are counted", TEST(a_scan_costs_the_same_beside_any_number_of_rows)),
        TEST(a_list_that_passes_no_rows_is_one_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
