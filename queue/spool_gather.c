/*
 * spool_gather: how long messages come together before a flush. See spool_gather.h.
 *
 * The wait is far below a millisecond on most disks, finer than the loop's own timers:
 * so a timerfd, which costs two system calls for a flush that others share.
 */
#include "queue/spool_gather.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

/*
 * What a flush takes here is what the quick ones take: the slow ones waited for a processor, or for
 * another's flush. The estimate falls at once, and rises by this part of what was more.
 */
#define RISE 64

struct spool_gather {
	void (*over)(void *arg);
	void *arg;
	int timerfd;
	struct event *ready;
	uint64_t began_us;
	uint64_t flush_us; /* estimate; 0: none was seen */
	unsigned wanted;   /* messages that are worth waiting for; 0: nothing is gathered */
};

static void
set_timer(struct spool_gather *g, uint64_t us)
{
	struct itimerspec when = {
	    .it_value = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000}};

	/* It cannot fail for a time like this; if it did, messages would wait for ever. */
	if (timerfd_settime(g->timerfd, 0, &when, NULL) != 0)
		fatal("cannot set a timer");
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct spool_gather *g = arg;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) != (ssize_t)sizeof times || g->wanted == 0)
		return;
	g->wanted = 0;
	g->over(g->arg);
}

struct spool_gather *
spool_gather_new(struct event_base *base, void (*over)(void *arg), void *arg)
{
	struct spool_gather *g;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	g = xcalloc(1, sizeof *g);
	g->over = over;
	g->arg = arg;
	g->timerfd = fd;
	g->ready = event_new(base, fd, EV_READ | EV_PERSIST, on_ready, g);
	if (g->ready == NULL || event_add(g->ready, NULL) != 0)
		fatalx("cannot watch a timer");
	return g;
}

void
spool_gather_free(struct spool_gather **gp)
{
	struct spool_gather *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	event_free(g->ready);
	close(g->timerfd);
	free(g);
}

void
spool_gather_flush_began(struct spool_gather *g)
{
	if (g != NULL)
		g->began_us = clock_mono_us();
}

bool
spool_gather_flush_ended(struct spool_gather *g, unsigned answered, unsigned waiting)
{
	uint64_t took, wait;

	if (g == NULL)
		return false;
	took = clock_mono_us() - g->began_us;
	if (g->flush_us == 0 || took < g->flush_us)
		g->flush_us = took;
	else
		g->flush_us += (took - g->flush_us) / RISE;
	wait = g->flush_us / 2;
	if (waiting == SPOOL_GATHER_FULL || answered + waiting < 2 || wait == 0)
		return false; /* nobody waits for who cannot come: a full batch, a client alone */
	g->wanted = answered + waiting;
	set_timer(g, wait < SPOOL_GATHER_MAX_US ? wait : SPOOL_GATHER_MAX_US);
	return true;
}

bool
spool_gather_enough(struct spool_gather *g, unsigned waiting)
{
	if (g == NULL || g->wanted == 0)
		return true;
	if (waiting < g->wanted)
		return false;
	spool_gather_stop(g);
	return true;
}

void
spool_gather_stop(struct spool_gather *g)
{
	if (g == NULL || g->wanted == 0)
		return;
	g->wanted = 0;
	set_timer(g, 0);
}
