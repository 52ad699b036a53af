/*
 * sendmail_setup: what sendmail must know before it starts: where the daemon's
 * spool is, what this host is called, and who calls. It runs with the caller's rights
 * and takes three keys of postrider.conf where the caller may read it; what
 * else stands there, right or wrong, is the daemon's business.
 */
#ifndef QUEUE_SENDMAIL_SETUP_H
#define QUEUE_SENDMAIL_SETUP_H

#include <stdint.h>

#include "common/buf.h"

struct sendmail_setup {
	char *spool;	     /* spool, or its default */
	char *hostname;	     /* hostname, or the system's own name */
	uint64_t size_limit; /* message-size-limit, or its default: octets */
	char *login;	     /* the caller's, usable as a local part */
	char *full_name;     /* from the GECOS field, "" if there is none */
};

/*
 * Reads the file that POSTRIDER_CONFIG names in the environment, else SYSCONFDIR/postrider/postrider.conf, else
 * takes the defaults. 0, or EX_CONFIG with a line in *why if the file named in the environment
 * cannot be used. The caller releases in both cases.
 */
int sendmail_setup_init(struct sendmail_setup *s, struct buf *why);
void sendmail_setup_release(struct sendmail_setup *s);

/* The daemon's socket or directory below the spool; the caller frees. */
char *sendmail_setup_path(const struct sendmail_setup *s, const char *below);

#endif
