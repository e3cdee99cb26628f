// Postal addresses as parameters give them. Pure.
#pragma once

#include "base/json.h"
#include "sandbox/params.h"

// The rows of an address called name_, for a table of parameters. name_ alone, without a value, clears it.
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

// One that nobody gave: all its members are null.
struct json_object *address_json(void);
// Applies the parameters of the address called name to the owner's member "address": sets the members that
// came, and makes a cleared address null.
void address_apply(const struct params *params, const char *name, struct json_object *owner);
