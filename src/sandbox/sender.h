// Carries due events to their endpoints over HTTP. Loop thread.
#pragma once

#include "base/loop.h"
#include "net/http_client.h"
#include "sandbox/persist.h"
#include "sandbox/sandbox.h"

#define SENDS_MAX 64 // at once; the others wait in the sandbox

struct sender {
    struct sandbox *sandbox;
    struct persist *persist;
    struct loop *loop;
    struct http_client *client;
    struct timer timer; // for the next job
    size_t under_way;
    bool closing;
};

// All arguments must outlive the sender.
void sender_open(struct sender *sender, struct sandbox *sandbox, struct persist *persist, struct loop *loop,
                 struct http_client *client);
// Sends what is due, writes the journal, and sets the timer for the next job. Call it after every change of
// the sandbox.
void sender_run(struct sender *sender);
// Starts no more sends. Those in progress end with the client.
void sender_close(struct sender *sender);
