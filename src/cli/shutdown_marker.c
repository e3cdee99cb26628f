// See stop_mark.h. The mark is the database file's inode and the time of its last change (ctime), which no
// program can set: a copy, a move, a write and a change of its mode all give another. A write-ahead log can
// hold writes that the file itself does not show, so a running service has no mark.
#include "cli/shutdown_marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/startup.h"

#define MARK_BYTES 80

static const char *mark_path(const char *database, struct arena *arena)
{
    return arena_printf(arena, "%s.stopped", database);
}

static bool make_mark(const char *database, char mark[MARK_BYTES])
{
    struct stat file;
    if (stat(database, &file) != 0) {
        return false;
    }
    (void)snprintf(mark, MARK_BYTES, "%llu %lld.%09ld\n", (unsigned long long)file.st_ino,
                   (long long)file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
    return true;
}

// What is in the file; nothing where it cannot be read.
static void read_mark(const char *path, char mark[MARK_BYTES])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t bytes = descriptor >= 0 ? read(descriptor, mark, MARK_BYTES - 1) : -1;
    mark[bytes > 0 ? bytes : 0] = '\0';
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

void shutdown_marker_write(const struct config *config)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = startup_database_file(config);
    char mark[MARK_BYTES];
    bool created = false;
    struct err err = {.message = "the database is gone"};
    if (!make_mark(database, mark) ||
        file_create(mark_path(database, &arena), mark, strlen(mark), &created, &err) != OK) {
        LOG(LOG_WARN, "the stop cannot be marked: the next start asks Stripe before it charges",
            LOG_STR("error", err.message));
    }
}

bool shutdown_marker_consume(const struct config *config)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    const char *database = startup_database_file(config);
    const char *path = mark_path(database, &arena);
    char found[MARK_BYTES];
    char present[MARK_BYTES];
    read_mark(path, found);
    bool same = make_mark(database, present) && strcmp(found, present) == 0;
    // One that came back after a loss of power would vouch for writes that it does not know.
    bool gone = (unlink(path) == 0 || errno == ENOENT) && file_sync_directory_of(path, NULL) == OK;
    return same && gone;
}
