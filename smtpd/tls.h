/*
 * tls: what TLS with clients needs once in a worker: OpenSSL's context, the thread
 * on which handshakes are computed, the certificates, and how many handshakes may
 * be under way. A handshake itself is smtpd/tls_handshake.h.
 */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/worker.h"
#include "smtpd/tls_context.h"
#include "smtpd/tls_names.h"
#include "smtpd/tls_source.h"
#include "smtpd/tls_tickets.h"

/*
 * Handshakes that have begun and hold memory for it, 45 KiB or so each; the others wait for their turn,
 * which costs nothing. While some wait, one that has had this long and waits for its client has to go:
 * clients that begin and do not go on keep nobody else out.
 */
#define TLS_HANDSHAKES_MAX 128
#define TLS_PRESSURE_MS	   1000

struct tls_handshake;

struct tls {
	struct event_base *base;
	struct tls_provider *provider;
	const struct tls_source_ops *source_ops;
	void *source;
	struct tls_names *names;
	struct tls_tickets *tickets;
	SSL_CTX *context; /* NULL: not configured */
	char *hostname;	  /* for this name the certificate is this host's */
	struct worker *thread;
	uint64_t (*clock)(void);
	unsigned under_way;
	TAILQ_HEAD(tls_handshakes, tls_handshake) waiting, begun; /* the oldest first */
	struct event *pressure;					  /* while some wait */
	struct tls_names_wait preparing;
	bool prepared;
	void (*renewed)(void *); /* NULL: nobody waits for it */
	void *renewed_arg;
};

/* What is given is borrowed. clock gives milliseconds. */
struct tls *tls_new(struct event_base *base, const struct tls_source_ops *ops, void *source,
    uint64_t (*clock)(void));

/* After all sessions; waits for what the thread is at. */
void tls_free(struct tls **t);

/*
 * For handshakes to come. rules as in tls_context_new. -1, said in the log: it cannot be used, and
 * what was before stays.
 */
int tls_configure(struct tls *t, const char *hostname, const struct tls_rules *rules);

/* Asks for this host's certificate, so that it is in hand when the first client comes. */
void tls_prepare(struct tls *t);

/*
 * Asks for every certificate anew when it is wanted, and at once for this host's own: renewed is called
 * when that is there, or cannot be had. Never calls back before it has returned. Of two, the last is called.
 */
void tls_renew(struct tls *t, void (*renewed)(void *), void *arg);

/* Was it had, at some time? Until then STARTTLS has nothing to show. */
bool tls_is_prepared(const struct tls *t);

#endif
