/* test_passwd: a domain's passwd file. */
#include "conf/passwd.h"

#include "tests/unit/conf_fixture.h"

static struct config_errors errors;

static int
parse(struct passwd_file *f, const char *text)
{
	config_errors_release(&errors);
	return passwd_parse(
	    f, span_str(text), "etc/passwd", span_str("/virtual/a.test"), &errors);
}

static const struct passwd_user *
find(const struct passwd_file *f, const char *name)
{
	return passwd_find(f, span_str(name));
}

static void
reads_users(void **state)
{
	struct passwd_file f;
	const struct passwd_user *u;

	(void)state;
	assert_int_equal(
	    parse(&f, "# users of a.test\n"
		      "\n"
		      "carol:$6$salt$hash:1001:1002:Carol:/home/carol:/bin/false\n"
		      "Alice:!\n"
		      "bob:x:::Bob::\r\n"
		      "o'brien:x::::/virtual/a.test/home/ob:\n"
		      "m\xc3\xbcller:{SSHA}/E1l+cHA9/"
		      "sxcS5MD8umnjm1FX9zYWx0c2FsdA==:::::::userdb_mail=maildir:~/Maildir\n"
		      "anna+list:x:7\n"
		      "last:x"),
	    0);
	complaints_print(&errors);
	assert_int_equal(errors.n, 0);
	assert_int_equal(f.nusers, 7);
	u = find(&f, "carol");
	assert_non_null(u);
	assert_true(u->has_uid && u->has_gid && u->uid == 1001 && u->gid == 1002);
	assert_true(span_is(passwd_home(&f, u), "home/carol"));
	assert_int_equal(u->line, 3);
	assert_ptr_equal(passwd_first(&f), u);
	u = find(&f, "alice");
	assert_non_null(u);
	assert_false(u->has_uid || u->has_gid);
	assert_true(span_is(passwd_name(&f, u), "alice"));
	assert_true(span_is(passwd_home(&f, u), "home/alice"));
	assert_true(span_is(passwd_home(&f, find(&f, "bob")), "home/bob"));
	assert_true(span_is(passwd_home(&f, find(&f, "o'brien")), "home/ob"));
	assert_non_null(find(&f, "m\xc3\xbcller"));
	u = find(&f, "anna+list");
	assert_true(u->has_uid && !u->has_gid && u->uid == 7);
	assert_non_null(find(&f, "last"));
	assert_null(find(&f, "Alice"));
	assert_null(find(&f, "ali"));
	assert_null(find(&f, "alicex"));
	assert_null(find(&f, ""));
	assert_null(find(&f, "#"));
	passwd_release(&f);
}

