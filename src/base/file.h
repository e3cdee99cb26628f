// The few things the service does with files itself. Blocking; before threads start, and in commands.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Makes a directory and those above it that are missing, mode 0700; one that is there is left as it is.
// ERR_CONFIG.
enum errc file_make_directory(const char *path, struct err *err) MUST_CHECK;
// The same for the directory that a file of this path would be in.
enum errc file_make_directory_of(const char *path, struct err *err) MUST_CHECK;

// Makes a file with this content, mode 0600, durable when it returns. It appears whole or not at all, and
// never replaces one: *created is false where a file of that name was there or another process was first.
// ERR_CONFIG.
enum errc file_create(const char *path, const void *data, size_t bytes, bool *created,
                      struct err *err) MUST_CHECK;

// Gives a file a second name, durably; one that is there already is taken for it. ERR_CONFIG.
enum errc file_name_again(const char *path, const char *name, struct err *err) MUST_CHECK;
// Puts a file in another one's place, at one instant and durably. ERR_CONFIG.
enum errc file_replace(const char *path, const char *by, struct err *err) MUST_CHECK;

// Makes what was written to a file or a directory's entries durable. ERR_IO.
enum errc file_sync(const char *path, struct err *err) MUST_CHECK;
enum errc file_sync_directory_of(const char *path, struct err *err) MUST_CHECK;
