// Log lines: composed on the stack, one write each, so that lines of several threads do not mix.
// Invariant: every line is one valid JSON object, whatever bytes it was given; a field that does not fit is
// left out.
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define STRING_BYTES_MAX 500
#define LINE_BYTES_MAX 8192
#define LINE_END "}\n"

static atomic_int least_level = LOG_INFO;

struct line {
    size_t len;
    bool full; // something did not fit since this was last cleared
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

// Control characters (also those of ISO 8859, which a terminal may obey) are escaped; a malformed byte reads
// as U+FFFD.
static void put_string(struct line *line, const char *text)
{
    put(line, "\"", 1);
    size_t bytes = strnlen(text, STRING_BYTES_MAX + 1);
    if (bytes > STRING_BYTES_MAX) {
        bytes = text_cut(text, bytes, STRING_BYTES_MAX);
    }
    for (size_t at = 0; at < bytes;) {
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

// A member, whole or not at all.
static void put_member(struct line *line, const struct log_field *field)
{
    size_t before = line->len;
    put(line, before == 1 ? "" : ",", before == 1 ? 0 : 1);
    put_string(line, field->name);
    put(line, ":", 1);
    if (field->text != NULL) {
        put_string(line, field->text);
    } else {
        char number[24];
        int bytes = snprintf(number, sizeof number, "%lld", (long long)field->number);
        put(line, number, (size_t)bytes);
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

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug",
        [LOG_INFO] = "info",
        [LOG_WARN] = "warn",
        [LOG_ERROR] = "error",
    };
    REQUIRE(level < COUNT_OF(names));
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    char time_text[TIME_TEXT_BYTES];
    time_format_exact(now.tv_sec * US_PER_S + now.tv_nsec / 1000, time_text);

    struct line line;
    line.len = 0;
    line.full = false;
    put(&line, "{", 1);
    const struct log_field heading[] = {
        LOG_STR("time", time_text),
        LOG_STR("level", names[level]),
        LOG_STR("message", message),
    };
    for (size_t i = 0; i < COUNT_OF(heading); i++) {
        put_member(&line, &heading[i]);
    }
    for (size_t i = 0; i < count; i++) {
        put_member(&line, &fields[i]);
    }
    memcpy(line.text + line.len, LINE_END, strlen(LINE_END));
    line.len += strlen(LINE_END);
    // A log that cannot be written must not stop payments: only an interrupted write is tried again.
    while (write(STDERR_FILENO, line.text, line.len) < 0 && errno == EINTR) {
    }
}
