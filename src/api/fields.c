// See fields.h. Card data is looked for first, and is never repeated in a message.
#include "api/fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define NAME_SHOWN_BYTES_MAX 100
#define RETURN_URL_SCHEME_MAX 64

static bool in_list(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (text_equal(name, *names)) {
            return true;
        }
    }
    return false;
}

const char *field_shown(struct arena *arena, const char *name)
{
    if (name[0] == '\0') {
        return "\"\"";
    }
    return arena_strndup(arena, name, text_cut(name, strlen(name), NAME_SHOWN_BYTES_MAX));
}

size_t field_chars(const char *text)
{
    size_t chars = 0;
    for (; *text != '\0'; text++) {
        chars += ((unsigned char)*text & 0xc0) != 0x80; // not a continuation byte
    }
    return chars;
}

static void add(struct request *request, enum errc code, const char *field, const char *message)
{
    struct field_errors *errors = &request->field_errors;
    char kept[ERR_MESSAGE_MAX];
    if (errors->count == FIELD_ERRORS_MAX) {
        return;
    }
    if (errors->items == NULL) {
        errors->items = arena_alloc(request->arena, FIELD_ERRORS_MAX * sizeof(*errors->items));
    }
    (void)snprintf(kept, sizeof(kept), "%s", message);
    errors->items[errors->count++] = (struct field_error){.code = code,
                                                          .field = arena_strdup(request->arena, field),
                                                          .message = arena_strdup(request->arena, kept)};
}

void field_error(struct request *request, const char *field, const char *message)
{
    add(request, ERR_VALIDATION, field, message);
}

static void prefixed_error(struct request *request, const char *prefix, const char *name, const char *message)
{
    field_error(request, arena_printf(request->arena, "%s%s", prefix, name), message);
}

void fields_only(struct request *request, const struct json_value *object, const char *prefix,
                 const char *const *names)
{
    for (const struct json_value *each = json_first(object); each != NULL; each = json_next(object, each)) {
        if (!in_list(each->name, names)) {
            prefixed_error(request, prefix, field_shown(request->arena, each->name),
                           "there is no such field");
        }
    }
}

// The member. NULL, with an error if it is needed: it is absent.
static const struct json_value *member(struct request *request, const struct json_value *object,
                                       const char *prefix, const char *name, enum field_need need)
{
    const struct json_value *value = json_find(object, name);
    if (value == NULL && need == FIELD_REQUIRED) {
        prefixed_error(request, prefix, name, "is required");
    } else if (json_is(value, JSON_NULL) && need != FIELD_OPTIONAL) {
        prefixed_error(request, prefix, name, "must not be null");
    }
    return json_is(value, JSON_NULL) ? NULL : value;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *string_member(struct request *request, const struct json_value *object, const char *prefix,
                                 const char *name, enum field_need need)
{
    const struct json_value *value = member(request, object, prefix, name, need);
    if (value != NULL && !json_is(value, JSON_STRING)) {
        prefixed_error(request, prefix, name, "must be a string");
        return NULL;
    }
    return value != NULL ? value->text : NULL;
}

static const char *check_text(struct request *request, const char *prefix, const char *name, const char *text,
                              size_t chars_max)
{
    if (text == NULL) {
        return NULL;
    }
    if (*text == '\0') {
        prefixed_error(request, prefix, name, "must not be empty");
    } else if (field_chars(text) > chars_max) {
        prefixed_error(request, prefix, name,
                       arena_printf(request->arena, "must be at most %zu characters long", chars_max));
    } else if (has_control(text)) {
        prefixed_error(request, prefix, name, "must not contain control characters");
    } else {
        return text;
    }
    return NULL;
}

const char *field_text(struct request *request, const struct json_value *object, const char *prefix,
                       const char *name, enum field_need need, size_t chars_max)
{
    return check_text(request, prefix, name, string_member(request, object, prefix, name, need), chars_max);
}

const char *field_pasted(struct request *request, const struct json_value *object, const char *prefix,
                         const char *name, enum field_need need, size_t chars_max)
{
    const char *text = string_member(request, object, prefix, name, need);
    return text != NULL ? check_text(request, prefix, name, text_trim(request->arena, text), chars_max)
                        : NULL;
}

const char *field_email(struct request *request, const struct json_value *object, const char *name)
{
    const char *text = field_text(request, object, "", name, FIELD_OPTIONAL, EMAIL_CHARS_MAX);
    if (text != NULL && (strchr(text, '@') == NULL || strchr(text, ' ') != NULL)) {
        field_error(request, name, "must be an e-mail address");
        return NULL;
    }
    return text;
}

// scheme "://" and something after it, without the ASCII characters that a URL cannot hold (RFC 3986). Apps'
// own schemes are accepted, but not the schemes that make a browser run or read the URL's content.
static bool is_return_url(const char *text)
{
    static const char *const refused[] = {"javascript", "vbscript", "data", "file", "blob", "about", NULL};
    size_t scheme_bytes = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    char scheme[RETURN_URL_SCHEME_MAX + 1] = {0};
    if (scheme_bytes == 0 || scheme_bytes > RETURN_URL_SCHEME_MAX || !isalpha((unsigned char)text[0]) ||
        !text_starts_with(text + scheme_bytes, "://") || text[scheme_bytes + 3] == '\0') {
        return false;
    }
    for (size_t i = 0; i < scheme_bytes; i++) {
        scheme[i] = (char)tolower((unsigned char)text[i]);
    }
    bool is_web = text_equal(scheme, "http") || text_equal(scheme, "https");
    bool has_host = strchr("/?#:", text[scheme_bytes + 3]) == NULL;
    return !in_list(scheme, refused) && (has_host || !is_web) && strpbrk(text, " \"<>\\^`{|}") == NULL;
}

const char *field_return_url(struct request *request, const struct json_value *object, enum field_need need)
{
    const char *text = field_text(request, object, "", "return_url", need, 2048);
    if (text != NULL && !is_return_url(text)) {
        field_error(
            request, "return_url",
            "must be an http or https URL, or a URL with your app's own scheme (myapp://...), without "
            "spaces");
        return NULL;
    }
    return text;
}

bool field_bool(struct request *request, const struct json_value *object, const char *name, bool absent)
{
    const struct json_value *value = member(request, object, "", name, FIELD_DECIDES);
    if (value == NULL) {
        return absent;
    }
    if (!json_is(value, JSON_BOOL)) {
        field_error(request, name, "must be true or false");
        return absent;
    }
    return json_read_bool(object, name, absent);
}

const char *field_amount_text(struct request *request, const struct json_value *object, const char *name,
                              enum field_need need)
{
    const struct json_value *value = member(request, object, "", name, need);
    if (value == NULL) {
        return NULL;
    }
    if (!json_is(value, JSON_STRING) && !json_is(value, JSON_NUMBER)) {
        field_error(request, name, "must be a number or a string, such as 10.00");
        return NULL;
    }
    return value->text;
}

static bool luhn(const char *digits, size_t count)
{
    int sum = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = digits[count - 1 - i] - '0';
        if (i % 2 == 1) {
            digit *= 2;
        }
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

// 13 to 19 digits, apart from spaces and dashes, that begin like a card number (ISO/IEC 7812: 2221 to 2720,
// and 3 to 6) and pass the Luhn check.
static bool is_card_number(const char *text)
{
    char digits[20];
    size_t count = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ' || *text == '-') {
            continue;
        }
        if (*text < '0' || *text > '9' || count == 19) {
            return false;
        }
        digits[count++] = *text;
    }
    if (count < 13) {
        return false;
    }
    int first_four =
        (digits[0] - '0') * 1000 + (digits[1] - '0') * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
    bool begins = (digits[0] >= '3' && digits[0] <= '6') || (first_four >= 2221 && first_four <= 2720);
    return begins && luhn(digits, count);
}

