// Finding the merchant that an operator means.
#pragma once

#include "store/merchants.h"

#define CHOICES_MAX 50

struct choice {
    bool found;
    struct merchant merchant;                // where found
    struct merchant candidates[CHOICES_MAX]; // where not: those that it could be, none to many
    size_t candidate_count;
    bool more; // candidates
};

// By id or exact name; text NULL means the only merchant there is. ERR_NOT_FOUND where nothing has that id or
// name; a choice that is not found is among several, or, with text NULL, there is no merchant yet.
enum errc choose_merchant(struct db *db, const char *text, struct arena *arena, struct choice *choice,
                          struct err *err) MUST_CHECK;

// The same where one must be named: ERR_EXISTS where several have this name.
enum errc choose_named(struct db *db, const char *text, struct arena *arena, struct choice *choice,
                       struct err *err) MUST_CHECK;

// Lists the candidates on stderr, one a line.
void choice_list(const struct choice *choice);
