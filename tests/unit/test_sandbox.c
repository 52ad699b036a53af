/*
 * test_sandbox: what is left to a process after sandbox_enter, asked of the kernel
 * in a forked process (there is no way back). What needs root is skipped without it.
 */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/testing.h"

#define USER  64001
#define GROUP 64011

/* In the new process: 0, or the line of the check that failed. */
typedef int in_sandbox_fn(void);

#define CHECK(condition)                                                                       \
	do {                                                                                   \
		if (!(condition))                                                              \
			return __LINE__;                                                       \
	} while (0)

/* The line that failed, 0 for none, -1 if the process was ended otherwise; *status as of waitpid. */
static int
run_in(const struct sandbox *s, in_sandbox_fn *fn, int *status)
{
	int fds[2], line = -1;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sandbox_enter(s);
		line = fn();
		_exit(write(fds[1], &line, sizeof line) == sizeof line ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &line, sizeof line) != sizeof line)
		line = -1;
	close(fds[0]);
	assert_int_equal(waitpid(pid, status, 0), pid);
	return line;
}

static void
check_in(const struct sandbox *s, in_sandbox_fn *fn)
{
	int status, line = run_in(s, fn, &status);

	if (line != 0)
		fail_msg("in the sandbox: line %d failed, status %#x", line, status);
}

/* A line of /proc/self/status as a number. */
static unsigned long long
status_field(const char *name, int base)
{
	char line[256];
	unsigned long long v = ~0ULL;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			v = strtoull(line + strlen(name), NULL, base);
	if (f != NULL)
		fclose(f);
	return v;
}

static int
everybody_loses(void)
{
	struct rlimit r;
	char cwd[64];
	mode_t mask = umask(0);

	CHECK(mask == 077);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
	CHECK(getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0);
	return 0;
}

static void
forbids_cores_tracing_and_new_privileges(void **state)
{
	struct sandbox s = {.uid = geteuid(), .gid = getegid()};

	(void)state;
	check_in(&s, everybody_loses);
}

static int
has_all_descriptors(void)
{
	struct rlimit r;

	CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == r.rlim_max);
	return 0;
}

static int
has_few_descriptors(void)
{
	struct rlimit r;

	CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == 50);
	return 0;
}

static void
raises_descriptors_only_where_asked(void **state)
{
	struct sandbox s = {.uid = geteuid(), .gid = getegid()};
	struct rlimit old, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){50, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	check_in(&s, has_few_descriptors);
	s.many_descriptors = true;
	check_in(&s, has_all_descriptors);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static int
is_nobody(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	CHECK(getresuid(&r, &e, &s) == 0 && r == USER && e == USER && s == USER);
	CHECK(getresgid(&gr, &ge, &gs) == 0 && gr == GROUP && ge == GROUP && gs == GROUP);
	CHECK(getgroups(0, NULL) == 0);
	CHECK(setuid(0) != 0 && errno == EPERM);
	CHECK(setresuid(0, 0, 0) != 0 && setgid(0) != 0 && setgroups(0, NULL) != 0);
	CHECK(status_field("CapPrm:", 16) == 0);
	CHECK(status_field("CapEff:", 16) == 0);
	CHECK(status_field("CapInh:", 16) == 0);
	CHECK(status_field("CapBnd:", 16) == 0);
	CHECK(status_field("CapAmb:", 16) == 0);
	CHECK(open("/etc/shadow", O_RDONLY) < 0);
	CHECK(chroot("/") != 0 && errno == EPERM);
	return 0;
}

static void
becomes_another_user_for_good(void **state)
{
	struct sandbox s = {.uid = USER, .gid = GROUP, .root = "/"};
	gid_t groups[2] = {0, 4};

	(void)state;
	if (!sandbox_is_root())
		skip();
	assert_int_equal(setgroups(2, groups), 0);
	check_in(&s, is_nobody);
}

static int
reads_but_does_not_write(void)
{
	uint64_t want = SANDBOX_CAP(CAP_DAC_READ_SEARCH);

	CHECK(getuid() == USER);
	CHECK(status_field("CapPrm:", 16) == want && status_field("CapEff:", 16) == want);
	CHECK(status_field("CapBnd:", 16) == 0 && status_field("CapInh:", 16) == 0);
	CHECK(open("/etc/shadow", O_RDONLY) >= 0);
	CHECK(open("/etc/shadow", O_WRONLY) < 0 && errno == EACCES);
	CHECK(setuid(0) != 0);
	return 0;
}

static void
keeps_one_capability(void **state)
{
	struct sandbox s = {
	    .uid = USER, .gid = GROUP, .root = "/", .keep = SANDBOX_CAP(CAP_DAC_READ_SEARCH)};

	(void)state;
	if (!sandbox_is_root())
		skip();
	check_in(&s, reads_but_does_not_write);
}

/* local: root in name, and a child of it keeps no way back. */
static int
is_a_weak_root(void)
{
	struct sandbox child = {.uid = USER, .gid = GROUP};

	CHECK(getuid() == 0 && geteuid() == 0);
	CHECK(mkdir("/root/prt-test-sandbox", 0700) == 0 || errno == EEXIST);
	CHECK(chown("/root/prt-test-sandbox", USER, GROUP) != 0 && errno == EPERM);
	CHECK(rmdir("/root/prt-test-sandbox") == 0);
	CHECK(sandbox_is_root());
	sandbox_enter(&child);
	return is_nobody();
}

static void
weakens_root_and_lets_it_become_users(void **state)
{
	struct sandbox s = {.uid = 0,
	    .gid = 0,
	    .root = "/",
	    .keep = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_SETGID)};

	(void)state;
	if (!sandbox_is_root())
		skip();
	check_in(&s, is_a_weak_root);
}

