/*
 * sandbox: giving up rights. See sandbox.h. The order matters: what needs a
 * capability comes before that capability goes, and PR_SET_DUMPABLE comes last
 * because changing the user sets it anew (prctl(2)).
 */
#include "common/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

struct capabilities {
	uint64_t effective, permitted, inheritable;
};

static int
capabilities_get(struct capabilities *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};

	if (syscall(SYS_capget, &h, d) != 0)
		return -1;
	c->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	c->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	c->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static int
capabilities_set(uint64_t keep)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {
	    {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
	    {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
	};

	return (int)syscall(SYS_capset, &h, d);
}

bool
sandbox_is_root(void)
{
	struct capabilities c;

	return geteuid() == 0 && capabilities_get(&c) == 0 &&
	       (c.effective & SANDBOX_CAP(CAP_SETUID)) != 0;
}

void
sandbox_require(uint64_t keep)
{
	struct capabilities c;

	if (!sandbox_is_root())
		return;
	if (capabilities_get(&c) != 0)
		fatal("cannot read the capabilities");
	for (int i = 0; i < 64; i++)
		if ((keep & ~c.permitted & SANDBOX_CAP(i)) != 0)
			fatalx("root lacks capability %d of linux/capability.h here: grant it "
			       "to the "
			       "service or container, or start as an ordinary user",
			    i);
}

static void
set_limits(bool many_descriptors)
{
	struct rlimit none = {0, 0}, files;

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		fatal("cannot forbid core files");
	if (!many_descriptors || getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		log_warn("cannot raise the limit of descriptors to %lu",
		    (unsigned long)files.rlim_max);
}

/* The bounding set: what no program this process may ever execute can win back. */
static void
shrink_bounding_set(uint64_t bounding)
{
	int has;

	for (int c = 0; (has = prctl(PR_CAPBSET_READ, c, 0, 0, 0)) >= 0; c++)
		if (has == 1 && (bounding & SANDBOX_CAP(c)) == 0 &&
		    prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0)
			fatal("cannot drop capability %d from the bounding set", c);
}

static void
change_root(const char *root)
{
	if (root != NULL && strcmp(root, "/") != 0 && chroot(root) != 0)
		fatal("cannot make %s the root directory", root);
}

static void
change_user(const struct sandbox *s)
{
	if (prctl(PR_SET_KEEPCAPS, s->keep != 0, 0, 0, 0) != 0)
		fatal("cannot keep capabilities");
	if (setgroups(0, NULL) != 0)
		fatal("cannot drop supplementary groups");
	if (setresgid(s->gid, s->gid, s->gid) != 0)
		fatal("cannot become group %lu", (unsigned long)s->gid);
	if (setresuid(s->uid, s->uid, s->uid) != 0)
		fatal("cannot become user %lu", (unsigned long)s->uid);
	if (capabilities_set(s->keep) != 0)
		fatal("cannot reduce the capabilities");
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 ||
	    (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL))
		fatal("cannot clear the ambient capabilities");
}

/* Does the kernel say what we meant? */
static void
verify_user(const struct sandbox *s)
{
	struct capabilities c;
	uid_t r, e, saved;
	gid_t gr, ge, gsaved;
	int has;

	if (getresuid(&r, &e, &saved) != 0 || r != s->uid || e != s->uid || saved != s->uid)
		fatalx("the user was not changed to %lu", (unsigned long)s->uid);
	if (getresgid(&gr, &ge, &gsaved) != 0 || gr != s->gid || ge != s->gid ||
	    gsaved != s->gid)
		fatalx("the group was not changed to %lu", (unsigned long)s->gid);
	if (getgroups(0, NULL) != 0)
		fatalx("supplementary groups remain");
	if (s->uid != 0 &&
	    (setuid(0) == 0 || seteuid(0) == 0 || (s->gid != 0 && setgid(0) == 0)))
		fatalx("the way back to root is open");
	if (capabilities_get(&c) != 0 || c.permitted != s->keep || c.effective != s->keep ||
	    c.inheritable != 0)
		fatalx("capabilities remain that should be gone");
	for (int i = 0; (has = prctl(PR_CAPBSET_READ, i, 0, 0, 0)) >= 0; i++)
		if ((has == 1) != ((s->bounding & SANDBOX_CAP(i)) != 0))
			fatalx("capability %d of the bounding set is not as it should be", i);
}

void
sandbox_enter(const struct sandbox *s)
{
	bool root = sandbox_is_root();

	set_limits(s->many_descriptors);
	if (root) {
		sandbox_require(s->keep);
		shrink_bounding_set(s->bounding);
		change_root(s->root);
	}
	if (chdir("/") != 0)
		fatal("cannot change to the root directory");
	if (root) {
		change_user(s);
		verify_user(s);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		fatal("cannot renounce new privileges");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		fatal("cannot forbid being traced");
}
