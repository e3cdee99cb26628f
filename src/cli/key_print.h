// Prints API keys.
#pragma once

#include "base/json_writer.h"
#include "cli/command.h"

// Writes the members of a key: never more of it than its prefix.
void key_write(struct json_writer *json, const struct api_key *key, const struct merchant *merchant,
               int64_t now_us);

// Prints a new key whole; it cannot be printed again. Returns the exit status.
int new_key_print(struct command *command, const struct new_key *new_key);
