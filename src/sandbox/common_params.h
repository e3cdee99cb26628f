// Parameters that many calls take, for the tables of those that each call accepts.
#pragma once

#include "sandbox/params.h"

#define EXPAND                                                                                               \
    {                                                                                                        \
        .name = "expand", .type = PARAM_TEXTS                                                                \
    }
#define METADATA                                                                                             \
    {                                                                                                        \
        .name = "metadata", .type = PARAM_METADATA                                                           \
    }
// Pages of a list that cannot be asked for by time.
#define CURSORS                                                                                              \
    {.name = "limit", .type = PARAM_INTEGER}, {.name = "starting_after", .type = PARAM_TEXT},                \
    {                                                                                                        \
        .name = "ending_before", .type = PARAM_TEXT                                                          \
    }
#define PAGING                                                                                               \
    CURSORS,                                                                                                 \
    {                                                                                                        \
        .name = "created", .type = PARAM_RANGE                                                               \
    }
#define DESCRIPTION_CHARS_MAX 1000
#define EMAIL_CHARS_MAX 512
#define SUFFIX_CHARS_MAX 22
#define NAME_CHARS_MAX 256
#define PHONE_CHARS_MAX 20
