// What the load generator measured.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "requests.h"

struct answer {
    int64_t at_us;     // since the load began
    uint32_t delay_us; // since the request was due
    uint32_t took_us;  // since it was sent
    uint16_t status;   // 0: the connection ended without an answer
    uint8_t label;
    bool settled; // the request was due after the first seconds
    bool retry_after;
};

struct answers {
    struct answer *all;
    size_t count;
    size_t room;
};

void answers_add(struct answers *answers, struct answer answer);
void answers_release(struct answers *answers);

struct totals {
    uint64_t answered; // with success
    uint64_t failed;
    int failed_status; // of the last failure
    int64_t last_us;   // when the last success came, since the load began
};

struct totals answers_totals(const struct answers *answers);

// Prints members of a JSON object: the delays of all that succeeded; and "groups", with one object for each
// label and status, separately for what was due in the first_us after the load began and for what was due
// later. elapsed_us is how long the load lasted. Sorts the answers.
void answers_print(struct answers *answers, const struct requests *requests, int64_t first_us,
                   int64_t elapsed_us);
