// Where settings come from: flags, environment, file, defaults, in that order of precedence.
// What a setting is, stands in config_table.c. Runs once, before there are threads.
#include "base/config.h"

#include <errno.h>
#include <string.h>

#include "base/config_table.h"
#include "base/log.h"
#include "base/require.h"
#include "base/text.h"

#define FILE_BYTES_MAX 65536
#define VARIABLE_PREFIX "PAYMENTS_"

// In order of precedence.
enum source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };

// The settings as they were written, by row, while they are gathered.
struct given {
    struct arena *arena;
    struct {
        const char *value; // NULL: not given
        enum source source;
    } rows[CONFIG_ROW_COUNT];
};

// The setting as whoever gave it wrote it, for messages: --listen, PAYMENTS_LISTEN, or the file's line.
static const char *place_of(struct given *given, const struct config_row *row, enum source source)
{
    switch (source) {
    case FROM_FLAG:
        return arena_printf(given->arena, "--%s", row->name);
    case FROM_ENVIRONMENT:
        return config_row_variable(row, given->arena);
    case FROM_FILE:
        return arena_printf(given->arena, "%s (in %s)", row->name, given->rows[0].value);
    case FROM_DEFAULT:
        return arena_printf(given->arena, "%s (by default)", row->name);
    }
    REQUIRE(!"a source of settings");
}

static enum errc give(struct given *given, const struct config_row *row, const char *value,
                      enum source source, struct err *err)
{
    size_t at = (size_t)(row - config_rows);
    if (given->rows[at].value != NULL && given->rows[at].source == source) {
        return err_set(err, ERR_VALIDATION, "%s is given twice", place_of(given, row, source));
    }
    if (given->rows[at].value == NULL || given->rows[at].source < source) {
        given->rows[at].value = arena_strdup(given->arena, value);
        given->rows[at].source = source;
    }
    return OK;
}

// One flag, at argv[*at], with its value there or behind; leaves *at on the last word it used.
static enum errc take_flag(struct given *given, int argc, char **argv, int *at, struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t name_bytes = strcspn(name, "=");
    const struct config_row *row = config_row_find(name, name_bytes);
    if (row == NULL || !text_starts_with(argv[*at], "--")) {
        return err_set(err, ERR_VALIDATION, "there is no flag %.*s", (int)strcspn(argv[*at], "="), argv[*at]);
    }
    const char *value = name + name_bytes + 1;
    if (name[name_bytes] == '\0') {
        // A switch stands alone, so that the word behind it stays free: --webhook-allow-http, or =false.
        value = row->kind == CONFIG_BOOL ? "true" : *at + 1 < argc ? argv[++*at] : NULL;
    }
    if (value == NULL) {
        return err_set(err, ERR_VALIDATION, "--%s needs a value", row->name);
    }
    return give(given, row, value, FROM_FLAG, err);
}

static enum errc take_words(struct given *given, int argc, char **argv, const char **rest, int rest_max,
                            int *rest_count, struct err *err)
{
    *rest_count = 0;
    bool flags_end = false; // behind "--" every word is positional
    for (int at = 0; at < argc; at++) {
        if (!flags_end && text_equal(argv[at], "--")) {
            flags_end = true;
        } else if (!flags_end && argv[at][0] == '-' && argv[at][1] != '\0') {
            enum errc code = take_flag(given, argc, argv, &at, err);
            if (code != OK) {
                return code;
            }
        } else if (*rest_count == rest_max) {
            return err_set(err, ERR_VALIDATION, "unexpected argument \"%s\"", argv[at]);
        } else {
            rest[(*rest_count)++] = argv[at];
        }
    }
    return OK;
}

static const struct config_row *row_of_variable(struct arena *arena, const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const char *variable = config_row_variable(&config_rows[i], arena);
        if (strlen(variable) == name_bytes && memcmp(variable, name, name_bytes) == 0) {
            return &config_rows[i];
        }
    }
    return NULL;
}

