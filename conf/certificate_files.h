/*
 * certificate_files: the files that hold the TLS certificate and key of a host
 * name: those of postrider.conf, or of a domain,
 *
 *	<root>/<domain>/etc/tls/certificate.pem, key.pem
 *	<root>/<domain>/etc/tls/second-certificate.pem, second-key.pem
 *
 * The second pair, if there is one, has a key of another kind, for clients that do
 * not know the first.
 *
 * The directory process finds and reads them for the process `keys`, which may
 * open no file, and looks at nothing in them: what is wrong inside is found there.
 */
#ifndef CONF_CERTIFICATE_FILES_H
#define CONF_CERTIFICATE_FILES_H

#include <sys/types.h>

#include "common/buf.h"
#include "conf/domains.h"
#include "conf/lookup.h"

/* The name itself and so many domains above it are looked for. */
#define CERTIFICATE_FILES_DEPTH 8

#define CERTIFICATE_FILES_STAMP_SIZE 320

struct certificate_files {
	char *certificate, *key;		  /* absolute paths, for people */
	char stamp[CERTIFICATE_FILES_STAMP_SIZE]; /* another one if either file has changed */
	struct buf certificate_text, key_text;	  /* if they were to be read */
	struct buf problem; /* why they must not be believed: "path: reason"; empty: fine */
};

/* At most so many pairs for one name. */
#define CERTIFICATE_PAIRS 2

struct certificate_set {
	struct certificate_files v[CERTIFICATE_PAIRS];
	size_t n;
};

/*
 * Adds the pair at these two paths, which the administrator has configured: that they are missing is a problem.
 * owner besides root may own them. read: the texts, too, or the first problem found. set begins zeroed; the
 * caller releases it.
 */
void certificate_set_add(struct certificate_set *set, const char *certificate, const char *key,
    uid_t owner, bool read);

/* Those of this domain. NOT_FOUND: it has none. As above, into an empty set. */
enum lookup certificate_set_find_in(
    struct domains *d, const struct domain *domain, bool read, struct certificate_set *set);

/*
 * Those of the hosted domain that is the canonical name or the nearest above it which has at least one of
 * the files. NOT_FOUND: there is none; UNKNOWN: a domain cannot be looked at. As above.
 */
enum lookup certificate_set_find(
    struct domains *d, struct span name, bool read, struct certificate_set *set);

/* Wipes the keys. */
void certificate_set_release(struct certificate_set *set);

#endif
