// The marker holds the database file's inode and the time of its last change (ctime), which no program can
// set: a copy, a move, a write or a change of its mode each changes them. A write-ahead log can hold writes
// that do not show in the file itself, so a running service has no marker.
#include "cli/shutdown_marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/store.h"

#define MARKER_BYTES 80

static const char *marker_path(const char *database, struct arena *arena)
{
    return arena_printf(arena, "%s.stopped", database);
}

static bool format_marker(const char *database, char marker[MARKER_BYTES])
{
    struct stat file;
    if (stat(database, &file) != 0) {
        return false;
    }
    (void)snprintf(marker, MARKER_BYTES, "%llu %lld.%09ld\n", (unsigned long long)file.st_ino,
                   (long long)file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
    return true;
}

// Reads the file; an empty text if it cannot be read.
static void read_marker(const char *path, char marker[MARKER_BYTES])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t bytes = descriptor >= 0 ? read(descriptor, marker, MARKER_BYTES - 1) : -1;
    marker[bytes > 0 ? bytes : 0] = '\0';
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

void shutdown_marker_write(const struct config *config)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = store_file(config->database);
    if (database == NULL) {
        return;
    }
    char marker[MARKER_BYTES];
    bool created = false;
    struct err err = {.message = "the database is gone"};
    if (!format_marker(database, marker) ||
        file_create(marker_path(database, &arena), marker, strlen(marker), &created, &err) != OK) {
        LOG(LOG_WARN, "cannot write the shutdown marker: the next start asks the provider before it charges",
            LOG_STR("error", err.message));
    }
}

bool shutdown_marker_consume(const struct config *config)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = store_file(config->database);
    if (database == NULL) {
        return true;
    }
    const char *path = marker_path(database, &arena);
    char found[MARKER_BYTES];
    char present[MARKER_BYTES];
    read_marker(path, found);
    bool same = format_marker(database, present) && strcmp(found, present) == 0;
    // A marker that came back after a power failure would vouch for writes that it does not cover.
    bool gone = (unlink(path) == 0 || errno == ENOENT) && file_sync_directory_of(path, NULL) == OK;
    return same && gone;
}
