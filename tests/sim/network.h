// All that the service sends, and what becomes of it on the way: to the sandbox, which runs in this process,
// and to the merchants' endpoints. One thread.
#pragma once

#include "net/http_client.h"

struct http_client *network_to_stripe(void);
struct http_client *network_to_merchants(void);

// Stripe is out of reach, or answers nothing but one error, until that time.
void network_stripe_down_until(int64_t until_us);
