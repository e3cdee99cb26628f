// An absolute http(s) URL taken apart with libcurl's own parser, so that what is checked is what is connected to.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct url {
    const char *scheme; // "http" or "https"
    const char *host;   // without brackets, lower case, punycode or address as written
    uint16_t port;
    const char *path_and_query; // begins with "/"
    bool host_is_address; // host is an address literal, in whatever spelling (also 0x7f.1, 2130706433)
};

// At most 2048 bytes; no user info, no fragment, no control characters. ERR_VALIDATION with a sentence. In the arena.
enum errc url_parse(const char *text, struct arena *arena, struct url *url, struct err *err) MUST_CHECK;
