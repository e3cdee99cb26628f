// See saved_cards.h.
#include "saved_cards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "fake_stripe.h"
#include "service.h"
#include "world.h"

#define SAVES 10 // for each merchant
#define PAYERS 5
#define CARDS_MAX (SAVES * SERVICE_MERCHANTS)
#define CHARGES_MAX 2048
#define OPEN_US (300 * US_PER_S)
#define SOON_US (600 * US_PER_S)
#define DAY_US (24 * 3600 * US_PER_S)

static struct saved_card cards[CARDS_MAX];
static size_t card_count;
static struct saved_card_charge charges[CHARGES_MAX];
static size_t charge_count;
static bool customer_deleted[SERVICE_MERCHANTS][PAYERS]; // at Stripe's dashboard
static void (*charge_card)(struct saved_card *card);

static const struct saved_card_kind kinds[] = {
    {.method = "pm_card_visa"},
    {.method = "pm_card_mastercard"},
    {.method = "pm_card_authenticationRequired", .challenge = CHALLENGE_ALWAYS},
    {.method = "pm_card_authenticationRequiredOnSetup", .challenge = CHALLENGE_UNTIL_SET_UP},
    {.method = "pm_card_authenticationRequiredOnSetup", .challenge = CHALLENGE_UNTIL_SET_UP},
    {.method = "pm_card_authenticationRequiredSetupForOffSession", .challenge = CHALLENGE_ON_SESSION},
    {.method = "pm_card_threeDSecureRequiredChargeDeclined", .challenge = CHALLENGE_ALWAYS, .declines = true},
    {.method = "pm_card_chargeCustomerFail", .declines = true},
    {.method = "pm_card_visa_chargeDeclined", .declines = true},
    {.method = "pm_sandbox_processing"},
    {.method = "pm_sandbox_processingFails", .declines = true},
    {.method = "pm_sandbox_serverError"},
};

static int64_t soon_or_within_days_us(int64_t days)
{
    return random_below(2) == 0 ? random_between(US_PER_S, SOON_US) : random_between(US_PER_S, days * DAY_US);
}

// --- after a card was saved

struct payer {
    struct saved_card *card;
    char page[1024];
    bool completes;
};

static void answer_challenge(void *context)
{
    const struct payer *payer = context;
    if (fake_stripe_visit_page(payer->page, payer->completes)) {
        saved_card_authenticated(payer->card);
    }
}

// The payer may also come after the set-up was abandoned.
static void send_payer(struct saved_card *card, const char *url)
{
    struct payer *payer = calloc(1, sizeof(*payer));
    REQUIRE(payer != NULL);
    payer->card = card;
    payer->completes = random_below(4) != 0;
    (void)snprintf(payer->page, sizeof(payer->page), "%s", url);
    world_after(soon_or_within_days_us(9), answer_challenge, payer);
}

static void send_card_request(const struct saved_card *card, const char *method,
                              void (*then)(struct client_request *request, struct json_object *data))
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/v1/payments/cards/%s", card->id);
    client_send(
        &(struct client_request){.merchant = card->merchant, .method = method, .path = path, .then = then},
        0);
}

static void on_deleted(struct client_request *request, struct json_object *data)
{
    (void)data;
    struct saved_card *card = saved_cards_find(request->path + strlen("/v1/payments/cards/"));
    card->deleted_us = world.now_us;
}

static void send_delete(void *context)
{
    struct saved_card *card = context;
    card->deletion_sent = true;
    send_card_request(card, "DELETE", on_deleted);
}

static void charge_again(void *context)
{
    charge_card(context);
}

// A card must not be active before its payer has authenticated, whatever events say.
static bool must_be_pending(const struct saved_card *card)
{
    return card->was_pending && card->kind->challenge != CHALLENGE_NEVER && card->authenticated_us == 0;
}

static void on_fetched(struct client_request *request, struct json_object *data)
{
    (void)request;
    struct saved_card *card = saved_cards_find(json_get_str(data, "id"));
    (void)snprintf(card->shown_status, sizeof(card->shown_status), "%s", json_get_str(data, "status"));
    if (must_be_pending(card) && text_equal(json_get_str(data, "status"), "active")) {
        violation("card %s is active before its payer has authenticated", card->id);
    }
}

static void fetch(void *context)
{
    send_card_request(context, "GET", on_fetched);
}

static void schedule_card(struct saved_card *card, struct json_object *answer)
{
    const char *page = json_get_str(json_get(answer, "next_action"), "redirect_url");
    card->was_pending = text_equal(json_get_str(answer, "status"), "pending");
    if (page != NULL && random_below(6) != 0) { // otherwise the payer abandons it
        send_payer(card, page);
    }
    if (random_below(5) == 0) {
        world_after(soon_or_within_days_us(10), send_delete, card);
    }
    world_after(soon_or_within_days_us(10), fetch, card);
    world_after(random_between(US_PER_S, SOON_US), charge_again, card);
    world_after(random_between(US_PER_S, 10 * DAY_US), charge_again, card);
}

// --- requests that save cards

struct save_request {
    const struct saved_card_kind *kind;
    int payer;
};

