// Reads plain lines; the terminal does the editing.
#include "cli/prompt.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"

#define LINE_BYTES_MAX 1024

enum errc prompt_text(struct arena *arena, const char *question, const char *fallback, const char **answer,
                      struct err *err)
{
    char line[LINE_BYTES_MAX];
    for (;;) {
        if (fallback == NULL) {
            (void)fprintf(stderr, "%s: ", question);
        } else if (*fallback == '\0') {
            (void)fprintf(stderr, "%s (optional): ", question);
        } else {
            (void)fprintf(stderr, "%s [%s]: ", question, fallback);
        }
        if (fgets(line, sizeof line, stdin) == NULL) {
            (void)fputc('\n', stderr); // ends the line of the question
            return err_set(err, ERR_IO, "end of input: nothing was done");
        }
        if (strchr(line, '\n') == NULL && !feof(stdin)) {
            return err_set(err, ERR_IO, "the answer is too long: nothing was done");
        }
        const char *text = text_trim(arena, line);
        if (*text != '\0' || fallback != NULL) {
            *answer = *text != '\0' ? text : fallback;
            return OK;
        }
    }
}

enum errc prompt_checked(struct arena *arena, const char *question, const char *fallback,
                         enum errc (*check)(const char *text, void *context, struct err *err), void *context,
                         const char **answer, struct err *err)
{
    for (;;) {
        enum errc rc = prompt_text(arena, question, fallback, answer, err);
        if (rc == OK) {
            rc = check(*answer, context, err);
        }
        if (rc != ERR_VALIDATION && rc != ERR_NOT_FOUND) {
            return rc;
        }
        (void)command_fail(err);
    }
}
