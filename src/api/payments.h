// What the routes on one payment share.
#pragma once

#include "api/request.h"
#include "store/payments.h"

// The payment that the path names, where the key may see it. ERR_NOT_FOUND. Database thread.
enum errc payment_of_request(struct request *request, struct tx *tx, struct payment *payment,
                             struct err *err) MUST_CHECK;
// ERR_CONFLICT where it is being captured or canceled.
enum errc payment_check_not_ending(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;
// Whether there is room, and a merchant's key, to ask the provider at all.
enum errc payment_check_means(struct request *request, struct tx *tx, const struct payment *payment,
                              struct err *err) MUST_CHECK;
