// See file.h. Failures are nearly always a permission or a full disk, so each error is a line for the
// operator: the path and the system's reason.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0700
#define TEMPORARY_SUFFIX ".XXXXXX"

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
    }
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static enum errc make_one(const char *path, struct err *err)
{
    if (mkdir(path, DIRECTORY_MODE) == 0 || (errno == EEXIST && is_directory(path))) {
        return OK;
    }
    return err_set(err, ERR_CONFIG, "cannot create the directory %s: %s", path,
                   errno == EEXIST ? "a file of that name exists" : strerror(errno));
}

enum errc file_make_directory(const char *path, struct err *err)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        return err_set(err, ERR_CONFIG, "the directory's name is too long: %.80s...", path);
    }
    if (is_directory(path)) {
        return OK; // also where its parents may not be read
    }
    for (char *at = part + 1; part[0] != '\0' && *at != '\0'; at++) {
        if (*at != '/') {
            continue;
        }
        *at = '\0';
        if (!is_directory(part)) {
            enum errc rc = make_one(part, err);
            if (rc != OK) {
                return rc;
            }
        }
        *at = '/';
    }
    return make_one(part, err);
}

// "a/b" to "a", "b" to ".", "/b" to "/".
static enum errc directory_of(const char *path, char out[PATH_MAX], struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t chars = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (chars >= PATH_MAX) {
        return err_set(err, ERR_CONFIG, "the file's name is too long: %.80s...", path);
    }
    memcpy(out, slash == NULL ? "." : path, slash == NULL ? 1 : chars);
    out[slash == NULL ? 1 : chars] = '\0';
    return OK;
}

enum errc file_make_directory_of(const char *path, struct err *err)
{
    char directory[PATH_MAX];
    enum errc rc = directory_of(path, directory, err);
    return rc != OK ? rc : file_make_directory(directory, err);
}

enum errc file_sync(const char *path, struct err *err)
{
    __attribute__((cleanup(close_descriptor))) int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) != 0) {
        return err_set(err, ERR_IO, "cannot make %s durable: %s", path, strerror(errno));
    }
    return OK;
}

enum errc file_sync_directory_of(const char *path, struct err *err)
{
    char directory[PATH_MAX];
    enum errc rc = directory_of(path, directory, err);
    return rc != OK ? rc : file_sync(directory, err);
}

bool file_write(int descriptor, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    while (bytes > 0) {
        ssize_t written = write(descriptor, at, bytes);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            at += written;
            bytes -= (size_t)written;
        }
    }
    return true;
}

// Writes a temporary file beside `path` (mkostemp makes it 0600) and links it as `path`. Unlike rename, link
// refuses to replace a file that another process has made meanwhile.
static enum errc write_and_link(const char *path, char *temporary, const void *data, size_t bytes,
                                bool *created, struct err *err)
{
    __attribute__((cleanup(close_descriptor))) int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0) {
        return err_set(err, ERR_CONFIG, "cannot create the file %s: %s", path, strerror(errno));
    }
    bool whole = file_write(descriptor, data, bytes) && fsync(descriptor) == 0;
    *created = whole && link(temporary, path) == 0;
    int reason = errno;
    (void)unlink(temporary);
    if (!*created && !(whole && reason == EEXIST)) {
        return err_set(err, ERR_CONFIG, "cannot create the file %s: %s", path, strerror(reason));
    }
    return OK;
}

enum errc file_create(const char *path, const void *data, size_t bytes, bool *created, struct err *err)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s" TEMPORARY_SUFFIX, path) >= (int)sizeof temporary) {
        return err_set(err, ERR_CONFIG, "the file's name is too long: %.80s...", path);
    }
    enum errc rc = write_and_link(path, temporary, data, bytes, created, err);
    return rc != OK ? rc : file_sync_directory_of(path, err);
}

enum errc file_link(const char *path, const char *name, struct err *err)
{
    if (link(path, name) != 0 && errno != EEXIST) {
        return err_set(err, ERR_CONFIG, "cannot link %s as %s: %s", path, name, strerror(errno));
    }
    return file_sync_directory_of(name, err);
}

enum errc file_replace(const char *path, const char *by, struct err *err)
{
    if (rename(by, path) != 0) {
        return err_set(err, ERR_CONFIG, "cannot rename %s to %s: %s", by, path, strerror(errno));
    }
    return file_sync_directory_of(path, err);
}
