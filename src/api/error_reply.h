// Errors as the API says them: one table turns an error into its HTTP status and public code. Pure; any
// thread.
#pragma once

#include "api/request.h"

int errc_status(enum errc code);
const char *errc_public_code(enum errc code);

// {"success":false,"errors":[...],"request_id"} in the arena. Internal errors are answered without their
// message: the request id leads to it in the log.
const char *error_reply(struct arena *arena, const struct err *err, const char *request_id);
const char *error_reply_fields(struct arena *arena, const struct field_errors *errors,
                               const char *request_id);
