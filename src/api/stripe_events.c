// POST /v1/webhooks/stripe and /v1/webhooks/stripe/{merchant_id}. A read job finds whose secret signed it;
// only then a write job records and applies it, so that strangers cannot make us write.
#include "api/api.h"
#include "api/handlers.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "op/inbound.h"

struct event_input {
    struct inbound inbound;
    struct uuid path_merchant_id;
};

void stripe_event_read(struct request *request)
{
    struct event_input *input = ARENA_NEW(request->arena, struct event_input);
    struct inbound *inbound = &input->inbound;
    request->input = input;
    inbound->body = buf_str(&request->exchange->body);
    inbound->body_bytes = request->exchange->body.len;
    if (request->param != NULL) {
        if (!uuid_parse(request->param, &input->path_merchant_id)) {
            (void)err_set(&request->refusal, ERR_NOT_FOUND, "there is no such merchant");
            return;
        }
        inbound->path_merchant_id = &input->path_merchant_id;
    }
    const char *header = http_exchange_header(request->exchange, "Stripe-Signature", NULL);
    enum errc rc =
        stripe_signature_parse(header, request->now_us / US_PER_S, &inbound->signature, &request->refusal);
    REQUIRE(rc == OK || request->refusal.code == rc);
}

static enum errc apply(struct request *request, struct db *db, struct err *err)
{
    struct event_input *input = request->input;
    struct change change = request_change(request);
    change.cause = "event";
    change.cause_ref = input->inbound.event.id;
    enum errc rc = inbound_apply(db, &change, &input->inbound, err);
    request->told = change.told;
    request->owed = change.owed;
    request->status = 200;
    request->reply = "{\"success\":true,\"data\":{\"received\":true}}";
    return rc;
}

enum errc stripe_event_work(struct request *request, struct db *db, struct err *err)
{
    struct event_input *input = request->input;
    struct inbound *inbound = &input->inbound;
    bool ours = false;
    // Here and not on the loop: up to 1 MiB from a stranger. What it says is not believed before a secret
    // matched, but may tell which secrets to try.
    if (stripe_event_parse(inbound->body, inbound->body_bytes, request->arena, &inbound->event, NULL) != OK) {
        inbound->event = (struct provider_event){0};
    }
    enum errc rc =
        inbound_verify(db, api_options(request->api)->keyring, request->arena, inbound, &ours, err);
    if (rc != OK) {
        return rc;
    }
    if (inbound->event.id == NULL) {
        return err_set(err, ERR_BAD_REQUEST,
                       "the body is not a Stripe event: id, type and data.object are needed");
    }
    if (ours) {
        request->then = (struct request_step){.work = apply, .lane = STORE_WRITE};
        return OK;
    }
    request->status = 200;
    request->reply = "{\"success\":true,\"data\":{\"received\":true}}";
    return OK;
}
