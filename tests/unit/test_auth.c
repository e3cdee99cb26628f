// The cost of a refused key, in hashes, comparisons and statements instead of time: nobody learns from it
// whether there is such a key.
#include "scratch.h"

#include "api/api_private.h"
#include "api/auth.h"
#include "api/router.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "domain/api_key.h"
#include "domain/scopes.h"
#include "store/api_keys.h"
#include "store/driver.h"
#include "store/merchants.h"

#define NOW_US (INT64_C(1700000000) * US_PER_S)
static const struct keyring keyring = {.pepper = {1, 2, 3}};

// --- the counters

static struct work {
    int hashes;
    int comparisons; // of secrets
    int statements;
    int rows;
} work;

// The linker gives these in place of the real ones (--wrap).
#define WRAPPED(result, name, ...)                                                                           \
    result __real_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__)

WRAPPED(void, crypto_hmac, const void *key, size_t key_bytes, const struct crypto_part *parts,
        size_t part_count, uint8_t out[SHA256_BYTES])
{
    work.hashes++;
    __real_crypto_hmac(key, key_bytes, parts, part_count, out);
}

WRAPPED(void, crypto_sha256, const void *data, size_t bytes, uint8_t out[SHA256_BYTES])
{
    work.hashes++;
    __real_crypto_sha256(data, bytes, out);
}

WRAPPED(bool, crypto_equal, const void *a, const void *b, size_t bytes)
{
    work.comparisons++;
    return __real_crypto_equal(a, b, bytes);
}

static const struct db_driver *real_driver;

static enum errc count_query(struct db *db, struct db_rows *rows, const char *sql,
                             const struct db_value *values, size_t count, struct err *err)
{
    work.statements++;
    return real_driver->query(db, rows, sql, values, count, err);
}

static enum errc count_next(struct db_rows *rows, bool *has, struct err *err)
{
    work.rows++;
    return real_driver->next(rows, has, err);
}

// --- a request that brings a key, without a socket

static const char *presented;

WRAPPED(const char *, http_exchange_header, struct http_exchange *exchange, const char *name, bool *repeated)
{
    (void)exchange;
    (void)repeated;
    return text_equal(name, "X-API-Key") ? presented : NULL;
}

static enum errc authenticate(struct db *db, const char *key, const char **event)
{
    static const struct route route = {.scopes = SCOPE_PAYMENTS_READ};
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct api api = {.keyring = &keyring};
    struct request request = {.api = &api, .arena = &arena, .route = &route, .now_us = NOW_US};
    struct err err = {0};
    presented = key;
    enum errc rc = auth_read(&request, &err);
    rc = rc == OK ? auth_check(&request, &(struct tx){.db = db}, &err) : rc;
    *event = request.auth_event;
    return rc;
}

// --- keys of every kind

struct presented_key {
    const char *what;
    const char *event; // audit's of the refusal; NULL: it is accepted
    bool stored;
    bool of_inactive;
    int64_t expires_us;
    int64_t revoked_us;
    char text[API_KEY_CHARS + 1];
};

static struct presented_key keys[] = {
    {.what = "unknown", .event = "auth.failed"},
    {.what = "wrong after a known beginning", .event = "auth.failed"},
    {.what = "revoked", .event = "auth.failed", .stored = true, .revoked_us = NOW_US - 1},
    {.what = "expired", .event = "auth.key_expired", .stored = true, .expires_us = NOW_US},
    {.what = "of an inactive merchant",
     .event = "auth.merchant_inactive",
     .stored = true,
     .of_inactive = true},
    {.what = "valid", .stored = true},
};

// Makes a key that begins as all others do, as far as it is kept for people.
struct alike {
    struct random base;
    unsigned filled;
};

static void fill_alike(struct random *random, void *out, unsigned bytes)
{
    struct alike *alike = CONTAINER_OF(random, struct alike, base);
    random_system.fill(random, out, bytes);
    if (alike->filled++ < API_KEY_PREFIX_CHARS - strlen("sk_live_")) {
        memset(out, 7, bytes);
    }
}

static enum errc store_key(struct db *db, const struct presented_key *key, const struct uuid *merchant_id,
                           struct err *err)
{
    char prefix[API_KEY_PREFIX_CHARS + 1];
    api_key_prefix(key->text, prefix);
    struct api_key row = {
        .id = uuid_new(&random_system, NOW_US),
        .merchant_id = *merchant_id,
        .prefix = prefix,
        .scopes = SCOPE_ALL,
        .livemode = true,
        .expires_us = key->expires_us,
        .revoked_us = key->revoked_us,
        .created_us = NOW_US,
    };
    api_key_hash(keyring.pepper, key->text, row.hash);
    return api_key_insert(db, &row, err);
}

static enum errc store_keys(struct db *db, void *context, struct err *err)
{
    (void)context;
    struct merchant merchants[] = {{.name = "shop", .is_active = true}, {.name = "closed"}};
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < COUNT_OF(merchants); i++) {
        merchants[i].id = uuid_new(&random_system, NOW_US);
        rc = merchant_insert(db, &merchants[i], err);
    }
    for (size_t i = 0; rc == OK && i < COUNT_OF(keys); i++) {
        struct alike alike = {.base = {fill_alike}};
        api_key_make(i == 0 ? &random_system : &alike.base, true, keys[i].text);
        rc = keys[i].stored ? store_key(db, &keys[i], &merchants[keys[i].of_inactive].id, err) : OK;
    }
    return rc;
}

static enum errc check_work(struct db *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    real_driver = db->driver;
    struct db_driver counting = *real_driver;
    counting.query = count_query;
    counting.next = count_next;
    db->driver = &counting;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *event = NULL;
        work = (struct work){0};
        enum errc rc = authenticate(db, keys[i].text, &event);
        bool as_told =
            text_equal(event, keys[i].event) && rc == (keys[i].event == NULL ? OK : ERR_AUTH_INVALID_KEY);
        if (!as_told || work.hashes != 1 || work.comparisons != 0 || work.statements != 1 || work.rows != 1) {
            fail_msg("%s: %s, %d hashes, %d comparisons, %d statements, %d rows", keys[i].what,
                     event != NULL ? event : "accepted", work.hashes, work.comparisons, work.statements,
                     work.rows);
        }
    }
    db->driver = real_driver;
    return OK;
}

static void a_key_is_refused_by_the_same_work_whatever_is_wrong_with_it(void **state)
{
    const struct scratch *scratch = *state;
    struct err err = {0};
    assert_int_equal(store_run_once(scratch->database, store_keys, NULL, &err), OK);
    assert_int_equal(store_run_once(scratch->database, check_work, NULL, &err), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_refused_by_the_same_work_whatever_is_wrong_with_it,
                                        scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
