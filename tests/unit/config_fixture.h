// For tests of settings: loads them from flags, variables and a file, or expects a refusal.
#pragma once

#include "unit_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/require.h"
#include "base/text.h"

#define VARIABLES_MAX 8

struct loaded {
    struct arena arena;
    struct config config;
    struct err err;
    const char *rest[2];
    int rest_count;
};

static inline void release(struct loaded *loaded)
{
    arena_release(&loaded->arena);
}
#define LOADED_CLEANUP __attribute__((cleanup(release)))

// An argument vector like main()'s. The words are never written to.
#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static inline enum errc load(struct loaded *loaded, char **words, char **environment)
{
    *loaded = (struct loaded){0};
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    char *whole[VARIABLES_MAX + 2] = {0}; // HOME is set unless the test sets another
    int variables = 0;
    for (; environment[variables] != NULL; variables++) {
        REQUIRE(variables < VARIABLES_MAX);
        whole[variables] = environment[variables];
    }
    whole[variables] = (char *)"HOME=/home/ops";
    return config_load(&loaded->config, &loaded->arena, count, words, whole, loaded->rest,
                       COUNT_OF(loaded->rest), &loaded->rest_count, &loaded->err);
}

static inline void assert_loads(struct loaded *loaded, char **words, char **environment)
{
    if (load(loaded, words, environment) != OK) {
        fail_msg("refused: %s", loaded->err.message);
    }
}

static inline void assert_refused(char **words, char **environment, const char *message)
{
    LOADED_CLEANUP struct loaded loaded;
    assert_int_equal(load(&loaded, words, environment), ERR_VALIDATION);
    assert_string_equal(loaded.err.message, message);
    assert_null(loaded.config.listen); // untouched
}
