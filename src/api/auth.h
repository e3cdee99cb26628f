// Authentication and authorisation. The key is checked first (known, not revoked, not expired, its merchant
// active), then the scope, then the merchant that an admin acts for.
#pragma once

#include "api/request.h"

// Loop thread, at the head: ERR_BAD_REQUEST where a header that authenticates came twice. A proxy in front of
// the service may have checked the other one.
enum errc auth_check_head(struct request *request, struct err *err) MUST_CHECK;

// Loop thread: reads the key from the headers and keeps only its hash. ERR_AUTH_INVALID_KEY where there is
// none, or where its check digits are wrong: then the database is never asked.
enum errc auth_read(struct request *request, struct err *err) MUST_CHECK;

// Database thread: fills request->principal. ERR_AUTH_INVALID_KEY, ERR_AUTH_INSUFFICIENT_SCOPE, and for the
// admin's X-Merchant-Id ERR_BAD_REQUEST, ERR_NOT_FOUND, ERR_FORBIDDEN. On failure request->auth_event is
// the type of the audit event; NULL: audit does not count it.
enum errc auth_check(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
