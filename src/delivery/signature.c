// See signature.h. Pure; any thread.
#include "delivery/signature.h"

#include <inttypes.h>
#include <string.h>

#include "base/crypto.h"
#include "base/require.h"
#include "base/text.h"

#define SECRET_PREFIX "whsec_"

static struct crypto_part part(const char *text)
{
    return (struct crypto_part){text, strlen(text)};
}

static const char *sign_payments(const struct signature_input *input, const struct secret *secret,
                                 struct arena *arena)
{
    const struct crypto_part parts[] = {
        part(arena_printf(arena, "%" PRId64 ".", input->timestamp_s)),
        {input->body, input->body_bytes},
    };
    uint8_t mac[SHA256_BYTES];
    crypto_hmac(secret->data, secret->len, parts, COUNT_OF(parts), mac);
    char hex[2 * SHA256_BYTES + 1];
    text_hex(mac, sizeof(mac), hex);
    return arena_printf(arena, "sha256=%s", hex);
}

static enum errc sign_standard(const struct signature_input *input, const struct secret *secret,
                               struct arena *arena, const char **out, struct err *err)
{
    uint8_t key[SECRET_BYTES_MAX];
    size_t key_bytes = 0;
    if (!text_starts_with(secret->data, SECRET_PREFIX) ||
        text_base64_decode(secret->data + strlen(SECRET_PREFIX), key, sizeof(key), &key_bytes, NULL) != OK) {
        return err_set(err, ERR_CRYPTO, "a webhook secret is not whsec_ followed by base64");
    }
    const struct crypto_part parts[] = {
        part(arena_printf(arena, "%s.%" PRId64 ".", input->event_id, input->timestamp_s)),
        {input->body, input->body_bytes},
    };
    uint8_t mac[SHA256_BYTES];
    crypto_hmac(key, key_bytes, parts, COUNT_OF(parts), mac);
    crypto_wipe(key, sizeof(key));
    *out = arena_printf(arena, "v1,%s", text_base64(arena, mac, sizeof(mac)));
    return OK;
}

enum errc signature_make(const struct signature_input *input, const struct secret *secrets,
                         size_t secret_count, struct arena *arena, struct signature *signature,
                         struct err *err)
{
    REQUIRE(secret_count > 0);
    struct signature all = {"", ""};
    for (size_t i = 0; i < secret_count; i++) {
        const char *standard = NULL;
        enum errc rc = sign_standard(input, &secrets[i], arena, &standard, err);
        if (rc != OK) {
            return rc;
        }
        const char *payments = sign_payments(input, &secrets[i], arena);
        all.payments = i == 0 ? payments : arena_printf(arena, "%s,%s", all.payments, payments);
        all.standard = i == 0 ? standard : arena_printf(arena, "%s %s", all.standard, standard);
    }
    *signature = all;
    return OK;
}
