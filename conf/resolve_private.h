/*
 * resolve_private: what the files of the resolver share. Used by conf/resolve*.c only.
 */
#ifndef CONF_RESOLVE_PRIVATE_H
#define CONF_RESOLVE_PRIVATE_H

#include "conf/resolve.h"

/* What became of an address. The verdict of all but OK is in run.failure. */
enum outcome {
	OUTCOME_OK,
	OUTCOME_TEMPORARY,
	OUTCOME_PERMANENT,
};

/* An alias (or catch-all, or stand-in for postmaster) we are inside of. */
struct link {
	const struct link *up;
	const struct domain *domain;
	struct span name;
};

struct run {
	const struct resolve_env *env;
	struct resolution *out;
	struct trace *trace;
	unsigned flags;
	unsigned steps;
	struct verdict failure;
};

/* An address on its way, and how it came to be. */
struct step {
	const struct address *address;
	const struct link *up;
	unsigned depth;
	bool mailbox_only; /* \name, or RESOLVE_FINAL */
	bool no_catch_all; /* it stands in for another of the same domain */
};

/* The address goes nowhere: 550 with this status and text. */
enum outcome resolve_permanent(struct run *r, const char *status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Something must be mended first, by an administrator (RFC 3463 3.4: X.3.5 system incorrectly configured). */
enum outcome resolve_temporary(struct run *r, const char *why);

/* No mailbox of that name: 550 5.1.1. */
enum outcome resolve_no_mailbox(struct run *r, const struct step *s);

/* Takes over the address; the destination is copied. A target that is there already is not added again. */
enum outcome resolve_add_target(
    struct run *r, enum target_kind kind, char *address, const char *destination);

/* The step's address at another host; the user's mailbox, if mail can be delivered as its owner. */
enum outcome resolve_to_remote(struct run *r, const struct step *s);
enum outcome resolve_to_mailbox(
    struct run *r, const struct domain *d, const struct passwd_user *u);

#endif
