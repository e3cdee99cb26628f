// Log lines: composed on the stack and written with one call each, so that lines of several threads do not
// mix. Invariants: every line is one valid JSON object, whatever bytes it gets; a field that does not fit is
// left out. Nothing waits for the log's reader: a line that would have to wait is dropped and counted.
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define STRING_BYTES_MAX 500
#define LINE_BYTES_MAX PIPE_BUF // a pipe takes this much whole or not at all
#define LINE_END "}\n"

static atomic_int least_level = LOG_INFO;
static atomic_llong dropped_total;

// Where lines go; constant once threads run.
static int out = STDERR_FILENO;
static enum { OUT_MAY_WAIT, OUT_NEVER_WAITS, OUT_SOCKET } out_kind;

// What is left over from the lines before; under the mutex.
static pthread_mutex_t out_mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t dropped;           // lines, since that was last logged
static char rest[LINE_BYTES_MAX]; // of the last line, which a terminal may take in part
static size_t rest_bytes;

struct line {
    size_t len;
    bool full; // something did not fit since this was cleared
    char text[LINE_BYTES_MAX];
};

static void put(struct line *line, const char *text, size_t bytes)
{
    if (line->full || bytes > LINE_BYTES_MAX - strlen(LINE_END) - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, text, bytes);
    line->len += bytes;
}

static void put_code_point(struct line *line, uint32_t code_point)
{
    char escaped[16];
    int bytes = snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)code_point);
    put(line, escaped, (size_t)bytes);
}

// How many bytes stand for themselves: printable ASCII but '"' and '\\'.
static size_t plain_bytes(const char *text, size_t bytes)
{
    size_t plain = 0;
    while (plain < bytes && text[plain] >= 0x20 && text[plain] < 0x7f && text[plain] != '"' &&
           text[plain] != '\\') {
        plain++;
    }
    return plain;
}

// Escapes control characters, also those of ISO 8859, which a terminal may obey. A malformed byte reads as
// U+FFFD.
static void put_string(struct line *line, const char *text)
{
    put(line, "\"", 1);
    size_t bytes = strnlen(text, STRING_BYTES_MAX + 1);
    if (bytes > STRING_BYTES_MAX) {
        bytes = text_cut(text, bytes, STRING_BYTES_MAX);
    }
    for (size_t at = 0; at < bytes;) {
        size_t plain = plain_bytes(text + at, bytes - at);
        put(line, text + at, plain);
        at += plain;
        if (at == bytes) {
            break;
        }
        uint32_t code_point = 0;
        size_t length = text_utf8_next(text + at, bytes - at, &code_point);
        if (length == 0) {
            put_code_point(line, 0xfffd);
            at++;
            continue;
        }
        if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0)) {
            put_code_point(line, code_point);
        } else {
            if (code_point == '"' || code_point == '\\') {
                put(line, "\\", 1);
            }
            put(line, text + at, length);
        }
        at += length;
    }
    put(line, "\"", 1);
}

// Adds a member, whole or not at all.
static void put_member(struct line *line, const struct log_field *field)
{
    size_t before = line->len;
    put(line, before == 1 ? "" : ",", before == 1 ? 0 : 1);
    put_string(line, field->name);
    put(line, ":", 1);
    if (field->text != NULL) {
        put_string(line, field->text);
    } else {
        char number[TEXT_I64_BYTES];
        put(line, number, text_from_i64(field->number, number));
    }
    if (line->full) {
        line->len = before;
        line->full = false;
    }
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

void log_never_wait(void)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0) {
        return;
    }
    if (S_ISSOCK(status.st_mode)) {
        out_kind = OUT_SOCKET;
    } else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        // Opened anew, because O_NONBLOCK on stderr itself would change it for every process that shares it.
        // A pipe that another user made may not be opened; then write_some only checks for room.
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            out = own;
            out_kind = OUT_NEVER_WAITS;
        }
    }
}

int64_t log_dropped_total(void)
{
    return atomic_load(&dropped_total);
}

static ssize_t write_some(const char *text, size_t bytes)
{
    struct pollfd room = {.fd = out, .events = POLLOUT};
    ssize_t written;
    do {
        if (out_kind == OUT_SOCKET) {
            written = send(out, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else if (out_kind == OUT_MAY_WAIT && poll(&room, 1, 0) != 1) {
            written = 0;
        } else {
            written = write(out, text, bytes);
        }
    } while (written < 0 && errno == EINTR);
    return written;
}

// Under the mutex. False: nothing of the text was taken. A line that was begun is ended before the next.
static bool put_out(const char *text, size_t bytes)
{
    ssize_t written = rest_bytes > 0 ? write_some(rest, rest_bytes) : 0;
    if (written > 0) {
        rest_bytes -= (size_t)written;
        memmove(rest, rest + written, rest_bytes);
    }
    written = rest_bytes == 0 ? write_some(text, bytes) : 0;
    if (written <= 0) {
        return false;
    }
    rest_bytes = bytes - (size_t)written;
    memcpy(rest, text + written, rest_bytes);
    return true;
}

static void compose(struct line *line, enum log_level level, const char *message,
                    const struct log_field *fields, size_t count)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug",
        [LOG_INFO] = "info",
        [LOG_WARN] = "warn",
        [LOG_ERROR] = "error",
    };
    REQUIRE(level < COUNT_OF(names));
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    char time_text[TIME_TEXT_BYTES];
    time_format_exact(now.tv_sec * US_PER_S + now.tv_nsec / 1000, time_text);

    line->len = 0;
    line->full = false;
    put(line, "{", 1);
    const struct log_field heading[] = {
        LOG_STR("time", time_text),
        LOG_STR("level", names[level]),
        LOG_STR("message", message),
    };
    for (size_t i = 0; i < COUNT_OF(heading); i++) {
        put_member(line, &heading[i]);
    }
    for (size_t i = 0; i < count; i++) {
        put_member(line, &fields[i]);
    }
    memcpy(line->text + line->len, LINE_END, strlen(LINE_END));
    line->len += strlen(LINE_END);
}

// Under the mutex. Logs how many lines were dropped. False: it could not.
static bool report_dropped(void)
{
    if (dropped == 0) {
        return true;
    }
    struct line line;
    compose(&line, LOG_WARN, "lines are missing here: nobody read the log", &LOG_INT("dropped", dropped), 1);
    if (!put_out(line.text, line.len)) {
        return false;
    }
    dropped = 0;
    return true;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    struct line line;
    compose(&line, level, message, fields, count);
    REQUIRE(pthread_mutex_lock(&out_mutex) == 0);
    if (!report_dropped() || !put_out(line.text, line.len)) {
        dropped++;
        atomic_fetch_add(&dropped_total, 1);
    }
    REQUIRE(pthread_mutex_unlock(&out_mutex) == 0);
}
