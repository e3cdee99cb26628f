// Reading a JSON body's fields: each function notes what is wrong with its field among the request's problems
// and then answers "absent". Loop thread, pure.
#pragma once

#include "api/request.h"
#include "provider/provider.h"

enum field_need {
    FIELD_OPTIONAL, // absent and null are the same
    FIELD_DECIDES,  // optional, but null is refused: it decides what money does
    FIELD_REQUIRED,
};

// Notes every member of `object` that is not in `names` (ends with NULL). prefix: "" or the name of the
// member that the object is, and a point, for messages.
void fields_only(struct request *request, struct json_object *object, const char *prefix,
                 const char *const *names);

// A caller's name of a field as an answer may repeat it: cut where it is long, never within a character;
// an empty one as two quotation marks.
const char *field_shown(struct arena *arena, const char *name);

// How many characters well-formed UTF-8 has.
size_t field_chars(const char *text);

// A string of 1 to chars_max characters without control characters; NULL where it is absent or wrong.
const char *field_text(struct request *request, struct json_object *object, const char *prefix,
                       const char *name, enum field_need need, size_t chars_max);
// The same without white space at its ends, which comes along where something is pasted.
const char *field_pasted(struct request *request, struct json_object *object, const char *prefix,
                         const char *name, enum field_need need, size_t chars_max);
// An e-mail address: at most EMAIL_CHARS_MAX characters with an @ and without a space.
#define EMAIL_CHARS_MAX 512
const char *field_email(struct request *request, struct json_object *object, const char *name);
// The member return_url: where a payer's browser or app is sent back to.
const char *field_return_url(struct request *request, struct json_object *object, enum field_need need);
bool field_bool(struct request *request, struct json_object *object, const char *name, bool absent);

// The provider that the body names; the default one if it names none, or none that there is.
const struct provider_ops *body_provider(const struct request *request);
// Notes a member provider that is absent or names no provider.
void check_provider(struct request *request);

// A money amount's own text, from a JSON number or string; NULL where it is absent or of another type.
const char *field_amount_text(struct request *request, struct json_object *object, const char *name,
                              enum field_need need);

// Whether the body holds card data anywhere; if so that is the one problem that is answered.
bool fields_refuse_card_data(struct request *request);

// A query parameter that must be an integer from min to max; `absent` where it is not given or wrong.
int64_t query_i64(struct request *request, const char *name, int64_t min, int64_t max, int64_t absent);
// Notes every query parameter that is not in `names` (ends with NULL), and any that is repeated.
void query_only(struct request *request, const char *const *names);
