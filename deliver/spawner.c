/*
 * spawner: forks local's children. See spawner.h. Single-threaded, blocking, and
 * small on purpose: it is the only other process that keeps root.
 */
#include "deliver/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/passfd.h"
#include "common/span.h"
#include "common/xalloc.h"
#include "deliver/owner_child.h"

#define SOCKET_FD   3
#define REQUEST_MAX (128 + PATH_MAX)

struct child {
	pid_t pid;
	uint64_t serial;
};

struct spawner {
	struct child *children;
	size_t n, cap;
	int signals;
	sigset_t old_mask;
	enum syscall_filter_mode filter; /* of its children */
	char *title;			 /* the memory of argv */
	size_t title_size;
};

/* --- in local --- */

static noreturn void
exec_spawner(int fd, enum log_level level, enum syscall_filter_mode filter)
{
	char digits[3] = {(char)('0' + level), (char)('0' + filter), '\0'};
	char self[] = "/proc/self/exe", name[] = "local", word[] = SPAWNER_WORD;
	char *argv[] = {name, word, digits, NULL}, *env[] = {NULL};

	/* dup2 of a descriptor onto itself would leave it closing on exec */
	if (fd == SOCKET_FD ? fcntl(fd, F_SETFD, 0) != 0 : dup2(fd, SOCKET_FD) < 0)
		_exit(71);
	close_range(SOCKET_FD + 1, ~0U, 0);
	execve(self, argv, env);
	_exit(71);
}

int
spawner_start(enum log_level level, enum syscall_filter_mode filter)
{
	int sv[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		return -1;
	pid = fork();
	if (pid == 0)
		exec_spawner(sv[1], level, filter);
	error = errno;
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		errno = error;
		return -1;
	}
	return sv[0];
}

static int
request(int spawner, const char *text, int fd)
{
	union passfd_control control;
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0)
		passfd_attach(&h, &control, fd);
	do {
		n = sendmsg(spawner, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

int
spawner_spawn(int spawner, uint64_t serial, uid_t uid, gid_t gid, const char *directory, int fd)
{
	char text[REQUEST_MAX];
	int n = snprintf(text, sizeof text, "spawn %llu %u %u %s", (unsigned long long)serial,
	    uid, gid, directory);

	if (n < 0 || (size_t)n >= sizeof text) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	return request(spawner, text, fd);
}

void
spawner_kill(int spawner, uint64_t serial)
{
	char text[REQUEST_MAX];

	snprintf(text, sizeof text, "kill %llu", (unsigned long long)serial);
	request(spawner, text, -1);
}

/* --- in the spawner --- */

/* argv lies in one piece; a name written over it is what ps and /proc show. */
static void
set_title(struct spawner *s, const char *title)
{
	size_t n = strlen(title);

	prctl(PR_SET_NAME, title);
	if (s->title_size == 0)
		return;
	if (n >= s->title_size)
		n = s->title_size - 1;
	memset(s->title, 0, s->title_size);
	memcpy(s->title, title, n);
}

static void
spawn(struct spawner *s, uint64_t serial, const struct owner_child_rights *rights, int fd)
{
	pid_t pid = fork();

	if (pid < 0) {
		log_warn("cannot make a child for uid %u", rights->uid);
		return; /* its end of the channel closes: local hears it */
	}
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
		set_title(s, OWNER_CHILD_NAME);
		if (dup2(fd, SOCKET_FD) < 0)
			_exit(71);
		close_range(SOCKET_FD + 1, ~0U, 0);
		free(s->children);
		_exit(owner_child_run(SOCKET_FD, rights));
	}
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 64;
		s->children = xreallocarray(s->children, s->cap, sizeof *s->children);
	}
	s->children[s->n++] = (struct child){pid, serial};
}

static void
kill_child(const struct spawner *s, uint64_t serial)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->children[i].serial == serial && kill(s->children[i].pid, SIGKILL) == 0)
			log_warnx("killed the child with pid %d: it did not answer in time",
			    (int)s->children[i].pid);
}

static void
reap(struct spawner *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s->signals, &info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_warnx(
			    "child with pid %d ended by signal %d", (int)pid, WTERMSIG(status));
		for (size_t i = 0; i < s->n; i++)
			if (s->children[i].pid == pid)
				s->children[i--] = s->children[--s->n];
	}
}

/* An absolute path as a string. -1: it is none, or too long. */
static int
copy_path(struct span path, char out[PATH_MAX])
{
	if (path.len == 0 || path.len >= PATH_MAX || path.p[0] != '/' ||
	    memchr(path.p, '\0', path.len) != NULL)
		return -1;
	memcpy(out, path.p, path.len);
	out[path.len] = '\0';
	return 0;
}

static void
obey(struct spawner *s, struct span text, int fd)
{
	struct span verb = span_cut(&text, ' '), word[3];
	struct owner_child_rights rights = {.filter = s->filter};
	char directory[PATH_MAX];
	uint64_t v[3] = {0};

	for (size_t i = 0; i < 3; i++) {
		word[i] = span_cut(&text, ' ');
		if (word[i].len > 0 &&
		    span_to_u64(word[i], i == 0 ? UINT64_MAX : UINT32_MAX, &v[i]) != 0)
			fatalx("malformed request from local");
	}
	if (span_is(verb, "spawn") && fd >= 0 && copy_path(text, directory) == 0) {
		rights.uid = (uid_t)v[1];
		rights.gid = (gid_t)v[2];
		rights.directory = directory;
		spawn(s, v[0], &rights, fd);
	} else if (span_is(verb, "kill")) {
		kill_child(s, v[0]);
	} else {
		fatalx("malformed request from local");
	}
}

/* False when local is gone. */
static bool
receive(struct spawner *s)
{
	char text[REQUEST_MAX];
	union passfd_control control;
	struct iovec iov = {text, sizeof text};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	size_t nfds = 0;
	ssize_t n;
	int fd = -1;

	passfd_expect(&h, &control);
	n = recvmsg(SOCKET_FD, &h, MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	if (passfd_take(&h, &fd, &nfds, 1) != 0)
		fatalx("malformed request from local");
	obey(s, span_make(text, (size_t)n), fd);
	if (fd >= 0)
		close(fd);
	return true;
}

int
spawner_main(int argc, char **argv)
{
	struct spawner s = {0};
	sigset_t set;

	for (int i = 0; i < argc; i++)
		s.title_size = (size_t)(argv[i] + strlen(argv[i]) + 1 - argv[0]);
	s.title = argv[0];
	prctl(PR_SET_NAME, SPAWNER_WORD); /* exec made it "exe" */
	if (argc != 3 || strlen(argv[2]) != 2)
		return 64;
	log_init(OWNER_CHILD_NAME, (enum log_level)(argv[2][0] - '0'));
	s.filter = (enum syscall_filter_mode)(argv[2][1] - '0');
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &s.old_mask);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		fatal("signalfd");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) /* exec had allowed it again */
		fatal("PR_SET_DUMPABLE");
	signal(SIGINT, SIG_IGN); /* local's end, not a key at a terminal, ends it */
	signal(SIGTERM, SIG_IGN);
	for (;;) {
		struct pollfd fds[2] = {{SOCKET_FD, POLLIN, 0}, {s.signals, POLLIN, 0}};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			fatal("poll");
		if (fds[1].revents != 0)
			reap(&s);
		if (fds[0].revents != 0 && !receive(&s))
			break;
	}
	close(s.signals);
	free(s.children);
	return 0;
}
