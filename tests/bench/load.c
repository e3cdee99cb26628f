// A crowd: keeps CONNECTIONS requests under way for SECONDS and says how many were answered with what delays.
// `load pay URL API_KEY CONNECTIONS SECONDS` makes payments, each under a new idempotency key; `load get ...`
// reads the URL. `load all URL API_KEY CONNECTIONS PAYMENTS` makes so many payments and repeats each under
// its key until it is made. One thread; no promise but its sums.
#include <curl/curl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"

#define CONNECTIONS_MAX 4096
#define SAMPLES_MAX 4000000
#define US_PER_S 1000000
#define PAUSE_US (US_PER_S / 10) // before a repetition
#define POLL_MS 50

struct payer {
    CURL *easy;
    struct curl_slist *headers;
    uint64_t number; // of its payment
    int64_t started_us;
    int64_t repeats_us; // when it repeats its request; 0: it is under way, or there is none
};

struct crowd {
    CURLM *multi;
    const char *url;
    const char *api_key;
    bool pays;
    bool repeats;
    int64_t deadline_us; // nothing new is started after it
    uint64_t started_max;
    struct payer payers[CONNECTIONS_MAX];
    uint32_t *delays_us;
    size_t answered;
    size_t refused;
    uint64_t started;
    size_t under_way;
    size_t waiting; // payers that will repeat
};

