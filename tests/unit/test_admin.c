/* test_admin: domains and users added and changed, by the functions behind `postrider`. */
#include "conf/admin.h"

#include <sys/file.h>

#include "common/xalloc.h"
#include "conf/domains.h"
#include "conf/passwd.h"
#include "conf/password_hash.h"
#include "tests/unit/conf_fixture.h"

#define PASSWORD(t) (&(struct admin_password){.text = (t)})

static struct files files;
static struct config config;
static struct buf why;

static int
setup(void **state)
{
	(void)state;
	files_init(&files);
	config =
	    (struct config){.domains = files.root, .hostname = (char *)(uintptr_t) "mx.test"};
	buf_init(&why, 4096);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_release(&why);
	files_release(&files);
	return 0;
}

static void
clear(void)
{
	buf_clear(&why);
}

/* The file's text; gone with the next call. */
static const char *
read_file(const char *name)
{
	static char text[8192];
	int fd = open(files_path(&files, name), O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof text - 1);
	assert_true(n >= 0);
	close(fd);
	text[n] = '\0';
	return text;
}

/* Does what passwd says of the user fit the password? */
static bool
password_fits(const char *file, const char *user, const char *password)
{
	const char *line = strstr(read_file(file), user);
	char hash[256];

	assert_non_null(line);
	line = strchr(line, ':') + 1;
	snprintf(hash, sizeof hash, "%.*s", (int)strcspn(line, ":\n"), line);
	return password_hash_verify(span_str(hash), span_str(password));
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(files_path(&files, name), &st), 0);
	return st.st_mode & 07777;
}

static void
adds_a_domain(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(admin_domain_add(&config, "A.Example", NULL, &why), 0);
	assert_int_equal(why.len, 0);
	assert_int_equal(mode_of("a.example"), 0711);
	assert_int_equal(mode_of("a.example/etc"), 0700);
	assert_int_equal(mode_of("a.example/home"), 0711);
	assert_int_equal(mode_of("a.example/etc/passwd"), 0600);
	assert_int_equal(lstat(files_path(&files, "a.example/etc/passwd"), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_uid, geteuid() == 0 ? ADMIN_UID_FIRST : geteuid());
	assert_int_equal(admin_domain_add(&config, "a.example", NULL, &why), -1);
	assert_non_null(strstr(buf_str(&why), "a.example exists already"));
	clear();
	assert_int_equal(admin_domain_add(&config,
			     "b\xc3\xbc"
			     "cher.test",
			     NULL, &why),
	    0);
	assert_int_equal(lstat(files_path(&files, "xn--bcher-kva.test/home"), &st), 0);
	/* root gives each domain a number of its own */
	assert_int_equal(st.st_uid, geteuid() == 0 ? ADMIN_UID_FIRST + 1 : geteuid());
	clear();
	assert_int_equal(symlink("a.example", files_path(&files, "alias.example")), 0);
	assert_int_equal(admin_domain_add(&config, "alias.example", NULL, &why), -1);
	assert_int_equal(mode_of("alias.example"), 0777); /* the link, untouched */
}

/* Nothing is left of what could not be finished. */
static void
leaves_nothing_half_made(void **state)
{
	char *left;

	(void)state;
	files_mkdir(&files, "a.example");
	assert_int_equal(admin_domain_add(&config, "a.example", NULL, &why), -1);
	left = xasprintf(".a.example.%ld.new", (long)getpid());
	assert_int_equal(lstat(files_path(&files, left), &(struct stat){0}), -1);
	free(left);
}

static void
refuses_odd_domains(void **state)
{
	static const char *const names[] = {"", ".", "..", "../evil", "a/b", "a..b", "-a.test",
	    "a b.test", "[192.0.2.1]", "x@y.test", ".a.test"};
	char *relay[] = {(char *)(uintptr_t) "relay.test"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		clear();
		check_row(names[i], admin_domain_add(&config, names[i], NULL, &why) == -1);
		check_row(names[i], why.len > 0);
	}
	clear();
	config.relay_domains = (struct config_strings){relay, 1};
	assert_int_equal(admin_domain_add(&config, "Relay.test", NULL, &why), -1);
	assert_non_null(strstr(buf_str(&why), "relay-domains"));
}

static void
takes_owners(void **state)
{
	static const struct {
		const char *owner;
		bool ok;
		uid_t uid;
		gid_t gid;
	} rows[] = {
	    {"65010", true, 65010, 65010},
	    {"65010:65011", true, 65010, 65011},
	    {"0", false, 0, 0},
	    {"65010:0", false, 0, 0},
	    {"root", false, 0, 0},
	    {"nobody-of-that-name", false, 0, 0},
	    {"65010:no-such-group", false, 0, 0},
	    {"4294967295", false, 0, 0},
	};
	char name[32];
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(name, sizeof name, "d%u.test", i);
		clear();
		check_row(rows[i].owner,
		    (admin_domain_add(&config, name, rows[i].owner, &why) == 0) == rows[i].ok);
		check_row(
		    rows[i].owner, (lstat(files_path(&files, name), &st) == 0) == rows[i].ok);
		if (rows[i].ok)
			check_row(rows[i].owner,
			    st.st_uid == rows[i].uid && st.st_gid == rows[i].gid);
		else
			check_row(rows[i].owner, why.len > 0);
	}
	/* the root's owner, if it is not root */
	clear();
	assert_int_equal(chown(files.root, 65020, 65021), 0);
	assert_int_equal(admin_domain_add(&config, "own.test", NULL, &why), 0);
	assert_int_equal(lstat(files_path(&files, "own.test"), &st), 0);
	assert_int_equal(st.st_uid, 65020);
	assert_int_equal(st.st_gid, 65021);
}

