/*
 * key_store: the TLS certificates and private keys that are in use: what the
 * process `keys` holds. A pair is known by the path of its certificate and by its
 * id; a new version of the files takes the place of the old one if it can be used,
 * else the old one stays in force and what is wrong is said once. A certificate
 * that has expired, or is not valid yet, takes the place of none that is valid. Old
 * versions can be found by id for a while, for handshakes under way.
 *
 * It reads no file: the directory process does (conf/certificate_files.h).
 */
#ifndef CONF_KEY_STORE_H
#define CONF_KEY_STORE_H

#include <stddef.h>

#include "conf/key_pair.h"

/* Pairs, and places to which a pair belongs, that are kept; the least recently used go first. */
#define KEY_STORE_MAX 1000

struct key_store;

/* One place where files lie or lay: what the directory said of it. */
struct key_files {
	struct span path;  /* of the certificate */
	struct span stamp; /* of this version */
	/* Texts of this version, unless there is a problem: "path: reason". */
	struct span certificate, key_path, key, problem;
	/*
	 * 1: this host's own, which never has to make room; what is in force stays so even if
	 * the files are elsewhere now and of no use. 0: another's.
	 */
	unsigned own;
};

/* What is wrong: a whole line. */
typedef void key_store_complain_fn(const char *text, void *arg);

/* complain NULL: to the log. At most max pairs, two or more. */
struct key_store *key_store_new(size_t max, key_store_complain_fn *complain, void *arg);
void key_store_free(struct key_store **s);

/* Is what the store has of this path the version of this stamp (or a version that it has refused, and would again)? */
bool key_store_is_current(struct key_store *s, struct span path, struct span stamp);

/* Takes a version; see above. */
void key_store_take(struct key_store *s, const struct key_files *f);

/* The pair in force at this path, or NULL. Valid until the next key_store_take. */
const struct key_pair *key_store_at(struct key_store *s, struct span path);

/* The pair of this id, in force or not any more, or NULL. */
const struct key_pair *key_store_find(struct key_store *s, struct span id);

/* Says of every pair in force that has expired, or will soon. */
void key_store_remind(struct key_store *s);

/* Pairs held. */
size_t key_store_count(const struct key_store *s);

#endif
