// Shared by the two files of the libcurl client alone: http_client_curl.c (multi handles and the loop) calls
// http_transfer.c (one call: its easy handle, what comes back, what it means).
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include "base/list.h"
#include "base/loop.h"
#include "net/http_client.h"
#include "net/http_queue.h"

#define SPARE_MAX 64

struct curl_client;

// One multi handle with its connections, the calls that wait for one, and its timer.
struct curl_pool {
    struct curl_client *client;
    CURLM *multi;
    struct http_queue queue;
    uv_timer_t timer;
};

struct curl_client {
    struct http_client base;
    struct loop *loop;
    uv_loop_t *uv;
    struct http_client_options options;
    struct curl_pool open; // any address
    // Separate, so that no call with the address check reuses a connection that was made without it.
    struct curl_pool public_only;
    struct list transfers; // of struct transfer: waiting in a pool's queue, or with libcurl
    struct list refused;   // of struct transfer: not sent; they end in the loop's next turn
    CURL *spare[SPARE_MAX];
    size_t spare_count;
    struct timer finish_refused;
    struct timer sweep; // ends calls whose time is over
    bool closing;
    int open_handles; // libuv's, until the client can be freed
};

struct transfer {
    struct list link;
    struct http_queue_entry entry;
    struct curl_client *client;
    struct curl_pool *pool;
    struct http_call *call;
    CURL *easy;          // NULL: not with libcurl yet
    int64_t deadline_us; // monotonic
    size_t header_bytes;
    size_t sockets_refused; // by the address policy
    size_t sockets_opened;
    bool refused;    // libcurl refused an option
    bool writing;    // libcurl has begun to write the request
    bool resent;     // libcurl sends it once more, because the kept connection was dead
    bool too_late;   // send_before_us passed before all of it was written
    bool head_ended; // the final response's
    bool decided;    // the call is for the status alone, which has come
    bool too_large;
};

struct transfer *transfer_new(struct curl_client *client, struct http_call *call);
// Frees it, and its easy handle if it still has one.
void transfer_free(struct transfer *transfer);
// Whether the call may be sent: no header holds a line break.
bool transfer_is_sendable(const struct transfer *transfer);
// Whether the host in the call's URL is an address, not a name, and the policy refuses it.
bool transfer_names_forbidden_address(const struct transfer *transfer);
// Sets the easy handle up for the call, which owns it from then on; one that is not new has served a call of
// this client. False: libcurl refuses, and the handle is freed.
bool transfer_prepare(struct transfer *transfer, CURL *easy, bool is_new);
// Makes the handle forget the call, so that it can serve another. False: libcurl refuses.
bool transfer_give_back(struct transfer *transfer);
// Frees the handle.
void transfer_drop_easy(struct transfer *transfer);
// Whether send_before_us has passed while a part of the request is still to be written.
bool transfer_is_too_late(const struct transfer *transfer);
// Fills the call from what became of it; code is libcurl's, if it had the call.
void transfer_conclude(struct transfer *transfer, CURLcode code);
