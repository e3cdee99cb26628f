// A merchant's providers as JSON, for providers.c and merchant.c.
#pragma once

#include "api/request.h"

// Writes the array of those that the request's key may see; every secret masked. Database thread.
enum errc providers_write(struct request *request, struct tx *tx, struct json_writer *json, const char *name,
                          struct err *err) MUST_CHECK;
