// Sending calls to Stripe. See struct provider_ops. Loop thread.
#pragma once

#include "provider/provider.h"

void stripe_send(struct provider *provider, struct provider_call *call);
void stripe_abandon_call(struct provider *provider, struct provider_call *call);
