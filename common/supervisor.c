/*
 * supervisor: keeps the processes of the process table running. See supervisor.h.
 *
 * Signals arrive as events of the loop, so nothing here runs in a signal handler.
 * A change of configuration is bound and checked completely before a process hears of it.
 */
#include "common/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/pid_file.h"
#include "common/reload.h"
#include "common/sandbox.h"
#include "common/status_text.h"
#include "common/supervisor_setup.h"
#include "common/supervisor_tell.h"
#include "common/xalloc.h"

#define START_TRIES   5 /* a process that never served ends this often: the start has failed */
#define KILL_GRACE_MS 200 /* between SIGKILL and going on without it */
#define STATUS_MAX    65536
#define SIGNALS	      4

struct supervisor {
	const struct supervisor_options *o;
	const struct supervisor_plan *plan; /* in force */
	struct supervisor_setup setup;
	struct child_env env;
	struct event *signals[SIGNALS], *status_event, *stage_timer;
	struct notify *notify;
	struct child **children;
	size_t nchildren;
	uint64_t started_ms;
	bool ready; /* all served at some time */
	bool stopping;
	unsigned stage;
	bool stage_killed;
	struct reload *reload;
	struct listeners *next_tcp; /* while a reload is on its way: those it comes with */
	bool reload_again;	    /* one was asked for meanwhile */
	uint64_t reloads;
	enum reload_result reload_result;
	int64_t reload_time;
	int exit_status;
};

/* --- what children are told --- */

static void
tell_settings(struct child *c, void *arg)
{
	struct supervisor *s = arg;

	supervisor_tell_settings(c, s->o, s->plan, &s->setup);
}

static void
on_spawned(struct child *c, void *arg)
{
	struct supervisor *s = arg;
	struct wire_out w;

	tell_settings(c, s);
	supervisor_tell_all_listeners(c, s->setup.unix_sockets);
	supervisor_tell_all_listeners(c, s->setup.tcp);
	wire_out_init(&w, "go", 0);
	child_send(c, &w, -1);
	wire_out_release(&w);
}

/* --- stopping, stage after stage --- */

/* Is a process of this stage still there? */
static bool
stage_is_alive(const struct supervisor *s, unsigned stage)
{
	for (size_t i = 0; i < s->nchildren; i++)
		if (child_row(s->children[i])->stop_stage == stage &&
		    child_state(s->children[i]) != CHILD_STOPPED)
			return true;
	return false;
}

static void
arm_stage_timer(struct supervisor *s, unsigned ms)
{
	event_add(s->stage_timer, &(struct timeval){ms / 1000, (ms % 1000) * 1000});
}

static void
enter_stage(struct supervisor *s, unsigned stage)
{
	s->stage = stage;
	s->stage_killed = false;
	for (size_t i = 0; i < s->nchildren; i++)
		if (child_row(s->children[i])->stop_stage == stage)
			child_stop(s->children[i]);
	if (stage < PROCESS_STAGES)
		arm_stage_timer(s, process_stage_ms(stage));
}

static void
advance_stage(struct supervisor *s)
{
	while (s->stage < PROCESS_STAGES && !stage_is_alive(s, s->stage))
		enter_stage(s, s->stage + 1);
	if (s->stage >= PROCESS_STAGES)
		event_base_loopbreak(s->env.base);
}

static void
on_stage_timer(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd, (void)what;
	if (s->stage_killed) { /* in the kernel, and not to be had out of there */
		enter_stage(s, s->stage + 1);
		advance_stage(s);
		return;
	}
	s->stage_killed = true;
	for (size_t i = 0; i < s->nchildren; i++) {
		struct child *c = s->children[i];

		if (child_row(c)->stop_stage != s->stage || child_state(c) == CHILD_STOPPED)
			continue;
		log_warnx("process=%s pid=%d does not stop in time: killed", child_row(c)->name,
		    (int)child_pid(c));
		child_kill(c);
	}
	arm_stage_timer(s, KILL_GRACE_MS);
	advance_stage(s);
}

static void
begin_stop(struct supervisor *s, int exit_status)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->exit_status = exit_status;
	log_info("stopping");
	notify_stopping(s->notify, "stopping");
	reload_stop(s->reload);
	listeners_free(&s->setup.tcp); /* smtpd holds copies until it has stopped accepting */
	listeners_free(&s->next_tcp);
	for (size_t i = 0; i < s->nchildren; i++)
		if (child_state(s->children[i]) == CHILD_WAITING)
			child_stop(s->children[i]); /* it is not to come back meanwhile */
	enter_stage(s, 0);
	advance_stage(s);
}

