/*
 * policy: may this client send this sender's mail to this recipient? Asked by
 * smtpd through the directory process for each connection, MAIL and RCPT; the
 * verdict is what the client hears, the rule is the name of what decided.
 *
 * Who may do what:
 *	mx		everybody, to mailboxes of hosted domains and to relay-domains;
 *			clients of ours (relay-from, relay-client-certs,
 *			relay-verified-clients) to everywhere
 *	submission	authenticated users, as themselves, to everywhere
 *	submit		users of this system (known by uid), to everywhere
 * The access table (conf/access_table.h) comes first: it refuses clients, senders and recipients, lets clients
 * relay, and has mail held or thrown away; but for users of this system, whom it does not concern.
 * A recipient in a hosted domain must resolve (conf/resolve.h), whoever sends.
 * What the DNS says of a stranger comes last (conf/policy_dns.c).
 *
 * Pure, but for what the resolver asks.
 */
#ifndef CONF_POLICY_H
#define CONF_POLICY_H

#include "common/netaddr.h"
#include "common/verdict.h"
#include "conf/config.h"
#include "conf/fact.h"
#include "conf/resolve.h"
#include "conf/trace.h"

/* What is known of a client when it asks. */
struct policy_client {
	enum listener_role role;
	struct netaddr address; /* family 0: a Unix socket */
	uid_t uid;		/* of role submit */
	struct span helo;
	struct span auth; /* account that has authenticated; empty: none */
	/* SHA-256 of the certificate it has shown, and of its key, as conf/fingerprint.h has it; empty: none */
	struct span certificate, public_key;
	bool verified;		   /* that certificate comes from client-ca, and is valid */
	const struct facts *facts; /* what the DNS says; NULL: nothing is known */
	uint32_t recipients;	   /* accepted so far in this transaction */
	uint64_t size;		   /* SIZE of MAIL, 0 if it was not given */
};

/* What becomes of mail that was accepted. */
enum policy_action {
	POLICY_DELIVER,
	POLICY_QUARANTINE, /* held in the queue: verdict.text says why */
	POLICY_DISCARD,	   /* thrown away */
};

/* What a check found and let pass. */
struct policy_warning {
	const char *rule; /* a static word */
	char text[400];	  /* as a verdict has it */
};

#define POLICY_WARNINGS_MAX 8

/* The decision. rule is a static word: "relay-from", "hosted", "no-such-user", … */
struct policy_answer {
	struct verdict verdict;
	const char *rule;
	enum policy_action action;
	unsigned nwarnings;
	struct policy_warning warnings[POLICY_WARNINGS_MAX]; /* those of them are filled */
	uint64_t
	    size_limit; /* of messages to the recipient, where its domain has one of its own; 0 */
	bool limit;	/* a limit refused it: the verdict names it */
	bool count;	/* what becomes of it is to be counted: see conf/policy_limits.h */
};

/* "deliver", "quarantine", "discard". */
const char *policy_action_name(enum policy_action action);

/*
 * What is wrong with the host's or a domain's files is for its log; a stranger hears that it is, a local user the whole
 * of it. Changes the verdict so; true if it is such a verdict.
 */
bool policy_make_public(const struct policy_client *client, struct policy_answer *answer);

void policy_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer);

/*
 * Does policy_connect let everybody in with this configuration, whatever else there is, with nothing to be counted and
 * nothing to be known of the DNS? Whoever has the configuration need not ask then.
 */
bool policy_connect_is_open(const struct config *c);

/* from is canonical; its text is empty for the null reverse-path. */
void policy_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer);

void policy_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, struct trace *trace,
    struct policy_answer *answer);

/* An address that a message says it is from. */
struct policy_author {
	struct span field; /* "From", "Sender" */
	struct address address;
};

/*
 * May who has logged in send a message that says it is from these (check-header-from)? unclear: why not all of what
 * it says could be understood; empty: it could.
 */
void policy_author(const struct resolve_env *env, const struct policy_client *client,
    const struct policy_author *authors, size_t n, struct span unclear, struct trace *trace,
    struct policy_answer *answer);

/*
 * Calls fn for each thing that policy_rcpt wants to know of the DNS and client->facts does not say (see
 * conf/fact.h); from NULL: while no sender is known. env's access table may be unreadable.
 */
typedef void policy_want_fn(enum fact_kind kind, const char *name, void *arg);
void policy_wants(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, policy_want_fn *fn, void *arg);

#endif
