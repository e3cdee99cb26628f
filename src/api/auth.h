// Who asks, and may he? The order of checks: the key (known, active, unexpired, its merchant active), then
// the scope.
#pragma once

#include "api/request.h"

// Loop thread, at the head: ERR_BAD_REQUEST where a header that says who asks came twice. A proxy before us
// may have looked at the other one.
enum errc auth_check_head(struct request *request, struct err *err) MUST_CHECK;

// Loop thread: takes the key out of the headers, leaving only its hash. ERR_AUTH_INVALID_KEY where there is
// none, or where its check digits are wrong: such a request costs nothing more than this.
enum errc auth_read(struct request *request, struct err *err) MUST_CHECK;

// Database thread: fills request->principal. ERR_AUTH_INVALID_KEY, ERR_AUTH_INSUFFICIENT_SCOPE, and for the
// admin's X-Merchant-Id ERR_BAD_REQUEST, ERR_NOT_FOUND, ERR_FORBIDDEN. On failure request->auth_event says
// what audit calls it.
enum errc auth_check(struct request *request, struct tx *tx, struct err *err) MUST_CHECK;
