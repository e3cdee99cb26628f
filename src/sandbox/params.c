// Parameters of calls. Pure. See params.h.
#include "sandbox/params.h"

#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "sandbox/response.h"

#define METADATA_KEYS_MAX 50
#define METADATA_KEY_CHARS_MAX 40
#define METADATA_VALUE_CHARS_MAX 500
#define TEXT_CHARS_MAX 5000

// Code points of well-formed UTF-8.
static size_t count_chars(const char *text)
{
    size_t chars = 0;
    for (; *text != '\0'; text++) {
        chars += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return chars;
}

// The text between the brackets of "name[...]", *bytes long; NULL if the field has another name.
static const char *inner_name(const char *field, const char *name, size_t *bytes)
{
    size_t name_bytes = strlen(name);
    size_t field_bytes = strlen(field);
    if (strncmp(field, name, name_bytes) != 0 || field[name_bytes] != '[' || field[field_bytes - 1] != ']') {
        return NULL;
    }
    const char *inner = field + name_bytes + 1;
    *bytes = field_bytes - name_bytes - 2;
    // No parameter here has a second pair of brackets.
    return memchr(inner, '[', *bytes) == NULL && memchr(inner, ']', *bytes) == NULL ? inner : NULL;
}

static bool is_range_end(const char *inner, size_t bytes)
{
    static const char *const ends[] = {"gt", "gte", "lt", "lte"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (strlen(ends[i]) == bytes && memcmp(ends[i], inner, bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool names_param(const struct param *param, const char *field)
{
    size_t bytes = 0;
    const char *inner = inner_name(field, param->name, &bytes);
    switch (param->type) {
    case PARAM_TEXTS:
        return inner != NULL && strspn(inner, "0123456789") == bytes;
    case PARAM_METADATA:
        return text_equal(field, param->name) || (inner != NULL && bytes > 0);
    case PARAM_RANGE:
        return text_equal(field, param->name) || (inner != NULL && is_range_end(inner, bytes));
    case PARAM_INTEGER:
    case PARAM_BOOLEAN:
    case PARAM_TEXT:
    case PARAM_URL:
    case PARAM_CHOICE:
    case PARAM_GROUP:
        return text_equal(field, param->name);
    }
    return false;
}

static const struct param *param_find(const struct param *accepted, const char *field, const char *version)
{
    for (const struct param *param = accepted; param->name != NULL; param++) {
        // Versions begin with their date, so they sort by time.
        bool known =
            param->until_version == NULL || strncmp(version, param->until_version, strlen("2000-01-01")) < 0;
        if (known && names_param(param, field)) {
            return param;
        }
    }
    return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t bytes = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += at[0] == '|';
        if (strcspn(at, "|") == bytes && strncmp(at, value, bytes) == 0) {
            return true;
        }
    }
    return false;
}

// Printable ASCII with a scheme, because it is sent in a Location header.
static bool is_url(const char *value)
{
    const char *scheme_end = strstr(value, "://");
    for (const char *at = value; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return scheme_end != NULL && scheme_end != value && scheme_end[3] != '\0';
}

static bool check_value(const struct param *param, const struct form_field *field, struct arena *arena,
                        struct refusal *refusal)
{
    const char *name = field->name;
    const char *value = field->value;
    int64_t number = 0;
    size_t chars_max = param->chars_max == 0 ? TEXT_CHARS_MAX : param->chars_max;
    if (value[0] == '\0') {
        return param->unsettable || param->type == PARAM_METADATA ||
               refusal_set(
                   refusal, 400, "parameter_invalid_empty", name,
                   arena_printf(arena,
                                "'%s' was sent empty, but cannot be unset: leave it out or give it a value.",
                                name));
    }
    switch (param->type) {
    case PARAM_INTEGER:
    case PARAM_RANGE:
        return text_to_i64(value[0] == '-' ? value + 1 : value, &number, NULL) == OK ||
               refusal_set(refusal, 400, "parameter_invalid_integer", name,
                           arena_printf(arena, "Invalid integer: %.100s", value));
    case PARAM_BOOLEAN:
        // The Python SDK writes True.
        return text_equal_nocase(value, "true") || text_equal_nocase(value, "false") ||
               refusal_set(refusal, 400, NULL, name, arena_printf(arena, "Invalid boolean: %.100s", value));
    case PARAM_CHOICE:
        return is_choice(param->choices, value) ||
               refusal_set(refusal, 400, NULL, name,
                           arena_printf(arena, "Invalid %s: must be one of %s", name, param->choices));
    case PARAM_URL:
        return is_url(value) || refusal_set(refusal, 400, "url_invalid", name, "Not a valid URL");
    case PARAM_TEXT:
    case PARAM_TEXTS:
        return count_chars(value) <= chars_max ||
               refusal_set(refusal, 400, "parameter_invalid_string_too_long", name,
                           arena_printf(arena, "Invalid %s: at most %zu characters", name, chars_max));
    case PARAM_GROUP:
        return refusal_set(refusal, 400, NULL, name, "Invalid object");
    case PARAM_METADATA:
        return true; // param_metadata checks it together with what the object has
    }
    return false;
}

static bool is_repeated(const struct form *form, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (text_equal(form->fields[i].name, form->fields[at].name)) {
            return !text_ends_with(form->fields[at].name, "[]");
        }
    }
    return false;
}

bool params_read(struct params *params, const char *text, size_t bytes, const struct param *accepted,
                 const char *version, struct arena *arena, struct refusal *refusal)
{
    struct err err;
    if (form_parse(text, bytes, arena, &params->form, &err) != OK) {
        return refusal_set(refusal, 400, NULL, NULL, arena_strdup(arena, err.message));
    }
    for (size_t i = 0; i < params->form.count; i++) {
        const struct form_field *field = &params->form.fields[i];
        const struct param *param = param_find(accepted, field->name, version);
        if (param == NULL) {
            return refusal_set(refusal, 400, "parameter_unknown", field->name,
                               arena_printf(arena, "Received unknown parameter: %.200s", field->name));
        }
        if (is_repeated(&params->form, i)) {
            return refusal_set(refusal, 400, NULL, field->name,
                               arena_printf(arena, "Repeated parameter: %.200s", field->name));
        }
        if (!check_value(param, field, arena, refusal)) {
            return false;
        }
    }
    for (const struct param *param = accepted; param->name != NULL; param++) {
        const char *first = NULL;
        const bool given = param->type == PARAM_TEXTS ? param_texts(params, param->name, &first, 1) > 0
                                                      : param_text(params, param->name) != NULL;
        if (param->required && !given) {
            return refusal_set(refusal, 400, "parameter_missing", param->name,
                               arena_printf(arena, "Missing required param: %s.", param->name));
        }
    }
    return true;
}

const char *param_text(const struct params *params, const char *name)
{
    return form_get(&params->form, name);
}

void param_set_text(const struct params *params, const char *name, struct json_object *json,
                    const char *member)
{
    const char *text = param_text(params, name);
    if (text != NULL) {
        json_add_str(json, member, text[0] == '\0' ? NULL : text);
    }
}

int64_t param_i64(const struct params *params, const char *name, int64_t absent)
{
    const char *text = param_text(params, name);
    int64_t number = 0;
    if (text == NULL || text[0] == '\0') {
        return absent;
    }
    bool negative = text[0] == '-';
    REQUIRE(text_to_i64(text + negative, &number, NULL) == OK); // params_read checked it
    return negative ? -number : number;
}

bool param_bool(const struct params *params, const char *name, bool absent)
{
    const char *text = param_text(params, name);
    return text == NULL || text[0] == '\0' ? absent : text_equal_nocase(text, "true");
}

size_t param_texts(const struct params *params, const char *name, const char **texts, size_t texts_max)
{
    size_t count = 0;
    for (size_t i = 0; i < params->form.count && count < texts_max; i++) {
        size_t bytes = 0;
        if (inner_name(params->form.fields[i].name, name, &bytes) != NULL) {
            texts[count++] = params->form.fields[i].value;
        }
    }
    return count;
}

struct json_object *param_texts_json(const struct params *params, const char *name, size_t texts_max)
{
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char **texts = arena_alloc(&arena, texts_max * sizeof(*texts));
    size_t count = param_texts(params, name, texts, texts_max);
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        json_object_array_add(array, json_object_new_string(texts[i]));
    }
    return array;
}

static bool set_metadata(struct json_object *metadata, const char *field, const char *key, const char *value,
                         struct refusal *refusal)
{
    if (value[0] == '\0') {
        json_object_object_del(metadata, key);
        return true;
    }
    if (count_chars(key) > METADATA_KEY_CHARS_MAX) {
        return refusal_set(refusal, 400, NULL, field, "Metadata keys can have up to 40 characters.");
    }
    if (count_chars(value) > METADATA_VALUE_CHARS_MAX) {
        return refusal_set(refusal, 400, NULL, field, "Metadata values can have up to 500 characters.");
    }
    json_add_str(metadata, key, value);
    return json_object_object_length(metadata) <= METADATA_KEYS_MAX ||
           refusal_set(refusal, 400, NULL, "metadata", "Metadata can have up to 50 keys.");
}

bool param_metadata(const struct params *params, struct json_object *metadata, struct refusal *refusal)
{
    const char *whole = param_text(params, "metadata");
    if (whole != NULL && whole[0] != '\0') {
        return refusal_set(refusal, 400, NULL, "metadata", "Invalid metadata: must be a hash");
    }
    if (whole != NULL) {
        json_object_object_foreach(metadata, name, value)
        {
            (void)value;
            json_object_object_del(metadata, name);
        }
    }
    for (size_t i = 0; i < params->form.count; i++) {
        size_t bytes = 0;
        const struct form_field *field = &params->form.fields[i];
        const char *inner = inner_name(field->name, "metadata", &bytes);
        if (inner != NULL) {
            struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
            if (!set_metadata(metadata, field->name, arena_strndup(&arena, inner, bytes), field->value,
                              refusal)) {
                return false;
            }
        }
    }
    return true;
}

struct range param_range(const struct params *params, const char *name)
{
    struct range range = {.min = INT64_MIN, .max = INT64_MAX};
    const char *exact = param_text(params, name);
    if (exact != NULL) {
        range.min = range.max = param_i64(params, name, 0);
        return range;
    }
    char field[64];
    static const struct {
        const char *end;
        bool lower;
        int64_t shift; // makes an exclusive end inclusive
    } ends[] = {{"gt", true, 1}, {"gte", true, 0}, {"lt", false, -1}, {"lte", false, 0}};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        snprintf(field, sizeof(field), "%s[%s]", name, ends[i].end);
        if (param_text(params, field) != NULL) {
            int64_t number = param_i64(params, field, 0);
            // INT64_MAX + 1 would overflow. No time is that late.
            number = number > INT64_MAX - 2 ? INT64_MAX - 2 : number;
            *(ends[i].lower ? &range.min : &range.max) = number + ends[i].shift;
        }
    }
    return range;
}

static const char *const address_members[] = {"city", "country", "line1", "line2", "postal_code", "state"};

struct json_object *address_json(void)
{
    struct json_object *json = json_new_object();
    for (size_t i = 0; i < COUNT_OF(address_members); i++) {
        json_add(json, address_members[i], NULL);
    }
    return json;
}

void param_address(const struct params *params, const char *name, struct json_object *owner)
{
    if (param_text(params, name) != NULL) {
        json_add(owner, "address", NULL);
    }
    for (size_t i = 0; i < COUNT_OF(address_members); i++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        const char *text = param_text(params, arena_printf(&arena, "%s[%s]", name, address_members[i]));
        if (text == NULL) {
            continue;
        }
        if (json_get(owner, "address") == NULL) {
            json_add(owner, "address", address_json());
        }
        json_add_str(json_get(owner, "address"), address_members[i], text[0] == '\0' ? NULL : text);
    }
}
