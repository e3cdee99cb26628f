// See wallet.h.
#include "wallet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "service.h"
#include "shop.h"
#include "stripe_side.h"
#include "world.h"

#define SAVES 10 // of each merchant
#define PAYERS 5
#define CARDS_MAX (SAVES * SERVICE_MERCHANTS)
#define CHARGES_MAX 2048
#define OPEN_US (300 * US_PER_S)
#define SOON_US (600 * US_PER_S)
#define DAY_US (24 * 3600 * US_PER_S)

static struct wallet_card cards[CARDS_MAX];
static size_t card_count;
static struct wallet_charge charges[CHARGES_MAX];
static size_t charge_count;

static bool forgotten[SERVICE_MERCHANTS][PAYERS];

static const struct wallet_kind kinds[] = {
    {.method = "pm_card_visa"},
    {.method = "pm_card_mastercard"},
    {.method = "pm_card_authenticationRequired", .asking = ASKS_ALWAYS},
    {.method = "pm_card_authenticationRequiredOnSetup", .asking = ASKS_UNTIL_SET_UP},
    {.method = "pm_card_authenticationRequiredOnSetup", .asking = ASKS_UNTIL_SET_UP},
    {.method = "pm_card_authenticationRequiredSetupForOffSession", .asking = ASKS_ON_SESSION},
    {.method = "pm_card_threeDSecureRequiredChargeDeclined", .asking = ASKS_ALWAYS, .declines = true},
    {.method = "pm_card_chargeCustomerFail", .declines = true},
    {.method = "pm_card_visa_chargeDeclined", .declines = true},
    {.method = "pm_sandbox_processing"},
    {.method = "pm_sandbox_processingFails", .declines = true},
    {.method = "pm_sandbox_serverError"},
};

static int64_t soon_or_within_us(int64_t days)
{
    return dice(2) == 0 ? dice_between(US_PER_S, SOON_US) : dice_between(US_PER_S, days * DAY_US);
}

// --- what becomes of a card

struct payer {
    struct wallet_card *card;
    char page[1024];
    bool completes;
};

static void decide(void *about)
{
    const struct payer *payer = about;
    if (stripe_side_payer(payer->page, payer->completes)) {
        wallet_passed(payer->card);
    }
}

// He may come after the set-up was given up, too.
static void send_payer(struct wallet_card *card, const char *url)
{
    struct payer *payer = calloc(1, sizeof(*payer));
    REQUIRE(payer != NULL);
    payer->card = card;
    payer->completes = dice(4) != 0;
    (void)snprintf(payer->page, sizeof(payer->page), "%s", url);
    world_after(soon_or_within_us(9), decide, payer);
}

static void ask(const struct wallet_card *card, const char *method,
                void (*then)(struct order *order, struct json_object *data))
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/v1/payments/cards/%s", card->id);
    order_place(&(struct order){.merchant = card->merchant, .method = method, .path = path, .then = then}, 0);
}

static void was_deleted(struct order *order, struct json_object *data)
{
    (void)data;
    struct wallet_card *card = wallet_find(order->path + strlen("/v1/payments/cards/"));
    card->deleted_us = world.now_us;
}

static void delete_it(void *about)
{
    struct wallet_card *card = about;
    card->deletion_sent = true;
    ask(card, "DELETE", was_deleted);
}

static void renew(void *about)
{
    shop_charge(about);
}

// No card is active that its payer has still to set up, whatever events say.
static bool must_wait(const struct wallet_card *card)
{
    return card->waited && card->kind->asking != ASKS_NEVER && card->passed_us == 0;
}

static void was_seen(struct order *order, struct json_object *data)
{
    (void)order;
    struct wallet_card *card = wallet_find(json_get_str(data, "id"));
    (void)snprintf(card->shown, sizeof(card->shown), "%s", json_get_str(data, "status"));
    if (must_wait(card) && text_equal(json_get_str(data, "status"), "active")) {
        violation("card %s is active before its payer has authenticated", card->id);
    }
}

static void look(void *about)
{
    ask(about, "GET", was_seen);
}

static void lay_out(struct wallet_card *card, struct json_object *answer)
{
    const char *page = json_get_str(json_get(answer, "next_action"), "redirect_url");
    card->waited = text_equal(json_get_str(answer, "status"), "pending");
    if (page != NULL && dice(6) != 0) { // else he abandons it
        send_payer(card, page);
    }
    if (dice(5) == 0) {
        world_after(soon_or_within_us(10), delete_it, card);
    }
    world_after(soon_or_within_us(10), look, card);
    world_after(dice_between(US_PER_S, SOON_US), renew, card);
    world_after(dice_between(US_PER_S, 10 * DAY_US), renew, card);
}

// --- the orders that save them

struct wish {
    const struct wallet_kind *kind;
    int payer;
};

