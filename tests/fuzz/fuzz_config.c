// config_load, with flags and with a settings file: input that begins with "--" is flags, one a line; any
// other input is the file. An accepted configuration is within its bounds and has every setting that has a
// default.
#include "base/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"

#define WORDS_MAX 16

static char home[] = "HOME=/home/ops";

static void check_config(const struct config *config)
{
    REQUIRE(config->listen[0] != '\0' && config->database[0] != '\0' && config->data_dir[0] != '\0');
    REQUIRE(config->master_key_file[0] != '\0' && config->pepper_file[0] != '\0');
    REQUIRE(config->provider_api_base[0] != '\0' && config->webhook_schedule[0] != '\0');
    REQUIRE(config->provider_ca_file == NULL || config->provider_ca_file[0] != '\0');
    REQUIRE(config->charge_window_ms > 0 && config->charge_window_ms <= INT64_C(23) * 3600 * 1000);
    REQUIRE(config->provider_timeout_ms > 0 && config->webhook_timeout_ms > 0 && config->patience_ms > 0);
    REQUIRE(config->reconcile_interval_ms > 0 && config->drain_timeout_ms > 0);
    REQUIRE(config->connections_max > 0 && config->operations_max > 0 && config->queue_max > 0);
    REQUIRE(config->webhook_in_flight_max > 0 && config->webhook_endpoint_max > 0);
    REQUIRE(strchr(config->log_level, ' ') == NULL &&
            strstr("debug info warn error", config->log_level) != NULL);
}

static void load(struct arena *arena, int argc, char **argv, char **environment)
{
    struct config config = {.queue_max = -7};
    const char *rest[WORDS_MAX];
    int rest_count = 0;
    struct err err = {0};
    if (config_load(&config, arena, argc, argv, environment, rest, WORDS_MAX, &rest_count, &err) != OK) {
        REQUIRE((err.code == ERR_CONFIG || err.code == ERR_VALIDATION) && err.message[0] != '\0' &&
                config.queue_max == -7);
        return;
    }
    REQUIRE(rest_count >= 0 && rest_count <= argc);
    check_config(&config);
}

static void load_flags(struct arena *arena, char *text)
{
    char *words[WORDS_MAX];
    int count = 0;
    for (char *word = strsep(&text, "\n"); word != NULL && count < WORDS_MAX; word = strsep(&text, "\n")) {
        if (!text_starts_with(word, "--config")) { // it would open any file on this machine
            words[count++] = word;
        }
    }
    load(arena, count, words, (char *[]){home, NULL});
}

static void load_file(struct arena *arena, const uint8_t *data, size_t bytes)
{
    int fd = memfd_create("fuzz_config", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    char *variable = arena_printf(arena, "PAYMENTS_CONFIG=/proc/self/fd/%d", fd);
    load(arena, 0, NULL, (char *[]){home, variable, NULL});
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    if (bytes >= 2 && memcmp(data, "--", 2) == 0) {
        FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
        load_flags(&arena, text);
    } else {
        load_file(&arena, data, bytes);
    }
    return 0;
}
