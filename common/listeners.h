/*
 * listeners: the listening sockets of all processes. postriderd binds them, keeps
 * them for as long as they are configured, and hands copies to each child it
 * starts: what connects while a process is restarted waits in the backlog.
 *
 * A TCP listener is one socket for each smtpd worker (SO_REUSEPORT spreads the
 * connections); a Unix socket is one socket, shared by all workers that serve it.
 */
#ifndef COMMON_LISTENERS_H
#define COMMON_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/netaddr.h"
#include "common/process_table.h"

/* What the configuration wants; role and tls as in doc/IPC.md. */
struct listener_spec {
	const char *name; /* "addr:port" as written */
	struct netaddr addr;
	const char *role;
	const char *tls;
};

struct listener {
	char *name;
	char *role; /* of a Unix socket: who uses it (socket_table) */
	char *tls;
	char *served_by; /* the process that serves it */
	bool tcp;
	struct netaddr addr; /* of a TCP listener */
	unsigned nfds;	     /* one a worker, or 1 */
	int *fds;	     /* -1: taken over (listeners_take_over) */
};

struct listeners {
	struct listener *v;
	size_t n;
};

/* How many listeners one configuration may have (they travel to a child in one go). */
#define LISTENERS_TCP_MAX 48

/*
 * Binds what the specifications say, except addresses that old (may be NULL) already has: those stay
 * with old until listeners_take_over. NULL if one of them cannot be had: said in the log, nothing is
 * left bound, old is as it was. An IPv6 address on a host without IPv6 is left out with a warning.
 */
struct listeners *listeners_open_tcp(
    const struct listener_spec *specs, size_t n, unsigned workers, const struct listeners *old);

/*
 * The second half of a change, in two steps, between which running processes hear what else is new. Calls changed for each
 * listener that they must forget (listeners_tell_removed), then for each that they must learn; one with another role or TLS
 * mode is both, and keeps its sockets. With the latter the sockets which now has from old are moved to it; old is freed and cleared.
 */
typedef void listeners_change_fn(const struct listener *l, bool added, void *arg);
void listeners_tell_removed(const struct listeners *now, const struct listeners *old,
    listeners_change_fn *changed, void *arg);
void listeners_take_over(
    struct listeners *now, struct listeners **old, listeners_change_fn *changed, void *arg);

/*
 * Binds the Unix sockets of the socket table below spool/sockets/ (made by spool_tree_make) with their
 * owners and modes, in place of what an earlier run left. NULL: said in the log.
 */
struct listeners *listeners_open_unix(const char *spool, const struct process_ids *ids);

/* Takes the names of Unix sockets away when postriderd stops. */
void listeners_unlink_unix(const char *spool);

/* A listener by name, or NULL. */
struct listener *listeners_find(const struct listeners *l, const char *name);

/* The descriptor a worker is to serve. Still the listener's own. */
int listener_fd(const struct listener *l, unsigned worker);

/* A line of the log: we listen there, or no longer. */
void listener_tell(const struct listener *l, bool added);

/* Closes the descriptors. */
void listeners_free(struct listeners **l);

#endif
