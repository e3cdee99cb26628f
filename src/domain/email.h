// E-mail addresses. Pure; any thread.
#pragma once

#include "base/arena.h"

// Two spellings of an address (UTF-8) that fold to the same text are the same address. The folded text is in
// lower case and Unicode's composed form (NFC), with an international domain in its ASCII form (xn--...).
// "ss" and "ß" stay two addresses. In the arena.
const char *email_fold(struct arena *arena, const char *email);
