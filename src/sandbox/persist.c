// The file of --data. See persist.h. Invariant: the file is always a journal that rebuilds the state up to
// its last whole line; the rewritten file replaces it by rename.
#include "sandbox/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/require.h"

static void close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static void free_line(char **line)
{
    free(*line);
}

static enum errc restore(struct sandbox *sandbox, const char *path, struct err *err)
{
    __attribute__((cleanup(close_file))) FILE *file = fopen(path, "re");
    __attribute__((cleanup(free_line))) char *line = NULL;
    if (file == NULL) {
        return errno == ENOENT ? OK : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    size_t capacity = 0;
    for (size_t number = 1;; number++) {
        ssize_t bytes = getline(&line, &capacity, file);
        if (bytes <= 0 || line[bytes - 1] != '\n') {
            return OK; // the end, or a line that a kill cut short; no answer reported its change
        }
        struct err inner;
        if (sandbox_restore_line(sandbox, line, (size_t)bytes - 1, &inner) != OK) {
            return err_set(err, ERR_CONFIG, "%s: line %zu: %s", path, number, inner.message);
        }
    }
}

static void append(const struct buf *lines, void *context)
{
    REQUIRE(!lines->overflow && file_write(*(int *)context, buf_str(lines), lines->len));
}

enum errc persist_open(struct persist *persist, struct sandbox *sandbox, const char *path, struct err *err)
{
    *persist = (struct persist){.fd = -1};
    if (path == NULL) {
        return OK;
    }
    enum errc rc = restore(sandbox, path, err);
    if (rc != OK) {
        return rc;
    }
    struct arena arena ARENA_CLEANUP = ARENA_EMPTY;
    const char *fresh = arena_printf(&arena, "%s.new", path);
    // 0600: a journal contains secret keys.
    persist->fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (persist->fd < 0) {
        return err_set(err, ERR_IO, "%s: %s", fresh, strerror(errno));
    }
    sandbox_journal_on(sandbox);
    sandbox_journal_everything(sandbox, append, &persist->fd);
    if (rename(fresh, path) != 0) {
        rc = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        persist_close(persist);
        return rc;
    }
    return OK;
}

void persist_flush(struct persist *persist, struct sandbox *sandbox)
{
    struct buf *journal = sandbox_journal(sandbox);
    if (persist->fd >= 0 && journal->len > 0) {
        append(journal, &persist->fd);
        buf_release(journal);
    }
}

void persist_close(struct persist *persist)
{
    if (persist->fd >= 0) {
        (void)close(persist->fd);
        persist->fd = -1;
    }
}
