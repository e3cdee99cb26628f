// Captures the log lines that are written while stderr is a file. The file has no name, so nothing remains.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/require.h"

struct capture {
    FILE *file;
    int stderr_before;
};

static inline struct capture capture_start(void)
{
    struct capture capture = {.file = tmpfile(), .stderr_before = dup(STDERR_FILENO)};
    REQUIRE(capture.file != NULL && capture.stderr_before >= 0);
    REQUIRE(fcntl(fileno(capture.file), F_SETFL, O_APPEND) == 0); // as a log is opened: writes do not overlap
    REQUIRE(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
    return capture;
}

static inline void capture_end(struct capture *capture, struct buf *text)
{
    REQUIRE(dup2(capture->stderr_before, STDERR_FILENO) >= 0);
    REQUIRE(close(capture->stderr_before) == 0);
    rewind(capture->file);
    char piece[4096];
    size_t bytes;
    while ((bytes = fread(piece, 1, sizeof piece, capture->file)) > 0) {
        buf_add(text, piece, bytes);
    }
    (void)fclose(capture->file);
}
