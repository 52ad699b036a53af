/* admin_domain: domains added and listed. See admin.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/address.h"
#include "common/sandbox.h"
#include "common/xalloc.h"
#include "conf/admin.h"
#include "conf/admin_private.h"
#include "conf/domains.h"
#include "conf/domains_list.h"

struct names {
	char **v;
	size_t n;
};

static void
take_name(const char *name, const char *problem, void *arg)
{
	struct names *names = arg;

	if (problem != NULL)
		return;
	names->v = xreallocarray(names->v, names->n + 1, sizeof *names->v);
	names->v[names->n++] = xstrdup(name);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All domains in order. -1 with errno. Release in any case. */
static int
names_read(struct names *names, const char *root)
{
	*names = (struct names){.v = NULL};
	if (domains_list(root, take_name, names) != 0)
		return -1;
	if (names->n > 0)
		qsort(names->v, names->n, sizeof *names->v, by_name);
	return 0;
}

static void
names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

static int
parse_id(const char *text, uint32_t *id)
{
	uint64_t v;

	if (span_to_u64(span_str(text), UINT32_MAX - 1, &v) != 0)
		return -1;
	*id = (uint32_t)v;
	return 0;
}

/* "user", "user:group"; a lone user brings its group. */
static int
parse_owner(const char *owner, struct domain_ids *ids, struct buf *why)
{
	char *user = xstrdup(owner), *group = strchr(user, ':');
	struct passwd *pw = NULL;
	struct group *gr;
	int r = -1;

	if (group != NULL)
		*group++ = '\0';
	if (parse_id(user, &ids->uid) != 0) {
		pw = getpwnam(user);
		if (pw == NULL) {
			buf_addf(why, "there is no user %s", user);
			goto done;
		}
		ids->uid = pw->pw_uid;
	}
	ids->gid = pw != NULL ? pw->pw_gid : ids->uid;
	if (group != NULL && parse_id(group, &ids->gid) != 0) {
		gr = getgrnam(group);
		if (gr == NULL) {
			buf_addf(why, "there is no group %s", group);
			goto done;
		}
		ids->gid = gr->gr_gid;
	}
	r = 0;
done:
	free(user);
	return r;
}

/* A number that no domain below root and no account has. */
static int
free_ids(const char *root, struct domain_ids *ids, struct buf *why)
{
	bool *used = xcalloc(ADMIN_UID_LAST - ADMIN_UID_FIRST + 1, sizeof *used);
	struct names names;
	uid_t uid = ADMIN_UID_FIRST;
	int r = -1;

	if (names_read(&names, root) != 0) {
		buf_addf(why, "%s: %s", root, strerror(errno));
		goto done;
	}
	for (size_t i = 0; i < names.n; i++) {
		char *path = xasprintf("%s/%s", root, names.v[i]);
		struct stat st;

		if (lstat(path, &st) == 0 && st.st_uid >= ADMIN_UID_FIRST &&
		    st.st_uid <= ADMIN_UID_LAST)
			used[st.st_uid - ADMIN_UID_FIRST] = true;
		free(path);
	}
	while (uid <= ADMIN_UID_LAST &&
	       (used[uid - ADMIN_UID_FIRST] || getpwuid(uid) != NULL || getgrgid(uid) != NULL))
		uid++;
	if (uid > ADMIN_UID_LAST) {
		buf_addf(why, "no user number from %d to %d is free, name an owner",
		    ADMIN_UID_FIRST, ADMIN_UID_LAST);
		goto done;
	}
	*ids = (struct domain_ids){uid, uid};
	r = 0;
done:
	names_release(&names);
	free(used);
	return r;
}

/* Whom a new domain belongs to. */
static int
choose_owner(const char *root, const char *owner, struct domain_ids *ids, struct buf *why)
{
	struct stat st;

	*ids = (struct domain_ids){geteuid(), getegid()};
	if (owner != NULL && parse_owner(owner, ids, why) != 0)
		return -1;
	if (owner == NULL && geteuid() == 0) {
		if (stat(root, &st) != 0) {
			buf_addf(why, "%s: %s", root, strerror(errno));
			return -1;
		}
		*ids = (struct domain_ids){st.st_uid, st.st_gid};
		if (st.st_uid == 0)
			return free_ids(root, ids, why);
	}
	if (sandbox_is_root() && (ids->uid == 0 || ids->gid == 0)) {
		buf_add_str(why, "root cannot own a domain, mail is not delivered as root: "
				 "name another owner");
		return -1;
	}
	return 0;
}

