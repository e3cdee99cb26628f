// Names of scopes to bits and back. Pure; any thread.
#include "domain/scopes.h"

#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/require.h"

#define SCOPES_TEXT_MAX 512

static const struct {
    uint32_t bit;
    const char *name;
} known[] = {
    {SCOPE_PAYMENTS_READ, "payments:read"},   {SCOPE_PAYMENTS_WRITE, "payments:write"},
    {SCOPE_REFUNDS_READ, "refunds:read"},     {SCOPE_REFUNDS_WRITE, "refunds:write"},
    {SCOPE_WEBHOOKS_READ, "webhooks:read"},   {SCOPE_MERCHANT_READ, "merchant:read"},
    {SCOPE_MERCHANT_WRITE, "merchant:write"}, {SCOPE_AUDIT_READ, "audit:read"},
};
_Static_assert(SCOPE_ALL == (1 << COUNT_OF(known)) - 1, "every scope has its name");

static enum errc refuse(const char *name, size_t chars, struct err *err)
{
    BUF_CLEANUP struct buf names = BUF_MAX(SCOPES_TEXT_MAX);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", known[i].name);
    }
    // The unknown name is cut, so that the known ones fit after it.
    return err_set(err, ERR_VALIDATION, "unknown scope '%.*s'; the scopes are %s",
                   chars > 40 ? 40 : (int)chars, name, buf_str(&names));
}

static bool find_bit(const char *name, size_t chars, uint32_t *bit)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strlen(known[i].name) == chars && memcmp(known[i].name, name, chars) == 0) {
            *bit = known[i].bit;
            return true;
        }
    }
    return false;
}

enum errc scopes_parse(const char *text, uint32_t *scopes, struct err *err)
{
    uint32_t bits = 0;
    for (const char *at = text;;) {
        at += strspn(at, " \t");
        size_t chars = strcspn(at, ",");
        size_t name_chars = chars;
        while (name_chars > 0 && (at[name_chars - 1] == ' ' || at[name_chars - 1] == '\t')) {
            name_chars--;
        }
        uint32_t bit;
        if (!find_bit(at, name_chars, &bit)) {
            return refuse(at, name_chars, err);
        }
        bits |= bit;
        if (at[chars] == '\0') {
            break;
        }
        at += chars + 1;
    }
    *scopes = bits;
    return OK;
}

enum errc scope_parse(const char *name, uint32_t *scope, struct err *err)
{
    return find_bit(name, strlen(name), scope) ? OK : refuse(name, strlen(name), err);
}

const char *scopes_format(struct arena *arena, uint32_t scopes)
{
    BUF_CLEANUP struct buf text = BUF_MAX(SCOPES_TEXT_MAX);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (scopes & known[i].bit) {
            buf_printf(&text, "%s%s", text.len == 0 ? "" : ",", known[i].name);
        }
    }
    return arena_strdup(arena, buf_str(&text));
}

const char *scope_name(uint32_t scope)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (known[i].bit == scope) {
            return known[i].name;
        }
    }
    REQUIRE(!"one known scope bit");
    return NULL;
}

void scopes_write(struct json_writer *json, const char *name, uint32_t scopes)
{
    json_open_array(json, name);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (scopes & known[i].bit) {
            json_write_str(json, NULL, known[i].name);
        }
    }
    json_close(json);
}
