// What every command needs before it opens the database: valid settings, the data directory and the keys.
#pragma once

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/keyring.h"

// ERR_CONFIG if there is none; the message names its path and how to set another.
enum errc startup_require_database(const struct config *config, struct err *err) MUST_CHECK;

// ERR_CONFIG if the default directory has no database, but the default of earlier versions (./data) does.
enum errc startup_refuse_forgotten_database(const struct config *config, struct err *err) MUST_CHECK;

// Loads the keys. The first start creates the data directory and the key files. Once there is a database they
// are never created again: it cannot be read with other keys. ERR_CONFIG.
enum errc startup_load_keys(const struct config *config, struct keyring *keyring, struct err *err) MUST_CHECK;

// The file of the next master key during a rotation. In the arena.
const char *startup_next_master_key_file(const struct config *config, struct arena *arena);
// Call it when the database refuses a key. If a rotation was interrupted, it adds to the message what to do.
void startup_explain_rotation(const struct config *config, struct err *err);

// Checks the settings that config.c treats as plain text: addresses, URLs, schedules, rates. Creates nothing.
// The message of ERR_VALIDATION names the setting.
enum errc startup_check_settings(const struct config *config, struct arena *arena,
                                 struct err *err) MUST_CHECK;
