// The marker holds the database file's inode and the time of its last change (ctime), which no program can
// set: a copy, a move, a write or a change of its mode each changes them. A write-ahead log can hold writes
// that do not show in the file itself, so a running service has no marker. That of a shared database is
// random.
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

static const char *marker_path(const struct config *config, struct arena *arena)
{
    const char *file = store_file(config->database);
    return file != NULL ? arena_printf(arena, "%s.stopped", file)
                        : arena_printf(arena, "%s/postgresql.stopped", config->data_dir);
}

// Of a database file.
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

void shutdown_marker_write(const struct config *config, const struct uuid *mark)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = store_file(config->database);
    if (database == NULL && uuid_is_nil(mark)) {
        return;
    }
    char marker[MARKER_BYTES];
    bool formatted = true;
    bool created = false;
    struct err err = {.message = "the database is gone"};
    if (database != NULL) {
        formatted = format_marker(database, marker);
    } else {
        uuid_format(mark, marker);
    }
    if (!formatted ||
        file_create(marker_path(config, &arena), marker, strlen(marker), &created, &err) != OK) {
        LOG(LOG_WARN, "cannot write the shutdown marker: the next start asks the provider before it charges",
            LOG_STR("error", err.message));
    }
}

bool shutdown_marker_consume(const struct config *config, struct uuid *mark)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = store_file(config->database);
    const char *path = marker_path(config, &arena);
    char found[MARKER_BYTES];
    char present[MARKER_BYTES];
    read_marker(path, found);
    // A marker that came back after a power failure would vouch for writes that it does not cover.
    bool gone = (unlink(path) == 0 || errno == ENOENT) && file_sync_directory_of(path, NULL) == OK;
    if (database == NULL && (!gone || !uuid_parse(found, mark))) {
        *mark = (struct uuid){0};
    }
    return database != NULL && gone && format_marker(database, present) && strcmp(found, present) == 0;
}
