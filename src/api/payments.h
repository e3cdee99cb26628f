// What the routes on one payment share.
#pragma once

#include "api/request.h"
#include "store/payments.h"

// The payment that the path names, where the key may see it. ERR_NOT_FOUND. Database thread.
enum errc payment_of_request(struct request *request, struct db *db, struct payment *payment,
                             struct err *err) MUST_CHECK;
