#include "engine_fixture.h"

#include "database.h"
#include "samples.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "op/kinds/charge_customer.h"
#include "op/kinds/kinds.h"
#include "op/state/reply.h"
#include "store/credentials.h"
#include "store/sealed.h"

void transaction_begin(struct fixture *f)
{
    if (f->transactions++ == 0) {
        database_begin(f->db, true);
    }
}

void transaction_end(struct fixture *f)
{
    if (--f->transactions == 0) {
        database_commit(f->db);
    }
}

static void transaction_leave(struct fixture **f)
{
    transaction_end(*f);
}
#define KEPT_MS (1000 * 24 * 3600 * INT64_C(1000)) // nothing is deleted

// Until the end of the scope. Declared before the rows, which must be closed first.
#define TRANSACTION(f)                                                                                       \
    __attribute__((cleanup(transaction_leave))) struct fixture *within = (f);                                \
    transaction_begin(within)

struct tx tx_for(struct fixture *f, const char *cause, const char *cause_ref)
{
    return (struct tx){
        .db = f->db,
        .arena = &f->arena,
        .random = &random_system,
        .keyring = &f->keyring,
        .now_us = loop_wall_us(&f->loop.base),
        .cause = cause,
        .cause_ref = cause_ref,
    };
}

static void note_event(void *context)
{
    struct fixture *f = context;
    f->events_written++;
}

static void wake_engine(void *context)
{
    struct fixture *f = context;
    engine_due(f->engine, 0);
}

static void note_ready(void *context)
{
    struct fixture *f = context;
    f->became_ready++;
}

static void open_engine(struct fixture *f)
{
    f->store = store_in_thread(&f->loop, &f->scratch, &f->keyring);
    const struct engine_options options = {
        .start = f->start,
        .kinds = op_kinds,
        .loop = &f->loop.base,
        .store = f->store,
        .provider = &f->provider.base,
        .keyring = &f->keyring,
        .config = &f->config,
        .random = &random_system,
        .rates = f->rates,
    };
    f->engine = engine_open(&options);
    const struct store_listener listener = {
        .events = {.due = note_event, .context = f}, .work_due = wake_engine, .context = f};
    store_listen(f->store, &listener);
}

static void close_engine(struct fixture *f)
{
    for (size_t i = 0; i < f->buyer_count; i++) {
        op_free(f->buyers[i]->op); // of one who never went: it dies with the process
        f->buyers[i]->op = NULL;
    }
    fake_provider_die(&f->provider);
    engine_free(f->engine);
    store_close(f->store);
    store_free(f->store);
}

static void add_merchant(struct fixture *f)
{
    TRANSACTION(f);
    struct merchant merchant = sample_merchant(&f->merchant_id, START_US);
    merchant.webhook_url = "https://shop.example/hooks";
    merchant.webhook_secret = (const uint8_t *)"sealed";
    merchant.webhook_secret_bytes = 6;
    assert_int_equal(merchant_insert(f->db, &merchant, &f->err), OK);
    struct sealed sealed =
        seal(&f->keyring.master, &f->arena, sealed_context(&f->arena, SEALED_PROVIDER_KEY, &f->version_id),
             SECRET_KEY, strlen(SECRET_KEY));
    struct credential credential = {
        .id = f->credential_id,
        .merchant_id = f->merchant_id,
        .provider = "stripe",
        .is_active = true,
        .version_id = f->version_id,
        .created_us = START_US,
        .updated_us = START_US,
    };
    assert_int_equal(credential_version_insert(f->db, &f->version_id, &f->credential_id, sealed.data,
                                               sealed.bytes, START_US, &f->err),
                     OK);
    assert_int_equal(credential_put(f->db, &credential, &f->err), OK);
}

