/*
 * log_sink: descriptor 2. See log_sink.h. Its state is the process's, as that of
 * log is, which alone calls it.
 */
#include "common/log_sink.h"

#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

static const char *program; /* who says that lines were dropped */
static bool to_socket;	    /* descriptor 2, as of log_sink_init */
static bool cut;	    /* the last line was taken in part: the next begins with its end */
static unsigned long unreported; /* lines that were dropped */

/* Lines of this turn, and what ends it. */
static struct {
	struct event *end; /* NULL: nothing is gathered */
	bool forked;	   /* it belongs to the loop of the process's parent */
	pthread_t thread;
	size_t len;
	char text[PIPE_BUF];
} turn;

void
log_sink_init(const char *name)
{
	struct stat st;

	program = name;
	to_socket = fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
}

void
log_sink_never_block(void)
{
	struct stat st;
	int fd;

	/* The flag is set on a description of our own: whoever gave us the pipe may use it, too. */
	if (fstat(STDERR_FILENO, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)dup2(fd, STDERR_FILENO);
	close(fd);
}

/* As write(2), and never waiting: a socket is asked not to, a pipe was told by log_sink_never_block. */
static ssize_t
write_octets(const char *p, size_t n)
{
	return to_socket ? send(STDERR_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
			 : write(STDERR_FILENO, p, n);
}

static void
report(void)
{
	char text[128];
	int n = snprintf(text, sizeof text, "%s[%d]: %lu log lines were dropped\n", program,
	    (int)getpid(), unreported);
	ssize_t written = write_octets(text, (size_t)n);

	if (written == n)
		unreported = 0;
	else if (written > 0)
		cut = true;
}

/* Whole lines. Those not taken in full are dropped. */
static void
write_lines(const char *p, size_t n)
{
	ssize_t written;
	size_t taken;

	if (cut && write_octets("\n", 1) == 1)
		cut = false;
	written = write_octets(p, n);
	taken = written > 0 ? (size_t)written : 0;
	if (taken == n) {
		if (unreported > 0)
			report();
		return;
	}
	cut = cut || (taken > 0 && p[taken - 1] != '\n');
	for (; taken < n; taken++)
		unreported += p[taken] == '\n';
}

void
log_sink_flush(void)
{
	size_t n = turn.len;

	turn.len = 0;
	if (n > 0)
		write_lines(turn.text, n);
}

void
log_sink_line(const char *line, size_t n, bool may_wait)
{
	bool gather = may_wait && turn.end != NULL && !turn.forked && n <= sizeof turn.text &&
		      pthread_equal(pthread_self(), turn.thread);

	if (!gather || n > sizeof turn.text - turn.len)
		log_sink_flush();
	if (gather) {
		if (turn.len == 0)
			event_active(turn.end, EV_TIMEOUT, 0);
		memcpy(turn.text + turn.len, line, n);
		turn.len += n;
		return;
	}
	write_lines(line, n);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	log_flush();
}

void
log_sink_gather(struct event_base *base)
{
	log_sink_flush();
	if (turn.end != NULL && !turn.forked)
		event_free(turn.end);
	turn.forked = false;
	turn.end = base != NULL ? event_new(base, -1, 0, on_end, NULL) : NULL;
	turn.thread = pthread_self();
}

void
log_sink_forget(void)
{
	turn.forked = true;
	turn.len = 0;
}