/* --- what children do --- */

static bool
all_are_ready(const struct supervisor *s)
{
	for (size_t i = 0; i < s->nchildren; i++)
		if (child_state(s->children[i]) != CHILD_READY)
			return false;
	return true;
}

static void
say_ready(struct supervisor *s)
{
	char *text = xasprintf("serving with %zu processes", s->nchildren);

	notify_ready(s->notify, text);
	log_info("%s", text);
	free(text);
}

static void
on_ready(struct child *c, void *arg)
{
	struct supervisor *s = arg;

	if (s->ready && !s->stopping)
		log_info("process=%s worker=%u pid=%d serves again", child_row(c)->name,
		    child_worker(c), (int)child_pid(c));
	if (s->ready || s->stopping || !all_are_ready(s))
		return;
	s->ready = true;
	say_ready(s);
}

static void
on_ended(struct child *c, int status, void *arg)
{
	struct supervisor *s = arg;
	bool settings = WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG;

	reload_go_on(s->reload);
	if (s->stopping) {
		child_stop(c); /* dead already: it is not to come back */
		advance_stage(s);
	} else if (!s->ready && (settings || child_restarts(c) + 1 >= START_TRIES)) {
		log_warnx("process=%s does not start: giving up", child_row(c)->name);
		begin_stop(s, settings ? EX_CONFIG : EX_TEMPFAIL);
	}
}

static void
on_settled(struct child *c, void *arg)
{
	struct supervisor *s = arg;

	(void)c;
	reload_go_on(s->reload);
}

static const struct child_ops child_ops = {.on_spawned = on_spawned,
    .on_ready = on_ready,
    .on_settled = on_settled,
    .on_ended = on_ended};

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->nchildren; i++)
			if (child_pid(s->children[i]) == pid) {
				child_on_exit(s->children[i], status);
				break;
			}
}

/* --- reload --- */

static void
tell_change(const struct listener *l, bool added, void *arg)
{
	struct supervisor *s = arg;

	listener_tell(l, added);
	for (size_t i = 0; i < s->nchildren; i++)
		supervisor_tell_listener(s->children[i], l, added);
}

/* All or nothing: whatever is wrong shows before any process hears of the change. */
static bool
try_reload(struct supervisor *s)
{
	const struct supervisor_plan *plan = s->o->ops->load(s->o->arg);
	struct listeners *tcp;

	if (plan == NULL)
		return false;
	tcp =
	    listeners_open_tcp(plan->listeners, plan->nlisteners, plan->workers, s->setup.tcp);
	s->o->ops->commit(tcp != NULL, s->o->arg);
	if (tcp == NULL)
		return false;
	s->plan = plan;
	s->next_tcp = tcp;
	return true;
}

/* What smtpd is to serve no more it hears in front of its settings: it has done so when it has answered those. */
static void
remove_listeners(void *arg)
{
	struct supervisor *s = arg;

	listeners_tell_removed(s->next_tcp, s->setup.tcp, tell_change, s);
}

/* What is new comes behind them; whoever connects waits in the backlog meanwhile. */
static void
add_listeners(void *arg)
{
	struct supervisor *s = arg;

	listeners_take_over(s->next_tcp, &s->setup.tcp, tell_change, s);
	s->setup.tcp = s->next_tcp;
	s->next_tcp = NULL;
}

static void
end_reload(struct supervisor *s, enum reload_result result)
{
	static const char *const status[] = {[RELOAD_OK] = "serving",
	    [RELOAD_FAILED] =
		"serving with the old configuration: the new one is wrong, see the log",
	    [RELOAD_PARTLY] = "serving, not all with the new configuration: see the log"};

	s->reload_result = result;
	s->reload_time = clock_wall();
	if (result == RELOAD_OK)
		log_info("reloaded: the new configuration is in force");
	else if (result == RELOAD_PARTLY)
		log_warnx("reloaded, but the new configuration is not in force everywhere");
	else
		log_warnx("not reloaded: the old configuration stays in force");
	if (s->ready)
		notify_ready(s->notify, status[result]);
}

static void begin_reload(struct supervisor *s);

static void
on_reloaded(bool complete, void *arg)
{
	struct supervisor *s = arg;

	end_reload(s, complete ? RELOAD_OK : RELOAD_PARTLY);
	if (s->reload_again)
		begin_reload(s);
}

static const struct reload_ops reload_ops = {.tell = tell_settings,
    .before_last = remove_listeners,
    .all_told = add_listeners,
    .done = on_reloaded};

