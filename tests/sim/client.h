// One request of a client's, from its first attempt to an answer that counts: sent again under the same key
// as long as nothing is known, as a careful client does it. One thread.
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
    void (*then)(struct client_request *request,
                 struct json_object *data); // the first answer 2xx; NULL: nothing
    void *context;

    int attempts;
    bool under_way;
    bool ended;         // answered for good, or given up
    int status;         // of the first answer that counted, 0: none
    const char *answer; // its body
    int64_t answered_us;
};

// Places it after delay_us. The order is kept for ever, all its text copied.
struct client_request *client_send(const struct client_request *wish, int64_t delay_us);
extern struct client_request **client_requests;
extern size_t client_request_count;
// Whether some order has neither its answer nor given up.
bool client_is_busy(void);
