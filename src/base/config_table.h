// The table of settings, a row for each. Internal to config.c and config_table.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_CHOICE, // one of the words in `choices`
    CONFIG_INT,
    CONFIG_BOOL,
    CONFIG_DURATION, // "500ms", "30s", "10m", "23h", "30d"; a plain number is seconds
    CONFIG_FILE,     // the settings file: set by flag and environment only, kept in no field
};

struct config_row {
    // The flag without its dashes. The variable is PAYMENTS_ and the name in upper case with '-' as '_'.
    const char *name;
    size_t offset; // of the field in struct config
    enum config_kind kind;
    const char *preset;  // the default as a user would write it; NULL: not set
    int64_t least;       // of numbers, and of durations in milliseconds
    int64_t most;        // likewise
    const char *choices; // separated by single spaces
    const char *help;    // one sentence
};

#define CONFIG_ROW_COUNT 35
#define CONFIG_STATE_HOME "~/.local/state" // for the help; config.c finds the real one
#define CONFIG_DATA_DIR "DATA_DIR"         // in a preset: the data directory, wherever it is

extern const struct config_row config_rows[CONFIG_ROW_COUNT];

// The row with this name, or NULL.
const struct config_row *config_row_find(const char *name, size_t name_bytes);

// The row's environment variable, in the arena.
const char *config_row_variable(const struct config_row *row, struct arena *arena);

// Reads `value` into the row's field. ERR_CONFIG: "must be ..., not ..."; the caller puts the setting's name
// before it.
enum errc config_row_set(const struct config_row *row, struct config *config, const char *value,
                         struct err *err) MUST_CHECK;
