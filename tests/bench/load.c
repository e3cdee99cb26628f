// Load generator: keeps CONNECTIONS requests in progress for SECONDS, then prints how many were answered and
// how fast. `load pay URL API_KEY CONNECTIONS SECONDS` makes payments, each under a new idempotency key;
// `load get ...` reads the URL. `load all URL API_KEY CONNECTIONS PAYMENTS` makes that many payments and
// repeats each under its key until it succeeds. One thread.
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
#define PAUSE_US (US_PER_S / 10) // before a repeat
#define POLL_MS 50

struct payer {
    CURL *easy;
    struct curl_slist *headers;
    uint64_t number; // of its payment
    int64_t started_us;
    int64_t repeats_us; // when it repeats its request; 0: it is in progress, or there is none
};

struct load {
    CURLM *multi;
    const char *url;
    const char *api_key;
    bool pays;
    bool repeats;
    int64_t deadline_us; // no request is started after it
    uint64_t started_max;
    struct payer payers[CONNECTIONS_MAX];
    uint32_t *delays_us;
    size_t answered;
    size_t refused;
    uint64_t started;
    size_t in_progress;
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

static void send_request(struct load *load, struct payer *payer)
{
    char text[200];
    curl_slist_free_all(payer->headers);
    payer->headers = curl_slist_append(NULL, "Content-Type: application/json");
    (void)snprintf(text, sizeof(text), "X-API-Key: %s", load->api_key);
    payer->headers = curl_slist_append(payer->headers, text);
    (void)snprintf(text, sizeof(text), "Idempotency-Key: load-%d-%" PRIu64, (int)getpid(), payer->number);
    payer->headers = curl_slist_append(payer->headers, text);
    REQUIRE(payer->headers != NULL);
    curl_easy_setopt(payer->easy, CURLOPT_URL, load->url);
    curl_easy_setopt(payer->easy, CURLOPT_HTTPHEADER, payer->headers);
    if (load->pays) { // many amounts, so that an answer given to the wrong payment is noticed
        (void)snprintf(text, sizeof(text),
                       "{\"amount\":\"%" PRIu64 ".%02" PRIu64 "\",\"currency\":\"USD\","
                       "\"provider\":\"stripe\",\"payment_method\":\"pm_card_visa\"}",
                       1 + payer->number % 1000, payer->number % 97);
        curl_easy_setopt(payer->easy, CURLOPT_COPYPOSTFIELDS, text);
    }
    curl_easy_setopt(payer->easy, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(payer->easy, CURLOPT_PRIVATE, payer);
    curl_easy_setopt(payer->easy, CURLOPT_NOPROXY, "*");
    REQUIRE(curl_multi_add_handle(load->multi, payer->easy) == CURLM_OK);
    load->in_progress++;
}

// Starts the payer's next request, unless the load ends.
static void start(struct load *load, struct payer *payer)
{
    if (load->started < load->started_max && now_us() < load->deadline_us) {
        payer->number = load->started++;
        payer->started_us = now_us();
        send_request(load, payer);
    }
}

static void record_answer(struct load *load, CURLMsg *message)
{
    struct payer *payer = NULL;
    long status = 0;
    REQUIRE(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&payer) == CURLE_OK);
    REQUIRE(curl_easy_getinfo(payer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    bool fine = message->data.result == CURLE_OK && status == (load->pays ? 201 : 200);
    REQUIRE(curl_multi_remove_handle(load->multi, payer->easy) == CURLM_OK);
    load->in_progress--;
    if (fine && load->answered < SAMPLES_MAX) {
        load->delays_us[load->answered++] = (uint32_t)(now_us() - payer->started_us);
    }
    load->refused += !fine;
    if (!fine && load->repeats) {
        payer->repeats_us = now_us() + PAUSE_US;
        load->waiting++;
    } else {
        start(load, payer);
    }
}

static void repeat_due(struct load *load)
{
    for (size_t i = 0; i < CONNECTIONS_MAX && load->waiting > 0; i++) {
        struct payer *payer = &load->payers[i];
        if (payer->repeats_us != 0 && now_us() >= payer->repeats_us) {
            payer->repeats_us = 0;
            load->waiting--;
            send_request(load, payer);
        }
    }
}

// Runs until every request that was started has ended.
static void run(struct load *load, size_t connections)
{
    for (size_t i = 0; i < connections; i++) {
        load->payers[i].easy = curl_easy_init();
        REQUIRE(load->payers[i].easy != NULL);
        start(load, &load->payers[i]);
    }
    while (load->in_progress > 0 || load->waiting > 0) {
        int running;
        int queued;
        REQUIRE(curl_multi_perform(load->multi, &running) == CURLM_OK);
        for (CURLMsg *message; (message = curl_multi_info_read(load->multi, &queued));) {
            record_answer(load, message);
        }
        repeat_due(load);
        if (load->in_progress > 0 || load->waiting > 0) {
            REQUIRE(curl_multi_poll(load->multi, NULL, 0, POLL_MS, NULL) == CURLM_OK);
        }
    }
}

static int by_delay(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double delay_ms(const struct load *load, unsigned percent)
{
    if (load->answered == 0) {
        return 0;
    }
    const size_t rank = (load->answered - 1) * percent / 100;
    return load->delays_us[rank] / 1000.0;
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
    static struct load load;
    load = (struct load){.url = argv[2],
                         .api_key = argv[3],
                         .pays = strcmp(argv[1], "get") != 0,
                         .repeats = strcmp(argv[1], "all") == 0};
    load.started_max = load.repeats ? amount : UINT64_MAX;
    load.deadline_us = load.repeats ? INT64_MAX : start_us + (int64_t)amount * US_PER_S;
    load.delays_us = calloc(SAMPLES_MAX, sizeof(*load.delays_us));
    REQUIRE(load.delays_us != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    load.multi = curl_multi_init();
    REQUIRE(load.multi != NULL);

    run(&load, connections);
    const double elapsed_s = (double)(now_us() - start_us) / US_PER_S;

    qsort(load.delays_us, load.answered, sizeof(*load.delays_us), by_delay);
    (void)printf("%5lu connections: %6zu %s, %6.0f a second; median %6.1f ms, 99 %% within %6.1f ms, slowest "
                 "%6.1f ms; "
                 "%zu refused%s\n",
                 connections, load.answered, load.pays ? "payments" : "reads",
                 (double)load.answered / elapsed_s, delay_ms(&load, 50), delay_ms(&load, 99),
                 delay_ms(&load, 100), load.refused, load.repeats ? " and repeated" : "");
    for (size_t i = 0; i < connections; i++) {
        curl_easy_cleanup(load.payers[i].easy);
        curl_slist_free_all(load.payers[i].headers);
    }
    curl_multi_cleanup(load.multi);
    curl_global_cleanup();
    free(load.delays_us);
    const bool all = load.repeats ? load.answered == load.started : load.refused == 0;
    return all && load.answered > 0 ? 0 : 1;
}