/* postriderd: what it executes as root may have what postriderd has, and no more. */
static int
passes_on_what_it_keeps(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c",
		    "grep -q '^CapPrm:.*0000000000000081$' /proc/self/status", (char *)NULL);
		_exit(127);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static void
bounds_what_programs_may_win(void **state)
{
	struct sandbox s = {.uid = 0,
	    .gid = 0,
	    .keep = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_CHOWN),
	    .bounding = SANDBOX_CAP(CAP_SETUID) | SANDBOX_CAP(CAP_CHOWN)};

	(void)state;
	if (!sandbox_is_root())
		skip();
	check_in(&s, passes_on_what_it_keeps);
}

static int
sees_nothing(void)
{
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(open("..", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	CHECK(open("../etc/passwd", O_RDONLY) < 0);
	CHECK(mkdir("/x", 0700) != 0);
	return 0;
}

static void
changes_the_root_directory(void **state)
{
	char dir[] = "/tmp/prt-sandbox-XXXXXX";
	struct sandbox s = {.uid = USER, .gid = GROUP, .root = dir};

	(void)state;
	if (!sandbox_is_root())
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0711), 0);
	check_in(&s, sees_nothing);
	assert_int_equal(rmdir(dir), 0);
}

static int
never(void)
{
	return __LINE__;
}

/* A step that fails ends the process before anything else happens. */
static void
ends_the_process_if_a_step_fails(void **state)
{
	struct sandbox s = {.uid = USER, .gid = GROUP, .root = "/no/such/directory"};
	int status;

	(void)state;
	if (!sandbox_is_root())
		skip();
	assert_int_equal(run_in(&s, never, &status), -1);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	s.root = "/";
	s.keep = SANDBOX_CAP(63); /* there is none of this number */
	assert_int_equal(run_in(&s, never, &status), -1);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forbids_cores_tracing_and_new_privileges),
	    cmocka_unit_test(raises_descriptors_only_where_asked),
	    cmocka_unit_test(becomes_another_user_for_good),
	    cmocka_unit_test(keeps_one_capability),
	    cmocka_unit_test(weakens_root_and_lets_it_become_users),
	    cmocka_unit_test(bounds_what_programs_may_win),
	    cmocka_unit_test(changes_the_root_directory),
	    cmocka_unit_test(ends_the_process_if_a_step_fails),
	};

	log_init("test_sandbox", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
