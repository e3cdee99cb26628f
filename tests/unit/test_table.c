// The hash table, held against a plain array.
#include "unit_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/require.h"
#include "base/table.h"

#define ITEMS 3000

struct item {
    struct table_node node;
    char key[16];
    bool present;
    int visits;
};

static struct item items[ITEMS];

static void make_items(void)
{
    memset(items, 0, sizeof items);
    for (int i = 0; i < ITEMS; i++) {
        (void)snprintf(items[i].key, sizeof items[i].key, "key-%d", i);
    }
}

static struct item *find(const struct table *table, const char *key)
{
    struct table_node *node = table_find(table, key, strlen(key));
    return node == NULL ? NULL : CONTAINER_OF(node, struct item, node);
}

static void insert(struct table *table, struct item *item)
{
    table_insert(table, &item->node, item->key, strlen(item->key));
    item->present = true;
}

static void assert_agrees(const struct table *table)
{
    size_t present = 0;
    for (int i = 0; i < ITEMS; i++) {
        char copy[16];
        memcpy(copy, items[i].key, sizeof copy); // found by its bytes, not its address
        assert_ptr_equal(find(table, copy), items[i].present ? &items[i] : NULL);
        present += items[i].present;
    }
    assert_int_equal(table->count, present);
}

static void an_empty_table_holds_nothing(void **state)
{
    (void)state;
    struct table table = TABLE_EMPTY;
    assert_null(find(&table, "key"));
    assert_null(find(&table, ""));
    table_release(&table);
}

static void an_entry_is_found_until_it_is_removed(void **state)
{
    (void)state;
    make_items();
    struct table table = TABLE_EMPTY;
    for (int i = 0; i < ITEMS; i++) {
        insert(&table, &items[i]);
    }
    assert_agrees(&table);
    for (int i = 0; i < ITEMS; i += 3) {
        table_remove(&table, &items[i].node);
        items[i].present = false;
    }
    assert_agrees(&table);
    for (int i = 0; i < ITEMS; i += 6) {
        insert(&table, &items[i]);
    }
    assert_agrees(&table);
    table_release(&table);
    assert_null(find(&table, "key-1"));
}

static void keys_differ_by_length_and_by_bytes_after_a_nul(void **state)
{
    (void)state;
    struct table table = TABLE_EMPTY;
    struct table_node nodes[4];
    table_insert(&table, &nodes[0], "", 0);
    table_insert(&table, &nodes[1], "\0", 1);
    table_insert(&table, &nodes[2], "a\0b", 3);
    table_insert(&table, &nodes[3], "a\0c", 3);
    assert_ptr_equal(table_find(&table, "", 0), &nodes[0]);
    assert_ptr_equal(table_find(&table, "\0", 1), &nodes[1]);
    assert_ptr_equal(table_find(&table, "a\0b", 3), &nodes[2]);
    assert_ptr_equal(table_find(&table, "a\0c", 3), &nodes[3]);
    assert_null(table_find(&table, "a", 1));
    table_release(&table);
}

static void visit_and_remove_odd(struct table_node *node, void *context)
{
    struct item *item = CONTAINER_OF(node, struct item, node);
    item->visits++;
    if ((item - items) % 2 == 1) {
        table_remove(context, node);
        memset(&item->node, 0xff, sizeof item->node); // as if freed
        item->present = false;
    }
}

static void a_visit_meets_each_node_once_and_may_remove_it(void **state)
{
    (void)state;
    make_items();
    struct table table = TABLE_EMPTY;
    for (int i = 0; i < ITEMS; i++) {
        insert(&table, &items[i]);
    }
    table_each(&table, visit_and_remove_odd, &table);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(items[i].visits, 1);
    }
    assert_agrees(&table);
    table_release(&table);
}

static void buckets_stay_short_and_differ_from_table_to_table(void **state)
{
    (void)state;
    make_items();
    struct table tables[2] = {TABLE_EMPTY, TABLE_EMPTY};
    uint64_t hash_of_first[2];
    for (int run = 0; run < 2; run++) {
        for (int i = 0; i < ITEMS; i++) {
            insert(&tables[run], &items[i]);
        }
        hash_of_first[run] = items[0].node.hash;
        for (size_t i = 0; i < tables[run].bucket_count; i++) {
            size_t length = 0;
            for (const struct table_node *node = tables[run].buckets[i]; node != NULL; node = node->next) {
                length++;
            }
            assert_true(length < 16); // one on average; 16 has a chance of 1 in 10^13 a bucket
        }
        table_release(&tables[run]);
    }
    assert_true(hash_of_first[0] != hash_of_first[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_holds_nothing),
        cmocka_unit_test(an_entry_is_found_until_it_is_removed),
        cmocka_unit_test(keys_differ_by_length_and_by_bytes_after_a_nul),
        cmocka_unit_test(a_visit_meets_each_node_once_and_may_remove_it),
        cmocka_unit_test(buckets_stay_short_and_differ_from_table_to_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
