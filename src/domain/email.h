// E-mail addresses. Pure; any thread.
#pragma once

#include "base/arena.h"

// The one spelling by which two spellings of an address (UTF-8) are known to be the same: lower case,
// Unicode's composed form (NFC), and an international domain in its ASCII form (xn--...). Letters are
// compared one by one: "ss" and "ß" stay two addresses. In the arena.
const char *email_fold(struct arena *arena, const char *email);
