// A batch as a writer runs it: those that lose a conflict run again, alone.
#pragma once

#include "store/batch.h"

static inline void batch_all(const struct batch_source *source, struct db *db, struct list *jobs)
{
    struct list losers;
    list_init(&losers);
    batch_write(source, db, jobs, &losers);
    LIST_EACH_SAFE(&losers, link, after)
    {
        batch_write_loser(source, db,
                          CONTAINER_OF(CONTAINER_OF(link, struct task, link), struct store_job, task));
    }
    list_splice(jobs, &losers);
}
