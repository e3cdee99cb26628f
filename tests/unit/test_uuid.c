// Ids: version 7, ordered, unique, repeatable under a simulated source of randomness.
#include "unit_test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/uuid.h"

#define NOW_US INT64_C(1735732800123456)

// A repeatable source: every byte is the next of a counter.
struct counting {
    struct random random;
    uint8_t next;
};

static void fill_counting(struct random *self, void *out, unsigned bytes)
{
    struct counting *counting = (struct counting *)self;
    for (unsigned i = 0; i < bytes; i++) {
        ((uint8_t *)out)[i] = counting->next++;
    }
}

static void an_id_says_its_version_variant_and_millisecond(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct uuid id = uuid_new(&random_system, NOW_US + i * 7000);
        uint64_t ms = 0;
        for (int at = 0; at < 6; at++) {
            ms = ms << 8 | id.bytes[at];
        }
        assert_int_equal(ms, (NOW_US + i * 7000) / 1000);
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
    }
}

static void ids_of_one_millisecond_increase(void **state)
{
    (void)state;
    struct uuid before = uuid_new(&random_system, NOW_US);
    for (int i = 0; i < 20000; i++) {
        struct uuid id = uuid_new(&random_system, NOW_US + i % 500);
        assert_true(memcmp(before.bytes, id.bytes, sizeof id.bytes) < 0);
        before = id;
    }
}

static void fill_zeros(struct random *self, void *out, unsigned bytes)
{
    (void)self;
    memset(out, 0, bytes);
}

static void ids_increase_even_where_randomness_fails(void **state)
{
    (void)state;
    struct random zeros = {.fill = fill_zeros};
    struct uuid before = uuid_new(&zeros, NOW_US / 3);
    for (int i = 0; i < 1000; i++) {
        struct uuid id = uuid_new(&zeros, NOW_US / 3);
        assert_true(memcmp(before.bytes, id.bytes, sizeof id.bytes) < 0);
        before = id;
    }
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static void ids_stay_unique_when_the_clock_goes_back(void **state)
{
    (void)state;
    static struct uuid ids[10000];
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = uuid_new(&random_system, NOW_US - (int64_t)(i % 3) * 1000);
    }
    qsort(ids, COUNT_OF(ids), sizeof ids[0], compare);
    for (size_t i = 1; i < COUNT_OF(ids); i++) {
        assert_false(uuid_equal(&ids[i - 1], &ids[i]));
    }
}

#define THREADS 4
#define IDS_EACH 5000
static struct uuid made[THREADS][IDS_EACH];

static void *make_ids(void *ids)
{
    for (size_t i = 0; i < IDS_EACH; i++) {
        ((struct uuid *)ids)[i] = uuid_new(&random_system, NOW_US);
    }
    return NULL;
}

static void threads_share_one_order(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, made[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (size_t at = 1; at < IDS_EACH; at++) {
            assert_true(compare(&made[i][at - 1], &made[i][at]) < 0);
        }
    }
    qsort(made, THREADS * IDS_EACH, sizeof(struct uuid), compare);
    const struct uuid *all = made[0];
    for (size_t i = 1; i < (size_t)THREADS * IDS_EACH; i++) {
        assert_false(uuid_equal(&all[i - 1], &all[i]));
    }
}

static void a_simulated_run_repeats_its_ids(void **state)
{
    (void)state;
    struct uuid first[100];
    for (int run = 0; run < 2; run++) {
        struct counting source = {.random = {.fill = fill_counting}};
        for (int i = 0; i < 100; i++) {
            struct uuid id = uuid_new(&source.random, NOW_US / 2 + i * 400);
            if (run == 0) {
                first[i] = id;
            } else {
                assert_true(uuid_equal(&first[i], &id));
            }
        }
    }
}

static void an_id_reads_back_from_its_text(void **state)
{
    (void)state;
    static const char text[] = "0190163d-8694-739b-aea5-966c26f8ad91";
    static const uint8_t bytes[16] = {0x01, 0x90, 0x16, 0x3d, 0x86, 0x94, 0x73, 0x9b,
                                      0xae, 0xa5, 0x96, 0x6c, 0x26, 0xf8, 0xad, 0x91};
    struct uuid id;
    char out[UUID_TEXT_BYTES];
    assert_true(uuid_parse(text, &id));
    assert_memory_equal(id.bytes, bytes, sizeof bytes);
    uuid_format(&id, out);
    assert_string_equal(out, text);
    assert_true(uuid_parse("0190163D-8694-739B-AEA5-966C26F8AD91", &id));
    assert_memory_equal(id.bytes, bytes, sizeof bytes);
}

static void text_that_is_no_id_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "0190163d8694739baea5966c26f8ad91",
                                        "0190163d-8694-739b-aea5-966c26f8ad9",
                                        "0190163d-8694-739b-aea5-966c26f8ad911",
                                        "0190163d-8694-739b-aea5-966c26f8ad9g",
                                        "0190163d-8694-739b-aea5_966c26f8ad91",
                                        "0190163d-8694-739b-aea5-966c26f8ad9\xb1",
                                        "{190163d-8694-739b-aea5-966c26f8ad9}",
                                        "-190163d-8694-739b-aea5-966c26f8ad91",
                                        "0190163d8-694-739b-aea5-966c26f8ad91"};
    struct uuid id = {{0}};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(uuid_parse(texts[i], &id));
        assert_true(uuid_is_nil(&id));
    }
    assert_false(uuid_parse(NULL, &id));
    id.bytes[15] = 1;
    assert_false(uuid_is_nil(&id));
}

static void the_first_id_of_a_millisecond_bounds_it(void **state)
{
    (void)state;
    for (int64_t ms = 1700000000000; ms < 1700000000100; ms++) {
        struct uuid first = uuid_first_of(ms);
        struct uuid next = uuid_first_of(ms + 1);
        struct uuid later = uuid_new(&random_system, ms * 1000 + 999);
        assert_true(memcmp(&first, &later, sizeof(later)) < 0);
        assert_true(memcmp(&later, &next, sizeof(later)) < 0);
    }
    struct uuid last = uuid_first_of((INT64_C(1) << 48) - 1);
    assert_memory_equal(last.bytes, ((uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}), 7);
}

static void an_id_tells_when_it_was_made(void **state)
{
    (void)state;
    struct uuid id = uuid_new(&random_system, INT64_C(1700000000123456));
    assert_int_equal(uuid_ms(&id), INT64_C(1700000000123));
    static const char *const others[] = {"018f0000-0000-4000-8000-000000000001",
                                         "018f0000-0000-7000-0000-000000000001"};
    for (size_t i = 0; i < 2; i++) {
        assert_true(uuid_parse(others[i], &id));
        assert_int_equal(uuid_ms(&id), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_its_version_variant_and_millisecond),
        cmocka_unit_test(ids_of_one_millisecond_increase),
        cmocka_unit_test(ids_increase_even_where_randomness_fails),
        cmocka_unit_test(ids_stay_unique_when_the_clock_goes_back),
        cmocka_unit_test(threads_share_one_order),
        cmocka_unit_test(a_simulated_run_repeats_its_ids),
        cmocka_unit_test(an_id_reads_back_from_its_text),
        cmocka_unit_test(text_that_is_no_id_is_refused_and_changes_nothing),
        cmocka_unit_test(the_first_id_of_a_millisecond_bounds_it),
        cmocka_unit_test(an_id_tells_when_it_was_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
