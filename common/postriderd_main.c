/*
 * postriderd: the supervisor's program (postriderd(8)). It reads the
 * configuration, finds users and the program directory, and hands over to
 * common/supervisor.c, which knows nothing of configuration keys: this file is
 * the one place in common/ that includes conf/.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/supervisor.h"
#include "common/version.h"
#include "common/xalloc.h"
#include "conf/config.h"
#include "conf/config_check.h"
#include "conf/config_check_tls.h"
#include "conf/datafile.h"

#define DEFAULT_CONFIG SYSCONFDIR "/postrider/postrider.conf"

/* A configuration with what was made from it. */
struct loaded {
	struct config *config;
	struct process_ids *ids;
	struct listener_spec *listeners;
	struct supervisor_plan plan;
	struct buf
	    client_ca; /* CA certificates for clients' own, PEM; empty: they are not asked for any */
	struct buf next_start; /* of struct supervisor_plan */
};

struct daemon {
	char *config_path;
	struct loaded *in_force, *next; /* next: loaded, not yet committed */
};

static void
loaded_free(struct loaded **lp)
{
	struct loaded *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	config_free(&l->config);
	free(l->ids);
	free(l->listeners);
	buf_release(&l->client_ca);
	buf_release(&l->next_start);
	free(l);
}

/* --- from a configuration to a plan --- */

static const char *
user_of(const struct config *c, const char *key)
{
	return strcmp(key, "smtpd") == 0       ? c->user_smtpd
	       : strcmp(key, "directory") == 0 ? c->user_directory
	       : strcmp(key, "queue") == 0     ? c->user_queue
	       : strcmp(key, "remote") == 0    ? c->user_remote
	       : strcmp(key, "keys") == 0      ? c->user_keys
					       : NULL;
}

/* Without root every process is who we are. config_load has refused users that do not exist. */
static int
find_users(struct loaded *l)
{
	size_t n;
	const struct process_row *rows = process_table(&n);

	l->ids = xcalloc(n, sizeof *l->ids);
	for (size_t i = 0; i < n; i++) {
		const char *user =
		    rows[i].user != NULL ? user_of(l->config, rows[i].user) : NULL;

		l->ids[i] = (struct process_ids){geteuid(), getegid()};
		if (!sandbox_is_root() || rows[i].user == NULL)
			continue;
		if (user == NULL ||
		    config_user_find(user, &l->ids[i].uid, &l->ids[i].gid) != 0) {
			log_warnx("there is no user for %s", rows[i].name);
			return -1;
		}
	}
	return 0;
}

static void
list_listeners(struct loaded *l)
{
	const struct config *c = l->config;

	l->listeners = xcalloc(c->nlisteners + 1, sizeof *l->listeners);
	for (size_t i = 0; i < c->nlisteners; i++)
		l->listeners[i] = (struct listener_spec){.name = c->listeners[i].address,
		    .addr = c->listeners[i].addr,
		    .role = listener_role_name(c->listeners[i].role),
		    .tls = listener_tls_name(c->listeners[i].tls)};
}

/* smtpd gets it with its settings: it could not open the file. */
static int
read_client_ca(struct loaded *l)
{
	const char *path = l->config->tls_ask_client ? l->config->tls_client_ca : NULL;
	struct buf why;
	int r = 0;

	buf_init(&l->client_ca, CONFIG_CLIENT_CA_MAX);
	buf_init(&why, 1024);
	if (path != NULL && datafile_read(AT_FDCWD, path, false, geteuid(), &l->client_ca, NULL,
				&why) != DATAFILE_OK) {
		log_warnx("%s: %s", path, why.len > 0 ? buf_str(&why) : "does not exist");
		r = -1;
	}
	buf_release(&why);
	return r;
}

/* Every error in the log, and NULL then; warnings as well. */
static struct loaded *
load(const char *path)
{
	struct config_errors errors = {0};
	struct loaded *l = xcalloc(1, sizeof *l);

	buf_init(&l->next_start, 64U << 10);
	l->config = config_load(path, &errors);
	for (size_t i = 0; i < errors.n; i++)
		log_warnx("%s", errors.v[i].text);
	for (size_t i = 0; i < errors.nwarnings; i++)
		log_warnx("%s", errors.warnings[i].text);
	config_errors_release(&errors);
	if (l->config == NULL || find_users(l) != 0 || read_client_ca(l) != 0) {
		loaded_free(&l);
		return NULL;
	}
	list_listeners(l);
	l->plan = (struct supervisor_plan){.spool = l->config->spool,
	    .workers = l->config->workers,
	    .ids = l->ids,
	    .listeners = l->listeners,
	    .nlisteners = l->config->nlisteners,
	    .filter = l->config->system_call_filter};
	return l;
}

/* --- reload --- */

/* The log says so, and postriderd's status as long as it is so. */
static void
defer(struct loaded *new, const char *key, const char *now, const char *was)
{
	log_warnx(
	    "%s = %s takes effect with the next start, until then it is %s", key, now, was);
	buf_addf(&new->next_start, "%s = %s, until then %s\n", key, now, was);
}

static void
keep_text(struct loaded *l, char **new, char **old, const char *key)
{
	char *was = *old;

	if (strcmp(*new, was) == 0)
		return;
	defer(l, key, *new, was);
	free(*new);
	*new = xstrdup(was);
}

