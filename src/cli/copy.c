// paymentsd copy: moves the service to another database, or back, while it is stopped. The keys are not
// needed: sealed values are copied as they are.
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/require.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "store/copy.h"
#include "store/store.h"

#define LINE_US (10 * US_PER_S) // between lines, where standard error is no terminal
#define REDRAW_US (US_PER_S / 5)

// Progress on standard error: one line that changes in a terminal, else a line now and then.
struct progress {
    bool is_terminal;
    enum copy_phase phase;
    int64_t shown_us; // 0: nothing was shown
    int64_t shown_done;
};

static void show(void *context, const struct copy_progress *now)
{
    struct progress *progress = context;
    const int64_t now_us = command_now_us();
    const bool is_new = progress->shown_us == 0 || progress->phase != now->phase;
    const bool is_last = now->done == now->total && progress->shown_done != now->done;
    const int64_t pause_us = progress->is_terminal ? REDRAW_US : LINE_US;
    if (!is_new && !is_last && now_us < progress->shown_us + pause_us) {
        return;
    }
    progress->shown_us = now_us;
    progress->shown_done = now->done;
    progress->phase = now->phase;
    (void)fprintf(stderr, "%s%s %" PRId64 " of %" PRId64 " rows (%s)%s",
                  progress->is_terminal ? "\r\033[K" : "",
                  now->phase == COPY_PHASE_ROWS ? "copied" : "compared", now->done, now->total, now->table,
                  progress->is_terminal ? "" : "\n");
}

static void print(struct command *command, int64_t rows)
{
    if (!command->json) {
        (void)printf("copied and compared rows: %" PRId64 "\n"
                     "The service does not start on the old database any more. Start it with the new one:\n"
                     "set PAYMENTS_DATABASE, and keep the same keys, %s and %s.\n"
                     "On another machine, copy these two files there.\n",
                     rows, command->config.master_key_file, command->config.pepper_file);
        return;
    }
    struct json_writer answer = json_writer(&command->arena);
    json_open_object(&answer, NULL);
    json_write_i64(&answer, "rows", rows);
    json_write_str(&answer, "master_key_file", command->config.master_key_file);
    json_write_str(&answer, "pepper_file", command->config.pepper_file);
    (void)puts(json_finish(&answer));
}

static int copy(struct command *command, const char *from, const char *to)
{
    struct progress progress = {.is_terminal = isatty(STDERR_FILENO)};
    const struct copy_options options = {.from = from, .to = to, .progress = show, .context = &progress};
    struct err err;
    int64_t rows = 0;
    const enum errc rc = store_copy(&options, &rows, &err);
    if (progress.is_terminal && progress.shown_us != 0) {
        (void)fputc('\n', stderr);
    }
    if (rc != OK) {
        return command_fail(&err);
    }
    print(command, rows);
    return 0;
}

static int cancel(struct command *command, const char *from)
{
    struct err err;
    if (store_copy_cancel(from, &err) != OK) {
        return command_fail(&err);
    }
    (void)puts(command->json ? "{\"ok\":true}"
                             : "cancelled: the service may run on this database. The other one holds an "
                               "unfinished copy: delete it");
    return 0;
}

int cmd_copy(const struct command_about *about, int argc, char **argv)
{
    COMMAND_CLEANUP struct command command = {0};
    const char *from = NULL;
    const char *to = NULL;
    bool cancels = false;
    const struct flag flags[] = {
        {"--from", "DATABASE", &from, NULL, "the database to copy, sqlite:PATH or postgresql://..."},
        {"--to", "DATABASE", &to, NULL, "an empty database, or the one of an interrupted copy"},
        {"--cancel", NULL, NULL, &cancels, "give up an unfinished copy, and stay on --from"},
    };
    const struct command_form form = {.flags = flags, .flag_count = COUNT_OF(flags)};
    int status;
    if (!command_begin(&command, about, &form, argc, argv, &status)) {
        return status;
    }
    if (from == NULL || (to == NULL) != cancels) {
        return command_misuse("usage: paymentsd copy --from DATABASE --to DATABASE, or paymentsd copy "
                              "--cancel --from DATABASE");
    }
    if (!store_knows(from) || (to != NULL && !store_knows(to))) {
        return command_misuse("--%s: must be sqlite:PATH or postgresql://USER@HOST/NAME",
                              store_knows(from) ? "to" : "from");
    }
    return cancels ? cancel(&command, from) : copy(&command, from, to);
}
