// All that the service sends, and what becomes of it on the way: to the sandbox, which runs in this process,
// and to the merchants' endpoints. One thread.
#pragma once

#include "connections.h"
#include "net/http_client.h"

struct http_client *network_to_stripe(void);
struct http_client *network_to_merchants(void);

// Until that time Stripe is out of reach, or answers nothing but one error.
void network_stripe_down_until(int64_t until_us);

// For connections.c: a request is written, and is on its way.
void network_write(struct transmission *transmission);
// For connections.c: the client ends a call, whose `done` is called soon, not from within this.
void network_end(struct stream *stream, enum http_result result, const char *error);
