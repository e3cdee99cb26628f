// Where settings come from: flags override environment variables, which override the settings file, which
// overrides the defaults. config_table.c says what each setting is. Runs before threads start, and at SIGHUP.
#include "base/config.h"

#include <errno.h>
#include <string.h>

#include "base/config_table.h"
#include "base/log.h"
#include "base/require.h"
#include "base/text.h"

#define FILE_BYTES_MAX 65536
#define VARIABLE_PREFIX "PAYMENTS_"

// A later one overrides an earlier one.
enum source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };

// The settings as they were written, by row, while they are collected.
struct settings {
    struct arena *arena;
    struct {
        const char *value; // NULL: not given
        enum source source;
    } rows[CONFIG_ROW_COUNT];
};

// The setting as its source names it, for messages: --listen, PAYMENTS_LISTEN, or listen (in FILE).
static const char *name_in_source(struct settings *settings, const struct config_row *row, enum source source)
{
    switch (source) {
    case FROM_FLAG:
        return arena_printf(settings->arena, "--%s", row->name);
    case FROM_ENVIRONMENT:
        return config_row_variable(row, settings->arena);
    case FROM_FILE:
        return arena_printf(settings->arena, "%s (in %s)", row->name, settings->rows[0].value);
    case FROM_DEFAULT:
        return arena_printf(settings->arena, "%s (by default)", row->name);
    }
    REQUIRE(!"a source of settings");
}

static enum errc set_value(struct settings *settings, const struct config_row *row, const char *value,
                           enum source source, struct err *err)
{
    size_t at = (size_t)(row - config_rows);
    if (settings->rows[at].value != NULL && settings->rows[at].source == source) {
        return err_set(err, ERR_VALIDATION, "%s is given twice", name_in_source(settings, row, source));
    }
    if (settings->rows[at].value == NULL || settings->rows[at].source < source) {
        settings->rows[at].value = arena_strdup(settings->arena, value);
        settings->rows[at].source = source;
    }
    return OK;
}

// Reads the flag at argv[*at], whose value is in it or follows it. Leaves *at on the last word that it used.
static enum errc read_flag(struct settings *settings, int argc, char **argv, int *at, struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t name_bytes = strcspn(name, "=");
    const struct config_row *row = config_row_find(name, name_bytes);
    if (row == NULL || !text_starts_with(argv[*at], "--")) {
        return err_set(err, ERR_VALIDATION, "unknown flag %.*s", (int)strcspn(argv[*at], "="), argv[*at]);
    }
    const char *value = name + name_bytes + 1;
    if (name[name_bytes] == '\0') {
        // A switch takes no word after it: --webhook-allow-http, or --webhook-allow-http=false.
        value = row->kind == CONFIG_BOOL ? "true" : *at + 1 < argc ? argv[++*at] : NULL;
    }
    if (value == NULL) {
        return err_set(err, ERR_VALIDATION, "--%s needs a value", row->name);
    }
    return set_value(settings, row, value, FROM_FLAG, err);
}

static enum errc read_arguments(struct settings *settings, int argc, char **argv, const char **rest,
                                int rest_max, int *rest_count, struct err *err)
{
    *rest_count = 0;
    bool flags_end = false; // after "--" every word is positional
    for (int at = 0; at < argc; at++) {
        if (!flags_end && text_equal(argv[at], "--")) {
            flags_end = true;
        } else if (!flags_end && argv[at][0] == '-' && argv[at][1] != '\0') {
            enum errc rc = read_flag(settings, argc, argv, &at, err);
            if (rc != OK) {
                return rc;
            }
        } else if (*rest_count == rest_max) {
            return err_set(err, ERR_VALIDATION, "unexpected argument \"%s\"", argv[at]);
        } else {
            rest[(*rest_count)++] = argv[at];
        }
    }
    return OK;
}

static enum errc read_environment(struct settings *settings, char **environment, struct err *err)
{
    for (char **at = environment; *at != NULL; at++) {
        if (!text_starts_with(*at, VARIABLE_PREFIX)) {
            continue;
        }
        size_t name_bytes = strcspn(*at, "=");
        const char *name = arena_strndup(settings->arena, *at, name_bytes);
        const struct config_row *row = NULL;
        for (size_t i = 0; i < CONFIG_ROW_COUNT && row == NULL; i++) {
            row = text_equal(config_row_variable(&config_rows[i], settings->arena), name) ? &config_rows[i]
                                                                                          : NULL;
        }
        if (row == NULL) { // an error would be too strict: the variable may be another version's
            LOG(LOG_WARN, "an unknown setting in the environment is ignored", LOG_STR("variable", name));
            continue;
        }
        const char *value = *at + name_bytes + ((*at)[name_bytes] == '=' ? 1 : 0);
        if (*value == '\0') {
            continue; // counts as not set: not every caller can unset a variable
        }
        enum errc rc = set_value(settings, row, value, FROM_ENVIRONMENT, err);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static enum errc read_file(struct arena *arena, const char *path, char **content, struct err *err)
{
    __attribute__((cleanup(close_file))) FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, ERR_VALIDATION, "cannot open the settings file %s: %s", path, strerror(errno));
    }
    char *text = arena_alloc(arena, FILE_BYTES_MAX + 1);
    size_t bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        return err_set(err, ERR_VALIDATION, "cannot read the settings file %s: %s", path, strerror(errno));
    }
    if (bytes > FILE_BYTES_MAX || memchr(text, '\0', bytes) != NULL) {
        return err_set(err, ERR_VALIDATION,
                       "%s is not a settings file: it has more than %d bytes or is not text", path,
                       FILE_BYTES_MAX);
    }
    *content = text;
    return OK;
}