struct customer_deletion {
    int merchant;
    int payer;
    char email[40];
};

static void name_payer(char out[40], int payer)
{
    (void)snprintf(out, 40, "payer%d@example.com", payer);
}

static void delete_customer(void *context)
{
    const struct customer_deletion *deletion = context;
    customer_deleted[deletion->merchant][deletion->payer] = true;
    fake_stripe_delete_customers(deletion->merchant, deletion->email);
}

static void schedule_customer_deletion(int merchant)
{
    struct customer_deletion *deletion = calloc(1, sizeof(*deletion));
    REQUIRE(deletion != NULL);
    *deletion = (struct customer_deletion){.merchant = merchant, .payer = (int)random_below(PAYERS)};
    name_payer(deletion->email, deletion->payer);
    world_after(soon_or_within_days_us(9), delete_customer, deletion);
}

// Two requests with the same method and payer may return the same card.
static void on_saved(struct client_request *request, struct json_object *answer)
{
    const char *id = json_get_str(answer, "id");
    if (saved_cards_find(id) == NULL) {
        REQUIRE(card_count < CARDS_MAX);
        struct saved_card *card = &cards[card_count++];
        const struct save_request *save = request->context;
        *card = (struct saved_card){.merchant = request->merchant, .kind = save->kind, .payer = save->payer};
        (void)snprintf(card->id, sizeof(card->id), "%s", id);
        schedule_card(card, answer);
    }
}

static void send_save(int merchant, int number)
{
    char body[300];
    char key[32];
    char email[40];
    struct save_request *save = calloc(1, sizeof(*save));
    REQUIRE(save != NULL);
    *save = (struct save_request){.kind = &kinds[random_below(COUNT_OF(kinds))],
                                  .payer = (int)random_below(PAYERS)};
    name_payer(email, save->payer);
    (void)snprintf(key, sizeof(key), "card-%d", number);
    (void)snprintf(body, sizeof(body), "{\"payment_method_id\":\"%s\",\"customer_email\":\"%s\"%s}",
                   save->kind->method, email,
                   random_below(4) != 0 ? ",\"return_url\":\"https://shop.sim/saved\"" : "");
    world.counts.cards++;
    client_send(&(struct client_request){.merchant = merchant,
                                         .method = "POST",
                                         .path = "/v1/payments/cards",
                                         .key = key,
                                         .body = body,
                                         .then = on_saved,
                                         .context = save},
                random_between(0, OPEN_US));
}

void saved_cards_start(int merchant, void (*charge)(struct saved_card *card))
{
    charge_card = charge;
    for (int i = 0; i < SAVES; i++) {
        send_save(merchant, i);
    }
    if (world.dashboard) {
        schedule_customer_deletion(merchant);
    }
}

bool saved_card_lost_customer(const struct saved_card *card)
{
    return customer_deleted[card->merchant][card->payer];
}

void saved_cards_charge_all(void)
{
    for (size_t i = 0; i < card_count; i++) {
        world_after(random_between(US_PER_S, SOON_US), charge_again, &cards[i]);
    }
}

void saved_cards_fetch_all(void)
{
    for (size_t i = 0; i < card_count; i++) {
        cards[i].fetched = true;
        cards[i].shown_status[0] = '\0';
        fetch(&cards[i]);
    }
}

struct saved_card *saved_cards_pick(int merchant)
{
    size_t first = random_below(CARDS_MAX);
    for (size_t i = 0; i < card_count; i++) {
        struct saved_card *card = &cards[(first + i) % card_count];
        if (card->merchant == merchant) {
            return card;
        }
    }
    return NULL;
}

struct saved_card *saved_cards_find(const char *id)
{
    for (size_t i = 0; i < card_count; i++) {
        if (text_equal(cards[i].id, id)) {
            return &cards[i];
        }
    }
    return NULL;
}

void saved_card_authenticated(struct saved_card *card)
{
    card->authenticated_us = card->authenticated_us == 0 ? world.now_us : card->authenticated_us;
}

// --- charges

void saved_cards_add_charge(const struct saved_card *card, const struct client_request *request,
                            bool off_session)
{
    REQUIRE(charge_count < CHARGES_MAX);
    charges[charge_count++] = (struct saved_card_charge){
        .card = card, .request = request, .off_session = off_session, .placed_us = world.now_us};
}

void saved_cards_check_charge(const struct client_request *request)
{
    const struct saved_card_charge *charge = charges;
    while (charge->request != request) {
        charge++;
    }
    const struct saved_card *card = charge->card;
    if (must_be_pending(card)) {
        violation("card %s is charged before its payer has authenticated", card->id);
    }
    if (card->deleted_us != 0 && card->deleted_us < charge->placed_us) {
        violation("card %s is charged after its deletion", card->id);
    }
}

void saved_cards_each(void (*visit)(const struct saved_card *card))
{
    for (size_t i = 0; i < card_count; i++) {
        visit(&cards[i]);
    }
}

void saved_cards_each_charge(void (*visit)(const struct saved_card_charge *charge))
{
    for (size_t i = 0; i < charge_count; i++) {
        visit(&charges[i]);
    }
}
