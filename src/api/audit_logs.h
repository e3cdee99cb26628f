// The audit entries that requests make.
#pragma once

#include "api/request.h"

// Records what the request changed, by which key and from which address. Database thread.
enum errc audit_request(const struct request *request, struct tx *tx, const char *event_type,
                        const char *detail, struct err *err) MUST_CHECK;
