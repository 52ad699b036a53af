/*
 * syscall_filter: what a process may ask of the kernel. See syscall_filter.h. A
 * row is a call, the groups that hold it, and for some calls a condition on one argument.
 */
#include "common/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/log.h"

#define BASIC	SYSCALLS_BASIC
#define THREADS SYSCALLS_THREADS
#define MSG	SYSCALLS_MESSAGES
#define SERVE	SYSCALLS_SERVE
#define CONNECT SYSCALLS_CONNECT
#define CLIENTS SYSCALLS_CLIENTS
#define APPEND	SYSCALLS_APPEND
#define READ	SYSCALLS_READ_FILES
#define DOMAINS SYSCALLS_DOMAINS
#define WRITE	SYSCALLS_WRITE_FILES
#define SPOOL	SYSCALLS_SPOOL
#define DELIVER SYSCALLS_DELIVER
#define NET	SYSCALLS_NETWORK
#define FORK	SYSCALLS_FORK
#define BECOME	SYSCALLS_BECOME

/* Allowed only if (argument & mask) == value; mask 0: always. */
struct row {
	int call;
	uint32_t groups;
	unsigned argument;
	uint64_t mask, value;
};

#define CALL(name, groups)                                                                     \
	{                                                                                      \
		SCMP_SYS(name), groups, 0, 0, 0                                                \
	}
#define CALL_IF(name, groups, n, mask, is)                                                     \
	{                                                                                      \
		SCMP_SYS(name), groups, n, mask, is                                            \
	}

/* Opening for nothing but reading. */
#define READING_MASK (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

static const struct row rows[] = {
    CALL(write, BASIC),
    CALL(close, BASIC),
    CALL(lseek, BASIC),
    CALL(fstat, BASIC),
    CALL_IF(newfstatat, BASIC, 3, AT_EMPTY_PATH, AT_EMPTY_PATH), /* fstat, as libc makes it */
    CALL(fcntl, BASIC),
    CALL_IF(mmap, BASIC, 2, PROT_EXEC, 0),
    CALL_IF(mprotect, BASIC, 2, PROT_EXEC, 0),
    CALL(mremap, BASIC),
    CALL(munmap, BASIC),
    CALL(madvise, BASIC),
    CALL(brk, BASIC),
    CALL(futex, BASIC),
    CALL(getrandom, BASIC),
    CALL(clock_gettime, BASIC),
    CALL(gettimeofday, BASIC),
    CALL(rt_sigaction, BASIC),
    CALL(rt_sigprocmask, BASIC),
    CALL(rt_sigreturn, BASIC),
    CALL(restart_syscall, BASIC),
    CALL(exit_group, BASIC),
    CALL(getpid, BASIC),
    CALL(getuid, BASIC),
    CALL(geteuid, BASIC),
    CALL(getgid, BASIC),
    CALL(getegid, BASIC),
    CALL(sysinfo, BASIC),
    CALL(epoll_ctl, BASIC),
    CALL(epoll_wait, BASIC),
    CALL(epoll_pwait, BASIC),
    CALL(epoll_pwait2, BASIC),

    CALL_IF(clone, THREADS, 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD),
    CALL(set_robust_list, THREADS | FORK),
    CALL(rseq, THREADS | FORK),
    CALL(exit, THREADS),
    CALL(eventfd2, THREADS),
    CALL(sched_getaffinity, THREADS),
    CALL(read, THREADS | READ | CLIENTS | NET),

    CALL(recvmsg, MSG),
    CALL(sendmsg, MSG),
    CALL(sendto, MSG), /* the log, too, where it is a socket */
    CALL(accept4, SERVE),
    CALL(getsockopt, SERVE | NET),
    CALL(connect, CONNECT),
    CALL_IF(socket, CONNECT, 0, UINT64_MAX, AF_UNIX),

    CALL(recvfrom, CLIENTS | NET | BECOME),
    CALL(setsockopt, CLIENTS | NET),
    CALL(shutdown, CLIENTS),
    CALL_IF(prlimit64, CLIENTS, 2, UINT64_MAX, 0), /* asking, not setting */

    CALL(pwritev, APPEND | SPOOL),
    CALL(fdatasync, APPEND | SPOOL),
    CALL(timerfd_create, APPEND | SPOOL), /* how long a flush gathers */
    CALL(timerfd_settime, APPEND | SPOOL),

    CALL_IF(openat, READ, 2, READING_MASK, O_RDONLY),
    CALL(newfstatat, READ),
    CALL(getdents64, READ),

    CALL(openat2,
	DOMAINS |
	    DELIVER), /* its flags are out of a filter's sight: Landlock guards it where nothing is written */
    CALL(readlinkat, DOMAINS),
    CALL(statfs, DOMAINS),
    CALL(ioctl, DOMAINS | SPOOL),
    CALL(inotify_init1, DOMAINS),
    CALL(inotify_add_watch, DOMAINS),
    CALL(inotify_rm_watch, DOMAINS),

    CALL(openat, WRITE),
    CALL(pread64, WRITE | NET),
    CALL(writev, WRITE | NET),
    CALL(renameat, WRITE),
    CALL(unlinkat, WRITE),
    CALL(fsync, WRITE),
    CALL(sync_file_range, WRITE),

    CALL(readv, SPOOL),
    CALL(pwrite64, SPOOL),
    CALL(fadvise64, SPOOL),
    CALL(ftruncate, SPOOL),
    CALL(fallocate, SPOOL),
    CALL(flock, SPOOL),
    CALL_IF(setpriority, SPOOL, 1, UINT64_MAX, 0), /* its own */
    CALL(alarm, SPOOL),
    CALL(setitimer, SPOOL),

    CALL(mkdirat, DELIVER),
    CALL(renameat2, DELIVER),
    CALL(fstatfs, DELIVER),
    CALL(syncfs, DELIVER),

    CALL_IF(socket, NET, 0, UINT64_MAX, AF_INET),
    CALL_IF(socket, NET, 0, UINT64_MAX, AF_INET6),
    CALL(getsockname, NET),

    /* One process more, not a new name space: none of the flags of unshare(2). */
    CALL_IF(clone, FORK, 0, 0x7e020000UL | CLONE_NEWTIME | CLONE_VM, 0),
    CALL(wait4, FORK),
    CALL(pipe2, FORK),
    CALL(kill, FORK),
    CALL(socketpair, FORK),
    CALL(close_range, FORK),
    CALL(getppid, SPOOL),
    CALL_IF(prctl, FORK, 0, UINT64_MAX, PR_SET_PDEATHSIG),

    CALL(execve, BECOME),
    CALL(dup2, BECOME),
    CALL(dup3, BECOME),
    CALL(poll, BECOME),
    CALL(ppoll, BECOME),
    CALL(epoll_create1, BECOME),
    CALL(signalfd4, BECOME),
    CALL(arch_prctl, BECOME),
    CALL(set_tid_address, BECOME),
    {__SNR_access, BECOME, 0, 0, 0}, /* banned.h has the word */
    CALL_IF(mmap, BECOME, 2, PROT_WRITE,
	0), /* the loader maps libraries, never writable and executable */
    CALL_IF(mprotect, BECOME, 2, PROT_WRITE, 0),
    CALL(prctl, BECOME),
    CALL(prlimit64, BECOME),
    CALL(umask, BECOME),
    CALL(chdir, BECOME),
    CALL(getgroups, BECOME),
    CALL(setgroups, BECOME),
    CALL(getresuid, BECOME),
    CALL(getresgid, BECOME),
    CALL(setresuid, BECOME),
    CALL(setresgid, BECOME),
    CALL(setuid, BECOME),
    CALL(setgid, BECOME),
    CALL(capget, BECOME),
    CALL(capset, BECOME),
    CALL(seccomp, BECOME),
    CALL(landlock_create_ruleset, BECOME),
    CALL(landlock_add_rule, BECOME),
    CALL(landlock_restrict_self, BECOME),
};

