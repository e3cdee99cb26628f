// What happens at Stripe without anybody's call, made to happen: a bank replaces a card, a refund or a
// dispute comes to its end.
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/state.h"

// POST /_sandbox/payment_methods/{id}/update, /_sandbox/refunds/{id}, /_sandbox/disputes/{id}, whichever
// account's it is. False: the path is none of these.
bool trigger_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response);
