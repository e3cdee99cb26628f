// See csv.h.
#include "api/csv.h"

#include <string.h>

#include "base/text.h"

// The characters that begin a formula, in ASCII and full-width
// (https://owasp.org/www-community/attacks/CSV_Injection).
static bool begins_formula(const char *text)
{
    static const char *const wide[] = {"\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (text_starts_with(text, wide[i])) {
            return true;
        }
    }
    return *text != '\0' && strchr("=+-@\t\r\n", *text) != NULL;
}

void csv_cell(struct buf *out, const char *text, bool first)
{
    if (!first) {
        buf_add_str(out, ",");
    }
    if (text == NULL) {
        return;
    }
    bool formula = begins_formula(text);
    if (!formula && strpbrk(text, ",\"\r\n") == NULL) {
        buf_add_str(out, text);
        return;
    }
    buf_add_str(out, formula ? "\"'" : "\"");
    for (const char *quote = strchr(text, '"'); quote != NULL; quote = strchr(text, '"')) {
        buf_add(out, text, (size_t)(quote - text));
        buf_add_str(out, "\"\"");
        text = quote + 1;
    }
    buf_add_str(out, text);
    buf_add_str(out, "\"");
}

void csv_end_row(struct buf *out)
{
    buf_add_str(out, "\r\n");
}
