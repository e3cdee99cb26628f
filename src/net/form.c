// See form.h. Pure; any thread.
#include "net/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum place { VALUE, NAME };

// What stays as it is: in VALUE and NAME, or only in NAME. A table, because strspn with so many characters
// makes one at each call.
#define IN_BOTH (1 << VALUE | 1 << NAME)
static const unsigned char raw[256] = {
    ['0' ... '9'] = IN_BOTH, ['A' ... 'Z'] = IN_BOTH, ['a' ... 'z'] = IN_BOTH,
    ['-'] = IN_BOTH,         ['.'] = IN_BOTH,         ['_'] = IN_BOTH,
    ['~'] = IN_BOTH,         ['['] = 1 << NAME,       [']'] = 1 << NAME,
};

static void add_escaped(struct buf *form, const char *text, enum place place)
{
    static const char hex[] = "0123456789ABCDEF";
    while (*text != '\0') {
        size_t as_it_is = 0;
        while (raw[(unsigned char)text[as_it_is]] >> place & 1) {
            as_it_is++;
        }
        buf_add(form, text, as_it_is);
        text += as_it_is;
        if (*text != '\0') {
            unsigned char c = (unsigned char)*text++;
            char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add(form, escaped, sizeof(escaped));
        }
    }
}

void form_add(struct buf *form, const char *name, const char *value)
{
    if (form->len > 0) {
        buf_add(form, "&", 1);
    }
    add_escaped(form, name, NAME);
    buf_add(form, "=", 1);
    add_escaped(form, value, VALUE);
}

void form_add_i64(struct buf *form, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    form_add(form, name, text);
}

// Decodes [text, end) into the arena; NULL after filling err.
static const char *unescape(const char *text, const char *end, struct arena *arena, struct err *err)
{
    char *out = arena_alloc(arena, (size_t)(end - text) + 1);
    size_t len = 0;
    for (const char *c = text; c < end; c++) {
        out[len] = *c == '+' ? ' ' : *c;
        if (*c == '%') {
            int high = end - c > 2 ? text_hex_value(c[1]) : -1;
            int low = end - c > 2 ? text_hex_value(c[2]) : -1;
            if (high < 0 || low < 0) {
                (void)err_set(err, ERR_BAD_REQUEST, "a '%%' is not followed by two hexadecimal digits");
                return NULL;
            }
            out[len] = (char)(high << 4 | low);
            c += 2;
        }
        if (out[len] == '\0') {
            (void)err_set(err, ERR_BAD_REQUEST, "a form field holds a NUL byte");
            return NULL;
        }
        len++;
    }
    if (!text_is_utf8(out, len)) {
        (void)err_set(err, ERR_BAD_REQUEST, "a form field is not UTF-8");
        return NULL;
    }
    return out; // arena memory is zeroed: the NUL is there
}

enum errc form_parse(const char *text, size_t bytes, struct arena *arena, struct form *form, struct err *err)
{
    size_t count_max = 1;
    for (size_t i = 0; i < bytes; i++) {
        count_max += text[i] == '&';
    }
    if (count_max > FORM_FIELDS_MAX) {
        return err_set(err, ERR_BAD_REQUEST, "more than %d form fields", FORM_FIELDS_MAX);
    }
    struct form parsed = {.fields = arena_alloc(arena, count_max * sizeof(struct form_field))};
    const char *end = text + bytes;
    for (const char *field = text; field < end;) {
        const char *field_end = memchr(field, '&', (size_t)(end - field));
        field_end = field_end ? field_end : end;
        if (field_end > field) { // "a=1&&b=2": an empty piece is not a field
            const char *equals = memchr(field, '=', (size_t)(field_end - field));
            const char *name = unescape(field, equals ? equals : field_end, arena, err);
            const char *value =
                name ? unescape(equals ? equals + 1 : field_end, field_end, arena, err) : NULL;
            if (!value) {
                return ERR_BAD_REQUEST;
            }
            parsed.fields[parsed.count++] = (struct form_field){.name = name, .value = value};
        }
        field = field_end + 1;
    }
    *form = parsed;
    return OK;
}

const char *form_get(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->fields[i].name, name) == 0) {
            return form->fields[i].value;
        }
    }
    return NULL;
}
