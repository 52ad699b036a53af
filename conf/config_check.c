/* config_check: what must be true of a configuration. See config_check.h. */
#include "conf/config_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/trusted_path.h"
#include "common/xalloc.h"
#include "conf/access_file.h"
#include "conf/config_check_tls.h"
#include "conf/datafile.h"
#include "conf/header_files.h"

/* spool + "/sockets/control/directory" must fit a Unix socket's address of 108 octets. */
#define SPOOL_PATH_MAX 80

struct check {
	struct config *c;
	struct config_lines *lines;
	struct config_errors *errors;
};

static unsigned
line_of(const struct check *k, const char *name)
{
	return config_lines_find(k->lines, NULL, name);
}

static unsigned
listener_line(const struct check *k, size_t i)
{
	const unsigned *lines = k->lines->titled[CONFIG_LISTEN];

	return lines != NULL ? lines[i] : 0;
}

#define COMPLAIN(k, line, ...) config_errors_add((k)->errors, (k)->c->path, line, __VA_ARGS__)

/* Is path the directory dir, or below it? */
static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strcmp(dir, "/") == 0 ||
	       (strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

static void
check_domains(struct check *k)
{
	const char *path = k->c->domains;
	unsigned line = line_of(k, "domains");
	struct stat st;
	struct buf why;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		COMPLAIN(k, line,
		    "domains = %s: %s, expected a directory that holds one directory per "
		    "domain",
		    path,
		    errno == ENOENT ? "does not exist"
				    : "is not a directory one can look into");
		return;
	}
	buf_init(&why, 4096);
	if (!datafile_trusted(&st, geteuid(), &why))
		COMPLAIN(k, line, "domains = %s: %s", path, buf_str(&why));
	else if (geteuid() == 0 && trusted_path_check(path, &why) != 0)
		COMPLAIN(k, line, "domains = %s: %s", path, buf_str(&why));
	buf_release(&why);
}

/* It may be missing (postriderd makes it), its parent may not. */
static void
check_spool(struct check *k)
{
	const char *path = k->c->spool;
	unsigned line = line_of(k, "spool");
	char *parent = xstrdup(path), *slash;
	struct stat st;

	if (strlen(path) > SPOOL_PATH_MAX)
		COMPLAIN(k, line,
		    "spool = %s: expected a path of at most %d octets, sockets lie below it",
		    path, SPOOL_PATH_MAX);
	if (is_below(path, k->c->domains) || is_below(k->c->domains, path))
		COMPLAIN(k, line,
		    "spool = %s: expected a place neither above nor below domains = %s", path,
		    k->c->domains);
	slash = strrchr(parent, '/');
	slash[slash == parent ? 1 : 0] = '\0';
	if (stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			COMPLAIN(k, line, "spool = %s: is not a directory", path);
	} else if (stat(parent, &st) != 0 || !S_ISDIR(st.st_mode)) {
		COMPLAIN(
		    k, line, "spool = %s: %s is no directory, create it first", path, parent);
	}
	free(parent);
}

static void
check_listeners(struct check *k)
{
	const struct config *c = k->c;

	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct config_listener *l = &c->listeners[i];

		for (size_t j = 0; j < i; j++) {
			if (netaddr_equal_ip(&l->addr, &c->listeners[j].addr) &&
			    l->addr.port == c->listeners[j].addr.port)
				COMPLAIN(k, listener_line(k, i),
				    "listen \"%s\": the same address as on line %u, expected "
				    "each once",
				    l->address, listener_line(k, j));
		}
	}
}

/* Where a password cannot come nobody could log in. */
static void
check_submission(struct check *k)
{
	const struct config *c = k->c;

	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct config_listener *l = &c->listeners[i];

		if (l->role == LISTENER_SUBMISSION && l->tls == LISTENER_TLS_NONE &&
		    !c->auth_without_tls)
			COMPLAIN(k, listener_line(k, i),
			    c->tls_certificate != NULL
				? "listen \"%s\": role = submission with tls = none, and so "
				  "without logins: expected tls = starttls or tls = implicit, "
				  "or "
				  "for tests auth-without-tls = yes"
				: "listen \"%s\": role = submission without TLS, and so "
				  "without "
				  "logins: expected a certificate (tls { }), or for tests "
				  "auth-without-tls = yes",
			    l->address);
	}
}

struct entry {
	char *name;
	unsigned line;
};

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : (x->line > y->line) - (x->line < y->line);
}

/* Does the domains directory hold an entry of this name? */
static bool
is_hosted(const struct config *c, const char *name)
{
	char *path = xasprintf("%s/%s", c->domains, name);
	struct stat st;
	bool found = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	free(path);
	return found;
}

