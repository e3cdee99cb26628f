// Finds the merchant that an operator means.
#pragma once

#include "store/merchants.h"

#define CANDIDATES_MAX 50

struct merchant_selection {
    bool found;
    struct merchant merchant;                   // where found
    struct merchant candidates[CANDIDATES_MAX]; // where not: those that it could be, none to many
    size_t candidate_count;
    bool more; // candidates
};

// By id or exact name; text NULL means the only merchant there is. ERR_NOT_FOUND where nothing has that id or
// name; a selection that is not found is among several, or, with text NULL, there is no merchant yet.
enum errc select_merchant(struct db *db, const char *text, struct arena *arena,
                          struct merchant_selection *selection, struct err *err) MUST_CHECK;

// The same where one must be named: ERR_EXISTS where several have this name.
enum errc select_named_merchant(struct db *db, const char *text, struct arena *arena,
                                struct merchant_selection *selection, struct err *err) MUST_CHECK;

// Lists the candidates on stderr, one a line.
void selection_print_candidates(const struct merchant_selection *selection);
