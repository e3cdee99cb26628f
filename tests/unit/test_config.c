// Settings: defaults, precedence, and every way to get one wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/require.h"
#include "base/text.h"

#define VARIABLES_MAX 8

struct loaded {
    struct arena arena;
    struct config config;
    struct err err;
    const char *rest[2];
    int rest_count;
};

static void release(struct loaded *loaded)
{
    arena_release(&loaded->arena);
}
#define LOADED_CLEANUP __attribute__((cleanup(release)))

// A vector as main() gets it; nobody writes to its words.
#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static enum errc load(struct loaded *loaded, char **words, char **environment)
{
    *loaded = (struct loaded){0};
    int count = 0;
    while (words[count] != NULL) {
        count++;
    }
    char *whole[VARIABLES_MAX + 2] = {0}; // as everywhere there is a HOME, unless the test gives another
    int variables = 0;
    for (; environment[variables] != NULL; variables++) {
        REQUIRE(variables < VARIABLES_MAX);
        whole[variables] = environment[variables];
    }
    whole[variables] = (char *)"HOME=/home/ops";
    return config_load(&loaded->config, &loaded->arena, count, words, whole, loaded->rest,
                       COUNT_OF(loaded->rest), &loaded->rest_count, &loaded->err);
}

static void assert_loads(struct loaded *loaded, char **words, char **environment)
{
    if (load(loaded, words, environment) != OK) {
        fail_msg("refused: %s", loaded->err.message);
    }
}

static void assert_fails(char **words, char **environment, enum errc code, const char *message)
{
    LOADED_CLEANUP struct loaded loaded;
    assert_int_equal(load(&loaded, words, environment), code);
    assert_string_equal(loaded.err.message, message);
    assert_null(loaded.config.listen); // untouched
}

// What the program was called with.
static void assert_refused(char **words, char **environment, const char *message)
{
    assert_fails(words, environment, ERR_VALIDATION, message);
}

// A file of settings in memory, reached through /proc: nothing is left behind.
struct settings_file {
    int fd;
    char path[40];
};

static void close_settings(struct settings_file *file)
{
    (void)close(file->fd);
}

static struct settings_file settings_file(const char *text, size_t bytes)
{
    struct settings_file file = {.fd = memfd_create("settings", MFD_CLOEXEC)};
    REQUIRE(file.fd >= 0 && write(file.fd, text, bytes) == (ssize_t)bytes);
    (void)snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}
#define FILE_CLEANUP __attribute__((cleanup(close_settings)))

static void every_setting_has_its_default(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS(), WORDS("PATH=/bin", "PAYMENT=no prefix of ours"));
    const struct config *config = &loaded.config;
    assert_string_equal(config->listen, "127.0.0.1:8080");
    assert_string_equal(config->data_dir, "/home/ops/.local/state/paymentsd");
    assert_false(config->data_dir_given);
    assert_string_equal(config->database, "sqlite:/home/ops/.local/state/paymentsd/payments.db");
    assert_string_equal(config->master_key_file, "/home/ops/.local/state/paymentsd/master.key");
    assert_string_equal(config->pepper_file, "/home/ops/.local/state/paymentsd/pepper.key");
    assert_string_equal(config->stripe_api_base, "https://api.stripe.com");
    assert_null(config->stripe_ca_file);
    assert_int_equal(config->stripe_timeout_ms, 80000);
    assert_null(config->webhook_allow);
    assert_false(config->webhook_allow_http);
    assert_string_equal(config->webhook_schedule, "5,300,1800,7200,18000,36000,50400,72000,86400");
    assert_int_equal(config->webhook_timeout_ms, 15000);
    assert_int_equal(config->webhook_in_flight_max, 256);
    assert_int_equal(config->webhook_endpoint_max, 8);
    assert_null(config->proxy);
    assert_null(config->trusted_proxies);
    assert_int_equal(config->charge_window_ms, 600000);
    assert_int_equal(config->patience_ms, 30000);
    assert_int_equal(config->reconcile_interval_ms, 5000);
    assert_int_equal(config->connections_max, 4096);
    assert_int_equal(config->idle_timeout_ms, 90000); // nginx and AWS keep a connection for 60 s
    assert_int_equal(config->operations_max, 2048);
    assert_int_equal(config->queue_max, 8192);
    assert_int_equal(config->drain_timeout_ms, 30000);
    assert_string_equal(config->log_level, "info");
    assert_int_equal(loaded.rest_count, 0);
}

