// For tests of Stripe's answers: reads an HTTP call that the test has made up into a provider's answer.
#pragma once

#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "provider/stripe/answer.h"
#include "provider/stripe/object.h"

#define KEY "sk_test_abcdefghijklmnop"
#define ERROR(type) "{\"error\":{\"type\":\"" type "\"}}"
#define INTENT "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"succeeded\",\"amount\":5000}"
#define DECLINED                                                                                             \
    "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\",\"decline_code\":\"generic_decline\","   \
    "\"message\":"                                                                                           \
    "\"Your card was "                                                                                       \
    "declined.\",\"payment_intent\":{\"id\":\"pi_1\",\"status\":\"requires_payment_method\","                \
    "\"last_payment_error\":{\"code\":\"card_declined\"}}}}"

struct fixture {
    struct arena arena;
    struct provider_call call;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

struct reply {
    enum provider_verb verb;
    enum http_result result;
    int status;
    const char *body;
    const char *header;
    const char *value;
};

// The answer that is read of this reply. Its text lives on in the arena.
static inline const struct provider_answer *read_reply(struct fixture *f, struct reply reply)
{
    f->call = (struct provider_call){.verb = reply.verb, .arena = &f->arena};
    f->call.secret_key = secret_of(KEY, strlen(KEY));
    struct http_call http = {.result = reply.result, .status = reply.status};
    http.response_body = BUF_MAX(1 << 20);
    if (reply.body != NULL) {
        buf_add_str(&http.response_body, reply.body);
    }
    if (reply.header != NULL) {
        http_call_add_header(&http, reply.header, strlen(reply.header), reply.value, strlen(reply.value));
    }
    if (reply.result != HTTP_DONE) {
        (void)snprintf(http.error, sizeof(http.error), "the connection was cut");
    }
    stripe_answer_read(&f->call, &http);
    http_call_release(&http);
    return f->call.answer;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
