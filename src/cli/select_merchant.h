// Finds the merchant that an operator means.
#pragma once

#include "store/merchants.h"

#define CANDIDATES_MAX 50

struct merchant_selection {
    bool found;
    struct merchant merchant;                   // if found
    struct merchant candidates[CANDIDATES_MAX]; // if not found: the merchants that are possible; may be none
    size_t candidate_count;
    bool more; // than CANDIDATES_MAX candidates
};

// Selects by id or exact name; with `text` NULL, the only merchant. ERR_NOT_FOUND if no merchant has that id
// or name. OK but not found: several merchants are possible, or, with `text` NULL, there is none yet.
enum errc select_merchant(struct db *db, const char *text, struct arena *arena,
                          struct merchant_selection *selection, struct err *err) MUST_CHECK;

// The same for a `text` that is not NULL. ERR_EXISTS if several merchants have this name.
enum errc select_named_merchant(struct db *db, const char *text, struct arena *arena,
                                struct merchant_selection *selection, struct err *err) MUST_CHECK;

// Prints the candidates to stderr, one per line.
void selection_print_candidates(const struct merchant_selection *selection);

// Ends a command: command_fail, and the candidates if the error is ERR_EXISTS. Returns the exit status.
int selection_fail(const struct merchant_selection *selection, const struct err *err);