static int64_t now_us(void)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static size_t ignore_body(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static void ask(struct crowd *crowd, struct payer *payer)
{
    char text[200];
    curl_slist_free_all(payer->headers);
    payer->headers = curl_slist_append(NULL, "Content-Type: application/json");
    (void)snprintf(text, sizeof(text), "X-API-Key: %s", crowd->api_key);
    payer->headers = curl_slist_append(payer->headers, text);
    (void)snprintf(text, sizeof(text), "Idempotency-Key: load-%d-%" PRIu64, (int)getpid(), payer->number);
    payer->headers = curl_slist_append(payer->headers, text);
    REQUIRE(payer->headers != NULL);
    curl_easy_setopt(payer->easy, CURLOPT_URL, crowd->url);
    curl_easy_setopt(payer->easy, CURLOPT_HTTPHEADER, payer->headers);
    if (crowd->pays) { // many amounts, so that an answer given to the wrong payment is noticed
        (void)snprintf(text, sizeof(text),
                       "{\"amount\":\"%" PRIu64 ".%02" PRIu64 "\",\"currency\":\"USD\","
                       "\"provider\":\"stripe\",\"payment_method\":\"pm_card_visa\"}",
                       1 + payer->number % 1000, payer->number % 97);
        curl_easy_setopt(payer->easy, CURLOPT_COPYPOSTFIELDS, text);
    }
    curl_easy_setopt(payer->easy, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(payer->easy, CURLOPT_PRIVATE, payer);
    curl_easy_setopt(payer->easy, CURLOPT_NOPROXY, "*");
    REQUIRE(curl_multi_add_handle(crowd->multi, payer->easy) == CURLM_OK);
    crowd->under_way++;
}

// The payer's next request, if there is to be one.
static void start(struct crowd *crowd, struct payer *payer)
{
    if (crowd->started < crowd->started_max && now_us() < crowd->deadline_us) {
        payer->number = crowd->started++;
        payer->started_us = now_us();
        ask(crowd, payer);
    }
}

static void note_answer(struct crowd *crowd, CURLMsg *message)
{
    struct payer *payer = NULL;
    long status = 0;
    REQUIRE(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&payer) == CURLE_OK);
    REQUIRE(curl_easy_getinfo(payer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    bool fine = message->data.result == CURLE_OK && status == (crowd->pays ? 201 : 200);
    REQUIRE(curl_multi_remove_handle(crowd->multi, payer->easy) == CURLM_OK);
    crowd->under_way--;
    if (fine && crowd->answered < SAMPLES_MAX) {
        crowd->delays_us[crowd->answered++] = (uint32_t)(now_us() - payer->started_us);
    }
    crowd->refused += !fine;
    if (!fine && crowd->repeats) {
        payer->repeats_us = now_us() + PAUSE_US;
        crowd->waiting++;
    } else {
        start(crowd, payer);
    }
}

static void repeat_what_is_due(struct crowd *crowd)
{
    for (size_t i = 0; i < CONNECTIONS_MAX && crowd->waiting > 0; i++) {
        struct payer *payer = &crowd->payers[i];
        if (payer->repeats_us != 0 && now_us() >= payer->repeats_us) {
            payer->repeats_us = 0;
            crowd->waiting--;
            ask(crowd, payer);
        }
    }
}

// Until all that was started is over.
static void run(struct crowd *crowd, size_t connections)
{
    for (size_t i = 0; i < connections; i++) {
        crowd->payers[i].easy = curl_easy_init();
        REQUIRE(crowd->payers[i].easy != NULL);
        start(crowd, &crowd->payers[i]);
    }
    while (crowd->under_way > 0 || crowd->waiting > 0) {
        int running;
        int queued;
        REQUIRE(curl_multi_perform(crowd->multi, &running) == CURLM_OK);
        for (CURLMsg *message; (message = curl_multi_info_read(crowd->multi, &queued));) {
            note_answer(crowd, message);
        }
        repeat_what_is_due(crowd);
        if (crowd->under_way > 0 || crowd->waiting > 0) {
            REQUIRE(curl_multi_poll(crowd->multi, NULL, 0, POLL_MS, NULL) == CURLM_OK);
        }
    }
}

static int by_delay(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double delay_ms(const struct crowd *crowd, unsigned percent)
{
    if (crowd->answered == 0) {
        return 0;
    }
    const size_t rank = (crowd->answered - 1) * percent / 100;
    return crowd->delays_us[rank] / 1000.0;
}

int main(int argc, char **argv)
{
    const unsigned long connections = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;
    const unsigned long amount = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
    if (connections == 0 || connections > CONNECTIONS_MAX || amount == 0 || amount > SAMPLES_MAX) {
        (void)fprintf(stderr, "usage: load pay|get URL API_KEY CONNECTIONS SECONDS\n"
                              "       load all URL API_KEY CONNECTIONS PAYMENTS\n");
        return 2;
    }
    const int64_t start_us = now_us();
    static struct crowd crowd;
    crowd = (struct crowd){.url = argv[2],
                           .api_key = argv[3],
                           .pays = strcmp(argv[1], "get") != 0,
                           .repeats = strcmp(argv[1], "all") == 0};
    crowd.started_max = crowd.repeats ? amount : UINT64_MAX;
    crowd.deadline_us = crowd.repeats ? INT64_MAX : start_us + (int64_t)amount * US_PER_S;
    crowd.delays_us = calloc(SAMPLES_MAX, sizeof(*crowd.delays_us));
    REQUIRE(crowd.delays_us != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    crowd.multi = curl_multi_init();
    REQUIRE(crowd.multi != NULL);

    run(&crowd, connections);
    const double elapsed_s = (double)(now_us() - start_us) / US_PER_S;

    qsort(crowd.delays_us, crowd.answered, sizeof(*crowd.delays_us), by_delay);
    (void)printf("%5lu connections: %6zu %s, %6.0f a second; median %6.1f ms, 99 %% within %6.1f ms, slowest "
                 "%6.1f ms; "
                 "%zu refused%s\n",
                 connections, crowd.answered, crowd.pays ? "payments" : "reads",
                 (double)crowd.answered / elapsed_s, delay_ms(&crowd, 50), delay_ms(&crowd, 99),
                 delay_ms(&crowd, 100), crowd.refused, crowd.repeats ? " and repeated" : "");
    for (size_t i = 0; i < connections; i++) {
        curl_easy_cleanup(crowd.payers[i].easy);
        curl_slist_free_all(crowd.payers[i].headers);
    }
    curl_multi_cleanup(crowd.multi);
    curl_global_cleanup();
    free(crowd.delays_us);
    const bool all = crowd.repeats ? crowd.answered == crowd.started : crowd.refused == 0;
    return all && crowd.answered > 0 ? 0 : 1;
}
