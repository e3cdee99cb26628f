// What the sandbox offers and Stripe does not: everything under /_sandbox/.
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/state.h"

void control_handle(struct sandbox *sandbox, int64_t now_us, const struct sandbox_request *request,
                    struct sandbox_response *response);