int engine_fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    log_set_level(LOG_ERROR);
    scratch_make(&f->scratch);
    fake_loop_init(&f->loop, START_US);
    fake_provider_init(&f->provider, &f->loop);
    seal_key_set(&f->keyring.master, (const uint8_t[SEAL_KEY_BYTES]){1, 2, 3});
    f->config = (struct config){.database = f->scratch.database,
                                .provider_timeout_ms = 80000,
                                .charge_window_ms = 600000,
                                .patience_ms = 30000,
                                .reconcile_interval_ms = 5000,
                                .events_interval_ms = 60000,
                                .answers_kept_ms = KEPT_MS,
                                .webhooks_kept_ms = KEPT_MS,
                                .history_kept_ms = KEPT_MS,
                                .audit_counts_kept_ms = KEPT_MS,
                                .operations_max = 100};
    f->merchant_id = (struct uuid){.bytes = {0x01, [15] = 1}};
    f->credential_id = (struct uuid){.bytes = {0x02, [15] = 1}};
    f->version_id = (struct uuid){.bytes = {0x03, [15] = 1}};
    open_engine(f);
    f->db = database_open(f->scratch.database, true);
    add_merchant(f);
    *state = f;
    return 0;
}

static void free_buyers(struct fixture *f)
{
    for (size_t i = 0; i < f->buyer_count; i++) {
        free(f->buyers[i]->body);
        free(f->buyers[i]);
    }
    f->buyer_count = 0;
}

int engine_fixture_teardown(void **state)
{
    struct fixture *f = *state;
    close_engine(f);
    free_buyers(f);
    f->db->driver->close(f->db);
    arena_release(&f->provider.arena);
    arena_release(&f->arena);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

void engine_begin(struct fixture *f)
{
    engine_start(f->engine, note_ready, f);
    fake_loop_run_for(&f->loop, 0);
}

void engine_crash(struct fixture *f)
{
    fake_loop_run_tasks(&f->loop);
    close_engine(f);
    open_engine(f);
    f->became_ready = 0;
}

void engine_run_s(struct fixture *f, int64_t seconds)
{
    fake_loop_run_for(&f->loop, seconds * US_PER_S);
}

int transaction_setup(void **state)
{
    int rc = engine_fixture_setup(state);
    transaction_begin(*state);
    return rc;
}

int transaction_teardown(void **state)
{
    transaction_end(*state);
    return engine_fixture_teardown(state);
}

// --- buyers

struct buyer *buyer_new(struct fixture *f)
{
    REQUIRE(f->buyer_count < BUYERS_MAX);
    struct buyer *buyer = calloc(1, sizeof(*buyer));
    REQUIRE(buyer != NULL);
    f->buyers[f->buyer_count++] = buyer;
    int64_t now_us = loop_wall_us(&f->loop.base);
    buyer->f = f;
    buyer->payment = sample_payment(&f->merchant_id, &f->version_id, now_us);
    buyer->payment.payment_method = "pm_card_visa";
    return buyer;
}

static enum errc run_prepare(struct store_job *job, struct tx *tx, struct err *err)
{
    struct buyer *buyer = CONTAINER_OF(job, struct buyer, prepared.job);
    struct fixture *f = buyer->f;
    op_free(buyer->op);
    buyer->op = NULL;
    enum errc rc = OK;
    if (buyer->saves_card) {
        rc = charge_customer_choose(f->engine, tx, &buyer->payment, err);
    }
    return rc == OK ? charge_prepare(f->engine, tx, &buyer->payment, NULL, &buyer->op, err) : rc;
}

enum errc buyer_prepare(struct buyer *buyer)
{
    buyer->prepared = (struct awaited){.job = {.run = run_prepare,
                                               .arena = &buyer->f->arena,
                                               .cause = "api",
                                               .cause_ref = "request-1",
                                               .now_us = buyer->payment.created_us}};
    return store_await(buyer->f->store, &buyer->f->loop, &buyer->prepared);
}

static void answered(struct op_waiter *waiter, const struct op_answer *answer)
{
    struct buyer *buyer = CONTAINER_OF(waiter, struct buyer, waiter);
    assert_int_equal(buyer->answers, 0); // exactly once
    buyer->answers++;
    buyer->rc = answer->refusal.code;
    buyer->status = answer->status;
    buyer->body = answer->body != NULL ? strdup(answer->body) : NULL;
}

void buyer_go(struct buyer *buyer)
{
    struct op *op = buyer->op;
    buyer->op = NULL;
    buyer->waiter.answered = answered;
    op_wait(buyer->f->engine, &buyer->waiter, &op_charge, &buyer->payment.id);
    op_run(op);
}

static struct buyer *begin(struct buyer *buyer)
{
    struct fixture *f = buyer->f;
    assert_int_equal(buyer_prepare(buyer), OK);
    buyer_go(buyer);
    fake_loop_run_for(&f->loop, 0);
    return buyer;
}

struct buyer *buy(struct fixture *f)
{
    return begin(buyer_new(f));
}

struct buyer *buy_and_save(struct fixture *f)
{
    struct buyer *buyer = buyer_new(f);
    buyer->saves_card = true;
    buyer->payment.customer_email = "buyer@shop.example";
    return begin(buyer);
}

struct provider_payment listed(struct fixture *f, const struct uuid *payment_id, const char *payment_ref,
                               enum provider_payment_state state)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(payment_id, id);
    struct provider_payment reported = answer_payment(state).payment;
    reported.id = payment_ref;
    reported.payment_id = arena_strdup(&f->arena, id);
    return reported;
}

