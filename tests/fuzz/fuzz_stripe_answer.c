// stripe_answer_read: an answer is a refusal only if it is a Stripe error with the right status, and done
// only if it contains the object. Any other answer is unknown, with a reason to log. The first byte chooses
// the call, the second the status, the third a header; the rest is the body.
#include "provider/stripe/answer.h"

#include <stdio.h>

#include "base/text.h"
#include "fuzz.h"
#include "provider/stripe/event.h"

static const int statuses[] = {200, 201, 204, 302, 400, 401, 402, 403, 404,
                               405, 409, 424, 429, 500, 502, 503, 0};
static const struct http_header headers[] = {{"Request-Id", "req_1"},
                                             {"Idempotent-Replayed", "true"},
                                             {"Stripe-Should-Retry", "false"},
                                             {"Retry-After", "7"}};

static void check_text(const char *text, size_t bytes_max)
{
    REQUIRE(text == NULL || (strlen(text) <= bytes_max && text_is_utf8(text, strlen(text))));
}

static void check_failure(const struct failure *failure)
{
    check_text(failure->code, 100);
    check_text(failure->decline_code, 100);
    check_text(failure->message, 500);
    REQUIRE(failure->message == NULL || strstr(failure->message, "sk_test_") == NULL);
}

static void check_intent(const struct provider_payment *intent)
{
    REQUIRE(intent->id[0] != '\0' && strlen(intent->id) <= 255);
    REQUIRE((intent->next_action == NEXT_ACTION_REDIRECT) == (intent->redirect_url != NULL));
    check_failure(&intent->failure);
}

static void check_setup(const struct setup *setup)
{
    REQUIRE(setup->id[0] != '\0' && strlen(setup->id) <= 255);
    REQUIRE((setup->next_action == NEXT_ACTION_REDIRECT) == (setup->redirect_url != NULL));
    check_failure(&setup->failure);
}

static bool shows_what_was_done(const struct provider_call *call)
{
    const struct provider_answer *answer = call->answer;
    bool list = call->verb == PROVIDER_LIST || call->verb == PROVIDER_REFUND_LIST ||
                call->verb == PROVIDER_CUSTOMER_LIST || call->verb == PROVIDER_SETUP_LIST ||
                call->verb == PROVIDER_PAYMENTS_SINCE || call->verb == PROVIDER_REFUNDS_SINCE ||
                call->verb == PROVIDER_EVENTS;
    return list || answer->has_payment || answer->has_refund || answer->has_method || answer->has_setup ||
           answer->customer_ref != NULL;
}

static void check_outcome(const struct provider_call *call)
{
    const struct provider_answer *answer = call->answer;
    int status = answer->status;
    bool known = answer->reason == NULL;
    switch (answer->outcome) {
    case PROVIDER_DONE:
        REQUIRE(known && status >= 200 && status < 300 && shows_what_was_done(call));
        break;
    case PROVIDER_REFUSED:
        REQUIRE(known && (status == 400 || status == 402 || status == 404) && answer->failure.code != NULL);
        break;
    case PROVIDER_NO_AUTH:
        REQUIRE(known && (status == 401 || status == 403) && answer->failure.code != NULL);
        break;
    case PROVIDER_UNKNOWN:
    case PROVIDER_LOOK_UP:
        REQUIRE(!known && !answer->has_payment && !answer->has_refund && !answer->has_setup &&
                answer->next_page == NULL);
        break;
    }
}

static void check_answer(const struct provider_call *call)
{
    const struct provider_answer *answer = call->answer;
    check_outcome(call);
    check_failure(&answer->failure);
    if (answer->has_payment) {
        check_intent(&answer->payment);
    }
    if (answer->has_setup) {
        check_setup(&answer->setup);
    }
    if (answer->outcome == PROVIDER_DONE) {
        for (size_t i = 0; i < answer->setup_count; i++) {
            check_setup(&answer->setups[i]);
        }
        for (size_t i = 0; i < answer->payment_count; i++) {
            check_intent(&answer->payments[i]);
        }
        for (size_t i = 0; i < answer->refund_count; i++) {
            REQUIRE(answer->refunds[i].id[0] != '\0');
        }
        for (size_t i = 0; i < answer->event_count; i++) {
            REQUIRE(answer->events[i].id[0] != '\0' && answer->events[i].type != NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 3) {
        return 0;
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct provider_call call = {.verb = (enum provider_verb)(data[0] % PROVIDER_VERB_COUNT),
                                 .arena = &arena};
    struct http_call http = {0};
    http.status = statuses[data[1] % COUNT_OF(statuses)];
    http.result = http.status != 0 ? HTTP_DONE : HTTP_CUT;
    const struct http_header *header = &headers[data[2] % COUNT_OF(headers)];
    http_call_add_header(&http, header->name, strlen(header->name), header->value, strlen(header->value));
    http.response_body = BUF_MAX(1 << 20);
    (void)snprintf(http.error, sizeof(http.error), "the connection was cut");
    call.secret_key = secret_of("sk_test_1", 9);
    buf_add(&http.response_body, data + 3, bytes - 3);
    stripe_answer_read(&call, &http);
    http_call_release(&http);
    check_answer(&call);
    return 0;
}
