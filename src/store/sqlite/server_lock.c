// Allows one server a database. The lock is on the database's own file, so it holds whatever path or link
// leads there. flock and SQLite's own locks are independent of each other. But closing any descriptor of the
// file releases SQLite's locks in the whole process, so the file is claimed before it is opened in any other
// way, and released after everything else is closed. Any thread.
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

// Which process holds the lock. The system lists it as "1: FLOCK  ADVISORY  WRITE 4711 fe:00:10215874 0 EOF".
// Empty: the system does not say, for example because the process is in another container.
static void find_holder(int descriptor, char pid[32])
{
    *pid = '\0';
    struct stat file;
    char place[64];
    char line[256];
    __attribute__((cleanup(close_file))) FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL || fstat(descriptor, &file) != 0) {
        return;
    }
    (void)snprintf(place, sizeof(place), " %02x:%02x:%llu ", major(file.st_dev), minor(file.st_dev),
                   (unsigned long long)file.st_ino);
    while (fgets(line, sizeof(line), locks) != NULL) {
        char *end = strstr(line, place);
        if (end == NULL || strstr(line, "FLOCK") == NULL) {
            continue;
        }
        *end = '\0';
        const char *holder = strrchr(line, ' ');
        if (holder != NULL && holder[1] >= '1' && holder[1] <= '9') {
            (void)snprintf(pid, 32, "%.31s", holder + 1);
        }
        return;
    }
}

static enum errc lock(int descriptor, int how, const char *path, struct err *err)
{
    if (flock(descriptor, how | LOCK_NB) == 0) {
        return OK;
    }
    if (errno != EWOULDBLOCK) {
        return err_set(err, ERR_CONFIG, "cannot lock the database %s: %s", path, strerrordesc_np(errno));
    }
    char pid[32];
    find_holder(descriptor, pid);
    return err_set(err, ERR_CONFIG, "another paymentsd is serving this database (%s is locked%s%s)", path,
                   *pid ? " by process " : "", pid);
}

enum errc sqlite_claim(const char *database, int *claim, struct err *err)
{
    char path[PATH_MAX];
    const enum errc rc = sqlite_path(database, path, err);
    if (rc != OK) {
        return rc;
    }
    const int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (descriptor < 0) {
        return sqlite_unusable(SQLITE_CANTOPEN, path, strerrordesc_np(errno), err);
    }
    const enum errc locked = lock(descriptor, LOCK_EX, path, err);
    if (locked != OK) {
        close(descriptor);
        return locked;
    }
    *claim = descriptor;
    return OK;
}

// Tries the lock for an instant, and shared, so that two callers do not see each other.
enum errc sqlite_check_unclaimed(const char *database, struct err *err)
{
    char path[PATH_MAX];
    const enum errc rc = sqlite_path(database, path, err);
    if (rc != OK) {
        return rc;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return OK; // the code that needs the file reports why it cannot be opened
    }
    const enum errc locked = lock(descriptor, LOCK_SH, path, err);
    close(descriptor);
    return locked;
}

enum errc sqlite_in_place(const char *database, int claim, struct err *err)
{
    char path[PATH_MAX];
    const enum errc rc = sqlite_path(database, path, err);
    if (rc != OK) {
        return rc;
    }
    struct stat ours;
    struct stat there;
    if (fstat(claim, &ours) != 0) {
        return err_set(err, ERR_STORE, "database: cannot inspect the file %s: %s", path,
                       strerrordesc_np(errno));
    }
    if (stat(path, &there) != 0) {
        return err_set(err, ERR_STORE, "database: cannot find the file %s: %s", path, strerrordesc_np(errno));
    }
    return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino
               ? OK
               : err_set(err, ERR_STORE,
                         "database: the file %s was replaced while the service was running: stop the "
                         "service, restore the right file, and start the service again",
                         path);
}
