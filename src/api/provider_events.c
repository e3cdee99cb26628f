// POST /v1/webhooks/PROVIDER and /v1/webhooks/PROVIDER/{merchant_id}. A read job finds whose secret signed
// it, with one more where everybody's must be tried; only then a write job records and applies it, so that
// strangers cannot make us write.
#include <string.h>

#include "api/api_private.h"
#include "api/failure_limit.h"
#include "api/handlers.h"
#include "api/refused_events.h"
#include "api/router.h"
#include "base/log.h"
#include "base/timefmt.h"
#include "op/state/inbound.h"
#include "store/credentials.h"

// Of the jobs of events that come without a merchant in their path.
#define EVENTS_OWNER 1

struct event_input {
    struct inbound inbound;
    struct uuid path_merchant_id;
    bool may_search; // its address has not sent too much that nobody had signed
};

// Before the body, which is the largest that a stranger may send.
enum errc provider_event_check_head(struct request *request, struct err *err)
{
    struct event_input *input = ARENA_NEW(request->arena, struct event_input);
    struct inbound *inbound = &input->inbound;
    request->input = input;
    request->job_owner = EVENTS_OWNER;
    if (request->param != NULL) {
        if (!uuid_parse(request->param, &input->path_merchant_id)) {
            return err_set(err, ERR_NOT_FOUND, "there is no such merchant");
        }
        inbound->path_merchant_id = &input->path_merchant_id;
        memcpy(&request->job_owner, input->path_merchant_id.bytes + 8, sizeof(request->job_owner));
    }
    inbound->provider = provider_find(request->route->provider);
    const char *name = inbound->provider->signature_header;
    bool repeated = false;
    const char *header = http_exchange_header(request->exchange, name, &repeated);
    if (repeated) {
        return err_set(err, ERR_BAD_REQUEST, "%s may be sent only once", name);
    }
    return inbound->provider->signature_parse(header, request->now_us / US_PER_S, request->arena,
                                              &inbound->signature, err);
}

void provider_event_read(struct request *request)
{
    struct event_input *input = request->input;
    struct inbound *inbound = &input->inbound;
    inbound->body = buf_str(&request->exchange->body);
    inbound->body_bytes = request->exchange->body.len;
    input->may_search = failure_limit_wait_s(request->api->bad_signatures, &request->client) == 0;
}

static enum errc received(struct request *request)
{
    request->status = 200;
    request->reply = "{\"success\":true,\"data\":{\"received\":true}}";
    return OK;
}

static enum errc apply(struct request *request, struct tx *tx, struct err *err)
{
    struct event_input *input = request->input;
    tx->cause = "event";
    tx->cause_ref = input->inbound.event.id;
    enum errc rc = inbound_apply(tx, &input->inbound, err);
    return rc == OK ? received(request) : rc;
}

// It is genuine, so the provider is answered 200 whatever it is: an endpoint that refuses events is disabled.
// Most types say nothing that we act on, and would only fill the table of those that do.
static enum errc verified(struct request *request, enum inbound_verdict verdict)
{
    const struct inbound *inbound = &((struct event_input *)request->input)->inbound;
    if (verdict == INBOUND_OURS) {
        refused_events_clear(request->api->refused_events, &inbound->merchant_id, inbound->event.livemode);
    }
    if (inbound->event.id == NULL) {
        char merchant_id[UUID_TEXT_BYTES];
        uuid_format(&inbound->merchant_id, merchant_id);
        LOG(LOG_WARN, "a signed body is not a readable event", LOG_STR("merchant_id", merchant_id),
            LOG_INT("bytes", (int64_t)inbound->body_bytes));
    }
    if (verdict == INBOUND_OURS && inbound->event.kind != EVENT_OTHER) {
        request->then = (struct request_step){.work = apply, .queue = STORE_WRITE};
        return OK;
    }
    return received(request);
}

// Only of a merchant with credentials of that mode, so that strangers cannot fill the table with names.
static void note_refused(struct request *request, struct tx *tx, const struct inbound *inbound)
{
    struct credential credential;
    if (inbound->event.id != NULL && !uuid_is_nil(&inbound->merchant_id) &&
        credential_get(tx->db, &inbound->merchant_id, inbound->provider->name, inbound->event.livemode,
                       request->arena, &credential, NULL) == OK) {
        refused_events_add(request->api->refused_events, &inbound->merchant_id, inbound->event.livemode,
                           request->now_us);
    }
}

static enum errc search(struct request *request, struct tx *tx, struct err *err)
{
    struct event_input *input = request->input;
    enum inbound_verdict verdict = INBOUND_UNKNOWN;
    enum errc rc = inbound_search(tx, &input->inbound, &verdict, err);
    if (rc == ERR_SIGNATURE_INVALID) {
        note_refused(request, tx, &input->inbound);
    }
    return rc == OK ? verified(request, verdict) : rc;
}

enum errc provider_event_work(struct request *request, struct tx *tx, struct err *err)
{
    struct event_input *input = request->input;
    struct inbound *inbound = &input->inbound;
    enum inbound_verdict verdict = INBOUND_UNKNOWN;
    // Here and not on the loop: up to 1 MiB from a stranger. What it says is not believed before a secret
    // matched, but may tell which secrets to try.
    if (inbound->provider->event_parse(inbound->body, inbound->body_bytes, request->arena, &inbound->event,
                                       NULL) != OK) {
        inbound->event = (struct provider_event){0};
    }
    enum errc rc = inbound_verify(tx, inbound, &verdict, err);
    if (rc == OK && verdict == INBOUND_UNKNOWN && !input->may_search) {
        rc = err_set(
            err, ERR_SIGNATURE_INVALID,
            "too many bodies from this address had no valid signature; name the merchant in the path");
    }
    if (rc == ERR_SIGNATURE_INVALID) {
        note_refused(request, tx, inbound);
    }
    if (rc == OK && verdict == INBOUND_UNKNOWN) {
        request->then = (struct request_step){.work = search, .queue = STORE_READ, .serial = true};
        return OK;
    }
    return rc == OK ? verified(request, verdict) : rc;
}
