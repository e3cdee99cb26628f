// The reader of commands' flags. Pure but for printing the help.
#include "cli/flags.h"

#include <string.h>

#include "base/text.h"

static const struct flag *find_flag(const struct flag *flags, size_t flag_count, const char *word)
{
    size_t chars = strcspn(word, "=");
    for (size_t i = 0; i < flag_count; i++) {
        if (strlen(flags[i].name) == chars && memcmp(flags[i].name, word, chars) == 0) {
            return &flags[i];
        }
    }
    return NULL;
}

// The flag at argv[*at]; leaves *at on the last word it used.
static enum errc take_one(const struct flag *flag, int argc, char **argv, int *at, struct err *err)
{
    const char *value = strchr(argv[*at], '=');
    if (flag->operand == NULL) {
        *flag->given = true;
        return value == NULL ? OK : err_set(err, ERR_VALIDATION, "%s takes no value", flag->name);
    }
    if (*flag->text != NULL) {
        return err_set(err, ERR_VALIDATION, "%s is given twice", flag->name);
    }
    if (value != NULL) {
        value++;
    } else if (*at + 1 < argc) {
        value = argv[++*at];
    }
    if (value == NULL || *value == '\0') {
        return err_set(err, ERR_VALIDATION, "%s needs a value: %s", flag->name, flag->operand);
    }
    *flag->text = value;
    return OK;
}

enum errc flags_take(const struct flag *flags, size_t flag_count, int *argc, char **argv, struct err *err)
{
    int kept = 0;
    bool flags_end = false;
    for (int at = 0; at < *argc; at++) {
        flags_end = flags_end || text_equal(argv[at], "--");
        const struct flag *flag = flags_end ? NULL : find_flag(flags, flag_count, argv[at]);
        if (flag == NULL) {
            argv[kept++] = argv[at];
            continue;
        }
        enum errc rc = take_one(flag, *argc, argv, &at, err);
        if (rc != OK) {
            return rc;
        }
    }
    *argc = kept;
    return OK;
}

void flags_print_help(const struct flag *flags, size_t flag_count, FILE *out)
{
    for (size_t i = 0; i < flag_count; i++) {
        const char *operand = flags[i].operand ? flags[i].operand : "";
        int width = 24 - (int)strlen(flags[i].name);
        (void)fprintf(out, "  %s %-*s %s\n", flags[i].name, width > 0 ? width : 0, operand, flags[i].help);
    }
}