/* One after the other: who asks while one is on its way has another file in mind than that read. */
static void
begin_reload(struct supervisor *s)
{
	s->reload_again = reload_is_under_way(s->reload);
	if (s->stopping || s->reload_again)
		return;
	notify_reloading(s->notify, "reading the configuration");
	s->reloads++;
	s->reload_result = RELOAD_RUNNING;
	s->reload_time = clock_wall();
	if (try_reload(s))
		reload_begin(s->reload, s->children, s->nchildren);
	else
		end_reload(s, RELOAD_FAILED);
}

/* --- events --- */

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)what;
	if (sig == SIGCHLD)
		reap(s);
	else if (sig == SIGHUP)
		begin_reload(s);
	else
		begin_stop(s, EX_OK);
}

static void
on_status(evutil_socket_t lfd, short what, void *arg)
{
	struct supervisor *s = arg;
	struct status_text text = {.version = s->o->version,
	    .state = s->stopping ? "stopping"
		     : s->ready	 ? "ready"
				 : "starting",
	    .uptime_ms = clock_mono_ms() - s->started_ms,
	    .reloads = s->reloads,
	    .reload = s->reload_result,
	    .reload_time = s->reload_time,
	    .filter = s->plan->filter,
	    .next_start = s->plan->next_start,
	    .children = s->children,
	    .nchildren = s->nchildren};
	struct ucred cred;
	socklen_t len = sizeof cred;
	struct buf b;
	int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	buf_init(&b, STATUS_MAX);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    (cred.uid == 0 || cred.uid == geteuid())) {
		status_text_format(&text, &b);
		(void)send(
		    fd, b.p, b.len, MSG_NOSIGNAL); /* fits the socket, or its reader is gone */
	}
	buf_release(&b);
	close(fd);
}

/* --- life --- */

static void
add_events(struct supervisor *s)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		s->signals[i] = evsignal_new(s->env.base, numbers[i], on_signal, s);
		event_add(s->signals[i], NULL);
	}
	s->stage_timer = evtimer_new(s->env.base, on_stage_timer, s);
	s->reload = reload_new(s->env.base, &reload_ops, s);
}

static void
start_children(struct supervisor *s)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	s->children = xcalloc(n + s->plan->workers, sizeof *s->children);
	for (size_t i = 0; i < n; i++)
		for (unsigned w = 0; w < (rows[i].per_worker ? s->plan->workers : 1); w++)
			s->children[s->nchildren++] = child_new(&s->env, &rows[i], w);
	for (size_t i = 0; i < s->nchildren; i++)
		child_start(s->children[i]);
}

static void
serve_status(struct supervisor *s)
{
	const struct listener *l = listeners_find(s->setup.unix_sockets, "control/status");

	s->status_event =
	    event_new(s->env.base, listener_fd(l, 0), EV_READ | EV_PERSIST, on_status, s);
	event_add(s->status_event, NULL);
}

static void
release(struct supervisor *s)
{
	for (size_t i = 0; i < s->nchildren; i++)
		child_free(&s->children[i]);
	free(s->children);
	for (size_t i = 0; i < SIGNALS; i++)
		event_free(s->signals[i]);
	event_free(s->stage_timer);
	reload_free(&s->reload);
	listeners_free(&s->next_tcp);
	if (s->status_event != NULL)
		event_free(s->status_event);
	supervisor_setup_release(&s->setup);
	notify_free(&s->notify);
	event_base_free(s->env.base);
}

int
supervisor_run(const struct supervisor_options *o, const struct supervisor_plan *plan)
{
	struct supervisor s = {
	    .o = o, .plan = plan, .started_ms = clock_mono_ms(), .stopping = false};

	s.env = (struct child_env){.base = event_base_new(),
	    .program_dir = o->program_dir,
	    .ops = &child_ops,
	    .arg = &s};
	if (s.env.base == NULL)
		fatalx("cannot make an event loop");
	add_events(&s);
	s.notify = notify_new(o->notify_socket);
	s.exit_status = supervisor_setup_prepare(&s.setup, o, plan);
	if (s.exit_status == EX_OK) {
		s.env.spool_lock = s.setup.spool_lock;
		s.env.files = s.setup.files;
		supervisor_setup_confine();
		serve_status(&s);
		start_children(&s);
		event_base_dispatch(s.env.base);
		if (o->pid_file != NULL)
			pid_file_remove(o->pid_file);
		log_info("stopped");
	}
	if (s.setup.unix_sockets != NULL)
		listeners_unlink_unix(s.plan->spool);
	release(&s);
	return s.exit_status;
}
