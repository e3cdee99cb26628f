// What the endpoints for admins share.
#pragma once

#include "api/request.h"
#include "op/state/access_change.h"

// A change that the request's key makes. In its arena. Database thread.
const struct access_change *admin_change(struct request *request, struct tx *tx);

// Database thread: the id in the path. ERR_NOT_FOUND with that sentence.
enum errc admin_path_id(const struct request *request, struct uuid *id, const char *missing,
                        struct err *err) MUST_CHECK;
