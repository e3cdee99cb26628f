// Looks at a database's file without SQLite. Any thread.
//
// Closing a descriptor of a file drops this process's locks on it, so nothing here may run while the database
// is open.
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
    }
}

// An empty file is no database yet.
enum errc sqlite_file_holds(const char *database, bool *holds, struct err *err)
{
    static const char magic[16] = "SQLite format 3"; // its NUL is the 16th byte
    char start[sizeof magic];
    const char *path = database + strlen(sqlite_driver.prefix);
    __attribute__((cleanup(close_descriptor))) int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *holds = false;
    if (descriptor < 0 && errno == ENOENT) {
        return OK;
    }
    ssize_t bytes = descriptor < 0 ? -1 : read(descriptor, start, sizeof start);
    if (bytes < 0) {
        return err_set(err, ERR_CONFIG, "cannot read the database %s: %s", path, strerror(errno));
    }
    *holds = bytes == (ssize_t)sizeof start && memcmp(start, magic, sizeof magic) == 0;
    return *holds || bytes == 0
               ? OK
               : err_set(err, ERR_CONFIG, "cannot use the database %s: it is not a SQLite database", path);
}

const char *sqlite_name(const char *database, struct arena *arena)
{
    const char *path = database + strlen(sqlite_driver.prefix);
    char whole[PATH_MAX];
    return arena_strdup(arena, realpath(path, whole) != NULL ? whole : path);
}
