/*
 * domains_private: what the files of domains share. Used by conf/domains*.c only.
 */
#ifndef CONF_DOMAINS_PRIVATE_H
#define CONF_DOMAINS_PRIVATE_H

#include <sys/queue.h>

#include "common/hash.h"
#include "conf/absent_names.h"
#include "conf/domains.h"
#include "conf/watch.h"

/* A name in the root that was asked for: a domain, or an alias of one. */
struct entry {
	TAILQ_ENTRY(entry) link; /* in domains.entries */
	char *name;
	struct domain *domain; /* NULL: an alias */
	char *target;	       /* of the alias: another name in the root */
	int watch;	       /* of its etc; -1: none, look at the files instead */
	bool stale;	       /* something changed */
	uint64_t checked;      /* the decision in which it was last used */
	uint64_t queued;       /* as it was when the entry was put at the end of the list */
	size_t octets;	       /* as counted in domains.octets */
};

TAILQ_HEAD(entries, entry);

struct domains {
	char *root;
	int rootfd; /* -1: not open */
	dev_t dev;
	ino_t ino;
	bool remote_fs; /* others may write without inotify knowing */
	int root_watch;
	bool reopen; /* the root is not the directory it was */
	struct watch *watch;
	struct hash by_name;
	struct entries entries;
	size_t octets;
	struct domains_limits limits;
	domains_complain_fn *complain;
	void *arg;
	struct absent_names absent; /* no such domain; empty if the root is not watched */
	uint64_t decision;	    /* counts domains_begin */
	uint64_t root_looked;	    /* the decision in which the root was found to be current */
	bool said_unwatched;
	char *first; /* of domains_first; NULL: not known */
};

/* A complaint that is a whole line. */
void domains_tell(struct domains *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets one name: out of the map, the list, the watch. */
void domains_entry_free(struct domains *d, struct entry *e);

/* Opens the root and watches it, if it is there; closes it and forgets all that was loaded from it. */
void domains_open_root(struct domains *d);
void domains_close_root(struct domains *d);

/*
 * Is the root still the directory we opened? A file system may have been mounted there meanwhile. Looks once
 * in a decision.
 */
bool domains_root_is_current(struct domains *d);

/* Says in the log, once, that not everything can be watched. */
void domains_say_unwatched(struct domains *d, const char *path, int error);

/* A watch_fn: marks what changed. */
void domains_on_event(void *object, struct span name, uint32_t mask, void *arg);

#endif