// --- what the engine does

size_t charges(const struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_CHARGE);
}

size_t lists(const struct fixture *f)
{
    return fake_provider_count(&f->provider, PROVIDER_LIST);
}

int64_t in_flight(const struct fixture *f)
{
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    return stats.in_flight;
}

// --- rows

void run_sql(struct fixture *f, const char *sql)
{
    TRANSACTION(f);
    database_run(f->db, sql);
}

int64_t sql_number(struct fixture *f, const char *sql)
{
    TRANSACTION(f);
    return database_number(f->db, sql);
}

struct payment payment_row(struct fixture *f, const struct uuid *id)
{
    TRANSACTION(f);
    struct payment payment;
    assert_int_equal(payment_get(f->db, id, NULL, &f->arena, &payment, &f->err), OK);
    return payment;
}

enum errc stored_answer(struct fixture *f, const struct uuid *payment_id, struct op_answer *answer)
{
    TRANSACTION(f);
    struct tx tx = tx_for(f, "api", NULL);
    return reply_stored(&tx, payment_id, answer, &f->err);
}

// The first column of every row, with commas between.
static const char *joined(struct fixture *f, const char *sql, const struct uuid *id)
{
    TRANSACTION(f);
    struct buf text BUF_CLEANUP = BUF_MAX(1 << 16);
    DB_ROWS(rows);
    bool has = false;
    assert_int_equal(db_query(f->db, &rows, &f->err, sql, DB_ID(id)), OK);
    assert_int_equal(db_next(&rows, &has, &f->err), OK);
    while (has) {
        buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", db_text(&rows, 0, &f->arena));
        assert_int_equal(db_next(&rows, &has, &f->err), OK);
    }
    return arena_strdup(&f->arena, buf_str(&text));
}

const char *history_of(struct fixture *f, const struct uuid *id)
{
    return joined(
        f,
        "SELECT what || ' ' || status || ' ' || cause FROM payment_history WHERE payment_id = $1 ORDER BY id",
        id);
}

const char *events_of(struct fixture *f, const struct uuid *id)
{
    return joined(f, "SELECT type FROM outbox WHERE transaction_id = $1 ORDER BY id", id);
}

const char *open_operations(struct fixture *f, const struct uuid *id)
{
    return joined(f, "SELECT kind FROM operations WHERE subject_id = $1 ORDER BY kind", id);
}

const char *answered_status(struct buyer *buyer)
{
    if (buyer->body == NULL) {
        return NULL;
    }
    struct json_object *answer JSON_CLEANUP = NULL;
    assert_int_equal(json_parse(buyer->body, strlen(buyer->body), &answer, &buyer->f->err), OK);
    return arena_strdup(&buyer->f->arena, json_get_str(json_get(answer, "data"), "status"));
}
