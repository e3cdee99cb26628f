// Errors as values, and the sentence each code stands for. Pure; any thread.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

static const char *const sentences[] = {
    [OK] = "nothing went wrong",
    [ERR_AUTH_INVALID_KEY] = "the API key is missing, unknown or revoked",
    [ERR_AUTH_INSUFFICIENT_SCOPE] = "the API key does not have the scope",
    [ERR_AUTH_RATE_LIMITED] = "too many failed attempts to authenticate",
    [ERR_BAD_REQUEST] = "the request cannot be read",
    [ERR_FORBIDDEN] = "the request is not allowed",
    [ERR_IDEMPOTENCY_KEY_REQUIRED] = "the request needs an Idempotency-Key",
    [ERR_SIGNATURE_INVALID] = "the signature does not match",
    [ERR_NOT_FOUND] = "there is no such object",
    [ERR_METHOD_NOT_ALLOWED] = "the path does not take this method",
    [ERR_CONFLICT] = "the object's state does not allow it",
    [ERR_IDEMPOTENCY_IN_PROGRESS] = "the first request with this Idempotency-Key is still running",
    [ERR_REQUEST_TIMEOUT] = "the request did not come whole in time",
    [ERR_HEAD_TOO_LARGE] = "the request's head is too large",
    [ERR_PAYLOAD_TOO_LARGE] = "the body is too large",
    [ERR_UNSUPPORTED_MEDIA_TYPE] = "the body's media type is not supported",
    [ERR_VALIDATION] = "a value is not acceptable",
    [ERR_IDEMPOTENCY_KEY_REUSED] = "the Idempotency-Key was used for another request",
    [ERR_CARD_DATA_REFUSED] = "card data is not accepted",
    [ERR_REFUND_EXCEEDS] = "more than is left of the payment cannot be refunded",
    [ERR_PROVIDER_NOT_CONFIGURED] = "the provider is not configured",
    [ERR_PROVIDER_REJECTED] = "the provider refused",
    [ERR_PROVIDER_AUTH_FAILED] = "the provider refused the credentials",
    [ERR_PROVIDER_UNAVAILABLE] = "the provider could not be reached in time",
    [ERR_OVERLOADED] = "the service is at its limits",
    [ERR_CATCHING_UP] = "the provider is being asked for what this database lacks",
    [ERR_STORE_BUSY] = "the database is locked by another process",
    [ERR_EXISTS] = "the row exists already",
    [ERR_STORE] = "the database failed",
    [ERR_UNKNOWN] = "the provider's outcome is not known",
    [ERR_IO] = "a file or socket failed",
    [ERR_CRYPTO] = "a sealed value did not open",
    [ERR_CONFIG] = "a setting is wrong",
};
_Static_assert(COUNT_OF(sentences) == ERRC_COUNT, "every error code has its sentence");

enum errc err_set(struct err *err, enum errc code, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    // Formatted aside first: the arguments may point into the message that is replaced.
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    REQUIRE(wanted >= 0);
    if ((size_t)wanted >= sizeof message) {
        // A character cut in half would make the message unfit for a JSON answer.
        message[text_cut(message, sizeof message - 1, sizeof message - 1)] = '\0';
    }
    err->code = code;
    memcpy(err->message, message, sizeof message);
    return code;
}

const char *errc_sentence(enum errc code)
{
    REQUIRE(code < ERRC_COUNT && sentences[code] != NULL);
    return sentences[code];
}