static bool is_card_field(const struct json_value *member)
{
    static const char *const refused[] = {"number", "card_number", "cvc", "cvv", "card", NULL};
    static const char *const looked_into[] = {"payment_method", "payment_method_id", "description",
                                              "customer_name", NULL};
    bool has_text = json_is(member, JSON_STRING) || json_is(member, JSON_NUMBER);
    return in_list(member->name, refused) ||
           (in_list(member->name, looked_into) && has_text && is_card_number(member->text));
}

// The parser limits the depth.
static const char *find_card_field(const struct json_value *value) // NOLINT(misc-no-recursion)
{
    for (const struct json_value *each = json_first(value); each != NULL; each = json_next(value, each)) {
        bool is_member = each->name != NULL;
        const char *found = is_member && is_card_field(each) ? each->name : find_card_field(each);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

const struct provider_ops *body_provider(const struct request *request)
{
    const struct provider_ops *named = provider_find(json_read_str(request->body, "provider"));
    return named != NULL ? named : provider_default();
}

void check_provider(struct request *request)
{
    const char *name = field_text(request, request->body, "", "provider", FIELD_REQUIRED, 64);
    if (name != NULL && provider_find(name) == NULL) {
        field_error(request, "provider",
                    arena_printf(request->arena, "must be \"%s\"", provider_default()->name));
    }
}

bool fields_refuse_card_data(struct request *request)
{
    const char *field = find_card_field(request->body);
    if (field == NULL) {
        return false;
    }
    request->field_errors.count = 0;
    add(request, ERR_CARD_DATA_REFUSED, field,
        arena_printf(request->arena, "do not send card data: collect it with %s and send its token",
                     body_provider(request)->card_form));
    return true;
}

int64_t query_i64(struct request *request, const char *name, int64_t min, int64_t max, int64_t absent)
{
    const char *text = form_get(&request->query, name);
    if (text == NULL) {
        return absent;
    }
    int64_t value = 0;
    if (text_to_i64(text, &value, NULL) != OK || value < min || value > max) {
        field_error(request, name,
                    arena_printf(request->arena, "must be a whole number from %lld to %lld", (long long)min,
                                 (long long)max));
        return absent;
    }
    return value;
}

void query_only(struct request *request, const char *const *names)
{
    const struct form *query = &request->query;
    for (size_t i = 0; i < query->count; i++) {
        const char *name = query->fields[i].name;
        if (!in_list(name, names)) {
            field_error(request, field_shown(request->arena, name), "there is no such filter");
        } else if (form_get(query, name) != query->fields[i].value) {
            field_error(request, name, "must be given only once");
        }
    }
}
