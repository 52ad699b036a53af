/*
 * child: one process that postriderd keeps running. See child.h. Back-off: the
 * first restart is immediate, then 100 ms doubling to 0.8 s, and on to 10 s for one that
 * fails three times in a row to get ready; one that lived for 30 s starts anew at the beginning.
 */
#include "common/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "common/xalloc.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS	 10000
/* One that had served is killed for reasons outside it more often than not: mail shall not wait for it. */
#define BACKOFF_SERVED_MS 800
#define BARREN_STARTS	  3 /* that many starts without becoming ready are no accident */
#define LIFE_ENOUGH_MS	  30000
#define LAST_BREATH_MS	  1000 /* between closing the channel and the end of a process */

struct child {
	const struct child_env *env;
	const struct process_row *row;
	unsigned worker;
	enum child_state state;
	pid_t pid; /* 0: none */
	struct channel *channel;
	struct event *octets; /* what comes back on the channel's descriptor */
	unsigned owes;	      /* settings it was told and has not answered */
	bool refused;	      /* the last it has answered */
	struct event *timer;
	uint64_t started_ms;
	unsigned backoff_ms; /* before the next restart */
	unsigned barren;     /* starts in a row that did not become ready */
	uint64_t starts;
};

static const char *const state_names[] = {
    [CHILD_WAITING] = "waiting",
    [CHILD_STARTING] = "starting",
    [CHILD_READY] = "ready",
    [CHILD_STOPPING] = "stopping",
    [CHILD_STOPPED] = "stopped",
};

const char *
child_state_name(enum child_state s)
{
	return state_names[s];
}

static void
set_state(struct child *c, enum child_state s)
{
	if (c->state == s)
		return;
	log_debug("process=%s worker=%u pid=%d %s -> %s", c->row->name, c->worker, (int)c->pid,
	    state_names[c->state], state_names[s]);
	c->state = s;
}

static void
kill_process(struct child *c)
{
	if (c->pid > 0 && kill(c->pid, SIGKILL) != 0)
		log_warn("process=%s pid=%d cannot be killed", c->row->name, (int)c->pid);
}

/* Time to start it again; or it closed its channel, and has not ended since. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd, (void)what;
	if (c->pid > 0)
		kill_process(c);
	else
		child_start(c);
}

struct child *
child_new(const struct child_env *env, const struct process_row *row, unsigned worker)
{
	struct child *c = xcalloc(1, sizeof *c);

	c->env = env;
	c->row = row;
	c->worker = worker;
	c->state = CHILD_WAITING;
	c->timer = evtimer_new(env->base, on_timer, c);
	return c;
}

static void
disconnect(struct child *c)
{
	if (c->octets != NULL)
		event_free(c->octets);
	c->octets = NULL;
	channel_free(&c->channel);
}

void
child_free(struct child **cp)
{
	struct child *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	kill_process(c);
	disconnect(c);
	event_free(c->timer);
	free(c);
}

/*
 * In the new process: descriptors 0 /dev/null, 1 and 2 the log, 3 the channel, for writers of
 * the spool 4 its lock, and nothing else; no environment but where programs are and which
 * time zone it is; then the program takes over. The copies above 9 keep dup2 from overwriting.
 */
static void
become_program(const struct child *c, int channel_fd)
{
	const char *zone = getenv("TZ");
	char *path = xasprintf("%s/%s", c->env->program_dir, c->row->program);
	char *tz = xasprintf("TZ=%s", zone != NULL && *zone != '\0' ? zone : ":/etc/localtime");
	char *env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, tz, NULL};
	char *argv[] = {xstrdup(c->row->name), NULL};
	int null = open("/dev/null", O_RDWR), last = PROCESS_FD;
	int lock = fcntl(c->env->spool_lock, F_DUPFD_CLOEXEC, 10);
	sigset_t none;

	channel_fd = fcntl(channel_fd, F_DUPFD_CLOEXEC, 10);
	if (null < 0 || channel_fd < 0 || lock < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0 ||
	    dup2(channel_fd, PROCESS_FD) < 0 ||
	    (c->row->holds_spool && dup2(lock, last = PROCESS_LOCK_FD) < 0) ||
	    close_range((unsigned)last + 1, ~0U, 0) != 0 ||
	    setrlimit(RLIMIT_NOFILE, &c->env->files) != 0) {
		log_warn("cannot arrange the descriptors of %s", c->row->name);
		_exit(EX_OSERR);
	}
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, env);
	log_warn("cannot execute %s", path);
	_exit(EX_OSFILE);
}

/* The answer to settings. -1: nobody would say that. */
static int
take_octet(struct child *c, char octet)
{
	bool starting = c->state == CHILD_STARTING;

	if (c->owes == 0 || (octet != 'R' && (octet != 'O' || starting)))
		return -1;
	c->owes--;
	c->refused = octet == 'O';
	if (c->state == CHILD_STOPPING)
		return 0; /* it had not heard yet */
	if (starting) {
		set_state(c, CHILD_READY);
		c->env->ops->on_ready(c, c->env->arg);
	} else {
		c->env->ops->on_settled(c, c->env->arg);
	}
	return 0;
}

static void
on_octets(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	char octets[16];
	ssize_t n = recv(fd, octets, sizeof octets, MSG_DONTWAIT);
	int r = 0;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < n && r == 0; i++)
		r = take_octet(c, octets[i]);
	if (r != 0) {
		log_warnx("process=%s pid=%d says what it should not: killed", c->row->name,
		    (int)c->pid);
		event_del(c->octets);
		kill_process(c);
	} else if (n <= 0) {
		event_del(c->octets);
		if (c->state != CHILD_STOPPING)
			event_add(c->timer, &(struct timeval){LAST_BREATH_MS / 1000, 0});
	}
}

