/*
 * admin_private: what the files of admin share: the domains as they are looked at, a domain's
 * directory opened for change, and its passwd file replaced in one step. Used by conf/admin*.c only.
 */
#ifndef CONF_ADMIN_PRIVATE_H
#define CONF_ADMIN_PRIVATE_H

#include <sys/types.h>

#include "common/buf.h"
#include "conf/config.h"
#include "conf/domains.h"

/*
 * The domains of the configuration, begun to be looked at. What is wrong with their files is told where it
 * matters. The caller frees them.
 */
struct domains *admin_domains_new(const struct config *c);

/* There is no user of that address, and what to do. */
void admin_say_no_user(const char *address, struct buf *why);

/* A domain's etc, locked against others who change it through this module. */
struct admin_etc {
	char *path; /* of the domain */
	int fd;	    /* of etc */
	uid_t uid;  /* of the domain's directory */
	gid_t gid;
};

/*
 * Opens and locks etc of the domain name (canonical, no alias) below the domains root. 0; -1 with *why.
 * Release in both cases.
 */
int admin_etc_open(struct admin_etc *e, const char *root, const char *name, struct buf *why);
void admin_etc_release(struct admin_etc *e);

/*
 * Reads etc/passwd into text; a file that is not there is empty. -1 with *why if it may not be believed.
 */
int admin_passwd_read(const struct admin_etc *e, struct buf *text, struct buf *why);

/*
 * Replaces etc/passwd: a new file beside it, flushed, renamed into place, the directory flushed. Owner
 * and mode stay those of the old file; a first one belongs to the domain's owner, mode 0600. -1 with *why: the old one is untouched.
 */
int admin_passwd_write(const struct admin_etc *e, struct span text, struct buf *why);

#endif
