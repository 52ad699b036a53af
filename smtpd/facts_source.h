/*
 * facts_source: what the DNS says about a client, as sessions ask it. struct
 * facts_ops is the seam: dns_client implements it, tests answer themselves.
 *
 * Who cannot be asked has told nothing: what was wanted is unknown then.
 */
#ifndef SMTPD_FACTS_SOURCE_H
#define SMTPD_FACTS_SOURCE_H

#include "conf/fact.h"

/* told is what came back, perhaps nothing; valid until it returns. */
typedef void facts_told_fn(const struct facts *told, void *arg);

/* A question under way. Belongs to who asked, and lives until fn was called or it is cancelled. */
struct facts_call {
	uint64_t id; /* 0: none under way */
	facts_told_fn *fn;
	void *arg;
};

struct facts_ops {
	/* Calls call->fn once, never before it returns, and within timeout_ms. Sets call->id. The spans are borrowed. */
	void (*ask)(void *source, struct span client, const struct span *wants, size_t n,
	    unsigned timeout_ms, struct facts_call *call);
	/* fn will not be called. Fine if none is under way. */
	void (*cancel)(void *source, struct facts_call *call);
};

#endif