/* What running processes cannot change stays as it is. */
static void
keep_until_restart(struct loaded *new, struct loaded *old)
{
	struct config *n = new->config, *o = old->config;
	char now[16], was[16];
	size_t rows;

	keep_text(new, &n->spool, &o->spool, "spool");
	keep_text(new, &n->user_smtpd, &o->user_smtpd, "users.smtpd");
	keep_text(new, &n->user_directory, &o->user_directory, "users.directory");
	keep_text(new, &n->user_queue, &o->user_queue, "users.queue");
	keep_text(new, &n->user_remote, &o->user_remote, "users.remote");
	keep_text(new, &n->user_keys, &o->user_keys, "users.keys");
	if (n->workers != o->workers) {
		snprintf(now, sizeof now, "%u", n->workers);
		snprintf(was, sizeof was, "%u", o->workers);
		defer(new, "workers", now, was);
	}
	n->workers = o->workers;
	process_table(&rows);
	memcpy(new->ids, old->ids, rows * sizeof *new->ids);
	new->plan.spool = n->spool;
	new->plan.workers = n->workers;
	new->plan.next_start = buf_str(&new->next_start);
}

static const struct supervisor_plan *
on_load(void *arg)
{
	struct daemon *d = arg;

	d->next = load(d->config_path);
	if (d->next == NULL)
		return NULL;
	keep_until_restart(d->next, d->in_force);
	return &d->next->plan;
}

static void
on_commit(bool in_force, void *arg)
{
	struct daemon *d = arg;

	if (in_force) {
		loaded_free(&d->in_force);
		d->in_force = d->next;
		d->next = NULL;
		log_set_level(d->in_force->config->log_level);
	}
	loaded_free(&d->next);
}

static void
on_add_settings(const struct process_row *row, struct wire_out *w, void *arg)
{
	struct daemon *d = arg;

	config_to_wire(d->in_force->config, w);
	if (row->client_ca)
		w->payload = buf_span(&d->in_force->client_ca);
}

static const struct supervisor_ops ops = {
    .load = on_load, .commit = on_commit, .add_settings = on_add_settings};

/* --- start --- */

/* A descriptor we open must never become 0, 1 or 2 by chance: log lines would go into it. */
static void
tidy_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0); /* whatever the caller left open */
}

/* As seen after we have changed to "/"; the caller frees it. */
static char *
absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/')
		return xstrdup(path);
	if (getcwd(here, sizeof here) == NULL)
		fatal("cannot tell which directory this is: give %s as an absolute path", path);
	return xasprintf("%s/%s", here, path);
}

/* Does this directory (the caller frees it, or this does) hold the other programs? */
static char *
if_programs(char *dir)
{
	size_t n;
	const struct process_row *row = process_table(&n);
	char *path = xasprintf("%s/%s", dir, row->program);
	bool found = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;

	free(path);
	if (found)
		return dir;
	free(dir);
	return NULL;
}

/* The other programs lie beside this one (build/bin), or where they were installed. */
static char *
find_program_dir(void)
{
	char self[PATH_MAX], *slash, *dir = NULL;
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL) {
		*slash = '\0';
		dir = if_programs(xstrdup(self));
		if (dir == NULL)
			dir = if_programs(xasprintf("%s/../libexec/postrider", self));
	}
	return dir != NULL ? dir : xstrdup(LIBEXECDIR);
}

static int
usage(FILE *out, int status)
{
	fprintf(out, "usage: postriderd [-hV] [-c file] [-p file]\n");
	return status;
}

static int
run(struct daemon *d, const char *pid_file)
{
	char *socket = getenv("NOTIFY_SOCKET");
	struct supervisor_options o = {.program_dir = find_program_dir(),
	    .version = POSTRIDER_VERSION,
	    .notify_socket = socket != NULL ? xstrdup(socket) : NULL,
	    .pid_file = pid_file,
	    .ops = &ops,
	    .arg = d};
	int status;

	unsetenv("NOTIFY_SOCKET");
	log_set_level(d->in_force->config->log_level);
	log_info("postriderd %s, configuration %s", POSTRIDER_VERSION, d->config_path);
	status = supervisor_run(&o, &d->in_force->plan);
	free((char *)o.program_dir);
	free((char *)o.notify_socket);
	return status;
}

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};

int
main(int argc, char **argv)
{
	struct daemon d = {NULL, NULL, NULL};
	char *pid_file = NULL;
	const char *config_path = DEFAULT_CONFIG;
	int c, status;

	tidy_descriptors();
	log_init("postriderd", LOG_LEVEL_INFO);
	log_never_block();
	while ((c = getopt_long(argc, argv, "c:hp:V", long_options, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, EX_OK);
		if (c == 'V') {
			printf("postriderd %s\n", POSTRIDER_VERSION);
			return EX_OK;
		}
		if (c == 'c') {
			config_path = optarg;
		} else if (c == 'p') {
			free(pid_file);
			pid_file = absolute(optarg);
		} else {
			return usage(stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	umask(077);
	d.config_path = absolute(config_path);
	d.in_force = load(d.config_path);
	status = d.in_force != NULL ? run(&d, pid_file) : EX_CONFIG;
	loaded_free(&d.in_force);
	free(d.config_path);
	free(pid_file);
	return status;
}
