// form_parse: fields are UTF-8 without NUL, and form_add writes them so that they parse to the same fields.
#include "net/form.h"

#include "base/text.h"
#include "fuzz.h"

static void check_same(const struct form *a, const struct form *b)
{
    REQUIRE(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        REQUIRE(strcmp(a->fields[i].name, b->fields[i].name) == 0);
        REQUIRE(strcmp(a->fields[i].value, b->fields[i].value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct form form = {.count = 77};
    struct err err = {0};
    if (form_parse((const char *)data, bytes, &arena, &form, &err) != OK) {
        REQUIRE(err.code == ERR_BAD_REQUEST && err.message[0] != '\0' && form.count == 77);
        return 0;
    }
    REQUIRE(form.count <= FORM_FIELDS_MAX);
    BUF_CLEANUP struct buf written =
        BUF_MAX(3 * bytes + 2 * FORM_FIELDS_MAX); // each byte as %XX, '=' and '&'
    for (size_t i = 0; i < form.count; i++) {
        const struct form_field *field = &form.fields[i];
        REQUIRE(text_is_utf8(field->name, strlen(field->name)) &&
                text_is_utf8(field->value, strlen(field->value)));
        REQUIRE(form_get(&form, field->name) != NULL);
        form_add(&written, field->name, field->value);
    }
    REQUIRE(!written.overflow);
    struct form again = {.count = 77};
    REQUIRE(form_parse(buf_str(&written), written.len, &arena, &again, &err) == OK);
    check_same(&form, &again);
    return 0;
}
