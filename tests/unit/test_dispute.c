// Disputes: a row for each, which shows the newest report of it, in whatever order the events come.
#include "inbound_fixture.h"

#include "domain/dispute.h"
#include "store/disputes.h"

struct report {
    const char *type; // charge.dispute.*
    int64_t created_s;
    const char *status;
    const char *object; // members beside these; NULL: usual ones
};

#define USUAL "\"amount\":5000,\"currency\":\"usd\",\"reason\":\"fraudulent\",\"payment_intent\":\"pi_1\""

static void report(struct fixture *f, const char *event_id, const char *ref, struct report report)
{
    const char *object = arena_printf(&f->arena, "\"id\":\"%s\",\"status\":\"%s\",%s", ref, report.status,
                                      report.object != NULL ? report.object : USUAL);
    const char *type = arena_printf(&f->arena, "charge.dispute.%s", report.type);
    struct inbound inbound =
        verified(f, (struct sent_event){event_id, type, false, object, NULL, NULL}, &f->merchant_id);
    struct tx tx = tx_of(f);
    inbound.event.created_s = report.created_s;
    tx.cause_ref = event_id;
    assert_int_equal(inbound_apply(&tx, &inbound, &f->err), OK);
}

static struct dispute dispute_row(struct fixture *f, const char *ref)
{
    struct dispute dispute = {0};
    assert_int_equal(dispute_by_ref(f->db, &f->merchant_id, false, ref, &f->arena, &dispute, &f->err), OK);
    return dispute;
}

static void an_event_writes_what_it_reports(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_COMPLETED);
    report(f, "evt_1", "dp_1",
           (struct report){"created", 1700000000, "needs_response",
                           USUAL ",\"evidence_details\":{\"due_by\":1700600000}"});
    const struct dispute row = dispute_row(f, "dp_1");
    assert_true(uuid_equal(&row.payment_id, &payment.id));
    assert_true(uuid_equal(&row.merchant_id, &f->merchant_id));
    assert_false(row.livemode);
    assert_string_equal(row.status, "needs_response");
    assert_string_equal(row.reason, "fraudulent");
    assert_int_equal(row.amount_minor, 5000);
    assert_string_equal(row.currency->code, "USD");
    assert_int_equal(row.evidence_due_us, 1700600000 * US_PER_S);
    assert_int_equal(row.reported_s, 1700000000);
    assert_string_equal(events_of(f, &payment.id), "payment.disputed");
    assert_string_equal(history_of(f, &payment.id), "disputed completed event");
    struct dispute found = {0};
    assert_int_equal(dispute_get(f->db, &row.id, &f->merchant_id, &f->arena, &found, &f->err), OK);
    assert_int_equal(dispute_get(f->db, &row.id, &payment.id, &f->arena, &found, &f->err), ERR_NOT_FOUND);
}

// In each order, each of them twice, and as other events the second time.
static void assert_ends_as(struct fixture *f, const struct report reports[3], const char *status)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const char *ref = arena_printf(&f->arena, "dp_%s_%zu", status, i);
        for (int j = 0; j < 6; j++) {
            const struct report *one = &reports[orders[i][j % 3]];
            report(f, arena_printf(&f->arena, "evt_%s_%d", ref, j), ref, *one);
        }
        assert_string_equal(dispute_row(f, ref).status, status);
    }
    assert_int_equal(sql_number(f, "SELECT count(*) FROM disputes"), COUNT_OF(orders));
}

static void the_newest_report_stays_in_whatever_order_they_come(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, PAYMENT_COMPLETED);
    assert_ends_as(f,
                   (struct report[]){{"created", 100, "needs_response", NULL},
                                     {"updated", 200, "under_review", NULL},
                                     {"closed", 300, "won", NULL}},
                   "won");
}

static void of_reports_of_one_second_that_of_the_last_status_stays(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, PAYMENT_COMPLETED);
    assert_ends_as(f,
                   (struct report[]){{"created", 100, "needs_response", NULL},
                                     {"updated", 100, "under_review", NULL},
                                     {"closed", 100, "lost", NULL}},
                   "lost");
}

static void an_inquiry_that_was_closed_may_become_a_dispute(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, PAYMENT_COMPLETED);
    assert_ends_as(f,
                   (struct report[]){{"created", 100, "warning_needs_response", NULL},
                                     {"closed", 200, "warning_closed", NULL},
                                     {"updated", 300, "needs_response", NULL}},
                   "needs_response");
}

static void a_dispute_that_only_changes_is_not_told_of(void **state)
{
    struct fixture *f = *state;
    struct payment payment = insert_payment(f, PAYMENT_COMPLETED);
    report(f, "evt_1", "dp_1", (struct report){"updated", 100, "under_review", NULL});
    assert_string_equal(dispute_row(f, "dp_1").status, "under_review");
    assert_string_equal(events_of(f, &payment.id), "");
    assert_string_equal(history_of(f, &payment.id), "");
}