static void a_flag_goes_before_a_variable_and_a_variable_before_the_file(void **state)
{
    (void)state;
    static const char text[] = "listen = file:1\npatience = 1s\nlog-level = warn\n";
    FILE_CLEANUP struct settings_file file = settings_file(text, strlen(text));
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--config", file.path, "--listen=flag:1"),
                 WORDS("PAYMENTS_LISTEN=variable:1", "PAYMENTS_PATIENCE=2s"));
    assert_string_equal(loaded.config.listen, "flag:1");
    assert_int_equal(loaded.config.patience_ms, 2000);
    assert_string_equal(loaded.config.log_level, "warn");
}

static void the_flag_says_which_file_if_the_variable_says_another(void **state)
{
    (void)state;
    FILE_CLEANUP struct settings_file file = settings_file("listen = right:1\n", 17);
    char variable[80];
    (void)snprintf(variable, sizeof variable, "PAYMENTS_CONFIG=%s", file.path);
    LOADED_CLEANUP struct loaded by_variable;
    assert_loads(&by_variable, WORDS(), WORDS(variable));
    assert_string_equal(by_variable.config.listen, "right:1");
    LOADED_CLEANUP struct loaded by_flag;
    assert_loads(&by_flag, WORDS("--config", file.path), WORDS("PAYMENTS_CONFIG=/nowhere"));
    assert_string_equal(by_flag.config.listen, "right:1");
}

static void what_lies_in_the_data_directory_follows_it(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--pepper-file", "/run/pepper"),
                 WORDS("PAYMENTS_DATA_DIR=/var/lib/payments"));
    assert_string_equal(loaded.config.database, "sqlite:/var/lib/payments/payments.db");
    assert_string_equal(loaded.config.master_key_file, "/var/lib/payments/master.key");
    assert_string_equal(loaded.config.pepper_file, "/run/pepper");
}

static void assert_data_dir(char **environment, const char *expected)
{
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS(), environment);
    assert_string_equal(loaded.config.data_dir, expected);
}

static void data_without_a_place_lies_where_a_programs_state_does(void **state)
{
    (void)state;
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME=/x"), "/x/paymentsd");
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME=relative"), "/h/.local/state/paymentsd");
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME="), "/h/.local/state/paymentsd");
    assert_data_dir(WORDS("XDG_STATE_HOME=/x", "STATE_DIRECTORY=/var/lib/payments"), "/var/lib/payments");
    assert_data_dir(WORDS("STATE_DIRECTORY=/var/lib/one:/var/lib/two"), "/var/lib/one");
    assert_data_dir(WORDS("STATE_DIRECTORY=/s", "PAYMENTS_DATA_DIR=/given"), "/given");
}

static void data_that_has_no_place_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct config config = {0};
    int rest_count = 0;
    assert_int_equal(config_load(&config, &arena, 0, NULL, WORDS("PATH=/bin"), NULL, 0, &rest_count, &err),
                     ERR_CONFIG);
    assert_string_equal(err.message,
                        "there is no place for the data, as HOME is not set: name a directory by "
                        "PAYMENTS_DATA_DIR or --data-dir");
}

static void words_and_flags_may_mix(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("one", "--webhook-allow-http", "-", "--listen", "--odd"), WORDS());
    assert_int_equal(loaded.rest_count, 2);
    assert_string_equal(loaded.rest[0], "one");
    assert_string_equal(loaded.rest[1], "-");
    assert_true(loaded.config.webhook_allow_http);
    assert_string_equal(loaded.config.listen, "--odd");
    LOADED_CLEANUP struct loaded behind;
    assert_loads(&behind, WORDS("--", "--listen"), WORDS());
    assert_string_equal(behind.rest[0], "--listen");
}

static void durations_have_units_and_plain_numbers_are_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"500ms", 500}, {"30s", 30000}, {"30", 30000}, {"10m", 600000}, {"0010m", 600000}};
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        LOADED_CLEANUP struct loaded loaded;
        assert_loads(&loaded, WORDS("--patience", durations[i].text), WORDS());
        assert_int_equal(loaded.config.patience_ms, durations[i].ms);
    }
    static const char *const malformed[] = {"s",
                                            "ms",
                                            "-1s",
                                            "+1s",
                                            "1.5s",
                                            "1 s",
                                            "1S",
                                            "1d",
                                            "1h30m",
                                            "0x1s",
                                            "9223372036854775807h",
                                            "9223372036854775808",
                                            "99999999999999999999999s"};
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        LOADED_CLEANUP struct loaded loaded;
        assert_int_equal(load(&loaded, WORDS("--patience", malformed[i]), WORDS()), ERR_VALIDATION);
    }
}

