// The parameters of a call, checked by the table of those that it accepts: unknown, missing, malformed and
// repeated ones are refused as at Stripe, with the parameter's name in brackets. Also postal addresses. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "net/form.h"

enum param_type {
    PARAM_INTEGER,
    PARAM_BOOLEAN,
    PARAM_TEXT,
    PARAM_URL,
    PARAM_CHOICE,
    PARAM_TEXTS,    // name[]=a&name[]=b or name[0]=a
    PARAM_METADATA, // name[key]=value
    PARAM_RANGE,    // name=n or name[gt|gte|lt|lte]=n
    PARAM_GROUP,    // a group name[a]=, name[b]= with rows of their own: name= clears all
};

struct param {
    const char *name;          // "automatic_payment_methods[enabled]" if it is nested
    const char *choices;       // PARAM_CHOICE: "a|b|c"
    const char *until_version; // date of the first API version without it
    size_t chars_max;          // PARAM_TEXT, 0: 5000
    enum param_type type;
    bool required;
    bool unsettable; // an empty value is accepted, and clears
};

struct params {
    struct form form;
};

#define PARAMS_END                                                                                           \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

// Rows that many tables share.
#define EXPAND                                                                                               \
    {                                                                                                        \
        .name = "expand", .type = PARAM_TEXTS                                                                \
    }
#define METADATA                                                                                             \
    {                                                                                                        \
        .name = "metadata", .type = PARAM_METADATA                                                           \
    }
// Paging of a list that cannot be filtered by time.
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

// The rows of an address called name_. name_ alone, with an empty value, clears it.
#define ADDRESS_PARAMS(name_)                                                                                \
    {.name = (name_), .type = PARAM_GROUP, .unsettable = true},                                              \
        {.name = name_ "[city]", .type = PARAM_TEXT, .unsettable = true},                                    \
        {.name = name_ "[country]", .type = PARAM_TEXT, .unsettable = true},                                 \
        {.name = name_ "[line1]", .type = PARAM_TEXT, .unsettable = true},                                   \
        {.name = name_ "[line2]", .type = PARAM_TEXT, .unsettable = true},                                   \
        {.name = name_ "[postal_code]", .type = PARAM_TEXT, .unsettable = true},                             \
    {                                                                                                        \
        .name = name_ "[state]", .type = PARAM_TEXT, .unsettable = true                                      \
    }

struct refusal;

// Decodes and checks the parameters. accepted ends with PARAMS_END. version: "2026-10-28.endive". False:
// *refusal is filled, its text in the arena.
bool params_read(struct params *params, const char *text, size_t bytes, const struct param *accepted,
                 const char *version, struct arena *arena, struct refusal *refusal) MUST_CHECK;

// The values of a parameter that params_read accepted. If it is absent: NULL, `absent`, 0. An empty one is
// "".
const char *param_text(const struct params *params, const char *name);
// Sets the member of json to a parameter that was given; an empty one makes it null.
void param_set_text(const struct params *params, const char *name, struct json_object *json,
                    const char *member);
int64_t param_i64(const struct params *params, const char *name, int64_t absent);
bool param_bool(const struct params *params, const char *name, bool absent);
size_t param_texts(const struct params *params, const char *name, const char **texts, size_t texts_max);
// The same texts as an array, which the caller releases.
struct json_object *param_texts_json(const struct params *params, const char *name, size_t texts_max);

// Applies metadata[...] to an object's metadata: sets keys, removes those with an empty value, and all of
// them for `metadata=`. False: over Stripe's limits (50 keys of 40 characters, values of 500); *refusal is
// filled.
bool param_metadata(const struct params *params, struct json_object *metadata,
                    struct refusal *refusal) MUST_CHECK;

struct range {
    int64_t min;
    int64_t max;
};
// From name=, name[gt]= and so on. Both ends are inclusive.
struct range param_range(const struct params *params, const char *name);

// An empty address: all its members are null.
struct json_object *address_json(void);
// Applies the parameters of the address called name to the owner's member "address": sets what was given, and
// makes a cleared address null.
void param_address(const struct params *params, const char *name, struct json_object *owner);
