/*
 * domain: one hosted domain: what its directory says. Loaded from
 *
 *	<root>/<name>/etc/passwd, aliases, domain.conf
 *
 * and reloaded file by file when they change. A file that must not be believed or
 * cannot be parsed leaves the version before it in force, or, if there is none,
 * makes every answer about the domain "could not tell". Used by conf/domains.c,
 * which keeps the loaded ones; the resolver only reads the struct.
 */
#ifndef CONF_DOMAIN_H
#define CONF_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "conf/aliases.h"
#include "conf/config_errors.h"
#include "conf/datafile.h"
#include "conf/domain_conf.h"
#include "conf/lookup.h"
#include "conf/passwd.h"

enum domain_file {
	DOMAIN_PASSWD,
	DOMAIN_ALIASES,
	DOMAIN_CONF,
	DOMAIN_FILES,
};

/* One of the files, as it was when last looked at. */
struct domain_source {
	struct datafile_stamp stamp; /* of the version last seen, believed or not */
	bool seen;		     /* stamp means something */
	bool in_force;		     /* a version of it is loaded */
	bool root_owned;	     /* the version in force belongs to root */
	char *problem; /* why the version last seen is not in force; NULL: it is */
};

struct domain_include; /* a list that an alias names */

struct domain {
	/* what most questions touch, together */
	char *name;   /* canonical */
	bool settled; /* all is well: domain_usable need not look further */
	bool is_link; /* one of the files is a symbolic link: watching etc does not do */
	bool behind;  /* something changed and was not read yet: see domain_may_load */
	uid_t uid;    /* whom the directory belongs to */
	gid_t gid;
	struct passwd_file passwd;
	struct aliases_file aliases;
	struct domain_conf conf;
	struct domain_include *includes;

	char *path; /* <root>/<name> */
	dev_t dev;
	ino_t ino, etc_ino; /* etc_ino 0: there is none */
	char *problem; /* the directory itself must not be believed: why; NULL: all is well */
	struct domain_source source[DOMAIN_FILES];
	uint64_t gone_since; /* clock_mono_ms when passwd vanished, 0: it did not */
	uint64_t
	    rest_until; /* microseconds: the time that reading its files has earned the others */
};

/* A domain of that canonical name below root, with nothing loaded. */
struct domain *domain_new(const char *root, struct span name);
void domain_free(struct domain **d);

/*
 * Looks at the directory below rootfd and loads what has changed. LOOKUP_NOT_FOUND: there is no such
 * directory; UNKNOWN: this process could not look (what is loaded stays). FOUND otherwise, even if
 * there are problems; complaints, with absolute paths, go to errors. *watchfd gets an O_PATH
 * descriptor of etc, or of the directory itself if there is none, for the caller to watch and close; -1 unless FOUND.
 */
enum lookup domain_refresh(
    struct domain *d, int rootfd, struct config_errors *errors, int *watchfd);

/* Can anything be told about local parts of this domain? false with the reason in *why. */
bool domain_usable(const struct domain *d, struct buf *why);

struct domain_ids {
	uid_t uid;
	gid_t gid;
};

/*
 * Whom mail for the user is delivered as: the user's ids, or the directory owner's. privileged: the
 * system runs as root and can become anybody; else there is only self, the user it runs as. -1 with
 * *why: this must not be (root, or ids that the passwd file may not give).
 */
int domain_user_ids(const struct domain *d, const struct passwd_user *u, bool privileged,
    const struct domain_ids *self, struct domain_ids *ids, struct buf *why);

/* Octets of memory it takes, about. */
size_t domain_octets(const struct domain *d);

/* "<path>/etc/<file>", for messages; the caller frees it. */
char *domain_file_path(const struct domain *d, enum domain_file file);

/*
 * One process answers for all domains, and whoever owns one may change its files as often as he likes: reading
 * changed files gets a tenth of the time, with a tenth of a second at once. Until then the version in force
 * stays. The three files of a domain
 * that were never read are read at any time. domain_load_begin returns what domain_load_end wants.
 */
bool domain_may_load(const struct domain *d);
uint64_t domain_load_begin(void);
void domain_load_end(struct domain *d, uint64_t began);

#endif
