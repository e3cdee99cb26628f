// What an API key may do. The names are part of the API. Rows store the bits: never renumber them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json_writer.h"

enum scope {
    SCOPE_PAYMENTS_READ = 1 << 0,
    SCOPE_PAYMENTS_WRITE = 1 << 1,
    SCOPE_REFUNDS_READ = 1 << 2,
    SCOPE_REFUNDS_WRITE = 1 << 3,
    SCOPE_WEBHOOKS_READ = 1 << 4,
    SCOPE_MERCHANT_READ = 1 << 5,
    SCOPE_MERCHANT_WRITE = 1 << 6,
    SCOPE_AUDIT_READ = 1 << 7,
    SCOPE_ALL = (1 << 8) - 1,
};
// What createapikey gives by default.
#define SCOPES_DEFAULT "payments:read,payments:write,merchant:read,merchant:write,webhooks:read"

// "payments:read, payments:write" to bits; ERR_VALIDATION names the unknown one and lists the known.
enum errc scopes_parse(const char *text, uint32_t *scopes, struct err *err) MUST_CHECK;
// One name to its bit. ERR_VALIDATION as above.
enum errc scope_parse(const char *name, uint32_t *scope, struct err *err) MUST_CHECK;
// Comma-separated names, in the arena.
const char *scopes_format(struct arena *arena, uint32_t scopes);
// The name of one scope bit.
const char *scope_name(uint32_t scope);
// Writes the names as an array.
void scopes_write(struct json_writer *json, const char *name, uint32_t scopes);