/* What libraries try on their own (the time zone, a host file): not here, and no reason to die. */
static const int refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    __SNR_access,
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
};

static const char *const names[] = {"enforce", "log", "off"};

const char *
syscall_filter_mode_name(enum syscall_filter_mode mode)
{
	return names[mode];
}

int
syscall_filter_mode_parse(struct span s, enum syscall_filter_mode *mode)
{
	int i = span_among(s, names, sizeof names / sizeof *names);

	if (i < 0)
		return -1;
	*mode = (enum syscall_filter_mode)i;
	return 0;
}

static void
add_row(scmp_filter_ctx filter, const struct row *r)
{
	int error;

	if (r->mask == 0) {
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, r->call, 0);
	} else {
		struct scmp_arg_cmp c =
		    SCMP_CMP(r->argument, SCMP_CMP_MASKED_EQ, r->mask, r->value);

		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, r->call, 1, &c);
	}
	/* A call that this architecture has not needs no rule. */
	if (error != 0 && error != -EDOM) {
		errno = -error;
		fatal("cannot allow system call %d", r->call);
	}
}

/* Is the call allowed, whatever its arguments? */
static bool
is_free(int call, uint32_t groups)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].call == call && (rows[i].groups & groups) != 0 && rows[i].mask == 0)
			return true;
	return false;
}

/*
 * An answer for a call that is not allowed. libseccomp takes conditions of another action for the same call
 * only where they do not meet, so a call with conditions is left to the default.
 */
static void
add_refusal(scmp_filter_ctx filter, int call, int error)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)error), call, 0);

	if (r != 0 && r != -EDOM) {
		errno = -r;
		fatal("cannot refuse system call %d", call);
	}
}

bool
syscall_filter_mentions(uint32_t groups, int call)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].call == call && (rows[i].groups & groups) != 0)
			return true;
	return false;
}

static scmp_filter_ctx
make_filter(uint32_t groups, uint32_t otherwise)
{
	scmp_filter_ctx filter = seccomp_init(otherwise);

	if (filter == NULL)
		fatalx("cannot make a system call filter");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if ((rows[i].groups & groups) != 0 &&
		    (rows[i].mask == 0 || !is_free(rows[i].call, groups)))
			add_row(filter, &rows[i]);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (!syscall_filter_mentions(groups, refused[i]))
			add_refusal(filter, refused[i], EACCES);
	/* Its flags lie in memory, where no filter sees them: libc falls back to clone. */
	add_refusal(filter, SCMP_SYS(clone3), ENOSYS);
	return filter;
}

void
syscall_filter_enter(uint32_t groups, enum syscall_filter_mode mode)
{
#ifdef __SANITIZE_ADDRESS__
	(void)groups, (void)mode, (void)make_filter;
#else
	scmp_filter_ctx filter;
	int error;

	if (mode == SYSCALL_FILTER_OFF)
		return;
	filter = make_filter(
	    groups, mode == SYSCALL_FILTER_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	/* All threads alike; the privilege to do without no_new_privs is gone already. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	error = seccomp_load(filter);
	seccomp_release(filter);
	if (error != 0) {
		errno = -error;
		fatal("cannot enter the system call filter (system-call-filter = off does "
		      "without)");
	}
#endif
}
