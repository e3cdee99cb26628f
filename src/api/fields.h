// Reading a JSON body's fields: each function adds what is wrong with its field to the request's errors, and
// then returns the same as for an absent field. Loop thread, pure.
#pragma once

#include "api/request.h"
#include "provider/provider.h"

enum field_need {
    FIELD_OPTIONAL, // absent and null are the same
    FIELD_DECIDES,  // optional, but null is refused: the field decides how money moves
    FIELD_REQUIRED,
};

// Adds an error to the request's, with ERR_VALIDATION. Its text is copied, and its message cut at
// ERR_MESSAGE_MAX.
void field_error(struct request *request, const char *field, const char *message);

// Adds an error for every member of `object` that is not in `names` (ends with NULL). prefix: "" or
// the name of the member that the object is, and a point, for messages.
void fields_only(struct request *request, const struct json_value *object, const char *prefix,
                 const char *const *names);

// The name of a field as an answer may repeat it: a long one is cut, never within a character, and an empty
// one becomes two quotation marks.
const char *field_shown(struct arena *arena, const char *name);

// The number of characters of well-formed UTF-8.
size_t field_chars(const char *text);

// A string of 1 to chars_max characters without control characters. NULL: absent or wrong.
const char *field_text(struct request *request, const struct json_value *object, const char *prefix,
                       const char *name, enum field_need need, size_t chars_max);
// The same without white space at its ends, which pasting often adds.
const char *field_pasted(struct request *request, const struct json_value *object, const char *prefix,
                         const char *name, enum field_need need, size_t chars_max);
// An e-mail address: at most EMAIL_CHARS_MAX characters with an @ and without a space.
#define EMAIL_CHARS_MAX 512
const char *field_email(struct request *request, const struct json_value *object, const char *name);
// The member return_url, to which a payer's browser or app is sent back.
const char *field_return_url(struct request *request, const struct json_value *object, enum field_need need);
bool field_bool(struct request *request, const struct json_value *object, const char *name, bool absent);

// The provider that the body names; the default one if it names none, or none that there is.
const struct provider_ops *body_provider(const struct request *request);
// Adds an error if the member provider is absent or names no provider.
void check_provider(struct request *request);

// The text of an amount of money, from a JSON number or string. NULL: absent, or of another type.
const char *field_amount_text(struct request *request, const struct json_value *object, const char *name,
                              enum field_need need);

// Whether the body holds card data anywhere; if so, that is the one error of its fields.
bool fields_refuse_card_data(struct request *request);

// A query parameter that must be an integer from min to max. `absent`: it is not given, or wrong.
int64_t query_i64(struct request *request, const char *name, int64_t min, int64_t max, int64_t absent);
// Adds an error for every query parameter that is not in `names` (ends with NULL) or is repeated.
void query_only(struct request *request, const char *const *names);
