// A merchant's providers as JSON, for providers.c and merchant.c.
#pragma once

#include "api/request.h"

// The array of those that the request's key may see; every secret masked. The caller releases. Database
// thread.
enum errc providers_json(struct request *request, struct tx *tx, struct json_object **result,
                         struct err *err) MUST_CHECK;
