/*
 * resolve: where mail for an address goes: the one resolver. smtpd's RCPT, the
 * queue and `postrider explain` all ask it, so they cannot disagree.
 *
 * Order, which is fixed: domain alias; then in the domain the exact alias or user,
 * the alias or user in front of a subaddress separator, the catch-all; for
 * postmaster (RFC 5321 4.5.1) in addition the configured postmaster and the
 * domain's first user. A domain that is not hosted is remote.
 *
 * An alias goes before a mailbox of its name; a target that is the alias's own
 * name means that mailbox. Depth and number of expansions are limited.
 *
 * Pure: what it knows of domains comes through struct resolve_source.
 */
#ifndef CONF_RESOLVE_H
#define CONF_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/hash.h"
#include "common/verdict.h"
#include "conf/access_file.h"
#include "conf/config.h"
#include "conf/domain.h"
#include "conf/lookup.h"
#include "conf/trace.h"

/* Aliases of aliases; targets of one address; steps on the way to them. */
#define RESOLVE_DEPTH_MAX   20
#define RESOLVE_TARGETS_MAX 10000
#define RESOLVE_STEPS_MAX   20000

struct mailbox;
struct mailbox_usage;

/* What the resolver asks; conf/domains.h answers (domains_source). */
struct resolve_source {
	enum lookup (*find)(void *arg, struct span name, struct domain **out, struct buf *why);
	enum lookup (*include)(void *arg, struct domain *d, struct span path,
	    const struct aliases_file **list, const char **file, struct buf *why);
	enum lookup (*first)(void *arg, char out[DOMAIN_MAX + 1]);
	/* How full a mailbox is; need as of mailbox_usage_read. NULL: nobody looks. */
	void (*usage)(void *arg, struct domain *d, const struct mailbox *m, uint64_t need,
	    struct mailbox_usage *u);
	void *arg;
};

struct policy_counts;

struct resolve_env {
	const struct config *config;
	struct resolve_source source;
	bool privileged; /* see domain_user_ids */
	struct domain_ids self;
	struct access_file *senders;  /* the access table; NULL: none is configured */
	struct policy_counts *counts; /* what limits are measured with; NULL: there are none */
	uint64_t now_ms;	      /* of the question; monotonic */
	uid_t queue_uid;	      /* who writes this system's own reports; 0: not known */
};

enum target_kind {
	TARGET_MAILBOX,
	TARGET_REMOTE,
	TARGET_FAILURE, /* of explain alone: a target of resolve that the queue will find is no mailbox */
};

struct target {
	enum target_kind kind;
	char *address;	   /* canonical */
	char *destination; /* the list of the queue: the domain, or the next hop (doc/IPC.md) */
};

enum resolve_flags {
	RESOLVE_FINAL =
	    1, /* the address is a target already: no alias, subaddress or catch-all */
	RESOLVE_ANY = 2, /* one target is enough to know: does mail for it go anywhere? */
	RESOLVE_STRICT =
	    4, /* a loop, or too many, beside good targets is the failure of all: to find it in check */
};

struct resolution {
	struct verdict verdict;
	struct target *v; /* at least one if the verdict is ok, else none */
	size_t n;
	struct hash seen; /* of targets, by address, if there are more than a few */
	unsigned steps;	  /* on the way to them, or to the failure */
};

/*
 * Resolves an address (a canonical one, or the bare "postmaster"). r is filled, and released by the
 * caller. ok: the targets, each once. permanent 5.1.1 no such mailbox, 5.1.2 address literal, 5.4.6
 * loop or too many. temporary 4.3.5: something must be mended first, the text says where.
 * Of an alias some of whose targets are wrong the others get their mail; the wrong ones
 * become targets too, so that their failure is reported to the sender.
 */
void resolve(const struct resolve_env *env, const struct address *address, unsigned flags,
    struct trace *trace, struct resolution *r);
void resolution_release(struct resolution *r);

/* A mailbox, for who delivers. */
struct mailbox {
	char *user;   /* name in passwd */
	char *domain; /* canonical */
	struct domain_ids ids;
	char *directory;     /* the domain's, absolute */
	char *home;	     /* relative to directory */
	char *maildir;	     /* relative to home */
	uint64_t quota;	     /* octets; 0: none */
	unsigned quota_line; /* of etc/passwd where it stands there; 0: in etc/domain.conf */
	bool over_quota_refuses;
};

/* The mailbox of a target. ok and *m filled (released by the caller), or the verdict says why not. */
void resolve_mailbox(const struct resolve_env *env, const struct address *address,
    struct verdict *v, struct mailbox *m);
void mailbox_release(struct mailbox *m);

#endif
