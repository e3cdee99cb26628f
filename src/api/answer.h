// How a request ends: its headers, its log line, its error. Each function but request_count_auth ends the
// request, whose memory may be gone afterwards. Loop thread.
#pragma once

#include "api/request.h"

// With the status and the reply that are set.
void request_send(struct request *request);
// With an error; or with the errors of its fields, where it has some and the error is ERR_VALIDATION.
void request_fail(struct request *request, const struct err *err);
// With ERR_OVERLOADED, because too many requests wait for the database. It is counted, and has no log line of
// its own.
void request_fail_waiting(struct request *request);
// With a key that was refused: counted by address, and as a 429 where that address used too many.
void request_fail_unauthenticated(struct request *request, struct err *err);

// Counts an authentication for audit; one that succeeded is a use of its key.
void request_count_auth(const struct request *request, const char *auth_event);
