// API keys. Pure. See authorization.h.
#include "sandbox/authorization.h"

#include <string.h>
#include <strings.h>

#include "base/require.h"
#include "base/text.h"

#define KEY_CHARS_MAX 255
#define SHOWN_CHARS_MIN 16 // shorter ones are masked whole

// The key of "Bearer KEY" or "Basic base64(KEY:)"; NULL: there is none.
static const char *key_of(const char *authorization, struct arena *arena)
{
    if (authorization == NULL) {
        return NULL;
    }
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        return text_trim(arena, authorization + 7);
    }
    char pair[KEY_CHARS_MAX + 2];
    size_t bytes = 0;
    if (strncasecmp(authorization, "Basic ", 6) != 0 ||
        text_base64_decode(text_trim(arena, authorization + 6), pair, sizeof(pair) - 1, &bytes, NULL) != OK) {
        return NULL;
    }
    pair[bytes] = '\0';
    return arena_strndup(arena, pair, strcspn(pair, ":"));
}

static bool is_api_key(const char *key)
{
    static const char *const prefixes[] = {"sk_test_", "sk_live_", "rk_test_",
                                           "rk_live_", "pk_test_", "pk_live_"};
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (text_starts_with(key, prefixes[i])) {
            return key[strlen(prefixes[i])] != '\0' && key[strspn(key, digits)] == '\0' &&
                   strlen(key) <= KEY_CHARS_MAX && strstr(key, "invalid") == NULL;
        }
    }
    return false;
}

// "sk_test_****************abcd"
static const char *masked(const char *key, struct arena *arena)
{
    size_t chars = strlen(key);
    char *copy = arena_strdup(arena, key);
    bool is_long = chars >= SHOWN_CHARS_MIN;
    for (size_t i = is_long ? 8 : 0; i < (is_long ? chars - 4 : chars); i++) {
        copy[i] = '*';
    }
    return copy;
}

static struct account *refuse(struct refusal *refusal, int status, const char *code, const char *message)
{
    *refusal = (struct refusal){.status = status, .code = code, .message = message};
    return NULL;
}

struct account *authorize(struct sandbox *sandbox, const char *authorization, struct arena *arena,
                          bool *publishable, struct refusal *refusal)
{
    const char *key = key_of(authorization, arena);
    if (key == NULL || key[0] == '\0') {
        return refuse(refusal, 401, NULL,
                      "You did not provide an API key: send it as 'Authorization: Bearer YOUR_SECRET_KEY'.");
    }
    if (!text_is_utf8(key, strlen(key)) || !is_api_key(key)) {
        const char *shown = text_is_utf8(key, strlen(key)) ? masked(key, arena) : "?";
        return refuse(refusal, 401, NULL, arena_printf(arena, "Invalid API Key provided: %.300s", shown));
    }
    if (strstr(key, "expired") != NULL) {
        return refuse(refusal, 401, "api_key_expired",
                      arena_printf(arena, "Expired API Key provided: %s", masked(key, arena)));
    }
    *publishable = text_starts_with(key, "pk_");
    struct account *account =
        account_of_key(sandbox, *publishable ? arena_printf(arena, "s%s", key + 1) : key);
    return account != NULL
               ? account
               : refuse(refusal, 429, "rate_limit", "This sandbox has no room for another account.");
}
