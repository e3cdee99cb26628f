// The page that stands in for a bank's 3-D Secure page: a person decides whether the authentication passes.
#pragma once

#include "sandbox/state.h"

#define AUTHENTICATION_PAGE_PATH "/_sandbox/authenticate/" // ACCOUNT/INTENT?key=KEY

void authentication_page_handle(struct sandbox *sandbox, int64_t now_us,
                                const struct sandbox_request *request, struct sandbox_response *response);
