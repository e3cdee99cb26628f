// The grammar of RFC 8259, on untrusted bytes. Pure; any thread. Internal to json_reader.c.
#pragma once

#include "base/json_reader.h"

struct json_scan {
    const char *start;
    const char *at;
    const char *end;
    int depth_left;
    size_t values_left;
    const char *wrong; // why the text is refused at `at`; NULL: it is not

    struct arena *arena;
    struct json_value *values;
    size_t count;
    size_t capacity;
    char *out;        // where the next string goes; all of them and their NULs fit into bytes + 1
    size_t repeat_at; // the first name in the text that its object has already; SIZE_MAX: there is none
};

// Reads one value and the space around it. False: `wrong` says why not.
bool json_scan_value(struct json_scan *scan);
