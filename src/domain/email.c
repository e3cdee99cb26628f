// Folding e-mail addresses with libunistring (case, NFC) and libidn2 (IDNA2008 with UTS #46).
#include "domain/email.h"

#include <idn2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>

#include "base/text.h"

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80) {
            return false;
        }
    }
    return true;
}

static void free_bytes(uint8_t **bytes)
{
    free(*bytes);
}

static const char *fold_letters(struct arena *arena, const char *text)
{
    size_t bytes = 0;
    __attribute__((cleanup(free_bytes))) uint8_t *folded =
        u8_tolower((const uint8_t *)text, strlen(text), NULL, UNINORM_NFC, NULL, &bytes);
    return folded != NULL ? arena_strndup(arena, (const char *)folded, bytes) : text_lower(arena, text);
}

static void free_name(char **name)
{
    idn2_free(*name);
}

// NULL where it is not an international domain name.
static const char *ascii_name(struct arena *arena, const char *domain)
{
    __attribute__((cleanup(free_name))) char *name = NULL;
    int rc = idn2_to_ascii_8z(domain, &name, IDN2_NONTRANSITIONAL);
    return rc == IDN2_OK ? text_lower(arena, name) : NULL;
}

// A few capitals are forbidden in a domain name while their small letters are allowed, for example U+04C0:
// such a name is tried again in small letters. It is not tried in small letters first, because IDNA maps a
// final sigma in another way. A name that is not an international domain is folded like other text.
static const char *fold_domain(struct arena *arena, const char *domain)
{
    const char *name = ascii_name(arena, domain);
    if (name != NULL) {
        return name;
    }
    const char *small = fold_letters(arena, domain);
    name = ascii_name(arena, small);
    return name != NULL ? name : small;
}

const char *email_fold(struct arena *arena, const char *email)
{
    if (is_ascii(email)) {
        return text_lower(arena, email);
    }
    const char *at = strrchr(email, '@');
    if (at == NULL) {
        return fold_letters(arena, email);
    }
    const char *local = arena_strndup(arena, email, (size_t)(at - email));
    return arena_printf(arena, "%s@%s", fold_letters(arena, local), fold_domain(arena, at + 1));
}
