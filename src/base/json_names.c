// See json_names.h. An object of n names is sorted in n log n steps, whatever their hashes.
#include "base/json_names.h"

#include <stdlib.h>
#include <string.h>

void json_names_add(struct json_names *names, const char *name)
{
    uint32_t hash = 0;
    for (const char *at = name; *at != '\0'; at++) {
        hash = hash * JSON_NAMES_FACTOR + (unsigned char)*at;
    }
    hash = hash * UINT32_C(2654435769) >> (32 - JSON_NAMES_BITS_LOG);
    uint64_t bit = UINT64_C(1) << hash % 64;
    names->shared |= (names->bits[hash / 64] & bit) != 0;
    names->bits[hash / 64] |= bit;
}

static int compare(const void *a, const void *b)
{
    const struct json_value *left = *(const struct json_value *const *)a;
    const struct json_value *right = *(const struct json_value *const *)b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->name_at > right->name_at) - (left->name_at < right->name_at);
}

size_t json_names_find_repeat(const struct json_value *object)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const struct json_value **members = arena_alloc(&arena, object->count * sizeof(*members));
    size_t count = 0;
    for (const struct json_value *each = json_first(object); each != NULL; each = json_next(object, each)) {
        members[count++] = each;
    }
    qsort(members, count, sizeof(members[0]), compare);
    size_t repeat_at = SIZE_MAX;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(members[i - 1]->name, members[i]->name) == 0 && members[i]->name_at < repeat_at) {
            repeat_at = members[i]->name_at;
        }
    }
    return repeat_at;
}
