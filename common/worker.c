/* worker: one thread for what blocks. See worker.h. */
#include "common/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

struct task_list {
	struct worker_task *first, **last;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, idle;
	struct task_list todo, ran; /* guarded by lock */
	bool busy, ending;	    /* guarded by lock */
	int wake;		    /* eventfd: something is in ran */
	struct event *event;
};

static void
list_init(struct task_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_add(struct task_list *l, struct worker_task *t)
{
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

static struct worker_task *
list_take(struct task_list *l)
{
	struct worker_task *t = l->first;

	l->first = t->next;
	if (l->first == NULL)
		l->last = &l->first;
	return t;
}

static void
say_ran(struct worker *w)
{
	uint64_t one = 1;

	if (write(w->wake, &one, sizeof one) < 0)
		log_warn("waking the event loop");
}

/* Called without the lock, returns with it. The loop is woken without it: it would run into it at once. */
static void
finished(struct worker *w, struct worker_task *t)
{
	bool first;

	pthread_mutex_lock(&w->lock);
	first = w->ran.first == NULL;
	list_add(&w->ran, t);
	if (first) {
		pthread_mutex_unlock(&w->lock);
		say_ran(w);
		pthread_mutex_lock(&w->lock);
	}
	w->busy = false;
	if (w->todo.first == NULL)
		pthread_cond_signal(&w->idle);
}

static void *
thread_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct worker_task *t;

		while (w->todo.first == NULL && !w->ending)
			pthread_cond_wait(&w->more, &w->lock);
		if (w->todo.first == NULL)
			break;
		t = list_take(&w->todo);
		w->busy = true;
		pthread_mutex_unlock(&w->lock);
		t->run(t);
		finished(w, t);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void
call_done(struct worker *w)
{
	struct task_list ran;

	pthread_mutex_lock(&w->lock);
	ran = w->ran;
	list_init(&w->ran);
	pthread_mutex_unlock(&w->lock);
	while (ran.first != NULL) {
		struct worker_task *t = ran.first;

		ran.first = t->next;
		t->done(t);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof n) == sizeof n)
		call_done(arg);
}

struct worker *
worker_new(struct event_base *base)
{
	struct worker *w = xcalloc(1, sizeof *w);
	sigset_t all, old;

	list_init(&w->todo);
	list_init(&w->ran);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	pthread_cond_init(&w->idle, NULL);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake < 0)
		fatal("eventfd");
	w->event = event_new(base, w->wake, EV_READ | EV_PERSIST, on_wake, w);
	event_add(w->event, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&w->thread, NULL, thread_main, w) != 0)
		fatalx("cannot start a thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return w;
}

void
worker_submit(struct worker *w, struct worker_task *t)
{
	pthread_mutex_lock(&w->lock);
	list_add(&w->todo, t);
	pthread_mutex_unlock(&w->lock);
	/* The thread would wait for the lock otherwise. */
	pthread_cond_signal(&w->more);
}

void
worker_drain(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->todo.first != NULL || w->busy)
		pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
	call_done(w);
}

void
worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	call_done(w);
	event_free(w->event);
	close(w->wake);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->more);
	pthread_cond_destroy(&w->idle);
	free(w);
}
