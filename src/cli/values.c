// Parses the values of flags and answers. Pure but for the clock.
#include "cli/values.h"

#include <string.h>

#include "base/arena.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "domain/scopes.h"
#include "op/state/access_change.h"

// A hundred years. A key that is meant to last longer never expires.
#define DURATION_S_MAX (INT64_C(100) * 366 * 86400)

// The rule's message goes on after the flag's name.
static enum errc of_flag(const char *flag, enum errc rc, const struct err *rule, struct err *err)
{
    return rc == OK ? OK : err_set(err, rc, "%s %s", flag, rule->message);
}

enum errc value_check_name(const char *flag, const char *text, struct err *err)
{
    struct err rule;
    return of_flag(flag, access_check_name(text, &rule), &rule, err);
}

enum errc value_parse_mode(const char *text, bool *livemode, struct err *err)
{
    if (!text_equal(text, "live") && !text_equal(text, "test")) {
        return err_set(err, ERR_VALIDATION, "--mode must be test or live, not \"%.40s\"", text);
    }
    *livemode = text_equal(text, "live");
    return OK;
}

enum errc value_parse_active(const char *text, bool *active, struct err *err)
{
    if (!text_equal(text, "true") && !text_equal(text, "false")) {
        return err_set(err, ERR_VALIDATION, "--active must be true or false, not \"%.40s\"", text);
    }
    *active = text_equal(text, "true");
    return OK;
}

// "90d" and the like. False: it does not have that form.
static bool parse_duration(const char *text, int64_t *duration_s)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || strlen(text) != digits + 1) {
        return false;
    }
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    int64_t number;
    if (text_to_i64(arena_strndup(&arena, text, digits), &number, NULL) != OK) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].unit == text[digits]) {
            *duration_s = number * units[i].seconds;
            return true;
        }
    }
    return false;
}

enum errc value_parse_expiry(const char *text, int64_t now_us, int64_t *expires_us, struct err *err)
{
    int64_t duration_s;
    int64_t at_us;
    if (text_equal(text, "never")) {
        *expires_us = 0;
        return OK;
    }
    if (parse_duration(text, &duration_s)) {
        if (duration_s > DURATION_S_MAX) {
            return err_set(err, ERR_VALIDATION,
                           "--expires %.40s is more than a hundred years away: leave it out", text);
        }
        at_us = (now_us / US_PER_S + duration_s) * US_PER_S; // whole seconds, as people read them
    } else if (time_parse(text, &at_us, NULL) != OK) {
        return err_set(err, ERR_VALIDATION,
                       "--expires must be a time (2030-01-31, 2030-01-31T12:00:00Z) or a duration (90d, 12h),"
                       " not \"%.40s\"",
                       text);
    }
    if (at_us <= now_us) {
        return err_set(err, ERR_VALIDATION, "--expires %.40s is not in the future", text);
    }
    *expires_us = at_us;
    return OK;
}

enum errc value_check_merchant_name(const char *text, void *unused, struct err *err)
{
    (void)unused;
    struct err rule;
    return of_flag("--name", access_check_merchant_name(text, &rule), &rule, err);
}

enum errc value_check_key_name(const char *text, void *unused, struct err *err)
{
    (void)unused;
    return *text == '\0' ? OK : value_check_name("--name", text, err);
}

enum errc value_check_scopes(const char *text, void *unused, struct err *err)
{
    (void)unused;
    uint32_t scopes;
    return scopes_parse(text, &scopes, err);
}

enum errc value_check_mode(const char *text, void *unused, struct err *err)
{
    (void)unused;
    bool livemode;
    return value_parse_mode(text, &livemode, err);
}

enum errc value_check_active(const char *text, void *unused, struct err *err)
{
    (void)unused;
    bool active;
    return value_parse_active(text, &active, err);
}

enum errc value_check_expiry(const char *text, void *unused, struct err *err)
{
    (void)unused;
    int64_t expires_us;
    return value_parse_expiry(text, command_now_us(), &expires_us, err);
}
