/*
 * test_spool_tree: which places are no place for a spool (CO-01 to CO-04 of
 * tests/vectors/config.tsv), what is made there, and the lock. What needs root is
 * skipped without it.
 */
#include "common/spool_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/trusted_path.h"
#include "tests/unit/testing.h"

#define STRANGER 64009

struct place {
	char dir[32];
	char spool[64];
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->dir, sizeof p->dir, "/tmp/prt-spool-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	snprintf(p->spool, sizeof p->spool, "%s/spool", p->dir);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	char command[64];
	int r;

	snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
	r = system(command);
	free(p);
	return r;
}

/* Every process its own user if we may, else ourselves. */
static void
fill_ids(struct process_ids ids[16])
{
	size_t n;

	process_table(&n);
	for (size_t i = 0; i < n; i++)
		ids[i] = geteuid() == 0
			     ? (struct process_ids){64001 + (uid_t)i, 64101 + (gid_t)i}
			     : (struct process_ids){geteuid(), getegid()};
}

static struct stat
stat_of(const struct place *p, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", p->spool, name);
	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void
makes_what_is_missing(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool queues;
	} want[] = {
	    {"segments", 0700, true},
	    {"large", 0700, true},
	    {"journal", 0700, true},
	    {"corrupt", 0700, true},
	    {"drop", 03733, true},
	    {"sockets", 0755, false},
	    {"sockets/smtpd", 0750, false},
	    {"sockets/submit", 0755, false},
	    {"sockets/control", 0750, false},
	    {".", 0755, false},
	};
	struct place *p = *state;
	struct process_ids ids[16];
	mode_t mask = umask(077);
	uid_t queue;

	fill_ids(ids);
	queue = process_ids_find(ids, "queue")->uid;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(spool_tree_check(p->spool), 0);
		assert_int_equal(spool_tree_make(p->spool, ids), 0);
		for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
			struct stat st = stat_of(p, want[i].name);

			check_row(want[i].name, S_ISDIR(st.st_mode));
			check_row(want[i].name, (st.st_mode & 07777) == want[i].mode);
			check_row(
			    want[i].name, st.st_uid == (want[i].queues ? queue : geteuid()));
		}
	}
	umask(mask);
}

static void
repairs_modes(void **state)
{
	struct place *p = *state;
	struct process_ids ids[16];
	char path[128];

	fill_ids(ids);
	assert_int_equal(spool_tree_check(p->spool), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), 0);
	snprintf(path, sizeof path, "%s/segments", p->spool);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), 0);
	assert_int_equal(stat_of(p, "segments").st_mode & 07777, 0700);
}

static void
refuses_what_stands_in_its_place(void **state)
{
	struct place *p = *state;
	struct process_ids ids[16];
	char path[128];

	fill_ids(ids);
	assert_int_equal(spool_tree_check(p->spool), 0);
	snprintf(path, sizeof path, "%s/journal", p->spool);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), 0);
}

static void
refuses_directories_of_strangers(void **state)
{
	struct place *p = *state;
	struct process_ids ids[16];
	char path[128];

	if (geteuid() != 0)
		skip();
	fill_ids(ids);
	assert_int_equal(spool_tree_check(p->spool), 0);
	snprintf(path, sizeof path, "%s/journal", p->spool);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, STRANGER, STRANGER), 0);
	assert_int_equal(spool_tree_make(p->spool, ids), -1);
	assert_int_equal(stat_of(p, "journal").st_uid, STRANGER);
}