static void
on_message(struct channel *ch, struct wire_msg *m, void *arg)
{
	(void)ch, (void)m, (void)arg; /* never: the channel does not read */
}

static void
on_close(struct channel *ch, const char *why, void *arg)
{
	(void)ch, (void)why, (void)arg; /* a failed write: its end is told by waitpid(2) */
}

static const struct channel_ops channel_ops = {.on_message = on_message, .on_close = on_close};

/* No handler of ours may run in the new process, so signals wait until it has its own. */
static pid_t
fork_program(const struct child *c, int fd)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		become_program(c, fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static void
start_later(struct child *c)
{
	struct timeval tv;

	c->barren = c->state == CHILD_READY ? 0 : c->barren + 1;
	if (c->barren < BARREN_STARTS && c->backoff_ms > BACKOFF_SERVED_MS)
		c->backoff_ms = BACKOFF_SERVED_MS;
	tv = (struct timeval){c->backoff_ms / 1000, (c->backoff_ms % 1000) * 1000};
	set_state(c, CHILD_WAITING);
	event_add(c->timer, &tv);
	c->backoff_ms = c->backoff_ms == 0		     ? BACKOFF_FIRST_MS
			: c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
							     : c->backoff_ms * 2;
}

void
child_start(struct child *c)
{
	int fds[2];

	if (c->state != CHILD_WAITING || c->pid > 0)
		return;
	event_del(c->timer);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
		log_warn("cannot make a channel for %s", c->row->name);
		start_later(c);
		return;
	}
	c->pid = fork_program(c, fds[1]);
	close(fds[1]);
	if (c->pid < 0) {
		log_warn("cannot start %s", c->row->name);
		c->pid = 0;
		close(fds[0]);
		start_later(c);
		return;
	}
	c->starts++;
	c->started_ms = clock_mono_ms();
	c->channel = channel_new(c->env->base, fds[0], &channel_ops, c);
	channel_pause(c->channel);
	c->octets = event_new(c->env->base, fds[0], EV_READ | EV_PERSIST, on_octets, c);
	event_add(c->octets, NULL);
	set_state(c, CHILD_STARTING);
	log_debug("process=%s worker=%u pid=%d started", c->row->name, c->worker, (int)c->pid);
	c->env->ops->on_spawned(c, c->env->arg);
}

void
child_send(struct child *c, const struct wire_out *w, int fd)
{
	int copy = -1;

	if (c->channel == NULL)
		return;
	if (fd >= 0)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if ((fd >= 0 && copy < 0) || channel_send(c->channel, w, copy) != 0) {
		log_warnx("process=%s pid=%d does not take what it is told: killed",
		    c->row->name, (int)c->pid);
		kill_process(c);
	}
}

void
child_send_settings(struct child *c, const struct wire_out *w)
{
	if (c->channel != NULL)
		c->owes++;
	child_send(c, w, -1);
}

unsigned
child_owes(const struct child *c)
{
	return c->owes;
}

bool
child_refused(const struct child *c)
{
	return c->refused;
}

void
child_stop(struct child *c)
{
	struct wire_out w;

	event_del(c->timer);
	if (c->pid == 0) {
		set_state(c, CHILD_STOPPED);
		return;
	}
	set_state(c, CHILD_STOPPING);
	wire_out_init(&w, "stop", 0);
	child_send(c, &w, -1);
	wire_out_release(&w);
}

void
child_kill(struct child *c)
{
	event_del(c->timer);
	set_state(c, c->pid == 0 ? CHILD_STOPPED : CHILD_STOPPING);
	kill_process(c);
}

static void
log_exit(const struct child *c, int status)
{
	uint64_t lived = child_uptime_ms(c);

	if (c->state == CHILD_STOPPING && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		log_debug("process=%s worker=%u pid=%d stopped", c->row->name, c->worker,
		    (int)c->pid);
	else if (WIFSIGNALED(status))
		log_warnx("process=%s worker=%u pid=%d ended by signal %d after %llu ms",
		    c->row->name, c->worker, (int)c->pid, WTERMSIG(status),
		    (unsigned long long)lived);
	else
		log_warnx("process=%s worker=%u pid=%d ended with status %d after %llu ms",
		    c->row->name, c->worker, (int)c->pid, WEXITSTATUS(status),
		    (unsigned long long)lived);
}

void
child_on_exit(struct child *c, int status)
{
	log_exit(c, status);
	if (child_uptime_ms(c) >= LIFE_ENOUGH_MS)
		c->backoff_ms = 0;
	c->pid = 0;
	c->owes = 0;
	c->refused = false;
	event_del(c->timer);
	disconnect(c);
	if (c->state == CHILD_STOPPING)
		set_state(c, CHILD_STOPPED);
	else
		start_later(c);
	c->env->ops->on_ended(c, status, c->env->arg);
}

const struct process_row *
child_row(const struct child *c)
{
	return c->row;
}

unsigned
child_worker(const struct child *c)
{
	return c->worker;
}

enum child_state
child_state(const struct child *c)
{
	return c->state;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

uint64_t
child_restarts(const struct child *c)
{
	return c->starts > 1 ? c->starts - 1 : 0;
}

uint64_t
child_uptime_ms(const struct child *c)
{
	return c->pid > 0 ? clock_mono_ms() - c->started_ms : 0;
}
