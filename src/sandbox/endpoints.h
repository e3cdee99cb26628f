// Webhook endpoints: where an account's events go.
#pragma once

struct call;
void endpoint_create(struct call *call);
void endpoint_update(struct call *call);
void endpoint_delete(struct call *call);
