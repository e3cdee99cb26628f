// Postal addresses. Pure. See address.h.
#include "sandbox/address.h"

#include "base/require.h"

static const char *const members[] = {"city", "country", "line1", "line2", "postal_code", "state"};

struct json_object *address_json(void)
{
    struct json_object *json = json_new_object();
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        json_add(json, members[i], NULL);
    }
    return json;
}

void address_apply(const struct params *params, const char *name, struct json_object *owner)
{
    if (param_text(params, name) != NULL) {
        json_add(owner, "address", NULL);
    }
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
        const char *text = param_text(params, arena_printf(&arena, "%s[%s]", name, members[i]));
        if (text == NULL) {
            continue;
        }
        if (json_get(owner, "address") == NULL) {
            json_add(owner, "address", address_json());
        }
        json_add_str(json_get(owner, "address"), members[i], text[0] == '\0' ? NULL : text);
    }
}
