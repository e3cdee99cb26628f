#include "provider_answers.h"

struct provider_answer answer_payment(enum provider_payment_state state)
{
    return (struct provider_answer){
        .outcome = PROVIDER_DONE,
        .status = 200,
        .request_id = "req_1",
        .has_payment = true,
        .payment = {.id = "pi_1",
                    .state = state,
                    .amount_provider_minor = 5000,
                    .received_provider_minor = state == PROVIDER_PAYMENT_SUCCEEDED ? 5000 : 0,
                    .currency = "usd",
                    .client_secret = "pi_1_secret_s",
                    .failure = {.code = state == PROVIDER_PAYMENT_ATTEMPT_FAILED ? "card_declined" : NULL}},
    };
}

struct provider_answer answer_action(void)
{
    struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_OPEN);
    answer.payment.next_action = NEXT_ACTION_REDIRECT;
    answer.payment.redirect_url = "https://hooks.example/3ds";
    return answer;
}

struct provider_answer answer_declined(void)
{
    struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_ATTEMPT_FAILED);
    answer.outcome = PROVIDER_REFUSED;
    answer.status = 402;
    answer.failure = (struct failure){"card_declined", "generic_decline", "Your card was declined."};
    return answer;
}

struct provider_answer answer_unknown(void)
{
    return (struct provider_answer){.outcome = PROVIDER_UNKNOWN, .reason = "the connection was cut"};
}

struct provider_answer answer_look_up(void)
{
    return (struct provider_answer){.outcome = PROVIDER_LOOK_UP, .status = 500, .reason = "replayed"};
}

struct provider_answer answer_no_auth(void)
{
    return (struct provider_answer){
        .outcome = PROVIDER_NO_AUTH,
        .status = 401,
        .failure = {"provider_auth_failed", NULL, "The provider refused the secret key."},
    };
}

struct provider_answer answer_not_found(void)
{
    return (struct provider_answer){
        .outcome = PROVIDER_REFUSED, .status = 404, .failure = {"resource_missing", NULL, "No such intent."}};
}

struct provider_answer answer_list(struct provider_payment *payments, size_t count, const char *next_page)
{
    return (struct provider_answer){.outcome = PROVIDER_DONE,
                                    .status = 200,
                                    .payments = payments,
                                    .payment_count = count,
                                    .next_page = next_page};
}

struct provider_answer answer_customer(const char *customer_ref)
{
    return (struct provider_answer){.outcome = PROVIDER_DONE, .status = 200, .customer_ref = customer_ref};
}

struct provider_answer answer_paid_method(const char *method_ref, const char *customer_ref,
                                          const char *fingerprint)
{
    struct provider_answer answer = answer_payment(PROVIDER_PAYMENT_SUCCEEDED);
    answer.has_method = true;
    answer.method = (struct provider_method){.id = method_ref,
                                             .brand = "visa",
                                             .last4 = "4242",
                                             .exp_month = 12,
                                             .exp_year = 2030,
                                             .fingerprint = fingerprint,
                                             .customer_ref = customer_ref};
    return answer;
}

struct provider_answer answer_method(const char *method_ref)
{
    return (struct provider_answer){
        .outcome = PROVIDER_DONE,
        .status = 200,
        .has_method = true,
        .method = {.id = method_ref, .brand = "visa", .last4 = "4242", .exp_month = 12, .exp_year = 2030},
    };
}

struct provider_answer answer_setup(enum setup_state state)
{
    struct provider_answer answer = answer_method("pm_1");
    answer.has_setup = true;
    answer.setup = (struct setup){
        .id = "seti_1",
        .state = state,
        .method_ref = "pm_1",
        .next_action = state == SETUP_OPEN ? NEXT_ACTION_REDIRECT : NEXT_ACTION_NONE,
        .redirect_url = state == SETUP_OPEN ? "https://bank.example/page" : NULL,
    };
    return answer;
}