static void
skips_wrong_lines_alone(void **state)
{
	static const struct {
		const char *line, *complaint;
	} rows[] = {
	    {"this line has no colons", "found no colon"},
	    {"x", "found no colon"},
	    {":y:::::", "expected a user name"},
	    {"a b:y", "expected a user name"},
	    {"x@a.test:y", "expected a user name"},
	    {".x:y", "expected a user name"},
	    {"../x:y:::::", "expected a user name"},
	    {"\"x\":y", "expected a user name"},
	    {"x\x01:y", "control characters"},
	    {"x\xff:y", "UTF-8"},
	    {"x:y:0:0::/home/x:", "other than 0"},
	    {"x:y:1:0::/home/x:", "other than 0"},
	    {"x:y:0:1::/home/x:", "other than 0"},
	    {"x:y:-1:1::/home/x:", "as uid"},
	    {"x:y:99999999999:1::/home/x:", "as uid"},
	    {"x:y:4294967295:1::/home/x:", "as uid"},
	    {"x:y:mail:1::/home/x:", "as uid"},
	    {"x:y:1:mail::/home/x:", "as gid"},
	    {"x:y::::/home/../../etc:", "expected a home directory"},
	    {"x:y:::X:/../../../etc:", "expected a home directory"},
	    {"x:y::::/etc/x:", "outside etc"},
	    {"x:y::::/:", "expected a home directory"},
	    {"x:y::::.:", "expected a home directory"},
	    {"a/b:y", "expected a home directory"},
	    {"x1234567890123456789012345678901234567890123456789012345678901234:y",
		"expected a user name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *text = xasprintf("before:x\n%s\nafter:x\n", rows[i].line);
		struct passwd_file f;

		check_row(rows[i].line, parse(&f, text) == 0);
		check_row(
		    rows[i].line, f.nusers == 2 && find(&f, "before") && find(&f, "after"));
		if (!complaint_has(&errors, "etc/passwd:2: ", rows[i].complaint))
			complaints_print(&errors);
		check_row(
		    rows[i].line, complaint_has(&errors, "etc/passwd:2: ", rows[i].complaint));
		check_row(rows[i].line, errors.n == 1);
		passwd_release(&f);
		free(text);
	}
}

static void
keeps_the_first_of_two(void **state)
{
	struct passwd_file f;

	(void)state;
	assert_int_equal(
	    parse(&f, "bob:x::::/home/one\nanna:x\nBOB:x::::/home/two\nbob:x\n"), 0);
	assert_int_equal(f.nusers, 2);
	assert_true(span_is(passwd_home(&f, find(&f, "bob")), "home/one"));
	assert_true(span_is(passwd_name(&f, passwd_first(&f)), "bob"));
	assert_true(complaint_has(&errors, ":3:", "stands on line 1 already"));
	assert_true(complaint_has(&errors, ":4:", "stands on line 1 already"));
	passwd_release(&f);
}

static void
tells_a_file_that_is_none(void **state)
{
	struct passwd_file f;

	(void)state;
	assert_int_equal(parse(&f, ""), 0);
	assert_int_equal(f.nusers, 0);
	assert_null(passwd_first(&f));
	assert_null(find(&f, "x"));
	passwd_release(&f);
	assert_int_equal(parse(&f, "# nobody yet\n\n"), 0);
	passwd_release(&f);
	assert_int_equal(parse(&f, "\x7f"
				   "ELF\x02\n\x01\x01\n"),
	    -1);
	assert_true(errors.n > 0);
	passwd_release(&f);
	assert_int_equal(
	    passwd_parse(&f, LITERAL("a\0b:x\nc:x\n"), "p", span_str(""), NULL), 0);
	assert_int_equal(f.nusers, 1);
	passwd_release(&f);
}

static void
finds_among_many(void **state)
{
	struct buf b;
	struct passwd_file f;
	char name[32];

	(void)state;
	buf_init(&b, 16 << 20);
	for (unsigned i = 0; i < 20000; i++)
		buf_addf(&b, "user%u:x\n", i * 7919 % 20000);
	assert_int_equal(parse(&f, buf_str(&b)), 0);
	assert_int_equal(f.nusers, 20000);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "user%u", i);
		check_row(name, find(&f, name) != NULL);
		snprintf(name, sizeof name, "user%u", i + 20000);
		check_row(name, find(&f, name) == NULL);
	}
	passwd_release(&f);
	buf_release(&b);
}

/* However bad the file, the complaints about it are bounded. */
static void
bounds_complaints(void **state)
{
	struct buf b;
	struct passwd_file f;

	(void)state;
	buf_init(&b, 16 << 20);
	for (unsigned i = 0; i < 5000; i++)
		buf_add_str(&b, "nonsense\n");
	buf_add_str(&b, "bob:x\n");
	assert_int_equal(parse(&f, buf_str(&b)), 0);
	assert_int_equal(errors.n, CONFIG_ERRORS_MAX + 1);
	assert_true(complaint_has(&errors, "further errors are not shown", "4800"));
	passwd_release(&f);
	buf_release(&b);
}

static int
teardown(void **state)
{
	(void)state;
	config_errors_release(&errors);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_users),
	    cmocka_unit_test(skips_wrong_lines_alone),
	    cmocka_unit_test(keeps_the_first_of_two),
	    cmocka_unit_test(tells_a_file_that_is_none),
	    cmocka_unit_test(finds_among_many),
	    cmocka_unit_test(bounds_complaints),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
