/*
 * breakout: becomes what a process of the table is (files, system calls) and tries
 * one thing. For tests/integration/test_sandbox.py, which looks at how it ends.
 *
 *	breakout PROCESS DIRECTORY ATTEMPT
 *
 * PROCESS is a row of the process table, or local-child. DIRECTORY stands for the process's root directory (the
 * domain's, of a child). Exit status: 0 the attempt succeeded, 1 it was
 * refused with an error (named on standard output); killed by SIGSYS: the filter stopped it. The names are in attempts[].
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/landlock.h"
#include "common/log.h"
#include "common/process_table.h"
#include "common/syscall_filter.h"
#include "deliver/owner_child.h"

/* The owner of tests, as in tests/lib/domains.py. */
#define CHILD_UID 65001

/* Its directory. */
static int here = -1;

/* A connection it was given. */
static int log_pair[2];

/* 0 or more: it worked; -1 with errno. */
typedef long attempt_fn(void);

static long
read_passwd(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long
read_own(void)
{
	return openat(here, "inside", O_RDONLY | O_CLOEXEC);
}

static long
read_outside(void)
{
	return openat(here, "../neighbour/inside", O_RDONLY | O_CLOEXEC);
}

static long
move(void)
{
	return renameat(here, "inside", here, "sub/moved");
}

static long
write_outside(void)
{
	return openat(here, "../neighbour/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long
write_inside(void)
{
	return openat(here, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long
make_directory(void)
{
	return mkdirat(here, "directory", 0700);
}

static long
remove_file(void)
{
	return unlinkat(here, "inside", 0);
}

static long
network_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long
unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long
raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long
netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long
listen_socket(void)
{
	return listen(0, 1) == 0 || errno == ENOTSOCK ? 0 : -1;
}

static long
bind_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};

	return bind(0, (struct sockaddr *)&a, sizeof a) == 0 || errno == ENOTSOCK ? 0 : -1;
}

static long
bind_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof a);
}

static long
accept_client(void)
{
	return accept(0, NULL, NULL);
}

static long
read_link(void)
{
	return openat(here, "link", O_RDONLY | O_CLOEXEC);
}

static long
execute(void)
{
	char name[] = "sh";
	char *argv[] = {name, NULL}, *env[] = {NULL};

	return execve("/nonexistent/sh", argv, env) == -1 && errno == ENOENT ? 0 : -1;
}

static long
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
kill_another(void)
{
	return kill(getppid(), 0);
}

static long
become_root(void)
{
	return setuid(0);
}

static long
mount_something(void)
{
	return mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static long
unshare_users(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
load_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

static long
use_keyring(void)
{
	return syscall(SYS_keyctl, 0, 0, 0);
}

static long
watch_performance(void)
{
	struct perf_event_attr attr = {.size = sizeof attr};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long
make_ring(void)
{
	struct io_uring_params params = {0};

	return syscall(SYS_io_uring_setup, 4, &params);
}

static long
handle_faults(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC);
}

static long
map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0) == MAP_FAILED
		   ? -1
		   : 0;
}

static long
make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long
read_memory(void)
{
	char octet;
	struct iovec ours = {&octet, 1}, theirs = {&octet, 1};

	return process_vm_readv(getppid(), &ours, 1, &theirs, 1, 0);
}

static long
trace_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
allocate_memory(void)
{
	void *p =
	    mmap(NULL, 1U << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : munmap(p, 1U << 20);
}

/* As the log is written where systemd has made descriptor 2 a socket. */
static long
send_to_log(void)
{
	return send(log_pair[0], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static const struct {
	const char *name;
	attempt_fn *fn;
} attempts[] = {
    {"log-to-socket", send_to_log},
    {"read-passwd", read_passwd},
    {"read-own", read_own},
    {"read-outside", read_outside},
    {"write-outside", write_outside},
    {"move", move},
    {"write-inside", write_inside},
    {"mkdir", make_directory},
    {"unlink", remove_file},
    {"socket-inet", network_socket},
    {"socket-unix", unix_socket},
    {"socket-packet", raw_socket},
    {"socket-netlink", netlink_socket},
    {"listen", listen_socket},
    {"bind", bind_socket},
    {"bind-port", bind_port},
    {"accept", accept_client},
    {"read-link", read_link},
    {"execve", execute},
    {"fork", make_process},
    {"ptrace", trace},
    {"kill", kill_another},
    {"setuid", become_root},
    {"mount", mount_something},
    {"unshare", unshare_users},
    {"bpf", load_bpf},
    {"keyctl", use_keyring},
    {"perf", watch_performance},
    {"io-uring", make_ring},
    {"userfaultfd", handle_faults},
    {"mmap-exec", map_executable},
    {"mprotect-exec", make_executable},
    {"read-memory", read_memory},
    {"dumpable", trace_prctl},
    {"memory", allocate_memory},
};

/* Becomes the process. -1: there is no such. */
static int
become(const char *name, const char *directory)
{
	bool is_child = strcmp(name, OWNER_CHILD_NAME) == 0;
	const struct process_row *row = process_table_find(span_str(is_child ? "local" : name));
	const struct owner_child_rights owner = {
	    .uid = geteuid() == 0 ? CHILD_UID : geteuid(),
	    .gid = geteuid() == 0 ? CHILD_UID : getegid(),
	    .directory = directory,
	    .filter = SYSCALL_FILTER_ENFORCE,
	};

	if (row == NULL)
		return -1;
	landlock_enter(row->files, directory);
	syscall_filter_enter(row->calls, SYSCALL_FILTER_ENFORCE);
	if (is_child)
		owner_child_confine(&owner);
	return 0;
}

int
main(int argc, char **argv)
{
	log_init("breakout", LOG_LEVEL_WARN);
	if (argc != 4)
		return 64;
	here = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, log_pair) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return 71;
	if (become(argv[1], argv[2]) != 0)
		return 64;
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		if (strcmp(argv[3], attempts[i].name) != 0)
			continue;
		if (attempts[i].fn() >= 0)
			return 0;
		printf("%s\n", strerror(errno));
		return 1;
	}
	return 64;
}
