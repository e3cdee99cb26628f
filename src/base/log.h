// Logs an event as one JSON line on stderr: time, level, message, then the fields. Any thread; a line is one
// write. It never waits: while stderr takes nothing, lines are dropped, and a line that says how many comes
// before the next one. Never log a secret or a body: fields are ids, counts and codes. Strings are escaped
// and cut at 500 bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    const char *text; // NULL: the number
    int64_t number;
};

// NULL text reads as "".
static inline struct log_field log_str(const char *name, const char *text)
{
    return (struct log_field){.name = name, .text = text != NULL ? text : ""};
}
#define LOG_STR(name, text) log_str((name), (text))
#define LOG_INT(name_, number_) ((struct log_field){.name = (name_), .number = (number_)})

// Lines below this level are dropped. Set before threads start, or by SIGHUP (atomic).
void log_set_level(enum log_level level);
// For a service that must go on although nobody reads its log: asks the system not to wait for stderr. Once,
// before threads start.
void log_never_wait(void);
int64_t log_dropped_total(void);
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define LOG(level, message, ...)                                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__},                                   \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
