// A call of the HTTP/2 client as it moves between the queue, a connection and `finished`. Loop thread.
#include <stdio.h>
#include <stdlib.h>

#include "base/timefmt.h"
#include "net/http2_private.h"

#define RESENDS_MAX 3

void http2_client_wake(struct http2_client *client)
{
    if (!list_linked(&client->wake.link)) {
        timer_start(client->loop, &client->wake, 0);
    }
}

// Takes it out of the queue, or off its connection.
static void take_out(struct http2_call *call)
{
    if (call->connection != NULL) {
        call->connection->call_count--;
        call->connection->idle_since_us = loop_mono_us(call->client->loop);
        call->connection = NULL;
    }
    list_remove(&call->link);
}

void http2_call_end(struct http2_call *call, enum http_result result, const char *sentence)
{
    take_out(call);
    call->http->result = result;
    if (result != HTTP_DONE) {
        (void)snprintf(call->http->error, sizeof(call->http->error), "%s", sentence);
    }
    list_append(&call->client->finished, &call->link);
    http2_client_wake(call->client);
}

void http2_call_requeue(struct http2_call *call, const char *sentence)
{
    if (++call->resends > RESENDS_MAX) {
        http2_call_end(call, HTTP_NOT_SENT, sentence);
        return;
    }
    take_out(call);
    call->headers_sent = call->head_ended = false;
    call->body_sent_bytes = call->header_bytes = 0;
    buf_release(&call->http->response_body);
    http_call_reset(call->http);
    struct list *queue = &call->client->queue;
    list_append(queue->next, &call->link); // before the first
    http2_client_wake(call->client);
}

void http2_call_use_http1(struct http2_call *call)
{
    struct http2_client *client = call->client;
    struct http_call *http = call->http;
    int64_t left_us = call->deadline_us - loop_mono_us(client->loop);
    take_out(call);
    free(call);
    http->timeout_ms = left_us > 0 ? left_us / US_PER_MS : 0;
    http_client_send(client->options.http1, http);
}

void http2_call_finish(struct http2_call *call)
{
    struct http_call *http = call->http;
    free(call);
    http->transfer = NULL;
    http->done(http);
}

void http2_queue_fail(struct http2_client *client, const char *sentence)
{
    while (!list_empty(&client->queue)) {
        http2_call_end(CONTAINER_OF(client->queue.next, struct http2_call, link), HTTP_NOT_SENT, sentence);
    }
}
