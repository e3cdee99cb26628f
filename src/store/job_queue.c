// See job_queue.h. The queue's mutex hands a job's memory over from one thread to the other. Any thread.
#include "store/job_queue.h"

#include "base/require.h"

void job_queue_init(struct job_queue *queue)
{
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    list_init(&queue->jobs);
    queue->count = 0;
    queue->closing = false;
}

void job_queue_destroy(struct job_queue *queue)
{
    REQUIRE(list_empty(&queue->jobs));
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
}

static void add(struct job_queue *queue, struct list *jobs, bool first)
{
    if (list_empty(jobs)) {
        return;
    }
    pthread_mutex_lock(&queue->mutex);
    LIST_EACH_SAFE(jobs, link, after)
    {
        queue->count++;
    }
    list_splice(first ? queue->jobs.next : &queue->jobs, jobs); // before that node
    if (queue->count == 1) {
        pthread_cond_signal(&queue->changed);
    } else {
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->mutex);
}

void job_queue_add(struct job_queue *queue, struct list *jobs)
{
    add(queue, jobs, false);
}

size_t job_queue_take(struct job_queue *queue, struct list *taken, size_t max, size_t threads)
{
    pthread_mutex_lock(&queue->mutex);
    while (list_empty(&queue->jobs) && !queue->closing) {
        pthread_cond_wait(&queue->changed, &queue->mutex);
    }
    const size_t part = (queue->count + threads - 1) / threads;
    const size_t count = part < max ? part : max;
    for (size_t i = 0; i < count; i++) {
        list_append(taken, list_take_first(&queue->jobs));
    }
    queue->count -= count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

void job_queue_return(struct job_queue *queue, struct list *jobs)
{
    add(queue, jobs, true);
}

void job_queue_close(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}
