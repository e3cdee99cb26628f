// See retry_after.h. Pure; any thread.
#include "delivery/retry_after.h"

#include <stdbool.h>
#include <time.h>

#include "base/require.h"
#include "base/timefmt.h"

#define WAIT_MAX_S (INT64_C(365) * 24 * 3600)

// Whether text is digits to its end; the number stops growing at WAIT_MAX_S.
static bool read_seconds(const char *text, int64_t *seconds)
{
    if (*text == '\0') {
        return false;
    }
    *seconds = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        int64_t next = *seconds * 10 + (*text - '0');
        *seconds = next < WAIT_MAX_S ? next : WAIT_MAX_S;
    }
    return *text == '\0';
}

// RFC 9110, section 5.6.7: the form of today first, then the two that must still be understood.
static bool read_date(const char *text, int64_t *time_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (end && *end == '\0') {
            *time_s = timegm(&parts);
            return true;
        }
    }
    return false;
}

int64_t retry_after_us(const char *value, int64_t now_us)
{
    int64_t wait_s = 0;
    int64_t time_s = 0;
    if (!value) {
        return 0;
    }
    if (!read_seconds(value, &wait_s)) {
        wait_s = read_date(value, &time_s) ? time_s - now_us / US_PER_S : 0;
    }
    if (wait_s < 0) {
        return 0;
    }
    return (wait_s < WAIT_MAX_S ? wait_s : WAIT_MAX_S) * US_PER_S;
}
