/*
 * process: the frame of every child of postriderd. See process.h, doc/IPC.md
 * ("postriderd to its children"). Order of a life: settings, listeners, go; then
 * rights are given up, on_start runs, one octet 'R' says that it serves. Later settings are answered in the same way.
 *
 * The other side of descriptor 3 is trusted: what makes no sense there is fatal.
 */
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/log.h"
#include "common/process_table.h"
#include "common/sandbox.h"
#include "common/syscall_filter.h"
#include "common/xalloc.h"

/* A string kept for as long as the process runs, or until its listener goes. */
struct name {
	SLIST_ENTRY(name) link;
	char *text;
};

SLIST_HEAD(names, name);

struct peer_uid {
	const char *name;
	uid_t uid;
};

/* So often a loop looks for what has come, however much there is to do. */
#define LOOP_TURN_US 1000

struct process {
	const struct process_ops *ops;
	void *arg;
	const struct process_row *row;
	struct event_base *base;
	struct channel *channel;
	unsigned worker;
	struct sandbox sandbox; /* its root is ours */
	enum syscall_filter_mode filter;
	char *root;
	char *sockets;
	struct peer_uid *uids;
	size_t nuids;
	struct names listeners;
	struct names paths;
	bool has_settings;
	bool started;
	unsigned unsettled; /* settings that were taken and do not hold yet */
	int status;
};

static struct name *
names_add(struct names *list, char *text)
{
	struct name *n = xcalloc(1, sizeof *n);

	n->text = text;
	SLIST_INSERT_HEAD(list, n, link);
	return n;
}

static struct name *
names_find(struct names *list, struct span text)
{
	struct name *n;

	SLIST_FOREACH(n, list, link)
	if (span_is(text, n->text))
		return n;
	return NULL;
}

static void
names_remove(struct names *list, struct name *n)
{
	SLIST_REMOVE(list, n, name, link);
	free(n->text);
	free(n);
}

static void
names_release(struct names *list)
{
	while (!SLIST_EMPTY(list))
		names_remove(list, SLIST_FIRST(list));
}

static void
need(int r, const char *field)
{
	if (r != 0)
		fatalx("the settings from postriderd lack %s=", field);
}

static uint64_t
number(const struct wire_msg *m, const char *field)
{
	uint64_t v = 0;

	need(wire_get_u64(m, field, UINT32_MAX, &v), field);
	return v;
}

static struct span
text(const struct wire_msg *m, const char *field)
{
	struct span v = {NULL, 0};

	need(wire_get(m, field, &v), field);
	return v;
}

/* The frame's own fields, once: who we become, where we live, who our peers are. */
static void
take_identity(struct process *p, const struct wire_msg *m)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	if (!span_is(text(m, "process"), p->row->name))
		fatalx("postriderd takes this program for another process");
	p->worker = (unsigned)number(m, "worker");
	p->root = xspandup(text(m, "root"));
	p->sockets = xspandup(text(m, "sockets"));
	p->sandbox = (struct sandbox){
	    .uid = (uid_t)number(m, "uid"),
	    .gid = (gid_t)number(m, "gid"),
	    .root = p->root,
	    .keep = p->row->keep,
	    .bounding = p->row->executes ? p->row->keep : 0,
	    .many_descriptors = p->row->many_descriptors,
	};
	if (syscall_filter_mode_parse(text(m, "system-call-filter"), &p->filter) != 0)
		fatalx("the settings have no system-call-filter");
	p->uids = xcalloc(n, sizeof *p->uids);
	for (size_t i = 0; i < n; i++) {
		char *field = xasprintf("uid-%s", rows[i].name);

		p->uids[p->nuids++] = (struct peer_uid){rows[i].name, (uid_t)number(m, field)};
		free(field);
	}
}

static void
take_log_level(const struct wire_msg *m)
{
	struct span v;
	enum log_level level;

	if (wire_get(m, "log-level", &v) == 0 && log_level_parse(v, &level) == 0)
		log_set_level(level);
}

