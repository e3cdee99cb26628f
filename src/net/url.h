// Parses an absolute http(s) URL with libcurl's own parser, so that the host that is checked is the host that
// is connected to.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct url {
    const char *scheme; // "http" or "https"
    const char *host;   // lower case, without brackets; a numeric address in its usual spelling
    uint16_t port;
    const char *path_and_query; // begins with "/"
    bool host_is_address;       // also where it is written 0x7f.1 or 2130706433
};

// At most 2048 bytes of ASCII (international names as xn--...); no user info, no fragment, no control
// characters. ERR_VALIDATION with a sentence. In the arena.
enum errc url_parse(const char *text, struct arena *arena, struct url *url, struct err *err) MUST_CHECK;
// A proxy's URL: http, a host and a port, and nothing after the port.
enum errc proxy_parse(const char *text, struct arena *arena, struct url *url, struct err *err) MUST_CHECK;
