// See workload.h.
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "client.h"
#include "fake_stripe.h"
#include "saved_cards.h"
#include "service.h"
#include "world.h"

#define PAYMENTS 200
#define OPEN_US (600 * US_PER_S)
#define POLLS_MAX 6
#define WATCHER_CHECKS_MAX 240
#define RUSHES 3 // times at which many pay at once, so that calls share connections

static int next_key;

struct payer {
    struct saved_card *card; // NULL: the payment is not by a saved card
    char page[1024];
    bool completes;
};

static const char *const methods[] = {
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_visa_chargeDeclined",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_authenticationRequired",
    "pm_card_threeDSecure2Required",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_sandbox_processing",
    "pm_sandbox_processingFails",
    "pm_sandbox_serverError",
    "pm_sandbox_refundServerError",
    "pm_card_nobody",
};

static void follow(struct client_request *request, struct json_object *payment);

static void name_key(char out[32], const char *kind)
{
    (void)snprintf(out, 32, "%s-%d", kind, next_key++);
}

// --- after a payment

static void send_refund(struct client_request *of, const char *id, int64_t amount_minor, bool decimals)
{
    char key[32];
    char body[256];
    name_key(key, "refund");
    int64_t whole = decimals ? amount_minor / 100 : amount_minor;
    int used = snprintf(body, sizeof(body), "{\"payment_id\":\"%s\",\"amount\":\"%lld", id, (long long)whole);
    (void)snprintf(body + used, sizeof(body) - (size_t)used, ".%02lld\"}",
                   (long long)(decimals ? amount_minor % 100 : 0));
    world.counts.refunds++;
    client_send(
        &(struct client_request){
            .merchant = of->merchant, .method = "POST", .path = "/v1/refunds", .key = key, .body = body},
        random_between(0, 60 * US_PER_S));
}

// An answer's decimal amount in minor units, which is its digits without the point.
static int64_t digits_as_minor(const char *text)
{
    int64_t minor = 0;
    for (; *text != '\0'; text++) {
        minor = *text == '.' ? minor : minor * 10 + (*text - '0');
    }
    return minor;
}

// Somebody at Stripe's dashboard waits for a full refund to fail, and then refunds there at once.
struct refund_watcher {
    int merchant;
    char intent_id[64];
    int64_t amount_minor;
    int checks;
};

static void watch_refund(void *context)
{
    struct refund_watcher *refund_watcher = context;
    if (fake_stripe_refund_failed(refund_watcher->merchant, refund_watcher->intent_id)) {
        world.counts.refunds_in_place += fake_stripe_dashboard_refund(
            refund_watcher->merchant, refund_watcher->intent_id, refund_watcher->amount_minor);
    } else if (++refund_watcher->checks < WATCHER_CHECKS_MAX && !world.faults_off) {
        world_after(US_PER_S / 2, watch_refund, refund_watcher);
    }
}

static void watch_for_failure(int merchant, const char *intent_id, int64_t amount_minor)
{
    struct refund_watcher *refund_watcher = calloc(1, sizeof(*refund_watcher));
    REQUIRE(refund_watcher != NULL);
    *refund_watcher = (struct refund_watcher){.merchant = merchant, .amount_minor = amount_minor};
    (void)snprintf(refund_watcher->intent_id, sizeof(refund_watcher->intent_id), "%s", intent_id);
    world_after(US_PER_S / 2, watch_refund, refund_watcher);
}

static void send_refunds(struct client_request *request, struct json_object *payment)
{
    int64_t captured = digits_as_minor(json_get_str(payment, "amount_captured"));
    bool decimals = text_equal(json_get_str(payment, "currency"), "USD");
    const char *id = json_get_str(payment, "id");
    for (uint64_t left = random_below(3) == 0 ? random_below(4) + 1 : 0; left > 0; left--) {
        send_refund(request, id, random_below(3) == 0 ? captured : random_between(1, captured), decimals);
    }
    if (world.dashboard && random_below(8) == 0) {
        (void)fake_stripe_dashboard_refund(request->merchant, json_get_str(payment, "provider_ref"),
                                           random_between(1, captured));
    }
    if (world.dashboard && text_equal(json_get_str(payment, "payment_method"), "pm_card_refundFail")) {
        send_refund(request, id, captured, decimals);
        watch_for_failure(request->merchant, json_get_str(payment, "provider_ref"), captured);
    }
}

static void send_capture_or_cancel(struct client_request *request, struct json_object *payment)
{
    char path[128];
    bool cancels = random_below(3) == 0;
    (void)snprintf(path, sizeof(path), "/v1/payments/%s/%s", json_get_str(payment, "id"),
                   cancels ? "cancel" : "capture");
    const char *body = NULL;
    char part[64];
    if (!cancels && random_below(3) == 0 && text_equal(json_get_str(payment, "currency"), "USD")) {
        int64_t minor = random_between(1, digits_as_minor(json_get_str(payment, "amount")));
        (void)snprintf(part, sizeof(part), "{\"amount\":%lld.%02lld}", (long long)minor / 100,
                       (long long)minor % 100);
        body = part;
    }
    world.counts.cancels += cancels;
    world.counts.captures += !cancels;
    client_send(
        &(struct client_request){
            .merchant = request->merchant, .method = "POST", .path = path, .body = body, .then = follow},
        random_between(0, 120 * US_PER_S));
}

