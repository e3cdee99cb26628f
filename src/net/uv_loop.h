// The real loop: implements base/loop.h on libuv, and adds what only the real program needs.
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/loop.h"

struct uv_service_loop;

// Makes the loop of the calling thread. Freed by uv_service_loop_close. ERR_IO.
enum errc uv_service_loop_open(struct uv_service_loop **loop, struct err *err) MUST_CHECK;
struct loop *uv_service_loop_base(struct uv_service_loop *loop);
uv_loop_t *uv_service_loop_uv(struct uv_service_loop *loop);
void uv_service_loop_run(struct uv_service_loop *loop); // until uv_service_loop_stop
void uv_service_loop_stop(struct uv_service_loop *loop);
// The last step, after clients and servers are closed and no thread posts any more. Waits for the lookups
// that libuv's threads have begun. Timers and tasks no longer run.
void uv_service_loop_close(struct uv_service_loop *loop);
bool uv_service_loop_is_closing(const struct uv_service_loop *loop);

// Calls on_signal on the loop thread for each of these signals. The handler stays until the loop closes.
void uv_service_loop_on_signal(struct uv_service_loop *loop, int signal_number,
                               void (*on_signal)(int signal_number, void *context), void *context);