static void switches_are_true_or_false(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        bool truth;
    } switches[] = {
        {"PAYMENTS_WEBHOOK_ALLOW_HTTP=true", true},
        {"PAYMENTS_WEBHOOK_ALLOW_HTTP=1", true},
        {"PAYMENTS_WEBHOOK_ALLOW_HTTP=false", false},
        {"PAYMENTS_WEBHOOK_ALLOW_HTTP=0", false},
    };
    for (size_t i = 0; i < COUNT_OF(switches); i++) {
        LOADED_CLEANUP struct loaded loaded;
        assert_loads(&loaded, WORDS(), WORDS(switches[i].variable));
        assert_int_equal(loaded.config.webhook_allow_http, switches[i].truth);
    }
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--webhook-allow-http=false"), WORDS("PAYMENTS_WEBHOOK_ALLOW_HTTP=true"));
    assert_false(loaded.config.webhook_allow_http);
    assert_refused(WORDS(), WORDS("PAYMENTS_WEBHOOK_ALLOW_HTTP=yes"),
                   "PAYMENTS_WEBHOOK_ALLOW_HTTP takes true or false, not \"yes\"");
}

static void bounds_hold_at_both_ends(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--charge-window=23h", "--connections=16"), WORDS());
    assert_int_equal(loaded.config.charge_window_ms, INT64_C(23) * 3600 * 1000);
    assert_refused(WORDS("--charge-window=82801"), WORDS(),
                   "--charge-window takes a duration from 1s to 23h (units ms, s, m, h), not \"82801\"");
    assert_refused(WORDS(), WORDS("PAYMENTS_CONNECTIONS=15"),
                   "PAYMENTS_CONNECTIONS takes a number from 16 to 1000000, not \"15\"");
    assert_refused(WORDS("--connections=1000001"), WORDS(),
                   "--connections takes a number from 16 to 1000000, not \"1000001\"");
    assert_refused(WORDS("--queue=many"), WORDS(), "--queue takes a number from 16 to 1000000, not \"many\"");
}

static void a_level_is_one_of_four_words(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--log-level=error"), WORDS());
    static const char *const wrong[] = {"--log-level=warning", "--log-level=err", "--log-level=debug info",
                                        "--log-level=INFO", "--log-level="};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        LOADED_CLEANUP struct loaded refused;
        assert_int_equal(load(&refused, WORDS(wrong[i]), WORDS()), ERR_VALIDATION);
        assert_non_null(strstr(refused.err.message, "one of: debug info warn error"));
    }
}

static void an_empty_value_is_a_mistake(void **state)
{
    (void)state;
    assert_refused(WORDS("--listen="), WORDS(), "--listen takes a text that is not empty, not \"\"");
}

static void an_empty_variable_counts_as_not_there(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS(), WORDS("PAYMENTS_WEBHOOK_ALLOW=", "PAYMENTS_PATIENCE="));
    assert_null(loaded.config.webhook_allow);
    assert_int_equal(loaded.config.patience_ms, 30000);
}

static void a_variable_that_is_no_setting_changes_nothing(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS(), WORDS("PAYMENTS_LISEN=x", "PAYMENTS_DATA-DIR=x", "PAYMENTS_=x"));
    assert_string_equal(loaded.config.listen, "127.0.0.1:8080");
    assert_false(loaded.config.data_dir_given);
}

static void unknown_flags_and_words_are_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--lisen", "x"), WORDS(), "there is no flag --lisen");
    assert_refused(WORDS("--lisen=x"), WORDS(), "there is no flag --lisen");
    assert_refused(WORDS("-l"), WORDS(), "there is no flag -l");
    assert_refused(WORDS("-xlisten=x"), WORDS(), "there is no flag -xlisten");
    assert_refused(WORDS("--data_dir=x"), WORDS(), "there is no flag --data_dir");
    assert_refused(WORDS("a", "b", "c"), WORDS(), "unexpected argument \"c\"");
}

static void a_setting_given_twice_in_one_place_is_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--listen=a", "--listen", "b"), WORDS(), "--listen is given twice");
    assert_refused(WORDS(), WORDS("PAYMENTS_LISTEN=a", "PAYMENTS_LISTEN=a"),
                   "PAYMENTS_LISTEN is given twice");
}

