// See http_head.h.
#include "net/http_head.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define BLANKS " \t"

// Whether the character may be in a method or a field's name (RFC 9110 section 5.6.2). A table, because
// strspn with so many characters makes one at each call.
static const bool is_token[256] = {
    ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,
    ['-'] = true,         ['.'] = true,          ['0' ... '9'] = true, ['A' ... 'Z'] = true,
    ['^' ... 'z'] = true, ['|'] = true,          ['~'] = true,
};

static size_t token_bytes(const char *text)
{
    size_t bytes = 0;
    while (is_token[(unsigned char)text[bytes]]) {
        bytes++;
    }
    return bytes;
}

// A server ignores one empty line before a request (RFC 9112 section 2.2).
static size_t empty_line_bytes(const char *data, size_t bytes)
{
    return bytes >= 2 && data[0] == '\r' && data[1] == '\n' ? 2 : 0;
}

size_t http_head_bytes(const char *data, size_t bytes)
{
    size_t line = empty_line_bytes(data, bytes);
    bool may_be_empty_line = bytes == 1 && data[0] == '\r';
    if (line < bytes && !may_be_empty_line && !is_token[(unsigned char)data[line]]) {
        return HTTP_HEAD_BROKEN;
    }
    while (line < bytes) {
        const char *end = memchr(data + line, '\n', bytes - line);
        if (end == NULL) {
            return 0;
        }
        size_t line_bytes = (size_t)(end - data) - line;
        if (line_bytes == 0 || end[-1] != '\r') { // a proxy may not take a bare LF for the end of a line
            return HTTP_HEAD_BROKEN;
        }
        line += line_bytes + 1;
        if (line_bytes == 1) {
            return line;
        }
    }
    return 0;
}

// No control characters but tabs.
static bool is_plain(const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if ((*c < ' ' && *c != '\t') || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

// Only visible ASCII, and no fragment, which a client keeps to itself: a proxy may cut it off, or drop a
// character.
static bool is_target(const char *target)
{
    for (const unsigned char *c = (const unsigned char *)target; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '#') {
            return false;
        }
    }
    return true;
}

static const char *read_request_line(char *line, struct http_head *head)
{
    static const char refusal[] = "the request line is not a method, a target and HTTP/1.1";
    char *method_end = line + token_bytes(line);
    char *target = method_end + 1;
    char *target_end = *method_end == ' ' ? target + strcspn(target, BLANKS) : target;
    if (method_end == line || target_end == target || *target_end != ' ') {
        return refusal;
    }
    const char *version = target_end + 1;
    if (!text_starts_with(version, "HTTP/1.") || !isdigit((unsigned char)version[7]) || version[8] != '\0') {
        return refusal;
    }
    *method_end = *target_end = '\0';
    head->method = line;
    head->target = target;
    head->version_1_0 = version[7] == '0';
    return is_target(target) ? NULL : "the request target holds a character that must be escaped";
}

static const char *read_field(char *line, struct http_field *field)
{
    char *name_end = line + token_bytes(line);
    if (strchr(BLANKS, line[0])) {
        return "a header continues on the next line";
    }
    if (name_end == line || *name_end != ':') {
        return "a header is not a name, a colon and a value";
    }
    *name_end = '\0';
    char *value = name_end + 1 + strspn(name_end + 1, BLANKS);
    char *value_end = value + strlen(value);
    while (value_end > value && strchr(BLANKS, value_end[-1])) {
        value_end--;
    }
    *value_end = '\0';
    *field = (struct http_field){line, (size_t)(name_end - line), value};
    return is_plain(value) ? NULL : "a header's value holds a control character";
}

// Splits the lines, each of which ends with CRLF; the last one is empty.
static const char *read_lines(char *text, struct arena *arena, struct http_head *head)
{
    size_t lines = 0;
    for (const char *c = text; (c = strchr(c, '\n')) != NULL; c++) {
        lines++;
    }
    head->fields = arena_alloc(arena, lines * sizeof(*head->fields));
    const char *refusal = NULL;
    char *end = NULL;
    for (char *line = text; refusal == NULL && (end = strstr(line, "\r\n")) != line; line = end + 2) {
        *end = '\0';
        if (line == text) {
            refusal = read_request_line(line, head);
        } else {
            refusal = read_field(line, &head->fields[head->field_count]);
            head->field_count += refusal == NULL;
        }
    }
    return refusal;
}

static bool has_name(const struct http_field *field, const char *name, size_t name_bytes)
{
    return field->name_bytes == name_bytes && text_equal_nocase(field->name, name);
}

const char *http_head_field(const struct http_head *head, const char *name, size_t *count)
{
    const char *value = NULL;
    size_t name_bytes = strlen(name);
    size_t found = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (has_name(&head->fields[i], name, name_bytes) && found++ == 0) {
            value = head->fields[i].value;
        }
    }
    if (count != NULL) {
        *count = found;
    }
    return value;
}

