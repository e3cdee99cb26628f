// paymentsd healthcheck: asks the running service whether it is ready, for service managers and containers
// without an HTTP client.
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"

#define TIMEOUT_MS 5000L

static void close_curl(CURL **handle)
{
    curl_easy_cleanup(*handle);
}

// If the service listens on every address, this asks the loopback address.
static const char *url_of(struct arena *arena, const char *listen)
{
    static const char any4[] = "0.0.0.0:";
    static const char any6[] = "[::]:";
    if (text_starts_with(listen, any4)) {
        return arena_printf(arena, "http://127.0.0.1:%s/readyz", listen + strlen(any4));
    }
    if (text_starts_with(listen, any6)) {
        return arena_printf(arena, "http://[::1]:%s/readyz", listen + strlen(any6));
    }
    return arena_printf(arena, "http://%s/readyz", listen);
}

static size_t discard(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static enum errc ask(const char *url, struct err *err)
{
    __attribute__((cleanup(close_curl))) CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return err_set(err, ERR_IO, "cannot start an HTTP request");
    }
    long status = 0;
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); // no proxy, even if the environment sets one
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        return err_set(err, ERR_IO, "%s: %s", url, curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? OK : err_set(err, ERR_IO, "%s: not ready (HTTP %ld)", url, status);
}

int cmd_healthcheck(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const struct command_form form = {0};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    struct err err;
    if (ask(url_of(&command.arena, command.config.listen), &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command.json ? "{\"ready\":true}" : "ready");
    return 0;
}
