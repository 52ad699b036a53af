/*
 * sendmail_setup: what sendmail must know before it starts: where the daemon's
 * spool is, what this host is called, and who calls. It runs with the caller's
 * rights, so a configuration that he may not read is as good as none.
 */
#ifndef QUEUE_SENDMAIL_SETUP_H
#define QUEUE_SENDMAIL_SETUP_H

#include "common/buf.h"
#include "queue/client_config.h"

struct sendmail_setup {
	struct client_config config;
	char *login;	 /* the caller's, usable as a local part */
	char *full_name; /* from the GECOS field, "" if there is none */
};

/*
 * Reads the file that POSTRIDER_CONFIG names in the environment, else the default one (client_config.h). 0, or EX_CONFIG
 * with a line in *why. The caller releases in both cases.
 */
int sendmail_setup_init(struct sendmail_setup *s, struct buf *why);
void sendmail_setup_release(struct sendmail_setup *s);

/* The daemon's socket or directory below the spool; the caller frees. */
char *sendmail_setup_path(const struct sendmail_setup *s, const char *below);

#endif
