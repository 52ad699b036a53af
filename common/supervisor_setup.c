/* supervisor_setup: before the first process. See supervisor_setup.h. */
#include "common/supervisor_setup.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/pid_file.h"
#include "common/sandbox.h"
#include "common/spool_tree.h"
#include "common/xalloc.h"

#define LOCK_WAIT_MS                                                                           \
	2000 /* a predecessor that was killed takes its children along within this */

/* One socket a worker and listener can exceed the usual 1024; children get the old limit back. */
static void
raise_descriptors(struct supervisor_setup *u)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &u->files) != 0)
		fatal("cannot read the limit of descriptors");
	all = (struct rlimit){u->files.rlim_max, u->files.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &all) != 0)
		log_warn("cannot raise the limit of descriptors");
}

static int
check_programs(const char *program_dir)
{
	size_t n;
	const struct process_row *rows = process_table(&n);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", program_dir, rows[i].program);

		if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
			log_warn("cannot use the program %s", path);
			r = -1;
		}
		free(path);
	}
	return r;
}

/*
 * As root it keeps what its children need at their start (they cannot have what their parent
 * has not: all have renounced new privileges), low ports and keys after a reload, and SIGKILL.
 */
static uint64_t
rights_kept(void)
{
	uint64_t keep = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_SETGID) |
			SANDBOX_CAP(CAP_SETPCAP) | SANDBOX_CAP(CAP_SYS_CHROOT) |
			SANDBOX_CAP(CAP_KILL) | SANDBOX_CAP(CAP_NET_BIND_SERVICE) |
			SANDBOX_CAP(CAP_DAC_READ_SEARCH);
	size_t n;
	const struct process_row *rows = process_table(&n);

	for (size_t i = 0; i < n; i++)
		keep |= rows[i].keep;
	return keep;
}

int
supervisor_setup_prepare(struct supervisor_setup *u, const struct supervisor_options *o,
    const struct supervisor_plan *plan)
{
	*u = (struct supervisor_setup){.spool_lock = -1};
	sandbox_require(rights_kept() | SANDBOX_CAP(CAP_CHOWN) | SANDBOX_CAP(CAP_FOWNER) |
			SANDBOX_CAP(CAP_FSETID));
	raise_descriptors(u);
	if (check_programs(o->program_dir) != 0 || spool_tree_check(plan->spool) != 0)
		return EX_CONFIG;
	u->spool_lock = spool_tree_lock(plan->spool, LOCK_WAIT_MS);
	if (u->spool_lock < 0)
		return u->spool_lock == -1 ? EX_TEMPFAIL : EX_CONFIG;
	if (spool_tree_make(plan->spool, plan->ids) != 0)
		return EX_CONFIG;
	spool_secret_obtain(plan->spool, u->secret);
	u->unix_sockets = listeners_open_unix(plan->spool, plan->ids);
	if (u->unix_sockets == NULL)
		return EX_CONFIG;
	u->tcp = listeners_open_tcp(plan->listeners, plan->nlisteners, plan->workers, NULL);
	if (u->tcp == NULL)
		return EX_CONFIG;
	for (size_t i = 0; i < u->tcp->n; i++)
		listener_tell(&u->tcp->v[i], true);
	return o->pid_file == NULL || pid_file_write(o->pid_file) == 0 ? EX_OK : EX_CONFIG;
}

void
supervisor_setup_confine(void)
{
	struct sandbox sandbox = {.uid = geteuid(),
	    .gid = getegid(),
	    .keep = rights_kept(),
	    .bounding = rights_kept()};

	if (!sandbox_is_root())
		log_info("started without root: every process runs as user %lu",
		    (unsigned long)geteuid());
	sandbox_enter(&sandbox);
}

void
supervisor_setup_release(struct supervisor_setup *u)
{
	listeners_free(&u->tcp);
	listeners_free(&u->unix_sockets);
	if (u->spool_lock >= 0)
		close(u->spool_lock);
}
