// Copies a database to another, of any two kinds: paymentsd copy. The service runs on neither meanwhile.
//
// The target is marked as unfinished before its first row, and the source before that row is read. Every row
// is copied as it is, sealed values too, but for its lease (copy_tables.h), and then compared. Only then the
// source is marked as left and after that the target's mark is removed: at any moment the service starts on
// one of the two at most (copy_mark.h). A copy that was interrupted anywhere goes on when it is started
// again.
#pragma once

#include "store/copy_mark.h"

enum copy_phase { COPY_PHASE_ROWS, COPY_PHASE_COMPARE };

struct copy_progress {
    enum copy_phase phase;
    const char *table;
    int64_t done; // rows of all tables, in this phase
    int64_t total;
};

struct copy_options {
    const char *from; // names of databases
    const char *to;
    // Called after every batch.
    void (*progress)(void *context, const struct copy_progress *progress);
    void *context;
};

// *rows: how many the two databases hold. ERR_CONFIG with one plain line, before anything is changed: a
// service runs on one of them, the target has data of its own, the source has another version's schema or a
// mark. ERR_STORE: it failed; the marks stay. Blocking.
enum errc store_copy(const struct copy_options *options, int64_t *rows, struct err *err) MUST_CHECK;
// Gives up a copy that has not finished: the service may run on the source again, and never on that target.
// ERR_CONFIG: there is none, or it has finished.
enum errc store_copy_cancel(const char *from, struct err *err) MUST_CHECK;