static enum errc take_environment(struct given *given, char **environment, struct err *err)
{
    for (char **at = environment; *at != NULL; at++) {
        if (!text_starts_with(*at, VARIABLE_PREFIX)) {
            continue;
        }
        size_t name_bytes = strcspn(*at, "=");
        const struct config_row *row = row_of_variable(given->arena, *at, name_bytes);
        if (row == NULL) {
            // The environment is not ours alone, and may be an older or newer version's.
            LOG(LOG_WARN, "a variable that is no setting is ignored",
                LOG_STR("variable", arena_strndup(given->arena, *at, name_bytes)));
            continue;
        }
        const char *value = *at + name_bytes + ((*at)[name_bytes] == '=' ? 1 : 0);
        if (*value == '\0') {
            continue; // as if it were not there, which a caller cannot always arrange
        }
        enum errc code = give(given, row, value, FROM_ENVIRONMENT, err);
        if (code != OK) {
            return code;
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
        return err_set(err, ERR_VALIDATION, "cannot open the file of settings %s: %s", path, strerror(errno));
    }
    char *text = arena_alloc(arena, FILE_BYTES_MAX + 1);
    size_t bytes = fread(text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        return err_set(err, ERR_VALIDATION, "cannot read the file of settings %s: %s", path, strerror(errno));
    }
    if (bytes > FILE_BYTES_MAX || memchr(text, '\0', bytes) != NULL) {
        return err_set(err, ERR_VALIDATION, "%s is no file of settings: more than %d bytes, or not text",
                       path, FILE_BYTES_MAX);
    }
    *content = text;
    return OK;
}

static enum errc take_line(struct given *given, const char *path, int number, const char *line,
                           struct err *err)
{
    const char *text = text_trim(given->arena, line);
    if (*text == '\0' || *text == '#') {
        return OK;
    }
    size_t before = strcspn(text, "=");
    const char *name = text_trim(given->arena, arena_strndup(given->arena, text, before));
    const struct config_row *row = config_row_find(name, strlen(name));
    if (text[before] != '=') {
        return err_set(err, ERR_VALIDATION, "%s line %d is not \"name = value\"", path, number);
    }
    if (row == NULL || row->kind == CONFIG_FILE) {
        return err_set(err, ERR_VALIDATION, "%s line %d: there is no setting \"%s\"", path, number, name);
    }
    return give(given, row, text_trim(given->arena, text + before + 1), FROM_FILE, err);
}

static enum errc take_file(struct given *given, const char *path, struct err *err)
{
    char *content = NULL;
    enum errc code = read_file(given->arena, path, &content, err);
    if (code != OK) {
        return code;
    }
    int number = 1;
    for (char *line = strsep(&content, "\n"); line != NULL; line = strsep(&content, "\n"), number++) {
        code = take_line(given, path, number, line, err);
        if (code != OK) {
            return code;
        }
    }
    return OK;
}

// NULL where it is not set, or empty.
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

// Where data lies that nobody gave a place: what systemd made for the service, else where the XDG Base
// Directory Specification puts a program's state, which must be an absolute path. Never the working
// directory, which is another one for each caller. NULL: there is no such place.
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

// Fills in the defaults; those in the data directory follow it, wherever it is.
static enum errc take_defaults(struct given *given, char **environment, struct err *err)
{
    const struct config_row *data_dir = config_row_find("data-dir", strlen("data-dir"));
    size_t data_dir_at = (size_t)(data_dir - config_rows);
    const char *directory = given->rows[data_dir_at].value;
    if (directory == NULL) {
        directory = default_data_dir(given->arena, environment);
        given->rows[data_dir_at].value = directory;
        given->rows[data_dir_at].source = FROM_DEFAULT;
    }
    if (directory == NULL) {
        return err_set(
            err, ERR_CONFIG,
            "there is no place for the data, as HOME is not set: name a directory by %s or --data-dir",
            config_row_variable(data_dir, given->arena));
    }
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        const char *preset = config_rows[i].preset;
        if (given->rows[i].value != NULL || preset == NULL) {
            continue;
        }
        const char *place = strstr(preset, CONFIG_DATA_DIR);
        given->rows[i].source = FROM_DEFAULT;
        given->rows[i].value = place == NULL
                                   ? preset
                                   : arena_printf(given->arena, "%.*s%s%s", (int)(place - preset), preset,
                                                  directory, place + strlen(CONFIG_DATA_DIR));
    }
    return OK;
}

enum errc config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                      const char **rest, int rest_max, int *rest_count, struct err *err)
{
    struct given given = {.arena = arena};
    enum errc code = take_words(&given, argc, argv, rest, rest_max, rest_count, err);
    if (code == OK) {
        code = take_environment(&given, environment, err);
    }
    REQUIRE(config_rows[0].kind == CONFIG_FILE);
    if (code == OK && given.rows[0].value != NULL) {
        code = take_file(&given, given.rows[0].value, err);
    }
    if (code == OK) {
        code = take_defaults(&given, environment, err);
    }
    if (code != OK) {
        return code;
    }
    const struct config_row *data_dir = config_row_find("data-dir", strlen("data-dir"));
    struct config loaded = {.data_dir_given = given.rows[data_dir - config_rows].source != FROM_DEFAULT};
    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (given.rows[i].value == NULL) {
            continue;
        }
        struct err why;
        code = config_row_set(&config_rows[i], &loaded, given.rows[i].value, &why);
        if (code != OK) {
            return err_set(err, ERR_VALIDATION, "%s %s, not \"%.60s\"",
                           place_of(&given, &config_rows[i], given.rows[i].source), why.message,
                           given.rows[i].value);
        }
    }
    *config = loaded;
    return OK;
}
