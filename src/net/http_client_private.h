// Shared by the two files of the libcurl client alone: http_client_curl.c (multi handles and the loop) and
// http_transfer.c (one call: its easy handle, what comes back, what it means).
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "net/http_client.h"

struct curl_client;

// One multi handle with its connections and its timer.
struct curl_pool {
    struct curl_client *client;
    CURLM *multi;
    uv_timer_t timer;
};

struct curl_client {
    struct http_client base;
    struct loop *loop;
    uv_loop_t *uv;
    struct http_client_options options;
    struct curl_pool open; // any address
    struct curl_pool
        public_only; // apart, so that a connection made without the address check is never reused with it
    struct list transfers;  // of struct transfer: under way in a pool
    struct list unsendable; // of struct transfer: to be given back with HTTP_NOT_SENT in the loop's next turn
    struct list spare;      // of struct transfer: finished, their easy handles kept
    size_t spare_count;
    struct timer give_back; // serves `unsendable`
    struct timer sweep;     // ends calls past their deadline that still wait for a connection
    bool closing;
    int open_handles; // libuv's, until the client can be freed
};

struct transfer {
    struct list link;
    CURL *easy;
    struct curl_client *client;
    struct curl_pool *pool;
    struct http_call *call;
    struct curl_slist *headers;
    int64_t deadline_us; // monotonic
    size_t header_bytes;
    size_t sockets_refused; // by the address policy
    size_t sockets_opened;
    bool head_ended; // the final response's
    bool too_large;
};

struct transfer *transfer_new(struct curl_client *client);
void transfer_free(struct transfer *transfer);
// Sets the easy handle up for the call. False: the call cannot be expressed (a line break in a header).
bool transfer_prepare(struct transfer *transfer, struct http_call *call);
// Fills the call from the finished easy handle.
void transfer_conclude(struct transfer *transfer, CURLcode code);
// Drops what belongs to one call; the easy handle may be used again.
void transfer_reset(struct transfer *transfer);
