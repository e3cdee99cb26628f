// The connections to Stripe, as the service's HTTP/2 client keeps them: calls share them, and wait in a queue
// while one is being made. A fault of a connection affects all its calls: it is cut, it falls silent, or
// Stripe sends GOAWAY. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "net/http_client.h"

struct connection;
struct stream;

// One write of a request to a connection.
struct transmission {
    struct stream *stream;
    bool taken; // Stripe has begun to process it
    bool lost;  // it never arrives
};

// What happens to a stream. Neither function may call back into connections.c before it returns.
struct stream_ops {
    void (*write)(struct transmission *transmission); // the request was written
    void (*end)(struct stream *stream, enum http_result result, const char *error);
};

// A call in the client. The owner sets ops and initialises link; the rest starts zeroed.
struct stream {
    const struct stream_ops *ops;
    struct list link;                  // in the queue or in its connection's list
    struct connection *connection;     // NULL: it was not written, or it has ended
    struct transmission *transmission; // the latest; NULL: it was never written
    int64_t send_before_us;            // wall clock; 0: any time
    int refusals;                      // how often Stripe refused it unprocessed
};

// Writes the request, now or when a connection is ready.
void connections_send(struct stream *stream, int64_t send_before_us);
// The call has ended.
void connections_end(struct stream *stream);
// The call got no answer in time. Its connection takes no further calls if it is silent.
void connections_report_timeout(struct stream *stream);
// Whether the call still waits for a connection.
bool connections_is_queued(const struct stream *stream);
// Whether Stripe's answer can reach the client.
bool connections_is_readable(const struct stream *stream);

// Until then no connection can be made. Existing ones are cut or, if `silent`, fall silent.
void connections_down_until(int64_t until_us, bool silent);
