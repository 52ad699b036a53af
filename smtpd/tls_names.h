/*
 * tls_names: which certificate is shown for which host name. The answers of the
 * source are good for a second; then it is asked again, and says most of the time that
 * nothing has changed. Questions for one name at one time are one question. Bounded:
 * the names used longest ago go first.
 */
#ifndef SMTPD_TLS_NAMES_H
#define SMTPD_TLS_NAMES_H

#include <stdint.h>
#include <sys/queue.h>

#include "smtpd/tls_identity.h"
#include "smtpd/tls_source.h"

#define TLS_NAMES_MAX	   1000
#define TLS_NAMES_FRESH_MS 1000

struct tls_names;
struct tls_name;

/* identity is NULL if there is none to be had; who is called takes a reference if it keeps it. */
typedef void tls_names_fn(struct tls_identity *identity, void *arg);

/* Somebody who waits for an answer. Belongs to who asked, and lives until fn was called or it is cancelled. */
struct tls_names_wait {
	TAILQ_ENTRY(tls_names_wait) link;
	struct tls_name *name; /* NULL: not waiting */
	tls_names_fn *fn;
	void *arg;
};

/* clock gives milliseconds. What is given is borrowed. */
struct tls_names *tls_names_new(struct tls_provider *provider, const struct tls_source_ops *ops,
    void *source, uint64_t (*clock)(void));

/* Nobody may be waiting. */
void tls_names_free(struct tls_names **n);

/*
 * The identity for a name (canonical; empty: this host's own) if it is known well enough; else NULL, and
 * w->fn is called later. The identity belongs to the cache.
 */
struct tls_identity *tls_names_get(
    struct tls_names *n, struct span name, struct tls_names_wait *w);
void tls_names_cancel(struct tls_names_wait *w);

/* Each name is asked for anew the next time it is wanted, if it is being asked for now, too: the source may not say what it said. */
void tls_names_expire(struct tls_names *n);

/* Names known at present. */
size_t tls_names_count(const struct tls_names *n);

#endif
