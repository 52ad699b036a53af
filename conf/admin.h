/*
 * admin: what `postrider domain` and `postrider user` do to the domain
 * directories: create, list, add, change. Everything a person could do with
 * mkdir and an editor, in the one order that leaves no half-made state: what
 * others read appears by rename, after fsync. The directory process sees the
 * change by itself; nothing need be told.
 *
 * Runs as the caller, with the caller's rights. Errors are texts for people that
 * name the thing and say what to try.
 */
#ifndef CONF_ADMIN_H
#define CONF_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "conf/config.h"

/*
 * Creates domains/<name>/ with etc/ (an empty passwd) and home/. name is a domain in any spelling, it
 * is made canonical. owner: "user", "user:group", numbers allowed. NULL: the caller; for root, which may not
 * own a domain, whom the domains directory belongs to, or if that is root a number from ADMIN_UID_FIRST on that no
 * account and no other domain has, so that domains cannot read each other. 0, or -1 with *why.
 */
#define ADMIN_UID_FIRST 200000
#define ADMIN_UID_LAST	299999
int admin_domain_add(
    const struct config *c, const char *name, const char *owner, struct buf *why);

/* One domain, for admin_domain_list. */
struct admin_domain {
	const char *name;     /* canonical */
	const char *alias_of; /* the domain it is an alias of (a symbolic link), or NULL */
	const char *path;     /* its directory */
	uid_t uid;	      /* the directory's owner and group */
	gid_t gid;
	size_t users;	     /* in its passwd; 0 for an alias */
	const char *problem; /* why it cannot be used, or NULL */
};
typedef void admin_domain_fn(const struct admin_domain *d, void *arg);

/* Calls fn for each domain in order of the names. 0, or -1 with *why. */
int admin_domain_list(const struct config *c, admin_domain_fn *fn, void *arg, struct buf *why);

/* What is stored of a password. text NULL: nothing, the user is locked, mail comes in and nobody logs in. */
struct admin_password {
	const char *text;
	const char *scheme; /* "yescrypt", "scram-sha-256"; NULL: the former */
};

/*
 * Could the user be added (there: false) or changed (true)? To be asked before somebody types a password in vain. 0, or -1 with
 * *why, as the functions below.
 */
int admin_user_look(const struct config *c, const char *address, bool there, struct buf *why);

/* Adds a user "local@domain" to the domain's passwd. Fails if the user exists. 0, or -1 with *why. */
int admin_user_add(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why);

/* Sets an existing user's password. 0, or -1 with *why. */
int admin_user_passwd(const struct config *c, const char *address,
    const struct admin_password *password, struct buf *why);

/* One user, for admin_user_list. */
struct admin_user {
	const char *address;
	unsigned line;	/* of etc/passwd */
	bool login;	/* there is a password that can be believed */
	bool scram;	/* and it allows SCRAM-SHA-256 */
	uint64_t limit; /* how much the mailbox may hold: octets, 0: no quota */
	bool own;	/* that is the user's; else the domain's */
};
typedef void admin_user_fn(const struct admin_user *u, void *arg);

/* Calls fn for each user of the domain, in any spelling, in the order of its passwd. 0, or -1 with *why. */
int admin_user_list(
    const struct config *c, const char *name, admin_user_fn *fn, void *arg, struct buf *why);

struct admin_quota {
	uint64_t limit; /* octets, 0: none */
	bool own;	/* the user's; else the domain's */
	uint64_t octets, messages;
	bool at_least; /* there is more */
};

/* How full the mailbox of a user is, and how full it may be. 0, or -1 with *why. */
int admin_user_quota(
    const struct config *c, const char *address, struct admin_quota *q, struct buf *why);

/*
 * Gives an existing user a quota of his own: octets, made a whole number of KiB; 0: none at all. remove: he has the
 * domain's. 0, or -1 with *why.
 */
int admin_user_set_quota(
    const struct config *c, const char *address, uint64_t octets, bool remove, struct buf *why);

#endif
