// Directories and small files, made durably and never half. Blocking; before threads start, and in commands.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Makes a directory and its missing parents, mode 0700. One that exists is left as it is. ERR_CONFIG.
enum errc file_make_directory(const char *path, struct err *err) MUST_CHECK;
// The same for the directory of this file.
enum errc file_make_directory_of(const char *path, struct err *err) MUST_CHECK;

// Makes a file with this content, mode 0600, durable when it returns. The file appears whole or not at all,
// and replaces none: *created is false where one of that name exists. ERR_CONFIG.
enum errc file_create(const char *path, const void *data, size_t bytes, bool *created,
                      struct err *err) MUST_CHECK;

// Gives a file a second name, durably. If that name exists, nothing changes. ERR_CONFIG.
enum errc file_link(const char *path, const char *name, struct err *err) MUST_CHECK;
// Replaces `path` by the file `by`, atomically and durably. ERR_CONFIG.
enum errc file_replace(const char *path, const char *by, struct err *err) MUST_CHECK;

// Writes all bytes. False: it failed; errno says why.
bool file_write(int descriptor, const void *data, size_t bytes) MUST_CHECK;

// Makes a file's content or a directory's entries durable. ERR_IO.
enum errc file_sync(const char *path, struct err *err) MUST_CHECK;
enum errc file_sync_directory_of(const char *path, struct err *err) MUST_CHECK;
