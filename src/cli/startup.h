// What every start needs before the database is opened: sound settings, the data directory and the service's
// keys.
#pragma once

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/keyring.h"

// The file of a SQLite database, or NULL where the database is another. Points into the setting.
const char *startup_database_file(const struct config *config);

// Whether there is a database of these settings. ERR_CONFIG where it cannot be told: it may not be read, or
// something else is in its place.
enum errc startup_has_database(const struct config *config, bool *has, struct err *err) MUST_CHECK;
// ERR_CONFIG where there is none, with its path and how to name another.
enum errc startup_need_database(const struct config *config, struct err *err) MUST_CHECK;

// ERR_CONFIG where the present default holds none, but the place that was the default once does.
enum errc startup_refuse_forgotten_database(const struct config *config, struct err *err) MUST_CHECK;

// Loads the keys. With SQLite, the first start makes the data directory and the key files; once there is a
// database they are never made anew, for it cannot be read with others. ERR_CONFIG with one plain line.
enum errc startup_load_keys(const struct config *config, struct keyring *keyring, struct err *err) MUST_CHECK;

// Where a rotation makes the next master key. In the arena.
const char *startup_next_master_key_file(const struct config *config, struct arena *arena);
// Adds to the message of a key that the database refuses what to do where a rotation was interrupted.
void startup_explain_rotation(const struct config *config, struct err *err);

// Whether the settings that are mere texts to config.c make sense to those who will use them: addresses,
// URLs, schedules. Makes nothing. ERR_VALIDATION names the setting.
enum errc startup_check_settings(const struct config *config, struct arena *arena,
                                 struct err *err) MUST_CHECK;
