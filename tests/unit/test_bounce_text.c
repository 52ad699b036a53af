/* test_bounce_text: a domain's own texts for reports: read, refused, and told to the queue manager. */
#include "conf/bounce_text.h"

#include "conf/domains.h"
#include "tests/unit/conf_fixture.h"

static struct files files;
static struct config_errors said;
static struct domains *domains;
static struct domain *domain;

static int
setup(void **state)
{
	const struct domains_limits limits = DOMAINS_LIMITS_DEFAULT;
	struct buf why;

	(void)state;
	files_init(&files);
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	domains = domains_new(files.root, &limits, NULL, NULL);
	buf_init(&why, 1024);
	assert_int_equal(
	    domains_find(domains, span_str("a.test"), &domain, &why), LOOKUP_FOUND);
	buf_release(&why);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	domains_free(&domains);
	config_errors_release(&said);
	files_release(&files);
	return 0;
}

static const struct {
	const char *name, *text;
	const char *want;      /* NULL: refused */
	const char *complaint; /* with the line */
} rows[] = {
    {"plain", "Hello {sender}\n\tx\n", "Hello {sender}\n\tx\n", NULL},
    {"line ends of another system", "a\r\nb\r\n", "a\nb\n", NULL},
    {"empty", "", "", NULL},
    {"a bare CR", "a\nb\rc\n", NULL, "bounce.txt:2: "},
    {"a letter beyond ASCII", "a\n\ngr\xc3\xbc\xc3\x9f\n", NULL, "bounce.txt:3: "},
    {"a control", "a\x1b[2J\n", NULL, "bounce.txt:1: "},
};

static void
reads_text_only(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, BOUNCE_TEXT_MAX);
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_NOT_FOUND);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum lookup want = rows[i].want != NULL ? LOOKUP_FOUND : LOOKUP_UNKNOWN;

		config_errors_release(&said);
		files_write(&files, "a.test/etc/bounce.txt", span_str(rows[i].text));
		check_row(rows[i].name,
		    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said) == want);
		check_row(rows[i].name,
		    strcmp(buf_str(&out), rows[i].want != NULL ? rows[i].want : "") == 0);
		check_row(rows[i].name, said.n == (rows[i].complaint != NULL));
		check_row(rows[i].name,
		    rows[i].complaint == NULL ||
			complaint_has(&said, rows[i].complaint, "printable ASCII"));
	}
	files_write(&files, "a.test/etc/delay.txt", span_str("late\n"));
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_DELAYED, &out, NULL), LOOKUP_FOUND);
	assert_string_equal(buf_str(&out), "late\n");
	buf_release(&out);
}

/* The rules of every file in a domain's directory (conf/datafile.h). */
static void
refuses_what_must_not_be_believed(void **state)
{
	const char *path = files_path(&files, "a.test/etc/bounce.txt");
	char big[BOUNCE_TEXT_MAX + 1];
	struct buf out;

	(void)state;
	buf_init(&out, BOUNCE_TEXT_MAX);
	memset(big, 'x', sizeof big);
	files_write(&files, "a.test/etc/bounce.txt", span_make(big, sizeof big));
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	assert_true(complaint_has(&said, "bounce.txt", "larger than 16384"));
	files_write(&files, "a.test/etc/bounce.txt", span_make(big, sizeof big - 1));
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_FOUND);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	assert_true(complaint_has(&said, "bounce.txt", "writable"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	assert_true(complaint_has(&said, "bounce.txt", "leads out of the domain's directory"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

/* Another directory has the name by now: its text is not this domain's. */
static void
reads_the_directory_it_knows(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, BOUNCE_TEXT_MAX);
	files_write(&files, "a.test/etc/bounce.txt", span_str("x\n"));
	assert_int_equal(
	    rename(files_path(&files, "a.test"), files_path(&files, "old.test")), 0);
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	files_write(&files, "a.test/etc/bounce.txt", span_str("y\n"));
	assert_int_equal(
	    bounce_text_read(domain, BOUNCE_TEXT_FAILED, &out, &said), LOOKUP_UNKNOWN);
	buf_release(&out);
}

static void
names_its_kinds(void **state)
{
	enum bounce_text which;

	(void)state;
	assert_int_equal(bounce_text_parse(span_str("failed"), &which), 0);
	assert_int_equal(which, BOUNCE_TEXT_FAILED);
	assert_int_equal(bounce_text_parse(span_str("delayed"), &which), 0);
	assert_int_equal(which, BOUNCE_TEXT_DELAYED);
	assert_int_equal(bounce_text_parse(span_str("../x"), &which), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(reads_text_only, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_what_must_not_be_believed, setup, teardown),
	    cmocka_unit_test_setup_teardown(reads_the_directory_it_knows, setup, teardown),
	    cmocka_unit_test(names_its_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
