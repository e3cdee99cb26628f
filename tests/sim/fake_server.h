// Replaces the service's HTTP server: hands a request to the API as an exchange and the answer to the sender,
// unless the network loses it. One thread.
#pragma once

#include <stddef.h>

#include "net/http_client.h"

struct fake_server_answer {
    int status; // 0: no answer; the request may have been carried out
    bool replayed;
    const char *body; // valid during the call
};

struct fake_server_request {
    const char *method;
    const char *path;
    const char *query;
    const struct http_header *headers;
    size_t header_count;
    const char *body;                                                         // NULL: none
    void (*answered)(void *context, const struct fake_server_answer *answer); // called exactly once
    void *context;
};

// Sends a request now. All its text is copied.
void fake_server_send(const struct fake_server_request *request);
