// The connections to Stripe, as the service's HTTP/2 client keeps them: calls share them, and wait in a queue
// while one is made. What goes wrong with a connection goes wrong with all its calls: it is cut, it falls
// silent, or Stripe tells it to go away. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct connection;
struct stream;

// One time that a request was written to a connection.
struct transmission {
    struct stream *stream;
    bool taken; // Stripe began to process it
    bool lost;  // it never arrives
};

// A call's place in the client. Zeroed and its link initialised, it has none.
struct stream {
    struct list link;                  // in the queue, or among its connection's
    struct connection *connection;     // NULL: it was not written, or is over
    struct transmission *transmission; // the latest; NULL: it was never written
    int64_t send_before_us;            // wall clock; 0: any time
    int refusals;                      // how often Stripe gave it back unprocessed
};

// Writes it, now or when a connection is ready. Calls network_write and network_end, which call nobody back
// at once.
void connections_send(struct stream *stream, int64_t send_before_us);
// The call has ended.
void connections_leave(struct stream *stream);
// The call got no answer in time, so its connection is suspect: if it is silent, it takes no further calls.
void connections_suspect(struct stream *stream);
bool connections_waits(const struct stream *stream);
// Whether what Stripe answers reaches the client.
bool connections_hears(const struct stream *stream);

// Until then no connection can be made, and the present ones are cut or, if `silent`, fall silent.
void connections_down_until(int64_t until_us, bool silent);
