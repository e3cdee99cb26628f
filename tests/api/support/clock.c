// Preloaded by the tests: the wall clock is $CLOCK_BACK_S seconds earlier than the system's.
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// The system's headers name the parameters otherwise.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
int clock_gettime(clockid_t clock, struct timespec *now)
{
    const char *back_s = getenv("CLOCK_BACK_S");
    const int rc = (int)syscall(SYS_clock_gettime, clock, now);
    if (rc == 0 && back_s != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec -= strtoll(back_s, NULL, 10);
    }
    return rc;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec precise;
    const int rc = clock_gettime(CLOCK_REALTIME, &precise);
    (void)zone;
    *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return rc;
}

time_t time(time_t *now)
{
    struct timespec precise;
    const int rc = clock_gettime(CLOCK_REALTIME, &precise);
    const time_t seconds = rc == 0 ? precise.tv_sec : (time_t)-1;
    if (now != NULL) {
        *now = seconds;
    }
    return seconds;
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
