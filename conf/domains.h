/*
 * domains: all hosted domains: the directory that holds one directory per
 * domain, and those of them that are loaded. A domain is loaded when it is first
 * asked for, kept until memory is needed (least recently used first), and
 * looked at again when inotify, or failing that a look at its files, says that something
 * changed. A symbolic link to another directory in the root is a domain alias.
 *
 * Invariant: between two calls of domains_begin nothing that was handed out is
 * freed or changed, so one decision sees one state.
 */
#ifndef CONF_DOMAINS_H
#define CONF_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "conf/domain.h"
#include "conf/lookup.h"

struct domains;

/* How much is kept. */
struct domains_limits {
	size_t domains; /* loaded at once, aliases included */
	size_t octets;	/* of memory for them, about */
	size_t watches; /* of inotify; the kernel may allow fewer */
};
#define DOMAINS_LIMITS_DEFAULT ((struct domains_limits){200000, (size_t)1 << 30, SIZE_MAX})

/* What is wrong with a file of a domain: "file:line: text". NULL in domains_new: it goes to the log. */
typedef void domains_complain_fn(const char *text, void *arg);

/* root is the directory (copied). Never fails: a root that cannot be opened makes every answer "could not tell". */
struct domains *domains_new(const char *root, const struct domains_limits *limits,
    domains_complain_fn *complain, void *arg);
void domains_free(struct domains **d);

/* Begins a decision: takes notice of every change made so far, and frees what is too much. */
void domains_begin(struct domains *d);

/*
 * The domain of a canonical name. FOUND: *out, whose name differs from the one asked for if that is
 * an alias; it lives until the next domains_begin. UNKNOWN: *why.
 */
enum lookup domains_find(
    struct domains *d, struct span name, struct domain **out, struct buf *why);

/* The list in a file that an alias of the domain names; as domain_include. */
enum lookup domains_include(struct domains *d, struct domain *domain, struct span path,
    const struct aliases_file **list, const char **file, struct buf *why);

/* The domain's directory as an O_PATH descriptor, which the caller closes; -1 and errno. */
int domains_open(const struct domains *d, const struct domain *domain);

/* The first hosted domain in order of the names (no alias). FOUND: out gets the name. Reads the whole root if it changed. */
enum lookup domains_first(struct domains *d, char out[DOMAIN_MAX + 1]);

/* Loaded at present. */
size_t domains_loaded(const struct domains *d);

/* Becomes readable when something changed; call domains_begin then, so that events do not pile up. -1: none. */
int domains_fd(const struct domains *d);

const char *domains_root(const struct domains *d);

#endif
