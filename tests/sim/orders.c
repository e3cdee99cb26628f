// See orders.h.
#include "orders.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "front.h"
#include "service.h"
#include "world.h"

#define ORDERS_MAX 16384
#define BYTES_KEPT_US (INT64_C(24) * 3600 * US_PER_S) // so long the very bytes come again

struct attempt {
    struct order *order;
    bool over;
};

static struct order *all[ORDERS_MAX];
struct order **orders = all;
size_t order_count;

static void try_again(void *about);

bool orders_open(void)
{
    for (size_t i = 0; i < order_count; i++) {
        if (!orders[i]->ended || orders[i]->under_way) {
            return true;
        }
    }
    return false;
}

static void come_again(struct order *order)
{
    if (order->ended) {
        return; // only the repeat of an answered one is lost
    }
    if (fault_in(12)) {
        order->ended = true; // nobody ever asks again
        return;
    }
    world_after(dice_between(100000, world.calm ? 2 * US_PER_S : 30 * US_PER_S), try_again, order);
}

static void take_first(struct order *order, const struct front_answer *answer)
{
    struct json_object *body JSON_CLEANUP = NULL;
    order->status = answer->status;
    order->answer = strdup(answer->body);
    order->answered_us = world.now_us;
    order->ended = true;
    if (json_parse(answer->body, strlen(answer->body), &body, NULL) != OK) {
        violation("an answer is no JSON: %.80s", answer->body);
    } else if (order->then != NULL) {
        order->then(order, json_get(body, "data"));
    }
    if (order->key != NULL && dice(4) == 0) { // it runs again, as jobs do
        world.counts.replays++;
        world_after(dice_between(0, 300 * US_PER_S), try_again, order);
    }
}

static void compare(struct order *order, const struct front_answer *answer)
{
    bool same = answer->status == order->status && text_equal(answer->body, order->answer);
    if (!same && world.now_us - order->answered_us < BYTES_KEPT_US) {
        violation("key %s was answered %s and then %s", order->key, order->answer, answer->body);
    }
}

static bool is_temporary(const struct front_answer *answer)
{
    return answer->status == 0 || answer->status == 429 || answer->status >= 500 ||
           (answer->status == 409 && strstr(answer->body, "IDEMPOTENCY_IN_PROGRESS") != NULL);
}

static void answered(void *about, const struct front_answer *answer)
{
    struct attempt *attempt = about;
    struct order *order = attempt->order;
    if (attempt->over) {
        return; // the client has hung up
    }
    attempt->over = true;
    order->under_way = false;
    note("client: %s %s %s -> %d", order->method, order->path, order->key != NULL ? order->key : "",
         answer->status);
    if (is_temporary(answer)) {
        come_again(order);
    } else if (answer->status >= 300) {
        if (order->status != 0 && order->key != NULL) {
            violation("key %s was answered %d and then refused: %s", order->key, order->status, answer->body);
        }
        order->ended = true;
    } else if (order->status == 0) {
        world.counts.answers++;
        take_first(order, answer);
    } else {
        compare(order, answer);
    }
}

static void hang_up(void *about)
{
    struct attempt *attempt = about;
    if (!attempt->over) {
        attempt->over = true;
        attempt->order->under_way = false;
        world.counts.hang_ups++;
        come_again(attempt->order);
    }
}

static void try_again(void *about)
{
    struct order *order = about;
    const char *api_key = service.merchants[order->merchant].api_key;
    const struct http_header headers[] = {{"X-API-Key", api_key}, {"Idempotency-Key", order->key}};
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    REQUIRE(attempt != NULL);
    attempt->order = order;
    order->attempts++;
    order->under_way = true;
    world_after(dice(8) == 0 ? dice_between(1000, 10 * US_PER_S) : 60 * US_PER_S, hang_up, attempt);
    front_send(&(struct front_request){
        .method = order->method,
        .path = order->path,
        .headers = headers,
        .header_count = order->key != NULL ? 2 : 1,
        .body = order->body,
        .answered = answered,
        .about = attempt,
    });
}

struct order *order_place(const struct order *wish, int64_t delay_us)
{
    REQUIRE(order_count < ORDERS_MAX);
    struct order *order = calloc(1, sizeof(*order));
    REQUIRE(order != NULL);
    *order = *wish;
    order->path = strdup(wish->path);
    order->key = wish->key != NULL ? strdup(wish->key) : NULL;
    order->body = wish->body != NULL ? strdup(wish->body) : NULL;
    orders[order_count++] = order;
    world_after(delay_us, try_again, order);
    return order;
}
