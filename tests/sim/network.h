// The network between the service and the servers it calls, with its faults: Stripe, which is the sandbox in
// this process, and the merchants' endpoints. One thread.
#pragma once

#include "net/http_client.h"

struct http_client *network_stripe_client(void);
struct http_client *network_merchant_client(void);

// Until that time Stripe is unreachable, or answers every request with the same error.
void network_stripe_down_until(int64_t until_us);
