/* listeners: binding and keeping the listening sockets. See listeners.h. */
#include "common/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

#define BACKLOG 1024

static struct listener *
add(struct listeners *l, const char *name, const char *role, const char *tls,
    const char *served_by, unsigned nfds)
{
	struct listener *one;

	l->v = xreallocarray(l->v, l->n + 1, sizeof *l->v);
	one = &l->v[l->n++];
	*one = (struct listener){.name = xstrdup(name),
	    .role = xstrdup(role),
	    .tls = xstrdup(tls),
	    .served_by = xstrdup(served_by),
	    .nfds = nfds,
	    .fds = xcalloc(nfds, sizeof *one->fds)};
	for (unsigned i = 0; i < nfds; i++)
		one->fds[i] = -1;
	return one;
}

static void
release(struct listener *l)
{
	for (unsigned i = 0; i < l->nfds; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	free(l->fds);
	free(l->name);
	free(l->role);
	free(l->tls);
	free(l->served_by);
}

void
listeners_free(struct listeners **lp)
{
	struct listeners *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	for (size_t i = 0; i < l->n; i++)
		release(&l->v[i]);
	free(l->v);
	free(l);
}

struct listener *
listeners_find(const struct listeners *l, const char *name)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (strcmp(l->v[i].name, name) == 0)
			return &l->v[i];
	return NULL;
}

void
listener_tell(const struct listener *l, bool added)
{
	if (added)
		log_info("listening on %s role=%s tls=%s", l->name, l->role, l->tls);
	else
		log_info("no longer listening on %s", l->name);
}

int
listener_fd(const struct listener *l, unsigned worker)
{
	return l->fds[l->nfds > 1 ? worker % l->nfds : 0];
}

static int
on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof one);
}

/* A bound socket, not listening yet; share says whether others of ours may bind it as well. */
static int
bind_tcp(const struct netaddr *a, bool share)
{
	struct sockaddr_storage ss;
	socklen_t len = netaddr_to_sockaddr(a, &ss);
	int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	if (on(fd, SOL_SOCKET, SO_REUSEADDR) == 0 &&
	    (!share || on(fd, SOL_SOCKET, SO_REUSEPORT) == 0) &&
	    (a->family != AF_INET6 || on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0) &&
	    bind(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Do we hold this port ourselves, at another address ("0.0.0.0:25" becomes "127.0.0.1:25")? */
static bool
port_is_ours(const struct listeners *old, const struct netaddr *a)
{
	for (size_t i = 0; old != NULL && i < old->n; i++)
		if (old->v[i].tcp && old->v[i].addr.family == a->family &&
		    old->v[i].addr.port == a->port)
			return true;
	return false;
}

/*
 * SO_REUSEPORT would let us join another instance of the same user unnoticed, each getting
 * some of the connections: so the address must be free for a socket that does not share.
 */
static int
open_workers(struct listener *l, const struct listeners *old)
{
	if (!port_is_ours(old, &l->addr)) {
		int probe = bind_tcp(&l->addr, false);

		if (probe < 0)
			return -1;
		close(probe);
	}
	for (unsigned i = 0; i < l->nfds; i++) {
		l->fds[i] = bind_tcp(&l->addr, true);
		if (l->fds[i] < 0 || listen(l->fds[i], BACKLOG) != 0)
			return -1;
	}
	return 0;
}

static void
explain_failure(const char *name, const struct netaddr *a)
{
	if (errno == EACCES)
		log_warn("cannot listen on %s: ports below %d are root's; start as root, or "
			 "listen on a higher port",
		    name, IPPORT_RESERVED);
	else if (errno == EADDRINUSE)
		log_warn("cannot listen on %s: another program serves port %u (see `ss -ltnp`)",
		    name, a->port);
	else
		log_warn("cannot listen on %s", name);
}

struct listeners *
listeners_open_tcp(
    const struct listener_spec *specs, size_t n, unsigned workers, const struct listeners *old)
{
	struct listeners *l = xcalloc(1, sizeof *l);

	if (n > LISTENERS_TCP_MAX) {
		log_warnx("%zu listeners are configured, at most %d are possible", n,
		    LISTENERS_TCP_MAX);
		listeners_free(&l);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		const struct listener_spec *s = &specs[i];
		struct listener *one = add(l, s->name, s->role, s->tls, "smtpd", workers);

		one->tcp = true;
		one->addr = s->addr;
		if (listeners_find(old, s->name) != NULL || open_workers(one, old) == 0)
			continue;
		if (s->addr.family == AF_INET6 &&
		    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			log_warn("no IPv6 here: not listening on %s", s->name);
			release(one);
			l->n--;
			continue;
		}
		explain_failure(s->name, &s->addr);
		listeners_free(&l);
		return NULL;
	}
	return l;
}

static bool
same_settings(const struct listener *a, const struct listener *b)
{
	return strcmp(a->role, b->role) == 0 && strcmp(a->tls, b->tls) == 0;
}

void
listeners_tell_removed(const struct listeners *now, const struct listeners *old,
    listeners_change_fn *changed, void *arg)
{
	for (size_t i = 0; old != NULL && i < old->n; i++) {
		const struct listener *was = &old->v[i], *is = listeners_find(now, was->name);

		if (is == NULL || !same_settings(was, is))
			changed(was, false, arg);
	}
}

void
listeners_take_over(
    struct listeners *now, struct listeners **old, listeners_change_fn *changed, void *arg)
{
	for (size_t i = 0; i < now->n; i++) {
		struct listener *is = &now->v[i], *was = listeners_find(*old, is->name);

		if (was != NULL) {
			int *fds = is->fds;

			is->fds = was->fds;
			was->fds = fds;
		}
		if (was == NULL || !same_settings(was, is))
			changed(is, true, arg);
	}
	listeners_free(old);
}

static int
set_owner(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	if ((uid != geteuid() || gid != getegid()) && lchown(path, uid, gid) != 0)
		return -1;
	return chmod(path, mode);
}

static int
open_unix(const char *path, gid_t gid, mode_t mode)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof sun.sun_path) {
		log_warnx(
		    "the socket %s has a name of more than %zu octets: use a spool with a "
		    "shorter name",
		    path, sizeof sun.sun_path - 1);
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (unlink(path) == 0 || errno == ENOENT) &&
	    bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0 &&
	    set_owner(path, geteuid(), gid, mode) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	log_warn("cannot make the socket %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

struct listeners *
listeners_open_unix(const char *spool, const struct process_ids *ids)
{
	struct listeners *l = xcalloc(1, sizeof *l);
	size_t n;
	const struct socket_row *rows = socket_table(&n);

	for (size_t i = 0; i < n && l != NULL; i++) {
		const struct process_ids *user = process_ids_find(ids, rows[i].used_by);
		bool all = strcmp(rows[i].used_by, "everybody") == 0;
		struct listener *one = add(l, rows[i].name, all ? "submit" : rows[i].used_by,
		    "none", rows[i].served_by, 1);
		char *path = xasprintf("%s/sockets/%s", spool, rows[i].name);

		one->fds[0] =
		    open_unix(path, user != NULL ? user->gid : getegid(), all ? 0666 : 0660);
		free(path);
		if (one->fds[0] < 0)
			listeners_free(&l);
	}
	return l;
}

void
listeners_unlink_unix(const char *spool)
{
	size_t n;
	const struct socket_row *rows = socket_table(&n);

	for (size_t i = 0; i < n; i++) {
		char *path = xasprintf("%s/sockets/%s", spool, rows[i].name);

		if (unlink(path) != 0 && errno != ENOENT)
			log_warn("cannot remove the socket %s", path);
		free(path);
	}
}
