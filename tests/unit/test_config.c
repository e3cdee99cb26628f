// Settings from flags and variables: defaults, bounds, and every way to get one wrong.
#include "config_fixture.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))

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
    assert_string_equal(config->provider_api_base, "https://api.stripe.com");
    assert_null(config->provider_ca_file);
    assert_int_equal(config->provider_timeout_ms, 80000);
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
    assert_int_equal(config->answers_kept_ms, 2 * DAY_MS);
    assert_int_equal(config->webhooks_kept_ms, 30 * DAY_MS);
    assert_int_equal(config->history_kept_ms, 400 * DAY_MS);
    assert_int_equal(config->audit_counts_kept_ms, 90 * DAY_MS);
    assert_int_equal(config->connections_max, 4096);
    assert_int_equal(config->idle_timeout_ms, 90000); // nginx and AWS keep a connection for 60 s
    assert_int_equal(config->operations_max, 2048);
    assert_int_equal(config->queue_max, 8192);
    assert_int_equal(config->queue_wait_ms, 250);
    assert_int_equal(config->drain_timeout_ms, 30000);
    assert_string_equal(config->log_level, "info");
    assert_int_equal(loaded.rest_count, 0);
}

static void files_in_the_data_directory_follow_it(void **state)
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

static void data_without_a_directory_is_in_the_programs_state_directory(void **state)
{
    (void)state;
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME=/x"), "/x/paymentsd");
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME=relative"), "/h/.local/state/paymentsd");
    assert_data_dir(WORDS("HOME=/h", "XDG_STATE_HOME="), "/h/.local/state/paymentsd");
    assert_data_dir(WORDS("XDG_STATE_HOME=/x", "STATE_DIRECTORY=/var/lib/payments"), "/var/lib/payments");
    assert_data_dir(WORDS("STATE_DIRECTORY=/var/lib/one:/var/lib/two"), "/var/lib/one");
    assert_data_dir(WORDS("STATE_DIRECTORY=/s", "PAYMENTS_DATA_DIR=/given"), "/given");
}

static void data_without_a_directory_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    struct config config = {0};
    int rest_count = 0;
    assert_int_equal(config_load(&config, &arena, 0, NULL, WORDS("PATH=/bin"), NULL, 0, &rest_count, &err),
                     ERR_CONFIG);
    assert_string_equal(
        err.message,
        "no directory for the data, because HOME is not set: set PAYMENTS_DATA_DIR or --data-dir");
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
    LOADED_CLEANUP struct loaded after;
    assert_loads(&after, WORDS("--", "--listen"), WORDS());
    assert_string_equal(after.rest[0], "--listen");
}

static void a_duration_may_be_in_days(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--webhooks-kept", "90d"), WORDS());
    assert_int_equal(loaded.config.webhooks_kept_ms, 90 * DAY_MS);
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
                   "PAYMENTS_WEBHOOK_ALLOW_HTTP must be true or false, not \"yes\"");
}

static void bounds_hold_at_both_ends(void **state)
{
    (void)state;
    LOADED_CLEANUP struct loaded loaded;
    assert_loads(&loaded, WORDS("--charge-window=23h", "--connections=16"), WORDS());
    assert_int_equal(loaded.config.charge_window_ms, INT64_C(23) * 3600 * 1000);
    assert_refused(WORDS("--charge-window=82801"), WORDS(),
                   "--charge-window must be a duration from 1s to 23h (units ms, s, m, h, d), not \"82801\"");
    assert_refused(WORDS(), WORDS("PAYMENTS_CONNECTIONS=15"),
                   "PAYMENTS_CONNECTIONS must be a number from 16 to 1000000, not \"15\"");
    assert_refused(WORDS("--connections=1000001"), WORDS(),
                   "--connections must be a number from 16 to 1000000, not \"1000001\"");
    assert_refused(WORDS("--queue=many"), WORDS(),
                   "--queue must be a number from 16 to 1000000, not \"many\"");
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
    assert_refused(WORDS("--listen="), WORDS(), "--listen must not be empty");
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
    assert_refused(WORDS("--lisen", "x"), WORDS(), "unknown flag --lisen");
    assert_refused(WORDS("--lisen=x"), WORDS(), "unknown flag --lisen");
    assert_refused(WORDS("-l"), WORDS(), "unknown flag -l");
    assert_refused(WORDS("-xlisten=x"), WORDS(), "unknown flag -xlisten");
    assert_refused(WORDS("--data_dir=x"), WORDS(), "unknown flag --data_dir");
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
        cmocka_unit_test(files_in_the_data_directory_follow_it),
        cmocka_unit_test(data_without_a_directory_is_in_the_programs_state_directory),
        cmocka_unit_test(data_without_a_directory_is_refused),
        cmocka_unit_test(words_and_flags_may_mix),
        cmocka_unit_test(a_duration_may_be_in_days),
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
        cmocka_unit_test(help_shows_flag_variable_default_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
