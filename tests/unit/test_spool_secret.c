/* test_spool_secret: the secret stays, and one that others could know is replaced. */
#include "common/spool_secret.h"

#include <string.h>

#include "tests/unit/conf_fixture.h"

static void
stays_and_is_private(void **state)
{
	unsigned char first[SPOOL_SECRET_SIZE], again[SPOOL_SECRET_SIZE];
	struct files f;
	struct stat st;

	(void)state;
	files_init(&f);
	spool_secret_obtain(f.root, first);
	spool_secret_obtain(f.root, again);
	assert_memory_equal(first, again, sizeof first);
	assert_int_equal(stat(files_path(&f, "secret"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(files_path(&f, "secret"), 0644), 0);
	spool_secret_obtain(f.root, again);
	assert_memory_not_equal(first, again, sizeof first);
	assert_int_equal(stat(files_path(&f, "secret"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	files_release(&f);
}

static void
replaces_what_is_no_secret(void **state)
{
	unsigned char first[SPOOL_SECRET_SIZE], again[SPOOL_SECRET_SIZE];
	struct files f;

	(void)state;
	files_init(&f);
	files_write(&f, "other", span_str("0123456789abcdef0123456789abcdef"));
	assert_int_equal(chmod(files_path(&f, "other"), 0600), 0);
	assert_int_equal(symlink("other", files_path(&f, "secret")), 0);
	spool_secret_obtain(f.root, first);
	assert_memory_not_equal(first, "0123456789abcdef0123456789abcdef", sizeof first);
	assert_int_equal(truncate(files_path(&f, "secret"), 5), 0);
	spool_secret_obtain(f.root, again);
	assert_memory_not_equal(first, again, sizeof first);
	spool_secret_obtain(f.root, first);
	assert_memory_equal(first, again, sizeof first);
	files_release(&f);
}

/* No place to keep it is no reason not to have one. */
static void
does_without_a_file(void **state)
{
	unsigned char first[SPOOL_SECRET_SIZE] = {0}, none[SPOOL_SECRET_SIZE] = {0};

	(void)state;
	spool_secret_obtain("/nowhere/at/all", first);
	assert_memory_not_equal(first, none, sizeof first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stays_and_is_private),
	    cmocka_unit_test(replaces_what_is_no_secret),
	    cmocka_unit_test(does_without_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