/* The answer to settings: 'R', we serve, by them; 'O', by the old ones. */
static void
say(char octet)
{
	ssize_t n;

	do {
		n = send(PROCESS_FD, &octet, 1, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		fatal("cannot tell postriderd that we serve");
}

static void
on_settings(struct process *p, struct wire_msg *m)
{
	bool first = !p->has_settings;
	int r;

	if (first)
		take_identity(p, m);
	p->has_settings = true;
	r = p->ops->on_settings(p, m, p->arg);
	if (r >= 0) {
		take_log_level(m);
		if (r == PROCESS_SETTINGS_LATER)
			p->unsettled++;
		else if (!first)
			say('R');
	} else if (first) {
		log_warnx("cannot start with these settings");
		p->status = EX_CONFIG;
		event_base_loopbreak(p->base);
	} else {
		log_warnx("the new settings cannot be used here, the old ones stay in force");
		say('O');
	}
}

static void
on_listener(struct process *p, struct wire_msg *m)
{
	struct span name = text(m, "name");

	if (p->ops->on_listener == NULL || names_find(&p->listeners, name) != NULL)
		return; /* the channel closes the descriptor */
	names_add(&p->listeners, xspandup(name));
	p->ops->on_listener(p, m, wire_take_fd(m, 0), p->arg);
}

static void
on_unlisten(struct process *p, struct wire_msg *m)
{
	struct span name = text(m, "name");
	struct name *n = names_find(&p->listeners, name);

	if (n == NULL)
		return;
	if (p->ops->on_unlisten != NULL)
		p->ops->on_unlisten(p, name, p->arg);
	names_remove(&p->listeners, n);
}

/* The kernel ends us with postriderd even if we hang; set after the user changed, which clears it. */
static void
die_with_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		fatal("cannot tie this process to postriderd");
}

static void
on_go(struct process *p)
{
	bool root = sandbox_is_root(); /* who changes its root directory */

	if (!p->has_settings || p->started)
		fatalx("postriderd says go at the wrong time");
	sandbox_enter(&p->sandbox);
	die_with_parent();
	/* Beneath its root directory, if it has one of its own. */
	landlock_enter(p->row->files, root ? "/" : p->root);
	syscall_filter_enter(p->row->calls, p->filter);
	p->started = true;
	p->ops->on_start(p, p->arg);
	say('R');
}

static void
on_stop(struct process *p)
{
	if (p->started && p->ops->on_stop != NULL)
		p->ops->on_stop(p, p->arg);
	else
		process_exit(p);
}

static void
on_message(struct channel *c, struct wire_msg *m, void *arg)
{
	struct process *p = arg;

	(void)c;
	if (p->status != 0)
		return; /* it ends: later settings are not to be answered */
	if (span_is(m->verb, "settings"))
		on_settings(p, m);
	else if (!p->has_settings)
		fatalx("postriderd says %.*s before the settings", SPAN_ARG(m->verb));
	else if (span_is(m->verb, "listener") && m->nfds == 1)
		on_listener(p, m);
	else if (span_is(m->verb, "unlisten"))
		on_unlisten(p, m);
	else if (span_is(m->verb, "go"))
		on_go(p);
	else if (span_is(m->verb, "stop"))
		on_stop(p);
	else
		fatalx("postriderd says %.*s, which means nothing here", SPAN_ARG(m->verb));
}

/* A child never outlives its supervisor, whatever is under way: what was acknowledged is on disk. */
static void
on_close(struct channel *c, const char *why, void *arg)
{
	(void)c, (void)arg;
	log_debug("postriderd is gone (%s)", why);
	log_flush(); /* lines of this turn */
	_exit(0);
}

static const struct channel_ops channel_ops = {.on_message = on_message, .on_close = on_close};

static void
ignore_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ};

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
}

/* Descriptors we inherited stay ours: no program started from here sees them. */
static int
check_descriptors(const struct process_row *row)
{
	int domain = 0;
	socklen_t len = sizeof domain;

	if (getsockopt(PROCESS_FD, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
	    domain != AF_UNIX || fcntl(PROCESS_FD, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return row->holds_spool ? fcntl(PROCESS_LOCK_FD, F_SETFD, FD_CLOEXEC) : 0;
}

/*
 * A loop that looks for what has come meanwhile at least every millisecond. Otherwise it ends a turn only when nothing is left to
 * do, and an event that makes itself active again, as input that TLS holds does, would keep all others out.
 */
static struct event_base *
new_base(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base = NULL;

	if (c != NULL && event_config_set_max_dispatch_interval(
			     c, &(struct timeval){0, LOOP_TURN_US}, -1, 0) == 0)
		base = event_base_new_with_config(c);
	if (base == NULL)
		fatalx("cannot make an event loop");
	event_config_free(c);
	return base;
}

int
process_run(const struct process_ops *ops, void *arg)
{
	struct process p = {
	    .ops = ops, .arg = arg, .row = process_table_find(span_str(ops->name))};

	log_init(ops->name, LOG_LEVEL_INFO);
	if (p.row == NULL)
		fatalx("%s is not in the process table", ops->name);
	if (check_descriptors(p.row) != 0) {
		log_warnx("%s is started by postriderd(8), not by hand", ops->name);
		return EX_USAGE;
	}
	ignore_signals();
	tzset(); /* while the zone's file can be read; the name in TZ keeps it */
	SLIST_INIT(&p.listeners);
	SLIST_INIT(&p.paths);
	p.base = new_base();
	log_gather(p.base);
	p.channel = channel_new(p.base, PROCESS_FD, &channel_ops, &p);
	event_base_dispatch(p.base);
	if (ops->on_end != NULL)
		ops->on_end(arg);
	channel_free(&p.channel);
	log_gather(NULL);
	event_base_free(p.base);
	names_release(&p.listeners);
	names_release(&p.paths);
	free(p.uids);
	free(p.root);
	free(p.sockets);
	return p.status;
}

struct event_base *
process_base(struct process *p)
{
	return p->base;
}

void
process_exit(struct process *p)
{
	event_base_loopbreak(p->base);
}

void
process_settled(struct process *p)
{
	for (; p->unsettled > 0; p->unsettled--)
		say('R');
}

unsigned
process_worker(const struct process *p)
{
	return p->worker;
}

const char *
process_socket(struct process *p, const char *socket_name)
{
	char *path = xasprintf("%s/%s", p->sockets, socket_name);
	struct name *n = names_find(&p->paths, span_str(path));

	if (n == NULL)
		return names_add(&p->paths, path)->text;
	free(path);
	return n->text;
}

uid_t
process_uid_of(const struct process *p, const char *process_name)
{
	for (size_t i = 0; i < p->nuids; i++)
		if (strcmp(p->uids[i].name, process_name) == 0)
			return p->uids[i].uid;
	return (uid_t)-1;
}
