// See job_queue.h. The queue's mutex hands a job's memory over from one thread to the other. Any thread.
#include "store/job_queue.h"

#include "base/require.h"

void job_queue_init(struct job_queue *queue, struct loop *loop, int64_t wait_max_us, size_t requests_out_max)
{
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    list_init(&queue->jobs);
    fair_queue_init(&queue->requests, wait_max_us);
    queue->loop = loop;
    queue->count = queue->requests_out = 0;
    queue->requests_out_max = requests_out_max;
    queue->closing = false;
}

void job_queue_destroy(struct job_queue *queue)
{
    REQUIRE(list_empty(&queue->jobs));
    fair_queue_release(&queue->requests);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
}

// How many requests' jobs may be taken now. While the store closes, the loop finishes none.
static size_t ready_requests(const struct job_queue *queue)
{
    const size_t room = queue->closing ? SIZE_MAX : queue->requests_out_max - queue->requests_out;
    return queue->requests.count < room ? queue->requests.count : room;
}

// How many jobs may be taken now.
static size_t ready(const struct job_queue *queue)
{
    return queue->count - queue->requests.count + ready_requests(queue);
}

static void wake(struct job_queue *queue)
{
    const size_t count = ready(queue);
    if (count == 1) {
        pthread_cond_signal(&queue->changed);
    } else if (count > 1) {
        pthread_cond_broadcast(&queue->changed);
    }
}

void job_queue_add_job(struct job_queue *queue, struct store_job *job)
{
    pthread_mutex_lock(&queue->mutex);
    if (job->owner == STORE_OWN_JOB) {
        list_append(&queue->jobs, &job->task.link);
    } else {
        fair_queue_add(&queue->requests, job, loop_mono_us(queue->loop));
    }
    queue->count++;
    pthread_mutex_unlock(&queue->mutex);
}

void job_queue_wake(struct job_queue *queue, size_t finished)
{
    pthread_mutex_lock(&queue->mutex);
    queue->requests_out -= finished;
    wake(queue);
    pthread_mutex_unlock(&queue->mutex);
}

bool job_queue_admits(struct job_queue *queue, uint64_t owner, size_t room)
{
    pthread_mutex_lock(&queue->mutex);
    const bool admitted = fair_queue_admits(&queue->requests, owner, room, loop_mono_us(queue->loop));
    pthread_mutex_unlock(&queue->mutex);
    return admitted;
}

size_t job_queue_take(struct job_queue *queue, struct list *taken, size_t max, size_t threads)
{
    pthread_mutex_lock(&queue->mutex);
    while (ready(queue) == 0 && !queue->closing) {
        pthread_cond_wait(&queue->changed, &queue->mutex);
    }
    const size_t part = (ready(queue) + threads - 1) / threads;
    const size_t count = part < max ? part : max;
    const int64_t now_us = queue->requests.count > 0 ? loop_mono_us(queue->loop) : 0;
    for (size_t i = 0; i < count; i++) {
        struct list *own = list_take_first(&queue->jobs);
        queue->requests_out += own == NULL;
        list_append(taken, own != NULL ? own : &fair_queue_take(&queue->requests, now_us)->task.link);
    }
    queue->count -= count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

void job_queue_return(struct job_queue *queue, struct list *jobs)
{
    if (list_empty(jobs)) {
        return;
    }
    pthread_mutex_lock(&queue->mutex);
    LIST_EACH_SAFE(jobs, link, after)
    {
        queue->count++;
    }
    list_splice(queue->jobs.next, jobs); // before that node
    wake(queue);
    pthread_mutex_unlock(&queue->mutex);
}

void job_queue_close(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}