/* Sorted for policy's look-ups; equal neighbours are the same domain written twice. */
static void
check_relay_domains(struct check *k)
{
	struct config_strings *d = &k->c->relay_domains;
	struct entry *v = xcalloc(d->n + 1, sizeof *v);

	for (size_t i = 0; i < d->n; i++)
		v[i] = (struct entry){d->v[i], k->lines->relay_domains[i]};
	qsort(v, d->n, sizeof *v, by_name);
	for (size_t i = 0; i < d->n; i++) {
		d->v[i] = v[i].name;
		k->lines->relay_domains[i] = v[i].line;
		if (i > 0 && strcmp(v[i].name, v[i - 1].name) == 0)
			COMPLAIN(k, v[i].line,
			    "relay-domains: %s is listed already on line %u (case and U-labels "
			    "make no "
			    "difference), expected it once",
			    v[i].name, v[i - 1].line);
		else if (is_hosted(k->c, v[i].name))
			COMPLAIN(k, v[i].line,
			    "relay-domains: %s is hosted here (%s/%s exists), expected one or "
			    "the other",
			    v[i].name, k->c->domains, v[i].name);
	}
	free(v);
}

static void
check_networks(struct check *k, const char *key, const struct config_netblocks *b,
    const char *consequence, const char *expected)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].bits == 0)
			COMPLAIN(k, line_of(k, key),
			    "%s: a network of all addresses %s, expected %s", key, consequence,
			    expected);
	}
}

/* Who may name clients may name one that may relay. */
static void
check_proxies(struct check *k)
{
	const struct config *c = k->c;

	check_networks(k, "proxy-from", &c->proxy_from, "lets every client say who it is",
	    "those of your proxies");
	check_networks(k, "xclient-from", &c->xclient_from, "lets every client say who it is",
	    "those of your proxies");
	for (size_t i = 0; i < c->nlisteners; i++) {
		if (c->listeners[i].proxy && c->proxy_from.n == 0)
			COMPLAIN(k, listener_line(k, i),
			    "listen \"%s\": proxy = yes, and nobody may connect: expected "
			    "proxy-from with the addresses of your proxies",
			    c->listeners[i].address);
	}
}

int
config_user_find(const char *user, uid_t *uid, gid_t *gid)
{
	struct passwd *pw;
	uint64_t number;

	/* (uid_t)-1 means "no change" to the kernel. */
	if (span_to_u64(span_str(user), UINT32_MAX - 1, &number) == 0) {
		*uid = (uid_t)number;
		*gid = (gid_t)number;
		return 0;
	}
	pw = getpwnam(user);
	if (pw == NULL)
		return -1;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

#define USERS 5

/* Without root every process runs as the caller and the users do not matter. */
static void
check_users(struct check *k)
{
	static const char *const names[] = {"smtpd", "directory", "queue", "remote", "keys"};
	const struct config *c = k->c;
	const char *const users[] = {
	    c->user_smtpd, c->user_directory, c->user_queue, c->user_remote, c->user_keys};
	uid_t uids[USERS];
	gid_t gid;

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < USERS; i++) {
		unsigned line = config_lines_find(k->lines, "users", names[i]);

		if (config_user_find(users[i], &uids[i], &gid) != 0) {
			uids[i] = (uid_t)-1;
			COMPLAIN(k, line,
			    "users: there is no user %s for %s, create it (adduser --system "
			    "--group %s) or "
			    "set users { %s = \"…\" }",
			    users[i], names[i], users[i], names[i]);
			continue;
		}
		if (uids[i] == 0 || gid == 0)
			COMPLAIN(k, line,
			    "users: %s = %s is root, expected a user without rights", names[i],
			    users[i]);
		for (size_t j = 0; j < i; j++) {
			if (uids[j] == uids[i] && uids[i] != 0)
				COMPLAIN(k, line,
				    "users: %s and %s are the same user, expected one for "
				    "each: they guard "
				    "themselves against each other",
				    names[j], names[i]);
		}
	}
}

/* A file that is named and not there is told at the key; what is wrong with one that is there, by its own name. */
static bool
is_there(struct check *k, const char *key, const char *path)
{
	struct stat st;

	if (path == NULL)
		return false;
	if (stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return true;
	COMPLAIN(k, line_of(k, key), "%s = %s: does not exist", key, path);
	return false;
}

static void
check_access_table(struct check *k)
{
	struct access_table *t;

	if (!is_there(k, "access", k->c->access_table))
		return;
	t = access_file_load(k->c->access_table, geteuid(), k->errors);
	access_table_free(&t);
}

static void
check_header_checks(struct check *k)
{
	bool header = is_there(k, "header-checks", k->c->header_checks);
	bool mime = is_there(k, "mime-header-checks", k->c->mime_header_checks);
	struct header_set *set;

	/* What the other says is told when both are there. */
	if ((!header && k->c->header_checks != NULL) ||
	    (!mime && k->c->mime_header_checks != NULL))
		return;
	set = header_files_load(k->c, geteuid(), k->errors);
	header_set_unref(&set);
}

void
config_check_domains(struct config *c, struct config_lines *lines, struct config_errors *errors)
{
	struct check k = {c, lines, errors};

	check_domains(&k);
}

void
config_check(struct config *c, struct config_lines *lines, struct config_errors *errors)
{
	struct check k = {c, lines, errors};

	check_domains(&k);
	check_spool(&k);
	config_check_tls(c, lines, errors);
	check_listeners(&k);
	check_submission(&k);
	check_relay_domains(&k);
	check_networks(
	    &k, "relay-from", &c->relay_from, "makes this an open relay", "your own networks");
	check_proxies(&k);
	check_access_table(&k);
	check_header_checks(&k);
	check_users(&k);
}
