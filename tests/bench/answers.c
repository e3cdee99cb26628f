// Every answer is kept until the end, so the ranks of delays are exact.
#include "answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/require.h"

#define ROOM_FIRST 1024
#define US_PER_S 1e6
#define US_PER_MS 1e3

void answers_add(struct answers *answers, struct answer answer)
{
    if (answers->count == answers->room) {
        answers->room = answers->room == 0 ? ROOM_FIRST : 2 * answers->room;
        answers->all = reallocarray(answers->all, answers->room, sizeof(*answers->all));
        REQUIRE(answers->all != NULL);
    }
    answers->all[answers->count++] = answer;
}

void answers_release(struct answers *answers)
{
    free(answers->all);
}

static bool succeeded(const struct answer *answer)
{
    return answer->status / 100 == 2;
}

struct totals answers_totals(const struct answers *answers)
{
    struct totals totals = {0};
    for (size_t i = 0; i < answers->count; i++) {
        const struct answer *answer = &answers->all[i];
        if (succeeded(answer)) {
            totals.answered++;
            totals.last_us = answer->at_us;
        } else {
            totals.failed++;
            totals.failed_status = answer->status;
        }
    }
    return totals;
}

static int by_us(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

// Of sorted times. 0 if there are none.
static double ranked_ms(const uint32_t *times_us, size_t count, size_t per_mille)
{
    if (count == 0) {
        return 0;
    }
    const size_t rank = (count - 1) * per_mille / 1000;
    return times_us[rank] / US_PER_MS;
}

// Sorts the times.
static void print_times(const char *prefix, uint32_t *times_us, size_t count)
{
    qsort(times_us, count, sizeof(*times_us), by_us);
    (void)printf(", \"%sp50_ms\": %.3f, \"%sp99_ms\": %.3f, \"%sp999_ms\": %.3f, \"%smax_ms\": %.3f", prefix,
                 ranked_ms(times_us, count, 500), prefix, ranked_ms(times_us, count, 990), prefix,
                 ranked_ms(times_us, count, 999), prefix, ranked_ms(times_us, count, 1000));
}

static void print_delays(const struct answers *answers, uint32_t *times_us)
{
    size_t count = 0;
    for (size_t i = 0; i < answers->count; i++) {
        if (succeeded(&answers->all[i])) {
            times_us[count++] = answers->all[i].delay_us;
        }
    }
    print_times("", times_us, count);
}

static uint32_t group_of(const struct answer *answer)
{
    return (uint32_t)answer->label << 17 | (uint32_t)answer->settled << 16 | answer->status;
}

static int by_group(const void *a, const void *b)
{
    const uint32_t left = group_of(a);
    const uint32_t right = group_of(b);
    return (left > right) - (left < right);
}

static void print_group(const struct answer *group, size_t count, const char *label, int64_t lasted_us,
                        uint32_t *times_us)
{
    size_t retry_after = 0;
    for (size_t i = 0; i < count; i++) {
        retry_after += group[i].retry_after;
        times_us[i] = group[i].delay_us;
    }
    (void)printf("{\"label\": \"%s\", \"settled\": %s, \"status\": %d, \"count\": %zu, \"retry_after\": %zu, "
                 "\"per_second\": %.1f",
                 label, group->settled ? "true" : "false", group->status, count, retry_after,
                 (double)count * US_PER_S / (double)lasted_us);
    print_times("", times_us, count);
    for (size_t i = 0; i < count; i++) {
        times_us[i] = group[i].took_us;
    }
    print_times("took_", times_us, count);
    (void)printf("}");
}

static void print_groups(struct answers *answers, const struct requests *requests, int64_t first_us,
                         int64_t elapsed_us, uint32_t *times_us)
{
    const int64_t settling_us = first_us < elapsed_us ? first_us : elapsed_us;
    qsort(answers->all, answers->count, sizeof(*answers->all), by_group);
    for (size_t from = 0, to = 0; from < answers->count; from = to) {
        const struct answer *first = &answers->all[from];
        while (to < answers->count && group_of(&answers->all[to]) == group_of(first)) {
            to++;
        }
        (void)printf("%s", from > 0 ? ", " : "");
        print_group(first, to - from, requests->labels[first->label],
                    first->settled ? elapsed_us - settling_us : settling_us, times_us);
    }
}

void answers_print(struct answers *answers, const struct requests *requests, int64_t first_us,
                   int64_t elapsed_us)
{
    uint32_t *times_us = calloc(answers->count + 1, sizeof(*times_us));
    REQUIRE(times_us != NULL);
    print_delays(answers, times_us);
    (void)printf(", \"groups\": [");
    print_groups(answers, requests, first_us, elapsed_us, times_us);
    (void)printf("]");
    free(times_us);
}
