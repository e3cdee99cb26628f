// The settings file: where it is found, what it overrides, and what is refused in it.
#include "config_fixture.h"

#include <sys/mman.h>
#include <unistd.h>

// A settings file in memory, opened through /proc, so that nothing has to be deleted.
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

static void flags_override_variables_and_variables_override_the_file(void **state)
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
    assert_file_refused("listen = a\nlisen = b\n", 21, "line 2: unknown setting \"lisen\"");
    assert_file_refused("\n\nlisten a\n", 11, "line 3 is not \"name = value\"");
    assert_file_refused("config = other\n", 15, "unknown setting \"config\"");
    assert_file_refused("listen = a\nlisten = b\n", 22, "is given twice");
    assert_file_refused("listen =\n", 9, "must not be empty");
    assert_file_refused("queue = 1\n", 10, "must be a number from 16");
    assert_file_refused("listen = a\0b\n", 13, "is not a settings file");
    static char large[70000];
    memset(large, '#', sizeof large);
    assert_file_refused(large, sizeof large, "is not a settings file");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    assert_refused(WORDS("--config=/nowhere/settings"), WORDS(),
                   "cannot open the settings file /nowhere/settings: No such file or directory");
    assert_refused(WORDS("--config=/"), WORDS(), "cannot read the settings file /: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_override_variables_and_variables_override_the_file),
        cmocka_unit_test(the_flag_says_which_file_if_the_variable_says_another),
        cmocka_unit_test(a_file_has_comments_spaces_and_other_line_ends),
        cmocka_unit_test(a_mistake_in_the_file_is_found_and_placed),
        cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