static enum errc read_line(struct settings *settings, const char *path, int number, const char *line,
                           struct err *err)
{
    const char *text = text_trim(settings->arena, line);
    if (*text == '\0' || *text == '#') {
        return OK;
    }
    size_t before = strcspn(text, "=");
    const char *name = text_trim(settings->arena, arena_strndup(settings->arena, text, before));
    const struct config_row *row = config_row_find(name, strlen(name));
    if (text[before] != '=') {
        return err_set(err, ERR_VALIDATION, "%s line %d is not \"name = value\"", path, number);
    }
    if (row == NULL || row->kind == CONFIG_FILE) {
        return err_set(err, ERR_VALIDATION, "%s line %d: unknown setting \"%s\"", path, number, name);
    }
    return set_value(settings, row, text_trim(settings->arena, text + before + 1), FROM_FILE, err);
}

static enum errc read_settings(struct settings *settings, const char *path, struct err *err)
{
    char *content = NULL;
    enum errc rc = read_file(settings->arena, path, &content, err);
    if (rc != OK) {
        return rc;
    }
    int number = 1;
    for (char *line = strsep(&content, "\n"); line != NULL; line = strsep(&content, "\n"), number++) {
        rc = read_line(settings, path, number, line, err);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

// The value of an environment variable; NULL where it is not set, or empty.
static const char *variable(char **environment, const char *name)
{
    size_t bytes = strlen(name);
    for (char **at = environment; *at != NULL; at++) {
        if (strncmp(*at, name, bytes) == 0 && (*at)[bytes] == '=' && (*at)[bytes + 1] != '\0') {
            return *at + bytes + 1;
        }
    }
    return NULL;
}

// The data directory where none is set: the one that systemd made for the service, else the one that the XDG
// Base Directory Specification gives a program's state, if it is an absolute path. Never the working
// directory, which differs from caller to caller. NULL: there is none.
static const char *default_data_dir(struct arena *arena, char **environment)
{
    const char *systemd = variable(environment, "STATE_DIRECTORY");
    const char *state = variable(environment, "XDG_STATE_HOME");
    const char *home = variable(environment, "HOME");
    if (systemd != NULL && *systemd == '/') {
        return arena_strndup(arena, systemd, strcspn(systemd, ":")); // the first, where the unit has several
    }
    if (state != NULL && *state == '/') {
        return arena_printf(arena, "%s/paymentsd", state);
    }
    return home != NULL && *home == '/' ? arena_printf(arena, "%s/.local/state/paymentsd", home) : NULL;
}

// Fills in the defaults. Those in the data directory follow it, wherever it is.
static enum errc set_defaults(struct settings *settings, char **environment, struct err *err)
{
    const struct config_row *data_dir = config_row_find("data-dir", strlen("data-dir"));
    size_t data_dir_at = (size_t)(data_dir - config_rows);
    const char *directory = settings->rows[data_dir_at].value;
    if (directory == NULL) {
        directory = default_data_dir(settings->arena, environment);
        settings->rows[data_dir_at].value = directory;
        settings->rows[data_dir_at].source = FROM_DEFAULT;
    }
    if (directory == NULL) {
        return err_set(err, ERR_CONFIG,
                       "no directory for the data, because HOME is not set: set %s or --data-dir",
                       config_row_variable(data_dir, settings->arena));
    }
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const char *preset = config_rows[i].preset;
        if (settings->rows[i].value != NULL || preset == NULL) {
            continue;
        }
        const char *in_data_dir = strstr(preset, CONFIG_DATA_DIR);
        settings->rows[i].source = FROM_DEFAULT;
        settings->rows[i].value =
            in_data_dir == NULL ? preset
                                : arena_printf(settings->arena, "%.*s%s%s", (int)(in_data_dir - preset),
                                               preset, directory, in_data_dir + strlen(CONFIG_DATA_DIR));
    }
    return OK;
}

enum errc config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                      const char **rest, int rest_max, int *rest_count, struct err *err)
{
    struct settings settings = {.arena = arena};
    enum errc rc = read_arguments(&settings, argc, argv, rest, rest_max, rest_count, err);
    if (rc == OK) {
        rc = read_environment(&settings, environment, err);
    }
    REQUIRE(config_rows[0].kind == CONFIG_FILE);
    if (rc == OK && settings.rows[0].value != NULL) {
        rc = read_settings(&settings, settings.rows[0].value, err);
    }
    if (rc == OK) {
        rc = set_defaults(&settings, environment, err);
    }
    if (rc != OK) {
        return rc;
    }
    const struct config_row *data_dir = config_row_find("data-dir", strlen("data-dir"));
    struct config loaded = {.data_dir_given = settings.rows[data_dir - config_rows].source != FROM_DEFAULT};
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (settings.rows[i].value == NULL) {
            continue;
        }
        struct err why;
        rc = config_row_set(&config_rows[i], &loaded, settings.rows[i].value, &why);
        if (rc != OK) {
            return err_set(err, ERR_VALIDATION, "%s %s",
                           name_in_source(&settings, &config_rows[i], settings.rows[i].source), why.message);
        }
    }
    *config = loaded;
    return OK;
}
