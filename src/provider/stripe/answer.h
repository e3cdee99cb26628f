// Reading what Stripe answered: untrusted bytes to a struct provider_answer. Pure; any thread.
#pragma once

#include "net/http_client.h"
#include "provider/provider.h"

// Reads the finished HTTP call of call->verb into call->answer, which it makes.
void stripe_answer_read(struct provider_call *call, const struct http_call *http);