static void what_a_report_does_not_say_is_unknown(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, PAYMENT_COMPLETED);
    static const struct {
        const char *object;
        const char *currency;
        int64_t amount_minor;
    } cases[] = {
        {"\"amount\":500,\"currency\":\"isk\"", "ISK", 5},
        {"\"amount\":501,\"currency\":\"isk\"", "ISK", -1}, // not whole
        {"\"amount\":-1,\"currency\":\"usd\"", "USD", -1},
        {"\"amount\":0,\"currency\":\"usd\"", "USD", 0},
        {"\"amount\":500,\"currency\":\"none\"", NULL, -1},
        {"\"reason\":\"general\"", NULL, -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *object = arena_printf(&f->arena, "\"payment_intent\":\"pi_1\",%s", cases[i].object);
        const char *ref = arena_printf(&f->arena, "dp_%zu", i);
        report(f, ref, ref, (struct report){"created", 100, "a_new_status", object});
        const struct dispute row = dispute_row(f, ref);
        assert_string_equal(row.status, "a_new_status");
        assert_int_equal(row.amount_minor, cases[i].amount_minor);
        assert_int_equal(row.evidence_due_us, 0);
        if (cases[i].currency == NULL) {
            assert_null(row.currency);
        } else {
            assert_string_equal(row.currency->code, cases[i].currency);
        }
    }
}

static void a_dispute_of_another_payment_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct payment first = insert_payment(f, PAYMENT_COMPLETED);
    struct payment second = first;
    second.id = (struct uuid){{2}};
    second.provider_ref = "pi_2";
    second.idempotency_key = "other";
    assert_int_equal(payment_insert(f->db, &second, &f->err), OK);
    report(f, "evt_1", "dp_1", (struct report){"created", 100, "needs_response", NULL});
    report(f, "evt_2", "dp_1", (struct report){"closed", 200, "lost", "\"payment_intent\":\"pi_2\""});
    const struct dispute row = dispute_row(f, "dp_1");
    assert_true(uuid_equal(&row.payment_id, &first.id));
    assert_string_equal(row.status, "needs_response");
    assert_string_equal(events_of(f, &second.id), "");
    assert_string_equal(history_of(f, &second.id), "ignored: an event that does not fit completed event");
}

static void a_dispute_of_a_foreign_payment_leaves_no_row(void **state)
{
    struct fixture *f = *state;
    report(f, "evt_1", "dp_1", (struct report){"created", 100, "needs_response", NULL});
    assert_int_equal(sql_number(f, "SELECT count(*) FROM disputes"), 0);
}

static void a_damaged_row_is_not_read(void **state)
{
    struct fixture *f = *state;
    insert_payment(f, PAYMENT_COMPLETED);
    report(f, "evt_1", "dp_1", (struct report){"created", 100, "needs_response", NULL});
    static const char *const damages[] = {"currency = 'none'", "currency = NULL", "amount_minor = -2"};
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct dispute found = {0};
        run_sql(f, "UPDATE disputes SET amount_minor = 5000, currency = 'USD'");
        run_sql(f, arena_printf(&f->arena, "UPDATE disputes SET %s", damages[i]));
        assert_int_equal(dispute_by_ref(f->db, &f->merchant_id, false, "dp_1", &f->arena, &found, &f->err),
                         ERR_STORE);
    }
}

static void every_status_that_is_listed_has_its_place(void **state)
{
    (void)state;
    const struct filter *filter = dispute_listing.filters;
    while (!text_equal(filter->name, "status")) {
        filter++;
    }
    for (const struct filter_word *word = filter->words; word->word != NULL; word++) {
        const struct dispute known = {.status = word->word};
        const struct dispute unknown = {.status = "a_new_status"};
        assert_true(dispute_supersedes(&known, &unknown));
        assert_false(dispute_supersedes(&unknown, &known));
        assert_true(dispute_supersedes(&known, &known));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TRANSACTION(an_event_writes_what_it_reports),
        IN_TRANSACTION(the_newest_report_stays_in_whatever_order_they_come),
        IN_TRANSACTION(of_reports_of_one_second_that_of_the_last_status_stays),
        IN_TRANSACTION(an_inquiry_that_was_closed_may_become_a_dispute),
        IN_TRANSACTION(a_dispute_that_only_changes_is_not_told_of),
        IN_TRANSACTION(what_a_report_does_not_say_is_unknown),
        IN_TRANSACTION(a_dispute_of_another_payment_is_ignored),
        IN_TRANSACTION(a_dispute_of_a_foreign_payment_leaves_no_row),
        IN_TRANSACTION(a_damaged_row_is_not_read),
        cmocka_unit_test(every_status_that_is_listed_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
