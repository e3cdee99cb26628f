// The checks that the routes on one payment share. Database thread.
#pragma once

#include "api/request.h"
#include "store/payments.h"

// The payment that the path names. ERR_NOT_FOUND, also where the key may not see it.
enum errc payment_of_request(struct request *request, struct tx *tx, struct payment *payment,
                             struct err *err) MUST_CHECK;
// ERR_CONFLICT if it is being captured or canceled.
enum errc payment_check_not_ending(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;
// ERR_PROVIDER_NOT_CONFIGURED where the merchant has no active credentials for the payment's mode.
enum errc payment_check_credentials(struct tx *tx, const struct payment *payment, struct err *err) MUST_CHECK;
