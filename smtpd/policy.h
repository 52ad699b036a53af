/*
 * policy: what may be done, asked of the directory (doc/IPC.md, "smtpd to
 * directory"). struct policy_ops is the seam: sessions ask through it, tests
 * answer it themselves.
 *
 * A question that cannot be answered (directory down, silent, unintelligible) is
 * temporary, 451 4.3.0: never a permission, never a refusal for ever.
 */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/verdict.h"
#include "conf/config.h"

enum policy_kind {
	POLICY_CONNECT,
	POLICY_MAIL,
	POLICY_RCPT,
};

struct policy_question {
	enum policy_kind kind;
	enum listener_role role;
	struct span client; /* address, empty for the submit socket */
	int64_t uid;	    /* of the submitter, -1 for the network */
	struct span helo, auth;
	struct span from, rcpt; /* canonical */
};

struct policy_answer {
	bool told; /* false: could not tell, and verdict says so */
	struct verdict verdict;
	struct span rule; /* what decided, for the log */
};

typedef void policy_fn(const struct policy_answer *a, void *arg);

/* A question under way. Belongs to who asked, and lives until fn was called or it is cancelled. */
struct policy_call {
	uint64_t id; /* 0: none under way */
	policy_fn *fn;
	void *arg;
};

struct policy_ops {
	/* Calls call->fn once, never before it returns. Sets call->id. The question's spans are borrowed. */
	void (*ask)(void *policy, const struct policy_question *q, struct policy_call *call);
	/* fn will not be called. Fine if none is under way. */
	void (*cancel)(void *policy, struct policy_call *call);
};

/* The directory as a policy. */
struct policy;
extern const struct policy_ops policy_directory_ops;

/* path is that of the directory's socket. Connects from within the loop. */
struct policy *policy_new(struct event_base *base, const char *path);
void policy_free(struct policy **p);

#endif