static void answer_challenge(void *context)
{
    struct payer *payer = context;
    bool passed = fake_stripe_visit_page(payer->page, payer->completes);
    if (passed && payer->card != NULL) {
        saved_card_authenticated(payer->card);
    }
}

static void send_payer(struct json_object *payment, const char *url)
{
    struct payer *payer = calloc(1, sizeof(*payer));
    REQUIRE(payer != NULL);
    payer->card = saved_cards_find(json_get_str(payment, "saved_card_id"));
    (void)snprintf(payer->page, sizeof(payer->page), "%s", url);
    payer->completes = random_below(4) != 0;
    world_after(random_between(US_PER_S, 200 * US_PER_S), answer_challenge, payer);
}

static void poll_later(struct client_request *request, struct json_object *payment)
{
    char path[128];
    size_t polls = (size_t)request->context;
    if (polls < POLLS_MAX) {
        (void)snprintf(path, sizeof(path), "/v1/payments/%s", json_get_str(payment, "id"));
        client_send(&(struct client_request){.merchant = request->merchant,
                                             .method = "GET",
                                             .path = path,
                                             .then = follow,
                                             .context = (void *)(polls + 1)},
                    random_between(US_PER_S, 200 * US_PER_S));
    }
}

static void follow(struct client_request *request, struct json_object *payment)
{
    const char *status = json_get_str(payment, "status");
    const char *page = json_get_str(json_get(payment, "next_action"), "redirect_url");
    if (text_equal(status, "completed")) {
        send_refunds(request, payment);
    } else if (text_equal(status, "pending")) {
        if (json_get_bool(payment, "capturable", false)) {
            send_capture_or_cancel(request, payment);
        } else if (page != NULL && request->context == NULL && random_below(6) != 0) {
            send_payer(payment, page);
        }
        poll_later(request, payment);
    }
}

static void follow_charge(struct client_request *request, struct json_object *payment)
{
    saved_cards_check_charge(request);
    follow(request, payment);
}

// --- payments

static void send_payment(int merchant, const char *method_members, bool usd, struct saved_card *card,
                         bool off_session)
{
    char key[32];
    char body[400];
    int64_t minor = random_between(100, 50000);
    (void)snprintf(body, sizeof(body),
                   "{\"amount\":%lld%s,\"currency\":\"%s\",\"provider\":\"stripe\",%s,\"return_url\":\"https:"
                   "//shop.sim/\"}",
                   (long long)minor, usd ? ".25" : "", usd ? "USD" : "JPY", method_members);
    name_key(key, "order");
    world.counts.payments++;
    struct client_request *request =
        client_send(&(struct client_request){.merchant = merchant,
                                             .method = "POST",
                                             .path = "/v1/payments",
                                             .key = key,
                                             .body = body,
                                             .then = card != NULL ? follow_charge : follow},
                    0);
    if (card != NULL) {
        saved_cards_add_charge(card, request, off_session);
    }
}

// With its holder present (on session) or absent.
static void charge_saved_card(struct saved_card *card)
{
    char method_members[100];
    bool off_session = random_below(3) != 0;
    (void)snprintf(method_members, sizeof(method_members), "\"saved_card_id\":\"%s\"%s", card->id,
                   off_session ? "" : ",\"off_session\":false");
    send_payment(card->merchant, method_members, random_below(4) != 0, card, off_session);
}

static void pay(void *context)
{
    (void)context;
    char method_members[100];
    int merchant = (int)random_below(SERVICE_MERCHANTS);
    struct saved_card *card = random_below(4) == 0 ? saved_cards_pick(merchant) : NULL;
    if (card != NULL) {
        charge_saved_card(card);
        return;
    }
    (void)snprintf(method_members, sizeof(method_members), "\"payment_method\":\"%s\"%s",
                   methods[random_below(COUNT_OF(methods))],
                   random_below(5) == 0 ? ",\"capture_method\":\"manual\"" : "");
    send_payment(merchant, method_members, random_below(4) != 0, NULL, false);
}

void workload_start(void)
{
    world.dashboard = random_below(2) == 0;
    for (int i = 0; i < SERVICE_MERCHANTS; i++) {
        char body[300];
        (void)snprintf(
            body, sizeof(body),
            "{\"provider\":\"stripe\",\"stripe\":{\"secret_key\":\"%s\",\"webhook_secret\":\"%s\"}}",
            service.merchants[i].stripe_key, STRIPE_WEBHOOK_SECRET);
        client_send(
            &(struct client_request){
                .merchant = i, .method = "PUT", .path = "/v1/merchant/providers", .body = body},
            0);
        saved_cards_start(i, charge_saved_card);
    }
    int64_t rushes_us[RUSHES];
    for (int i = 0; i < RUSHES; i++) {
        rushes_us[i] = random_between(US_PER_S, OPEN_US);
    }
    for (int i = 0; i < PAYMENTS; i++) {
        bool rushes = random_below(3) == 0;
        world_after(rushes ? rushes_us[random_below(RUSHES)] + random_between(0, US_PER_S)
                           : random_between(US_PER_S, OPEN_US),
                    pay, NULL);
    }
}
