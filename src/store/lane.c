// See lane.h. Whatever a job holds is handed over with it, under the lane's mutex. Any thread.
#include "store/lane.h"

#include "base/require.h"

void lane_init(struct lane *lane)
{
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->changed, NULL);
    list_init(&lane->jobs);
    lane->closing = false;
}

void lane_destroy(struct lane *lane)
{
    REQUIRE(list_empty(&lane->jobs));
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->mutex);
}

void lane_add(struct lane *lane, struct list *job)
{
    pthread_mutex_lock(&lane->mutex);
    list_append(&lane->jobs, job);
    pthread_cond_signal(&lane->changed);
    pthread_mutex_unlock(&lane->mutex);
}

size_t lane_take(struct lane *lane, struct list *taken, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&lane->mutex);
    while (list_empty(&lane->jobs) && !lane->closing) {
        pthread_cond_wait(&lane->changed, &lane->mutex);
    }
    while (count < max && !list_empty(&lane->jobs)) {
        list_append(taken, list_take_first(&lane->jobs));
        count++;
    }
    pthread_mutex_unlock(&lane->mutex);
    return count;
}

void lane_close(struct lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->closing = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->mutex);
}
