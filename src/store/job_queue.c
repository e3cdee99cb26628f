// See job_queue.h. The queue's mutex hands a job's memory over from one thread to the other. Any thread.
#include "store/job_queue.h"

#include "base/require.h"

void job_queue_init(struct job_queue *queue)
{
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    list_init(&queue->jobs);
    queue->closing = false;
}

void job_queue_destroy(struct job_queue *queue)
{
    REQUIRE(list_empty(&queue->jobs));
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
}

void job_queue_add(struct job_queue *queue, struct list *job)
{
    pthread_mutex_lock(&queue->mutex);
    list_append(&queue->jobs, job);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

size_t job_queue_take(struct job_queue *queue, struct list *taken, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&queue->mutex);
    while (list_empty(&queue->jobs) && !queue->closing) {
        pthread_cond_wait(&queue->changed, &queue->mutex);
    }
    while (count < max && !list_empty(&queue->jobs)) {
        list_append(taken, list_take_first(&queue->jobs));
        count++;
    }
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

void job_queue_close(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}
