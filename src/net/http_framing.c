// Whether the head of a request can be read in one way only: where the request ends (RFC 9112 sections 6
// and 11.2, request smuggling), whom it is for, and which path it names. libmicrohttpd is more forgiving than
// a proxy in front of it may be, so what is ambiguous is refused here. Pure, but for reading the head.
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "net/http_server_private.h"

struct head {
    const char *content_length;
    const char *transfer_encoding;
    const char *expect;
    int content_lengths;
    int transfer_encodings;
    int hosts;
    bool bad_name;
    bool bad_value;
    bool folded;
};

// No control characters (but tabs); a NUL would end the text early.
static bool is_plain(const char *value, size_t bytes)
{
    for (const char *c = value; c < value + bytes; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

// libmicrohttpd 0.9.75 appends a line that begins with white space to the name of the header before it, so
// that "Content:" and " -Length" become another header than a proxy saw. It takes heads apart where they are:
// a value stands right behind its name, the colon and blanks, and only a name that something was appended to
// has moved.
static bool is_folded(const char *name, size_t name_bytes, const char *value)
{
    if (value <= name + name_bytes) {
        return true;
    }
    const char *between = name + name_bytes + 1; // behind the colon
    return between + strspn(between, " \t") != value;
}

static enum MHD_Result head_visit(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                  const char *value, size_t value_bytes)
{
    (void)kind;
    struct head *head = cls;
    head->bad_value |= value && !is_plain(value, value_bytes);
    head->folded |= value && is_folded(name, name_bytes, value);
    if (text_equal_nocase(name, "Content-Length")) {
        head->content_length = value ? value : "";
        head->content_lengths++;
    } else if (text_equal_nocase(name, "Transfer-Encoding")) {
        head->transfer_encoding = value ? value : "";
        head->transfer_encodings++;
    } else if (text_equal_nocase(name, "Host")) {
        head->hosts++;
    } else if (text_equal_nocase(name, "Expect")) {
        head->expect = value;
    }
    head->bad_name |=
        name[strcspn(name, " \t\r\v\f")] != '\0'; // "Content-Length : 5" is another header to others
    return MHD_YES;
}

const char *framing_read(struct MHD_Connection *mhd, const char *version, struct framing *framing)
{
    struct head head = {0};
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, head_visit, &head);
    *framing = (struct framing){.chunked = head.transfer_encodings > 0};
    bool version_1_1 = text_equal(version, "HTTP/1.1");
    if (head.folded) {
        return "a header goes on in the next line";
    }
    if (head.bad_name) {
        return "a header's name holds white space";
    }
    if (head.bad_value) {
        return "a header's value holds a control character";
    }
    if (head.hosts > 1 || (version_1_1 && head.hosts == 0)) {
        return "exactly one Host header is needed";
    }
    if (head.content_lengths > 1 || (head.content_lengths > 0 && framing->chunked)) {
        return "the request's length is given twice";
    }
    if (framing->chunked && (head.transfer_encodings > 1 || !version_1_1 ||
                             !text_equal_nocase(head.transfer_encoding, "chunked"))) {
        return "the only Transfer-Encoding is chunked, in HTTP/1.1";
    }
    int64_t content_bytes = 0;
    if (head.content_lengths > 0 && text_to_i64(head.content_length, &content_bytes, NULL) != OK) {
        return "Content-Length is not a number";
    }
    framing->content_bytes = (uint64_t)content_bytes;
    framing->has_body = framing->chunked || content_bytes > 0;
    framing->expects_continue = version_1_1 && head.expect && text_equal_nocase(head.expect, "100-continue");
    return NULL;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

const char *target_read(const char *target, struct arena *arena, const char **path, const char **query)
{
    size_t path_bytes = strcspn(target, "?");
    char *decoded = arena_alloc(arena, path_bytes + 1);
    size_t len = 0;
    if (target[0] != '/') {
        return "the request target is not a path";
    }
    for (const char *c = target; c < target + path_bytes; c++) {
        decoded[len] = *c;
        if (*c == '%') {
            int high = hex_digit(c[1]);
            int low = high < 0 ? -1 : hex_digit(c[2]);
            if (low < 0) {
                return "a '%' in the path is not followed by two hexadecimal digits";
            }
            decoded[len] = (char)(high << 4 | low);
            if (decoded[len] == '\0' || decoded[len] == '/') {
                return "the path holds an escaped NUL or slash"; // a segment would end where the client meant
                                                                 // none
            }
            c += 2;
        }
        len++;
    }
    if (!text_is_utf8(decoded, len)) {
        return "the path is not UTF-8";
    }
    *path = decoded;
    *query = target[path_bytes] == '?' ? arena_strdup(arena, target + path_bytes + 1) : "";
    return NULL;
}
