// SPDX-License-Identifier: BSD-2-Clause
#include "probe/closer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"

#define THREADS 8

struct closer {
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	pthread_t threads[THREADS];
	size_t n_threads, busy;
	bool stop;
	VEC(int) queue;
};

static void *run(void *arg)
{
	struct closer *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		int fd;

		while (!c->queue.len && !c->stop)
			pthread_cond_wait(&c->work, &c->lock);
		if (!c->queue.len)
			break;
		fd = c->queue.data[--c->queue.len];
		c->busy++;
		pthread_mutex_unlock(&c->lock);
		close(fd);
		pthread_mutex_lock(&c->lock);
		c->busy--;
		if (!c->queue.len && !c->busy)
			pthread_cond_broadcast(&c->idle);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct closer *closer__new(void)
{
	struct closer *c = calloc(1, sizeof(*c));
	sigset_t all, old;

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->idle, NULL);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (c->n_threads < THREADS && !pthread_create(&c->threads[c->n_threads], NULL, run, c))
		c->n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (c->n_threads)
		return c;
	closer__free(c);
	return NULL;
}

void closer__close(struct closer *c, int fd)
{
	int *slot;

	pthread_mutex_lock(&c->lock);
	slot = vec_push(&c->queue);
	if (slot)
		*slot = fd;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	if (!slot)
		close(fd);
}

void closer__wait(struct closer *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->queue.len || c->busy)
		pthread_cond_wait(&c->idle, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

size_t closer__wait_ms(struct closer *c, unsigned int ms)
{
	struct timespec until;
	size_t left;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&c->lock);
	while ((c->queue.len || c->busy) &&
	       pthread_cond_timedwait(&c->idle, &c->lock, &until) != ETIMEDOUT)
		;
	left = c->queue.len + c->busy;
	pthread_mutex_unlock(&c->lock);
	return left;
}

void closer__free(struct closer *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->n_threads; i++)
		pthread_join(c->threads[i], NULL);
	pthread_cond_destroy(&c->idle);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
	vec_free(&c->queue);
	free(c);
}
