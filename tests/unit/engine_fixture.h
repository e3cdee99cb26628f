// For tests of the operations: the real store on a SQLite file, run in the test's own thread, a virtual
// clock, a provider that the test controls, buyers who wait for their answer, and short functions that read
// rows.
#pragma once

#include "fake_provider.h"
#include "provider_answers.h"
#include "store_in_thread.h"

#include "base/timefmt.h"
#include "op/kinds/charge.h"
#include "store/payments.h"

#define START_US (INT64_C(1700000000) * US_PER_S)
#define SECRET_KEY "sk_test_first"
#define BUYERS_MAX 300

struct fixture;

// One who asks for a payment, as the API does.
struct buyer {
    struct fixture *f;
    struct awaited prepared; // the job that writes the payment
    bool saves_card;
    struct payment payment;
    struct op *op;
    struct op_waiter waiter;
    int answers;
    enum errc rc;
    int status;
    char *body;
};

struct fixture {
    struct scratch scratch;
    struct fake_loop loop;
    struct fake_provider provider;
    struct config config;
    struct keyring keyring;
    struct store *store;
    struct engine *engine;
    struct pace_rates rates; // of the next engine; off at first
    enum engine_start start; // the same; sure at first
    struct db *db;           // a connection of the test's own
    int transactions;        // begun on it and not ended, one in the other
    struct err err;
    struct arena arena;
    struct uuid merchant_id;
    struct uuid credential_id;
    struct uuid version_id;
    struct buyer *buyers[BUYERS_MAX];
    size_t buyer_count;
    int events_written;
    int became_ready;
};

int engine_fixture_setup(void **state);
int engine_fixture_teardown(void **state);

// The same, and one transaction is open all the time.
int transaction_setup(void **state);
int transaction_teardown(void **state);

// The engine is not started by the setup: nothing is swept until it is.
void engine_begin(struct fixture *f);
// As a process that is killed, and another one started on the same file: calls under way and waiters are
// gone.
void engine_crash(struct fixture *f);
void engine_run_s(struct fixture *f, int64_t seconds);

// --- buyers
struct buyer *buyer_new(struct fixture *f);
enum errc buyer_prepare(struct buyer *buyer);  // up to the commit
void buyer_go(struct buyer *buyer);            // waits, and lets the call begin
struct buyer *buy(struct fixture *f);          // all of it, until time would have to pass
struct buyer *buy_and_save(struct fixture *f); // the same, and the payment saves its card

// The intent of a payment as a list shows it.
struct provider_payment listed(struct fixture *f, const struct uuid *payment_id, const char *payment_ref,
                               enum provider_payment_state state);

// --- what the engine does
size_t charges(const struct fixture *f); // sent to the provider so far
size_t lists(const struct fixture *f);   // asked for so far
int64_t in_flight(const struct fixture *f);

// --- rows, each read or written in a transaction of its own unless the test has one open (while it has, no
// engine runs)
void transaction_begin(struct fixture *f);
void transaction_end(struct fixture *f);
// On the connection of the test's own, at the loop's time.
struct tx tx_for(struct fixture *f, const char *cause, const char *cause_ref);
void run_sql(struct fixture *f, const char *sql);
int64_t sql_number(struct fixture *f, const char *sql); // of the first column of the first row; -1: no row
struct payment payment_row(struct fixture *f, const struct uuid *id);
// What a repeat of the payment's request gets.
enum errc stored_answer(struct fixture *f, const struct uuid *payment_id, struct op_answer *answer);
// "created pending api, completed completed event": what, the status after it, the cause.
const char *history_of(struct fixture *f, const struct uuid *id);
// "payment.completed, payment.refunded"
const char *events_of(struct fixture *f, const struct uuid *id);
// "charge, sync": the kinds of the open operations, sorted.
const char *open_operations(struct fixture *f, const struct uuid *id);
// The payment's status in the answer that the buyer got; NULL: it got none or no payment.
const char *answered_status(struct buyer *buyer);

#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_fixture_setup, engine_fixture_teardown)
#define IN_TRANSACTION(name) cmocka_unit_test_setup_teardown(name, transaction_setup, transaction_teardown)
