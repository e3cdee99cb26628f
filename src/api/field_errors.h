// What is wrong with a request's fields: every error is reported, in one answer.
#pragma once

#include <stddef.h>

#include "base/err.h"

#define FIELD_ERRORS_MAX 32

struct field_error {
    enum errc code; // ERR_VALIDATION, ERR_CARD_DATA_REFUSED
    const char *field;
    const char *message;
};

struct field_errors {
    struct field_error *items; // room for FIELD_ERRORS_MAX, once there is one
    size_t count;              // no more than fit are kept
};