/* CO-02, also without root. */
static void
refuses_a_spool_that_others_may_write(void **state)
{
	static const mode_t modes[] = {0775, 0757, 01777};
	struct place *p = *state;

	assert_int_equal(mkdir(p->spool, 0755), 0);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(chmod(p->spool, modes[i]), 0);
		assert_int_equal(spool_tree_check(p->spool), -1);
	}
	assert_int_equal(chmod(p->spool, 0755), 0);
	assert_int_equal(spool_tree_check(p->spool), 0);
	assert_int_equal(rmdir(p->spool), 0);
	assert_int_equal(close(open(p->spool, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	assert_int_equal(spool_tree_check(p->spool), -1);
}

/* CO-01, CO-03: owners and parents. */
static void
refuses_owners_and_parents_that_are_not_root(void **state)
{
	struct place *p = *state;

	if (!sandbox_is_root())
		skip();
	assert_int_equal(mkdir(p->spool, 0755), 0);
	assert_int_equal(chown(p->spool, STRANGER, STRANGER), 0);
	assert_int_equal(spool_tree_check(p->spool), -1);
	assert_int_equal(chown(p->spool, 0, 0), 0);
	assert_int_equal(spool_tree_check(p->spool), 0);
	assert_int_equal(chmod(p->dir, 0777), 0);
	assert_int_equal(spool_tree_check(p->spool), -1);
	assert_int_equal(chmod(p->dir, 0770), 0);
	assert_int_equal(spool_tree_check(p->spool), -1);
	assert_int_equal(
	    chmod(p->dir, 01777), 0); /* as /tmp: nobody else renames what is root's */
	assert_int_equal(spool_tree_check(p->spool), 0);
	assert_int_equal(chmod(p->dir, 0755), 0);
	assert_int_equal(chown(p->dir, STRANGER, STRANGER), 0);
	assert_int_equal(spool_tree_check(p->spool), -1);
	assert_int_equal(chown(p->dir, 0, 0), 0);
	assert_int_equal(spool_tree_check(p->spool), 0);
}

/* CO-04: whose links are followed, where they may lead, and that it ends. */
static void
follows_only_links_of_root(void **state)
{
	struct place *p = *state;
	char link[64], twice[80];
	struct buf why;

	if (!sandbox_is_root())
		skip();
	buf_init(&why, 4096);
	snprintf(link, sizeof link, "%s/link", p->dir);
	snprintf(twice, sizeof twice, "%s/../link/x", p->spool);
	assert_int_equal(mkdir(p->spool, 0755), 0);
	assert_int_equal(symlink("spool", link), 0);
	assert_int_equal(trusted_path_check(link, &why), 0);
	assert_int_equal(trusted_path_check(twice, &why), 0); /* its last name may be missing */
	assert_int_equal(lchown(link, STRANGER, STRANGER), 0);
	assert_int_equal(trusted_path_check(link, &why), -1);
	assert_non_null(strstr(buf_str(&why), link));
	buf_clear(&why);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("link", link), 0);
	assert_int_equal(trusted_path_check(link, &why), -1);
	buf_clear(&why);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("/dev/null", link), 0);
	assert_int_equal(trusted_path_check(link, &why), -1);
	buf_clear(&why);
	assert_int_equal(trusted_path_check("relative/path", &why), -1);
	buf_clear(&why);
	assert_int_equal(trusted_path_check("/no/such/directory", &why), -1);
	buf_clear(&why);
	assert_int_equal(trusted_path_check("/", &why), 0);
	assert_int_equal(trusted_path_check("//tmp/.//..//", &why), 0);
	buf_release(&why);
}

static void
locks_one_instance_out(void **state)
{
	struct place *p = *state;
	uint64_t before;
	int fd;

	assert_int_equal(spool_tree_check(p->spool), 0);
	fd = spool_tree_lock(p->spool, 0);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(
	    fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY); /* nothing to read through it */
	before = clock_mono_ms();
	assert_int_equal(spool_tree_lock(p->spool, 100), -1);
	assert_in_range(clock_mono_ms() - before, 99, 3000);
	close(fd);
	fd = spool_tree_lock(p->spool, 0);
	assert_true(fd >= 0);
	close(fd);
}

/* What makes it safe to start after a crash: a child that hangs in a write still holds the lock. */
static void
is_locked_until_the_last_holder_is_gone(void **state)
{
	struct place *p = *state;
	int fd, status;
	pid_t pid;

	assert_int_equal(spool_tree_check(p->spool), 0);
	fd = spool_tree_lock(p->spool, 0);
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){0, 300000000}, NULL);
		_exit(0);
	}
	close(fd);
	assert_int_equal(spool_tree_lock(p->spool, 0), -1);
	fd = spool_tree_lock(p->spool, 5000); /* waits for it */
	assert_true(fd >= 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
}

static void
does_not_follow_a_link_as_lock(void **state)
{
	struct place *p = *state;
	char path[128], target[128];

	assert_int_equal(spool_tree_check(p->spool), 0);
	snprintf(path, sizeof path, "%s/lock", p->spool);
	snprintf(target, sizeof target, "%s/target", p->dir);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(spool_tree_lock(p->spool, 0), -2);
	assert_int_equal(faccessat(AT_FDCWD, target, F_OK, 0), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(makes_what_is_missing),
	    TEST(repairs_modes),
	    TEST(refuses_what_stands_in_its_place),
	    TEST(refuses_directories_of_strangers),
	    TEST(refuses_a_spool_that_others_may_write),
	    TEST(refuses_owners_and_parents_that_are_not_root),
	    TEST(follows_only_links_of_root),
	    TEST(locks_one_instance_out),
	    TEST(is_locked_until_the_last_holder_is_gone),
	    TEST(does_not_follow_a_link_as_lock),
	};

	log_init("test_spool_tree", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("spool_tree", tests, NULL, NULL);
}
