// What can go wrong, as one enum. A function that can fail returns `enum errc` (must be used) and takes
// `struct err *err` last, which it fills on failure only. A function that returns an error does not log it.
#pragma once

#include <stdbool.h>

enum errc {
    OK = 0,
    // The API's own refusals; api/error_reply.c gives each its HTTP status and public code.
    ERR_AUTH_INVALID_KEY,
    ERR_AUTH_INSUFFICIENT_SCOPE,
    ERR_AUTH_RATE_LIMITED,
    ERR_BAD_REQUEST,
    ERR_FORBIDDEN,
    ERR_IDEMPOTENCY_KEY_REQUIRED,
    ERR_SIGNATURE_INVALID,
    ERR_NOT_FOUND,
    ERR_METHOD_NOT_ALLOWED,
    ERR_CONFLICT,
    ERR_IDEMPOTENCY_IN_PROGRESS,
    ERR_REQUEST_TIMEOUT,
    ERR_HEAD_TOO_LARGE,
    ERR_PAYLOAD_TOO_LARGE,
    ERR_UNSUPPORTED_MEDIA_TYPE,
    ERR_VALIDATION,
    ERR_IDEMPOTENCY_KEY_REUSED,
    ERR_CARD_DATA_REFUSED,
    ERR_REFUND_EXCEEDS,
    ERR_PROVIDER_NOT_CONFIGURED,
    ERR_PROVIDER_REJECTED,
    ERR_PROVIDER_AUTH_FAILED,
    ERR_PROVIDER_UNAVAILABLE,
    ERR_OVERLOADED,
    ERR_CATCHING_UP, // the provider is being asked what this database lacks
    ERR_STORE_BUSY,  // another process holds the database: nothing of the transaction is kept
    ERR_STORE_AWAY,  // the database cannot be used now: nothing of the transaction is kept
    // The database did not say whether it kept the transaction. Whoever runs it again must look first.
    ERR_STORE_UNKNOWN,
    // Internal; the API answers INTERNAL_ERROR to all of them.
    ERR_EXISTS,  // a unique constraint refused the row
    ERR_STORE,   // the database failed: nothing of the transaction is kept
    ERR_UNKNOWN, // the provider's outcome is not known: money may have moved
    ERR_IO,      // a file or socket failed
    ERR_CRYPTO,  // a sealed value did not open: wrong key or damaged data
    ERR_CONFIG,  // an operator's mistake
    ERRC_COUNT
};

#define ERR_MESSAGE_MAX 256

struct err {
    enum errc code;
    char message[ERR_MESSAGE_MAX];
};

// Whether the database failed.
static inline bool errc_is_store(enum errc code)
{
    return code == ERR_STORE || code == ERR_STORE_BUSY || code == ERR_STORE_AWAY || code == ERR_STORE_UNKNOWN;
}

#define MUST_CHECK __attribute__((warn_unused_result))

// Fills *err (NULL: nothing is kept) with code and the formatted message, cut to ERR_MESSAGE_MAX - 1
// bytes, and returns code, so that a failure is one statement: `return err_set(err, ERR_IO, "...")`.
enum errc err_set(struct err *err, enum errc code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
