// The merchants' API client: sends each request until it gets a final answer. While the outcome is unknown it
// repeats the request under the same key, as a careful client does. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

struct client_request {
    int merchant;
    const char *method;
    const char *path;
    const char *key; // Idempotency-Key; NULL: none
    const char *body;
    // Called with the first answer 2xx; NULL: nobody.
    void (*then)(struct client_request *request, struct json_object *data);
    void *context;

    int attempts;
    bool in_progress;
    bool ended;         // has its final answer, or was given up
    int status;         // of the first answer 2xx; 0: none yet
    const char *answer; // the body of that answer
    int64_t answered_us;
};

// Sends a copy of `template` after delay_us. The copy is never freed, so the result stays valid.
struct client_request *client_send(const struct client_request *template, int64_t delay_us);
// All requests so far.
extern struct client_request *client_requests[];
extern size_t client_request_count;
// Whether any request is not finished.
bool client_is_busy(void);
