// See fair_queue.h. Invariant: an owner is in the table, and in `turns`, exactly while a job of it waits.
#include "store/fair_queue.h"

#include <stdlib.h>

#include "base/require.h"
#include "base/timefmt.h"

// How long the wait may be too long before jobs are refused: bursts end in this time, and a disk that stalls
// goes on. 10,000 charges that come within a second are read and queued in about 1.5 s.
#define BURST_US (3 * US_PER_S)
// After the last refusal the next burst is refused sooner for so long.
#define REFUSING_US (1 * US_PER_S)
// An owner may have this many times the jobs that still fit in, so that some always fit in of the others.
#define JOBS_OF_ROOM 3

struct fair_owner {
    struct table_node node;
    struct list link; // in `turns`
    uint64_t number;
    struct list jobs;
    size_t count;
    int64_t taken_us; // when its last job was taken, or its first one added
    // How long the last job had waited that had others before it, and how many; 0: there was none.
    int64_t waited_us;
    size_t waited_after;
    int64_t late_since_us; // since when a new job would wait too long; 0: it would not
    int64_t refused_us;    // when one was last refused for that; 0: never
};

void fair_queue_init(struct fair_queue *queue, int64_t wait_max_us)
{
    *queue = (struct fair_queue){.wait_max_us = wait_max_us};
    list_init(&queue->turns);
}

void fair_queue_release(struct fair_queue *queue)
{
    REQUIRE(queue->count == 0);
    table_release(&queue->owners);
}

static struct store_job *job_of(struct list *link)
{
    return CONTAINER_OF(CONTAINER_OF(link, struct task, link), struct store_job, task);
}

static struct fair_owner *find(const struct fair_queue *queue, uint64_t number)
{
    struct table_node *node = table_find(&queue->owners, &number, sizeof(number));
    return node != NULL ? CONTAINER_OF(node, struct fair_owner, node) : NULL;
}

static bool is_late(const struct fair_owner *owner, int64_t wait_max_us, int64_t now_us)
{
    return owner->waited_us * (int64_t)owner->count > wait_max_us * (int64_t)owner->waited_after ||
           now_us - owner->taken_us > wait_max_us;
}

static bool is_overloaded(struct fair_owner *owner, int64_t wait_max_us, int64_t now_us)
{
    if (!is_late(owner, wait_max_us, now_us)) {
        owner->late_since_us = 0;
        return false;
    }
    if (owner->late_since_us == 0) {
        owner->late_since_us = now_us;
    }
    const bool was_refused = owner->refused_us != 0 && now_us - owner->refused_us < REFUSING_US;
    if (!was_refused && now_us - owner->late_since_us < BURST_US) {
        return false;
    }
    owner->refused_us = now_us;
    return true;
}

bool fair_queue_admits(struct fair_queue *queue, uint64_t number, size_t room, int64_t now_us)
{
    struct fair_owner *owner = find(queue, number);
    if (owner == NULL) {
        return room > 0;
    }
    return owner->count < JOBS_OF_ROOM * room &&
           (queue->wait_max_us == 0 || !is_overloaded(owner, queue->wait_max_us, now_us));
}

static struct fair_owner *find_or_add(struct fair_queue *queue, uint64_t number, int64_t now_us)
{
    struct fair_owner *owner = find(queue, number);
    if (owner == NULL) {
        owner = calloc(1, sizeof(*owner));
        REQUIRE(owner != NULL);
        owner->number = number;
        owner->taken_us = now_us;
        list_init(&owner->jobs);
        list_append(&queue->turns, &owner->link);
        table_insert(&queue->owners, &owner->node, &owner->number, sizeof(owner->number));
    }
    return owner;
}

void fair_queue_add(struct fair_queue *queue, struct store_job *job, int64_t now_us)
{
    queue->count++;
    job->queued_us = now_us;
    struct fair_owner *owner = find_or_add(queue, job->owner, now_us);
    list_append(&owner->jobs, &job->task.link);
    job->queued_after = owner->count++;
}

struct store_job *fair_queue_take(struct fair_queue *queue, int64_t now_us)
{
    struct list *turn = list_take_first(&queue->turns);
    if (turn == NULL) {
        return NULL;
    }
    queue->count--;
    struct fair_owner *owner = CONTAINER_OF(turn, struct fair_owner, link);
    struct store_job *job = job_of(list_take_first(&owner->jobs));
    owner->taken_us = now_us;
    if (job->queued_after > 0) {
        owner->waited_us = now_us - job->queued_us;
        owner->waited_after = job->queued_after;
    }
    if (--owner->count == 0) {
        table_remove(&queue->owners, &owner->node);
        free(owner);
    } else {
        list_append(&queue->turns, &owner->link);
    }
    return job;
}
