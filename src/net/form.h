// application/x-www-form-urlencoded and query strings: encoding for requests, decoding for the API. Pure; any
// thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

// Appends "name=value", with '&' before it unless the buffer is empty. Brackets in names stay raw; all but
// unreserved characters (RFC 3986) are percent-encoded.
void form_add(struct buf *form, const char *name, const char *value);
void form_add_i64(struct buf *form, const char *name, int64_t value);

struct form_field {
    const char *name;
    const char *value;
};
#define FORM_FIELDS_MAX 256
struct form {
    struct form_field *fields;
    size_t count;
};
// Decodes ('+' is a space) into the arena. ERR_BAD_REQUEST: a bad escape, a NUL, not UTF-8, more than
// FORM_FIELDS_MAX fields.
enum errc form_parse(const char *text, size_t bytes, struct arena *arena, struct form *form,
                     struct err *err) MUST_CHECK;
const char *form_get(const struct form *form, const char *name); // first of that name, NULL if absent