static void
stores_passwords_by_scheme(void **state)
{
	struct admin_password p = {.text = "s3cret", .scheme = "scram-sha-256"};

	(void)state;
	clear();
	files_domain(&files, "scheme.test", "", NULL, NULL);
	assert_int_equal(admin_user_add(&config, "anna@scheme.test", &p, &why), 0);
	assert_non_null(
	    strstr(read_file("scheme.test/etc/passwd"), "anna:{SCRAM-SHA-256}15000,"));
	assert_true(password_fits("scheme.test/etc/passwd", "anna", "s3cret"));
	assert_false(password_fits("scheme.test/etc/passwd", "anna", "S3cret"));
	p.scheme = "yescrypt";
	assert_int_equal(admin_user_passwd(&config, "anna@scheme.test", &p, &why), 0);
	assert_non_null(strstr(read_file("scheme.test/etc/passwd"), "anna:$y$"));
	p.scheme = "md5";
	assert_int_equal(admin_user_passwd(&config, "anna@scheme.test", &p, &why), -1);
	assert_non_null(strstr(buf_str(&why), "expected yescrypt or scram-sha-256"));
	clear();
}

static void
adds_users_and_sets_passwords(void **state)
{
	struct stat st;

	(void)state;
	files_domain(
	    &files, "a.test", "# ours\nbob:old:::Bob:/home/b:/bin/sh\nanna:x", NULL, NULL);
	assert_int_equal(chmod(files_path(&files, "a.test/etc/passwd"), 0640), 0);
	assert_int_equal(
	    admin_user_add(&config, "Carl@a.test", PASSWORD("secret one"), &why), 0);
	assert_true(password_fits("a.test/etc/passwd", "carl", "secret one"));
	assert_false(password_fits("a.test/etc/passwd", "carl", "secret two"));
	assert_non_null(strstr(read_file("a.test/etc/passwd"),
	    "# ours\nbob:old:::Bob:/home/b:/bin/sh\nanna:x\ncarl:$y$"));
	assert_non_null(strstr(read_file("a.test/etc/passwd"), "::::/home/carl:\n"));
	/* owner and mode stay */
	assert_int_equal(lstat(files_path(&files, "a.test/etc/passwd"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_uid, FIXTURE_UID);
	assert_int_equal(st.st_nlink, 1);

	assert_int_equal(admin_user_passwd(&config, "BOB@a.test", PASSWORD("new"), &why), 0);
	assert_true(password_fits("a.test/etc/passwd", "bob", "new"));
	assert_non_null(
	    strstr(read_file("a.test/etc/passwd"), ":::Bob:/home/b:/bin/sh\nanna:x\ncarl:$y$"));
	assert_int_equal(admin_user_passwd(&config, "anna@a.test", PASSWORD(NULL), &why), 0);
	assert_non_null(strstr(read_file("a.test/etc/passwd"), "\nanna:!\ncarl:"));
	assert_int_equal(admin_user_add(&config, "dora@a.test", PASSWORD(NULL), &why), 0);
	assert_non_null(strstr(read_file("a.test/etc/passwd"), "\ndora:!::::/home/dora:\n"));
	assert_int_equal(why.len, 0);

	assert_int_equal(admin_user_add(&config, "bob@a.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "exists already"));
	clear();
	assert_int_equal(admin_user_passwd(&config, "nobody@a.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "there is no user nobody@a.test"));
	clear();
	assert_int_equal(admin_user_add(&config, "x@b.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "b.test is not hosted here"));
}

static void
goes_by_the_domain_alias(void **state)
{
	(void)state;
	files_domain(&files, "a.test", "", NULL, NULL);
	assert_int_equal(symlink("a.test", files_path(&files, "b.test")), 0);
	assert_int_equal(admin_user_add(&config, "bob@b.test", PASSWORD("x"), &why), 0);
	assert_non_null(strstr(read_file("a.test/etc/passwd"), "bob:$y$"));
}

static void
refuses_odd_users(void **state)
{
	static const struct {
		const char *address, *password;
	} rows[] = {
	    {"../../x@a.test", "x"},
	    {"a/b@a.test", "x"},
	    {"a b@a.test", "x"},
	    {"\"a b\"@a.test", "x"},
	    {"a:b@a.test", "x"},
	    {"bob", "x"},
	    {"bob@[192.0.2.1]", "x"},
	    {"@a.test", "x"},
	    {"bob@a.test", ""},
	    {"bob@a.test", "with\nline"},
	};

	(void)state;
	files_domain(&files, "a.test", "", NULL, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		clear();
		check_row(rows[i].address, admin_user_add(&config, rows[i].address,
					       PASSWORD(rows[i].password), &why) == -1);
		check_row(rows[i].address, why.len > 0);
	}
	assert_string_equal(read_file("a.test/etc/passwd"), "");
}

static void
writes_only_what_may_be_believed(void **state)
{
	int fd;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	assert_int_equal(chmod(files_path(&files, "a.test/etc/passwd"), 0666), 0);
	assert_int_equal(admin_user_passwd(&config, "bob@a.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "is writable by everybody"));
	assert_string_equal(read_file("a.test/etc/passwd"), "bob:x\n");
	clear();
	files_domain(&files, "b.test", NULL, NULL, NULL);
	files_write(&files, "b.test/users", span_str("bob:x\n"));
	assert_int_equal(symlink("../users", files_path(&files, "b.test/etc/passwd")), 0);
	assert_int_equal(admin_user_passwd(&config, "bob@b.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "is a symbolic link"));
	assert_string_equal(read_file("b.test/users"), "bob:x\n");
	clear();
	/* somebody else is at it */
	files_domain(&files, "c.test", "bob:x\n", NULL, NULL);
	fd = open(files_path(&files, "c.test/etc"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(admin_user_passwd(&config, "bob@c.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "being changed by somebody else"));
	close(fd);
	clear();
	assert_int_equal(admin_user_passwd(&config, "bob@c.test", PASSWORD("x"), &why), 0);
}

/* A file that has just room for what is there, and not for a longer line. */
static void
writes_nothing_half(void **state)
{
	static const char last[] = "\nbob:x";
	char *text = xmalloc(PASSWD_MAX);
	char end[sizeof last] = "";
	int fd;

	(void)state;
	memset(text, '#', PASSWD_MAX);
	memcpy(text + PASSWD_MAX - strlen(last), last, strlen(last));
	files_domain(&files, "a.test", "", NULL, NULL);
	files_write(&files, "a.test/etc/passwd", span_make(text, PASSWD_MAX));
	free(text);
	assert_int_equal(admin_user_passwd(&config, "bob@a.test", PASSWORD("x"), &why), -1);
	assert_non_null(strstr(buf_str(&why), "/a.test/etc/passwd would be too large"));
	clear();
	assert_int_equal(admin_user_set_quota(&config, "bob@a.test", 1024, false, &why), -1);
	assert_non_null(strstr(buf_str(&why), "too large"));
	clear();
	assert_int_equal(admin_user_add(&config, "eve@a.test", PASSWORD(NULL), &why), -1);
	assert_non_null(strstr(buf_str(&why), "too large"));
	fd = open(files_path(&files, "a.test/etc/passwd"), O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), PASSWD_MAX);
	assert_int_equal(
	    pread(fd, end, strlen(last), PASSWD_MAX - (off_t)strlen(last)), strlen(last));
	assert_string_equal(end, last);
	close(fd);
}

static void
sets_quotas(void **state)
{
	(void)state;
	files_domain(&files, "a.test", "eve:x\nbob:x\nzoe:y::::/home/zoe:", NULL, NULL);
	assert_int_equal(admin_user_set_quota(&config, "bob@a.test", 2048, false, &why), 0);
	assert_int_equal(admin_user_set_quota(&config, "zoe@a.test", 0, false, &why), 0);
	assert_string_equal(read_file("a.test/etc/passwd"),
	    "eve:x\nbob:x::::::userdb_quota_rule=*:storage=2K\n"
	    "zoe:y::::/home/zoe::userdb_quota_rule=*:storage=0K");
	assert_int_equal(admin_user_set_quota(&config, "bob@a.test", 0, true, &why), 0);
	assert_non_null(strstr(read_file("a.test/etc/passwd"), "\nbob:x::::::\nzoe:"));
	assert_int_equal(admin_user_set_quota(&config, "no@a.test", 0, true, &why), -1);
	assert_non_null(strstr(buf_str(&why), "postrider user add no@a.test"));
}

static char listed[1000];

static void
note(const struct admin_domain *d, void *arg)
{
	size_t n = strlen(listed);

	(void)arg;
	snprintf(listed + n, sizeof listed - n, "%s %s %zu %s;", d->name,
	    d->alias_of != NULL ? d->alias_of : "-", d->users, d->problem != NULL ? "!" : ".");
}

static void
lists_domains(void **state)
{
	(void)state;
	files_domain(&files, "b.test", "x:y\nz:y\n", NULL, NULL);
	files_domain(&files, "a.test", "x:y\n", NULL, NULL);
	assert_int_equal(symlink("a.test", files_path(&files, "c.test")), 0);
	assert_int_equal(symlink("gone.test", files_path(&files, "d.test")), 0);
	files_domain(&files, "e.test", "x:y\n", NULL, NULL);
	assert_int_equal(chmod(files_path(&files, "e.test/etc/passwd"), 0666), 0);
	files_mkdir(&files, ".git");
	files_mkdir(&files, "Upper.test");
	listed[0] = '\0';
	assert_int_equal(admin_domain_list(&config, note, NULL, &why), 0);
	assert_string_equal(
	    listed, "a.test - 1 .;b.test - 2 .;c.test a.test 0 .;d.test - 0 !;e.test - 0 !;");
	config.domains = (char *)(uintptr_t) "/nonexistent";
	assert_int_equal(admin_domain_list(&config, note, NULL, &why), -1);
	assert_non_null(strstr(buf_str(&why), "/nonexistent: "));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(adds_a_domain),
	    TEST(leaves_nothing_half_made),
	    TEST(refuses_odd_domains),
	    TEST(takes_owners),
	    TEST(stores_passwords_by_scheme),
	    TEST(adds_users_and_sets_passwords),
	    TEST(goes_by_the_domain_alias),
	    TEST(refuses_odd_users),
	    TEST(writes_only_what_may_be_believed),
	    TEST(writes_nothing_half),
	    TEST(sets_quotas),
	    TEST(lists_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
