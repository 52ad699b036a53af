/*
 * tls_source: where certificates and signatures come from, as TLS asks for them.
 * struct tls_source_ops is the seam: keys_client implements it by asking the
 * process `keys` (doc/IPC.md), tests do it themselves.
 */
#ifndef SMTPD_TLS_SOURCE_H
#define SMTPD_TLS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "smtpd/tls_provider.h"

struct tls_source_answer {
	bool told;	    /* false: there is none to be had now */
	bool unchanged;	    /* it is the one that the asker has */
	struct span chain;  /* certificate and chain, PEM, unless unchanged */
	struct span second; /* the same with a key of another kind; empty: there is one alone */
};

typedef void tls_source_fn(const struct tls_source_answer *a, void *arg);

/* A question under way. Belongs to who asked, and lives until fn was called or it is cancelled. */
struct tls_source_call {
	uint64_t id; /* 0: none under way */
	tls_source_fn *fn;
	void *arg;
};

/* New ticket keys: struct ticket_key [TICKET_KEYS] of conf/ticket_keys.h. */
typedef void tls_source_tickets_fn(struct span keys, void *arg);

struct tls_source_ops {
	/*
	 * The certificate for a host name (canonical; empty: none was given). have: id of the one in
	 * hand, or "". Calls call->fn once, never before it returns.
	 */
	void (*ask)(
	    void *source, struct span name, const char *have, struct tls_source_call *call);
	/* fn will not be called. Fine if none is under way. */
	void (*cancel)(void *source, struct tls_source_call *call);
	/* A signature; on the thread of the handshakes, and may wait. arg is the source. */
	tls_sign_fn *sign;
	/* fn is called with the ticket keys there are, from the loop, and whenever there are new ones. */
	void (*on_tickets)(void *source, tls_source_tickets_fn *fn, void *arg);
};

#endif
