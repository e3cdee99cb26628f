// http_head_bytes and http_head_read: an accepted head, written out in plain form, is accepted again as the
// same request. The end of a head is found in the same place whatever follows it.
#include "base/buf.h"
#include "base/text.h"
#include "fuzz.h"
#include "net/http_head.h"

static void check_plain(const char *text, const char *refused)
{
    REQUIRE(strpbrk(text, refused) == NULL);
}

static void check_again(const struct http_head *head)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    BUF_CLEANUP struct buf text = BUF_MAX(1 << 24);
    buf_printf(&text, "%s %s HTTP/1.%d\r\n", head->method, head->target, head->version_1_0 ? 0 : 1);
    for (size_t i = 0; i < head->field_count; i++) {
        buf_printf(&text, "%s: %s\r\n", head->fields[i].name, head->fields[i].value);
    }
    buf_add_str(&text, "\r\n");
    struct http_head again;
    REQUIRE(http_head_bytes(text.data, text.len) == text.len);
    REQUIRE(http_head_read(text.data, text.len, &arena, &again) == NULL);
    REQUIRE(text_equal(again.method, head->method) && text_equal(again.target, head->target));
    REQUIRE(again.field_count == head->field_count && again.content_bytes == head->content_bytes);
    REQUIRE(again.chunked == head->chunked && again.has_body == head->has_body);
    REQUIRE(again.keep_alive == head->keep_alive && again.expects_continue == head->expects_continue);
    for (size_t i = 0; i < head->field_count; i++) {
        REQUIRE(text_equal(again.fields[i].name, head->fields[i].name));
        REQUIRE(text_equal(again.fields[i].value, head->fields[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    FUZZ_CLEANUP char *copy =
        malloc(bytes > 0 ? bytes : 1); // of the exact size, so that AddressSanitizer sees a read past its end
    REQUIRE(copy != NULL);
    memcpy(copy, data, bytes);
    size_t head_bytes = http_head_bytes(copy, bytes);
    if (head_bytes == 0 || head_bytes == HTTP_HEAD_BROKEN) {
        return 0;
    }
    REQUIRE(head_bytes >= 4 && head_bytes <= bytes && memcmp(copy + head_bytes - 4, "\r\n\r\n", 4) == 0);
    REQUIRE(http_head_bytes(copy, head_bytes) == head_bytes && http_head_bytes(copy, head_bytes - 1) == 0);
    struct http_head head;
    const char *refused = http_head_read(copy, head_bytes, &arena, &head);
    REQUIRE(head.method != NULL && head.target != NULL);
    if (refused != NULL) {
        REQUIRE(refused[0] != '\0');
        return 0;
    }
    REQUIRE(head.method[0] != '\0' && head.target[0] != '\0' && head.content_bytes >= 0);
    REQUIRE(!head.chunked || (head.content_bytes == 0 && !head.version_1_0));
    check_plain(head.method, " \t\r\n:");
    check_plain(head.target, " \t\r\n");
    for (size_t i = 0; i < head.field_count; i++) {
        REQUIRE(head.fields[i].name[0] != '\0');
        check_plain(head.fields[i].name, " \t\r\n:");
        check_plain(head.fields[i].value, "\r\n");
    }
    check_again(&head);
    return 0;
}