const char *http_head_list(const struct http_head *head, const char *name, struct arena *arena)
{
    size_t name_bytes = strlen(name);
    size_t bytes = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        bytes += has_name(&head->fields[i], name, name_bytes) ? strlen(head->fields[i].value) + 1 : 0;
    }
    if (bytes == 0) {
        return NULL;
    }
    char *joined = arena_alloc(arena, bytes);
    char *end = joined;
    for (size_t i = 0; i < head->field_count; i++) {
        if (has_name(&head->fields[i], name, name_bytes)) {
            end = stpcpy(end, head->fields[i].value);
            *end++ = ',';
        }
    }
    end[-1] = '\0'; // in place of the last comma
    return joined;
}

// Whether one of the Connection fields names this option.
static bool has_connection_option(const struct http_head *head, const char *option)
{
    static const char connection[] = "Connection";
    size_t option_bytes = strlen(option);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        const char *at = has_name(field, connection, strlen(connection)) ? field->value : "";
        while (*at != '\0') {
            at += strspn(at, ", \t");
            size_t bytes = strcspn(at, ", \t");
            if (bytes == option_bytes && strncasecmp(at, option, bytes) == 0) {
                return true;
            }
            at += bytes;
        }
    }
    return false;
}

// Where the request ends (RFC 9112 section 6), and its host.
static const char *read_framing(struct http_head *head)
{
    size_t hosts = 0;
    size_t lengths = 0;
    size_t codings = 0;
    const char *host = http_head_field(head, "Host", &hosts);
    const char *length = http_head_field(head, "Content-Length", &lengths);
    const char *coding = http_head_field(head, "Transfer-Encoding", &codings);
    if (hosts > 1 || (hosts == 0 && !head->version_1_0)) {
        return "exactly one Host header is needed";
    }
    if (host != NULL && strpbrk(host, BLANKS ",/@") != NULL) { // a proxy may use a part of it
        return "Host is not a name and a port";
    }
    if (lengths > 1 || (lengths > 0 && codings > 0)) {
        return "the request's length is given twice";
    }
    if (codings > 1 || (codings > 0 && (head->version_1_0 || !text_equal_nocase(coding, "chunked")))) {
        return "the only Transfer-Encoding is chunked, in HTTP/1.1";
    }
    if (lengths > 0 && text_to_i64(length, &head->content_bytes, NULL) != OK) {
        return "Content-Length is not a number";
    }
    head->chunked = codings > 0;
    head->has_body = head->chunked || head->content_bytes > 0;
    const char *expected = http_head_field(head, "Expect", NULL);
    head->expects_continue =
        head->has_body && !head->version_1_0 && expected && text_equal_nocase(expected, "100-continue");
    head->keep_alive = !has_connection_option(head, "close") &&
                       (!head->version_1_0 || has_connection_option(head, "keep-alive"));
    return NULL;
}

const char *http_head_read(const char *data, size_t bytes, struct arena *arena, struct http_head *head)
{
    *head = (struct http_head){.method = "", .target = ""};
    if (memchr(data, '\0', bytes)) {
        return "the head holds a NUL";
    }
    size_t skipped = empty_line_bytes(data, bytes);
    const char *refusal = read_lines(arena_strndup(arena, data + skipped, bytes - skipped), arena, head);
    return refusal ? refusal : read_framing(head);
}

const char *http_target_read(const char *target, struct arena *arena, const char **path, const char **query)
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
            int high = text_hex_value(c[1]);
            int low = high < 0 ? -1 : text_hex_value(c[2]);
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
