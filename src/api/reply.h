// Errors as the API says them: one table turns an error into its HTTP status and public code. Pure; any
// thread.
#pragma once

#include "api/request.h"

int errc_status(enum errc code);
const char *errc_public_code(enum errc code);

// {"success":false,"errors":[...],"request_id"} in the arena. What is internal is told by the request id
// alone.
const char *reply_error(struct arena *arena, const struct err *err, const char *request_id);
const char *reply_problems(struct arena *arena, const struct problems *problems, const char *request_id);