/* Makes one directory (or an empty file) below at; it is flushed with its parent at the end. */
static int
make(int at, const char *name, bool directory, mode_t mode, const struct domain_ids *ids)
{
	int fd;

	if (directory && mkdirat(at, name, mode) != 0)
		return -1;
	fd = openat(at, name,
	    directory ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
		      : O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    mode);
	if (fd < 0)
		return -1;
	if ((geteuid() == 0 && fchown(fd, ids->uid, ids->gid) != 0) || fchmod(fd, mode) != 0 ||
	    fsync(fd) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The inside of a domain's directory. */
static int
furnish(int dirfd, const struct domain_ids *ids)
{
	int etc = make(dirfd, "etc", true, 0700, ids), home = -1, passwd = -1, r = -1;

	if (etc >= 0)
		passwd = make(etc, "passwd", false, 0600, ids);
	if (passwd >= 0)
		home = make(dirfd, "home", true, 0711, ids);
	if (home >= 0 && fsync(etc) == 0 && fsync(dirfd) == 0)
		r = 0;
	if (etc >= 0)
		close(etc);
	if (passwd >= 0)
		close(passwd);
	if (home >= 0)
		close(home);
	return r;
}

/* What was made of a domain that could not be finished. */
static void
unmake(int rootfd, const char *name)
{
	static const struct {
		const char *name;
		int flags;
	} parts[] = {{"etc/passwd", 0}, {"etc", AT_REMOVEDIR}, {"home", AT_REMOVEDIR}};

	for (size_t i = 0; i < 3; i++) {
		char *path = xasprintf("%s/%s", name, parts[i].name);

		unlinkat(rootfd, path, parts[i].flags);
		free(path);
	}
	unlinkat(rootfd, name, AT_REMOVEDIR);
}

int
admin_domain_add(const struct config *c, const char *name, const char *owner, struct buf *why)
{
	char canonical[DOMAIN_MAX + 1], *building = NULL;
	struct domain_ids ids;
	const char *reason = "";
	int rootfd = -1, dirfd = -1, r = -1;
	size_t len;

	if (domain_canonical(span_str(name), true, canonical, &len, &reason) != 0) {
		buf_addf(why, "%s: expected a domain name: %s", name, reason);
		return -1;
	}
	for (size_t i = 0; i < c->relay_domains.n; i++) {
		if (strcmp(c->relay_domains.v[i], canonical) == 0) {
			buf_addf(why, "%s is in relay-domains, expected one or the other",
			    canonical);
			return -1;
		}
	}
	if (choose_owner(c->domains, owner, &ids, why) != 0)
		return -1;
	building = xasprintf(".%s.%ld.new", canonical, (long)getpid());
	rootfd = open(c->domains, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0) {
		buf_addf(why, "%s: %s", c->domains, strerror(errno));
		goto done;
	}
	/* Others may pass through (users of the domain with ids of their own), nobody may look around. */
	dirfd = make(rootfd, building, true, 0711, &ids);
	if (dirfd < 0 || furnish(dirfd, &ids) != 0) {
		buf_addf(
		    why, "%s/%s cannot be made: %s", c->domains, canonical, strerror(errno));
	} else if (renameat2(rootfd, building, rootfd, canonical, RENAME_NOREPLACE) != 0) {
		buf_addf(why, "%s/%s %s%s", c->domains, canonical,
		    errno == EEXIST ? "exists already" : "cannot be put in place: ",
		    errno == EEXIST ? "" : strerror(errno));
	} else {
		fsync(rootfd);
		r = 0;
	}
	if (r != 0)
		unmake(rootfd, building);
done:
	if (dirfd >= 0)
		close(dirfd);
	if (rootfd >= 0)
		close(rootfd);
	free(building);
	return r;
}

/* What a list says about one domain; the domain lives until the next domains_begin. */
struct view {
	struct domains *domains;
	struct domain *domain; /* NULL: it cannot be looked at */
	struct buf problem;    /* empty: none */
};

static void
look(struct view *v, const char *name)
{
	const struct domain_ids self = {geteuid(), getegid()};
	struct domain_ids ids;
	struct passwd_user nobody = {.has_uid = false};

	buf_clear(&v->problem);
	v->domain = NULL;
	domains_begin(v->domains);
	if (domains_find(v->domains, span_str(name), &v->domain, &v->problem) != LOOKUP_FOUND)
		v->domain = NULL;
	else if (domain_usable(v->domain, &v->problem) && v->domain->passwd.nusers > 0 &&
		 strcmp(v->domain->name, name) == 0)
		domain_user_ids(
		    v->domain, &nobody, sandbox_is_root(), &self, &ids, &v->problem);
}

static void
ignore(const char *text, void *arg)
{
	(void)text, (void)arg;
}

struct domains *
admin_domains_new(const struct config *c)
{
	/* Each is looked at once: there is nothing to keep. */
	const struct domains_limits limits = {.domains = 16, .octets = 64U << 20, .watches = 0};
	struct domains *domains = domains_new(c->domains, &limits, ignore, NULL);

	domains_begin(domains);
	return domains;
}

static void
view_init(struct view *v, const struct config *c)
{
	v->domains = admin_domains_new(c);
	v->domain = NULL;
	buf_init(&v->problem, 4096);
}

static void
view_release(struct view *v)
{
	domains_free(&v->domains);
	buf_release(&v->problem);
}

int
admin_domain_list(const struct config *c, admin_domain_fn *fn, void *arg, struct buf *why)
{
	struct names names;
	struct view v;
	int r = -1;

	if (names_read(&names, c->domains) != 0) {
		buf_addf(why, "%s: %s", c->domains, strerror(errno));
		goto done;
	}
	view_init(&v, c);
	for (size_t i = 0; i < names.n; i++) {
		struct admin_domain d = {.name = names.v[i]};
		char *path = xasprintf("%s/%s", c->domains, names.v[i]);

		look(&v, names.v[i]);
		d.path = path;
		if (v.domain != NULL) {
			bool alias = strcmp(v.domain->name, names.v[i]) != 0;

			d.alias_of = alias ? v.domain->name : NULL;
			d.path = v.domain->path;
			d.uid = v.domain->uid;
			d.gid = v.domain->gid;
			d.users = alias ? 0 : v.domain->passwd.nusers;
		}
		d.problem = v.problem.len > 0 ? buf_str(&v.problem) : NULL;
		fn(&d, arg);
		free(path);
	}
	view_release(&v);
	r = 0;
done:
	names_release(&names);
	return r;
}