static void a_flag_without_its_value_is_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--listen"), WORDS(), "--listen needs a value");
}

static void a_file_has_comments_spaces_and_other_line_ends(void **state)
{
    (void)state;
    static const char text[] =
        "# a comment\r\n\r\n  listen=a:1\r\n\tdata-dir \t= /a = b \n   # another\nwebhook-allow-http = true";
    FILE_CLEANUP struct settings_file file = settings_file(text, strlen(text));
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--config", file.path), WORDS());
    assert_string_equal(loaded.config.listen, "a:1");
    assert_string_equal(loaded.config.data_dir, "/a = b");
    assert_true(loaded.config.webhook_allow_http);
}

static void assert_file_refused(const char *text, size_t bytes, const char *message)
{
    FILE_CLEANUP struct settings_file file = settings_file(text, bytes);
    LOADED_CLEANUP struct loaded loaded;
    assert_int_equal(load(&loaded, WORDS("--config", file.path), WORDS()), ERR_VALIDATION);
    const char *said = strstr(loaded.err.message, file.path);
    assert_non_null(said); // the file is named
    assert_non_null(strstr(loaded.err.message, message));
}

static void a_mistake_in_the_file_is_found_and_placed(void **state)
{
    (void)state;
    assert_file_refused("listen = a\nlisen = b\n", 21, "line 2: there is no setting \"lisen\"");
    assert_file_refused("\n\nlisten a\n", 11, "line 3 is not \"name = value\"");
    assert_file_refused("config = other\n", 15, "there is no setting \"config\"");
    assert_file_refused("listen = a\nlisten = b\n", 22, "is given twice");
    assert_file_refused("listen =\n", 9, "takes a text that is not empty");
    assert_file_refused("queue = 1\n", 10, "takes a number from 16");
    assert_file_refused("listen = a\0b\n", 13, "is no file of settings");
    static char large[70000];
    memset(large, '#', sizeof large);
    assert_file_refused(large, sizeof large, "is no file of settings");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--config=/nowhere/settings"), WORDS(),
                   "cannot open the file of settings /nowhere/settings: No such file or directory");
    assert_refused(WORDS("--config=/"), WORDS(), "cannot read the file of settings /: Is a directory");
}

static void help_shows_flag_variable_default_and_bounds(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    REQUIRE(out != NULL);
    config_print_help(out);
    REQUIRE(fclose(out) == 0);
    static const char *const said[] = {
        "--charge-window DURATION",
        "PAYMENTS_CHARGE_WINDOW\n",
        "default 10m; a duration from 1s to 23h",
        "--webhook-allow-http  ",
        "default false; true or false",
        "default sqlite:DATA_DIR/payments.db\n",
        "default 4096; a number from 16 to 1000000",
        "default info; one of: debug info warn error",
        "--config FILE",
        "PAYMENTS_CONFIG\n",
        "default none\n",
    };
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        if (strstr(text, said[i]) == NULL) {
            fail_msg("help does not say '%s'", said[i]);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_its_default),
        cmocka_unit_test(a_flag_goes_before_a_variable_and_a_variable_before_the_file),
        cmocka_unit_test(the_flag_says_which_file_if_the_variable_says_another),
        cmocka_unit_test(what_lies_in_the_data_directory_follows_it),
        cmocka_unit_test(data_without_a_place_lies_where_a_programs_state_does),
        cmocka_unit_test(data_that_has_no_place_is_refused),
        cmocka_unit_test(words_and_flags_may_mix),
        cmocka_unit_test(durations_have_units_and_plain_numbers_are_seconds),
        cmocka_unit_test(switches_are_true_or_false),
        cmocka_unit_test(bounds_hold_at_both_ends),
        cmocka_unit_test(a_level_is_one_of_four_words),
        cmocka_unit_test(an_empty_value_is_a_mistake),
        cmocka_unit_test(unknown_flags_and_words_are_refused),
        cmocka_unit_test(an_empty_variable_counts_as_not_there),
        cmocka_unit_test(a_variable_that_is_no_setting_changes_nothing),
        cmocka_unit_test(a_setting_given_twice_in_one_place_is_refused),
        cmocka_unit_test(a_flag_without_its_value_is_refused),
        cmocka_unit_test(a_file_has_comments_spaces_and_other_line_ends),
        cmocka_unit_test(a_mistake_in_the_file_is_found_and_placed),
        cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
        cmocka_unit_test(help_shows_flag_variable_default_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
