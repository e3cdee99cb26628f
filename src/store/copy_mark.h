// The mark that a copy (copy.h) leaves in a database, so that the service never runs on two databases that
// hold the same payments: it would charge twice. At any moment no more than one of the two is without a mark.
#pragma once

#include "store/db.h"

enum copy_role {
    COPY_NONE,       // no mark: the service may run on it
    COPY_UNFINISHED, // a target that does not hold everything yet
    COPY_LEAVING,    // the source of a copy that has not finished: its target is unfinished
    COPY_LEFT,       // the source of a copy that has: its target may be in use
    COPY_ROLES
};

struct copy_mark {
    enum copy_role role;
    struct uuid id; // of the copy: the same in both databases
};

// SQL: the rows of the table meta that are the service's. The mark is one of a copy's.
#define COPY_NOT_THE_MARK "name <> 'copy'"

enum errc copy_mark_get(struct db *db, struct copy_mark *mark, struct err *err) MUST_CHECK;
// COPY_NONE removes it.
enum errc copy_mark_put(struct db *db, const struct copy_mark *mark, struct err *err) MUST_CHECK;
// Of a target: waits for the transaction of a copy that was killed, which its server may still be carrying
// out, and keeps others waiting until this transaction ends. ERR_NOT_FOUND: it has no mark any more.
enum errc copy_mark_hold(struct db *db, struct err *err) MUST_CHECK;
// ERR_CONFIG with one plain line: the service may not run on a database with this mark.
enum errc copy_mark_check(const struct copy_mark *mark, struct err *err) MUST_CHECK;
// The same for the database's own.
enum errc copy_mark_refuse(struct db *db, struct err *err) MUST_CHECK;
