// See cursor.h. The id of the page's last row, and 8 bytes of an HMAC over the list's name and that id, in
// base64 for URLs (RFC 4648 section 5). 24 bytes need no padding.
#include "api/cursor.h"

#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

#define MAC_BYTES 8
#define CURSOR_CHARS 32

struct cursor {
    struct uuid last;
    uint8_t mac[MAC_BYTES];
};
_Static_assert(sizeof(struct cursor) == CURSOR_CHARS / 4 * 3, "without padding");

static struct cursor cursor_of(const struct keyring *keyring, const char *list, const struct uuid *last)
{
    static const char purpose[] = "list-cursor";
    const struct crypto_part parts[] = {
        {purpose, sizeof(purpose)}, {list, strlen(list) + 1}, {last->bytes, sizeof(last->bytes)}};
    uint8_t mac[SHA256_BYTES];
    crypto_hmac(keyring->pepper, sizeof(keyring->pepper), parts, sizeof(parts) / sizeof(parts[0]), mac);
    struct cursor cursor = {.last = *last};
    memcpy(cursor.mac, mac, MAC_BYTES);
    return cursor;
}

static void replace(char *text, char from, char to)
{
    for (; *text != '\0'; text++) {
        *text = *text == from ? to : *text;
    }
}

const char *cursor_make(const struct keyring *keyring, struct arena *arena, const char *list,
                        const struct uuid *last)
{
    struct cursor cursor = cursor_of(keyring, list, last);
    char *text = text_base64(arena, &cursor, sizeof(cursor));
    replace(text, '+', '-');
    replace(text, '/', '_');
    return text;
}

bool cursor_read(const struct keyring *keyring, const char *list, const char *cursor, struct uuid *last)
{
    char text[CURSOR_CHARS + 1];
    if (strlen(cursor) != CURSOR_CHARS || strpbrk(cursor, "+/") != NULL) {
        return false;
    }
    memcpy(text, cursor, sizeof(text));
    replace(text, '-', '+');
    replace(text, '_', '/');
    struct cursor given;
    size_t bytes = 0;
    if (text_base64_decode(text, &given, sizeof(given), &bytes, NULL) != OK || bytes != sizeof(given)) {
        return false;
    }
    struct cursor made = cursor_of(keyring, list, &given.last);
    if (!crypto_equal(given.mac, made.mac, MAC_BYTES)) {
        return false;
    }
    *last = given.last;
    return true;
}
