// See text_utf8.h. Pure; any thread.
#include "base/text_utf8.h"

#include <string.h>

size_t text_utf8_next(const char *text, size_t bytes, uint32_t *code_point)
{
    // By length of sequence: the bits of its first byte, and the least code point that needs this length. RFC
    // 3629 refuses longer spellings.
    static const struct {
        uint8_t mask;
        uint8_t lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    if (bytes == 0) {
        return 0;
    }
    const uint8_t *at = (const uint8_t *)text;
    for (size_t extra = 0; extra < 4; extra++) {
        if ((at[0] & forms[extra].mask) != forms[extra].lead) {
            continue;
        }
        if (bytes <= extra) {
            return 0;
        }
        uint32_t value = at[0] & (uint8_t)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                return 0;
            }
            value = value << 6 | (at[i] & 0x3f);
        }
        if (value < forms[extra].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
            return 0;
        }
        *code_point = value;
        return extra + 1;
    }
    return 0;
}

bool text_is_utf8(const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        uint64_t eight;
        if (bytes - at >= sizeof eight) { // most text is ASCII: eight bytes at a time
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t code_point;
        size_t length = text_utf8_next(text + at, bytes - at, &code_point);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t text_cut(const char *text, size_t bytes, size_t bytes_max)
{
    size_t cut = bytes < bytes_max ? bytes : bytes_max;
    // Looks at the last sequence begun, at most three bytes back.
    for (size_t back = 1; back <= 3 && back <= cut; back++) {
        uint8_t byte = (uint8_t)text[cut - back];
        if ((byte & 0xc0) == 0x80) {
            continue;
        }
        size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return wanted > back ? cut - back : cut;
    }
    return cut;
}
