// The service's door, in place of its HTTP server: a request is handed to the API as an exchange, and its
// answer to whoever sent it, unless the way there or back loses it. One thread.
#pragma once

#include <stddef.h>

#include "net/http_client.h"

struct fake_server_answer {
    int status; // 0: none came; the request may have been carried out
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
    void (*answered)(void *context, const struct fake_server_answer *answer); // exactly once
    void *context;
};

// Sends it now; everything is copied.
void fake_server_send(const struct fake_server_request *request);
