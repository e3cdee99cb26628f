// What the files of a request's way share: request.c reads it, work.c runs it, answer.c ends it. Loop thread.
#pragma once

#include "api/api.h"
#include "api/failure_limit.h"
#include "api/serial_queue.h"
#include "api/slots.h"

// request.c
struct request *request_new(struct api *api, struct http_exchange *exchange);
void request_read_idempotency_key(struct request *request);
void request_read_json(struct request *request);

// work.c
void request_begin(struct request *request); // everything that needs the database: the route's work
void request_go_on(struct request *request); // its next job, whose `before` is over
// Runs the route's work again, key and all, as a read; `done` on the loop. For an answer that goes on.
void request_work_again(struct request *request, void (*done)(struct store_job *job));

// answer.c. Each but request_count ends the request: its memory may be gone afterwards.
void request_send(struct request *request); // status and reply are set
void request_fail(struct request *request, const struct err *err);
void request_count(const struct request *request, const char *auth_event); // for audit
// A key that was refused: counted by address, and refused altogether where there were too many.
void request_fail_unauthenticated(struct request *request, struct err *err);

// api.c
// Its place for an operation: it has none to prepare any more, or that counts by itself from now on.
void request_give_back(struct request *request);
struct auth_guard *api_guard(struct api *api);
struct failure_limit *api_bad_signatures(struct api *api); // of events
struct serial_queue *api_searches(struct api *api);
// Whether a large answer may be held until its client has taken it.
bool api_answer_has_memory(struct api *api, struct request *request, size_t bytes) MUST_CHECK;
void api_count_answer(struct api *api, int status);
void api_count_bad_signature(struct api *api);
struct slots *api_exports(struct api *api);  // for whole lists that are being sent
struct slots *api_look_ups(struct api *api); // of names, and of those who wait for one
const struct network_list *api_trusted_proxies(const struct api *api);

// export.c. Loop thread, once it is known who asks: whether a whole list, if that is what it asks for, may be
// sent now.
bool export_begin(struct request *request) MUST_CHECK;
void export_end(struct request *request);
