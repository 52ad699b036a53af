/*
 * sendmail_options: the command line of sendmail, mailq and newaliases, as
 * sendmail 8 and the programs that call it mean it. What concerns sendmail's own
 * daemon, queue and rewriting is taken and changes nothing; what would open a file the
 * caller names (-C, -D, -X) is refused. sendmail(1) lists every option.
 *
 * Pure; not getopt(3), which keeps globals and knows no option whose argument must be attached.
 */
#ifndef QUEUE_SENDMAIL_OPTIONS_H
#define QUEUE_SENDMAIL_OPTIONS_H

#include <stdbool.h>

#include "common/buf.h"

enum sendmail_mode {
	SENDMAIL_SUBMIT,     /* -bm: a message from standard input */
	SENDMAIL_SMTP,	     /* -bs: SMTP on standard input and output */
	SENDMAIL_MAILQ,	     /* -bp: print the queue */
	SENDMAIL_RETRY,	     /* -q: try deferred mail now */
	SENDMAIL_HOLD,	     /* -q with -Qreason: hold it */
	SENDMAIL_RELEASE,    /* -q with -Q: release it */
	SENDMAIL_NEWALIASES, /* -bi: there is nothing to rebuild */
};

/* One -q restriction: which mail is meant. */
struct sendmail_limit {
	char kind;	  /* I: id, R: recipient, S: sender, Q: held */
	bool negated;	  /* -q!: all others */
	const char *part; /* a part of it, case aside; "" for Q */
};

#define SENDMAIL_LIMITS_MAX 32

struct sendmail_options {
	enum sendmail_mode mode;
	bool take_recipients; /* -t */
	bool ignore_dots;     /* -i, -oi */
	bool verbose;	      /* -v */
	bool quiet;	      /* -oeq, -eq: print no errors */
	bool always_ok;	      /* -oee, -ee: exit 0 whatever happened */
	bool eight_bit;	      /* -B8BITMIME */
	const char
	    *sender; /* -f, -r; NULL if not given, "" or "<>" for the null reverse-path */
	const char *full_name;		  /* -F, NULL if not given */
	const char *envid, *ret, *notify; /* -V, -R, -N (RFC 3461); NULL if not given */
	struct sendmail_limit limits[SENDMAIL_LIMITS_MAX]; /* -qI, -qR, -qS, -qQ */
	size_t nlimits;
	bool queue_run;		 /* -q was given */
	bool quarantine;	 /* -Q was */
	const char *why_held;	 /* its value, NULL: release */
	const char **recipients; /* what is no option; points into argv */
	int nrecipients;
};

/*
 * Parses argv, whose first string (may be missing: argc 0) is the name it was called by. Returns 0, or the exit
 * status (sysexits.h) with a line for people in *why. Strings point into argv; the caller releases.
 */
int sendmail_options_parse(
    int argc, char *const argv[], struct sendmail_options *o, struct buf *why);
void sendmail_options_release(struct sendmail_options *o);

#endif