struct visit {
    int merchant;
    int payer;
    char email[40];
};

static void name_payer(char out[40], int payer)
{
    (void)snprintf(out, 40, "payer%d@example.com", payer);
}

static void forget(void *about)
{
    const struct visit *visit = about;
    forgotten[visit->merchant][visit->payer] = true;
    stripe_side_dashboard_forget(visit->merchant, visit->email);
}

static void send_to_dashboard(int merchant)
{
    struct visit *visit = calloc(1, sizeof(*visit));
    REQUIRE(visit != NULL);
    *visit = (struct visit){.merchant = merchant, .payer = (int)dice(PAYERS)};
    name_payer(visit->email, visit->payer);
    world_after(soon_or_within_us(9), forget, visit);
}

// Two saves of one method for one payer may be answered with the same card.
static void was_saved(struct order *order, struct json_object *answer)
{
    const char *id = json_get_str(answer, "id");
    if (wallet_find(id) == NULL) {
        REQUIRE(card_count < CARDS_MAX);
        struct wallet_card *card = &cards[card_count++];
        const struct wish *wish = order->about;
        *card = (struct wallet_card){.merchant = order->merchant, .kind = wish->kind, .payer = wish->payer};
        (void)snprintf(card->id, sizeof(card->id), "%s", id);
        lay_out(card, answer);
    }
}

static void save(int merchant, int number)
{
    char body[300];
    char key[32];
    char email[40];
    struct wish *wish = calloc(1, sizeof(*wish));
    REQUIRE(wish != NULL);
    *wish = (struct wish){.kind = &kinds[dice(COUNT_OF(kinds))], .payer = (int)dice(PAYERS)};
    name_payer(email, wish->payer);
    (void)snprintf(key, sizeof(key), "card-%d", number);
    (void)snprintf(body, sizeof(body), "{\"payment_method_id\":\"%s\",\"customer_email\":\"%s\"%s}",
                   wish->kind->method, email,
                   dice(4) != 0 ? ",\"return_url\":\"https://shop.sim/saved\"" : "");
    world.counts.cards++;
    order_place(&(struct order){.merchant = merchant,
                                .method = "POST",
                                .path = "/v1/payments/cards",
                                .key = key,
                                .body = body,
                                .then = was_saved,
                                .about = wish},
                dice_between(0, OPEN_US));
}

void wallet_open(int merchant)
{
    for (int i = 0; i < SAVES; i++) {
        save(merchant, i);
    }
    if (world.dashboard) {
        send_to_dashboard(merchant);
    }
}

bool wallet_was_forgotten(const struct wallet_card *card)
{
    return forgotten[card->merchant][card->payer];
}

void wallet_charge_all(void)
{
    for (size_t i = 0; i < card_count; i++) {
        world_after(dice_between(US_PER_S, SOON_US), renew, &cards[i]);
    }
}

void wallet_look(void)
{
    for (size_t i = 0; i < card_count; i++) {
        cards[i].looked = true;
        cards[i].shown[0] = '\0';
        look(&cards[i]);
    }
}

struct wallet_card *wallet_pick(int merchant)
{
    size_t first = dice(CARDS_MAX);
    for (size_t i = 0; i < card_count; i++) {
        struct wallet_card *card = &cards[(first + i) % card_count];
        if (card->merchant == merchant) {
            return card;
        }
    }
    return NULL;
}

struct wallet_card *wallet_find(const char *id)
{
    for (size_t i = 0; i < card_count; i++) {
        if (text_equal(cards[i].id, id)) {
            return &cards[i];
        }
    }
    return NULL;
}

void wallet_passed(struct wallet_card *card)
{
    card->passed_us = card->passed_us == 0 ? world.now_us : card->passed_us;
}

// --- their charges

void wallet_charge_placed(const struct wallet_card *card, const struct order *order, bool off_session)
{
    REQUIRE(charge_count < CHARGES_MAX);
    charges[charge_count++] = (struct wallet_charge){
        .card = card, .order = order, .off_session = off_session, .placed_us = world.now_us};
}

void wallet_charge_answered(const struct order *order)
{
    const struct wallet_charge *charge = charges;
    while (charge->order != order) {
        charge++;
    }
    const struct wallet_card *card = charge->card;
    if (must_wait(card)) {
        violation("card %s is charged before its payer has authenticated", card->id);
    }
    if (card->deleted_us != 0 && card->deleted_us < charge->placed_us) {
        violation("card %s is charged after its deletion", card->id);
    }
}

void wallet_each(void (*visit)(const struct wallet_card *card))
{
    for (size_t i = 0; i < card_count; i++) {
        visit(&cards[i]);
    }
}

void wallet_each_charge(void (*visit)(const struct wallet_charge *charge))
{
    for (size_t i = 0; i < charge_count; i++) {
        visit(&charges[i]);
    }
}
