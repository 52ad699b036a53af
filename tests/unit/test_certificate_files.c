/* test_certificate_files: where the certificate of a name is found, what of it is believed, and when it is another one. */
#include "conf/certificate_files.h"

#include "conf/certificate_check.h"
#include "tests/unit/certificates.h"
#include "tests/unit/conf_fixture.h"

static struct files files;
static struct domains *domains;

static void
quiet(const char *text, void *arg)
{
	(void)text, (void)arg;
}

static int
setup(void **state)
{
	const struct domains_limits limits = DOMAINS_LIMITS_DEFAULT;

	(void)state;
	files_init(&files);
	domains = domains_new(files.root, &limits, quiet, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	domains_free(&domains);
	files_release(&files);
	return 0;
}

/* A domain with these two texts (NULL: no such file). */
static void
add(const char *name, const char *certificate, const char *key)
{
	char path[300];

	files_domain(&files, name, "", NULL, NULL);
	snprintf(path, sizeof path, "%s/etc/tls", name);
	files_mkdir(&files, path);
	snprintf(path, sizeof path, "%s/etc/tls/certificate.pem", name);
	if (certificate != NULL)
		files_write(&files, path, span_str(certificate));
	snprintf(path, sizeof path, "%s/etc/tls/key.pem", name);
	if (key != NULL) {
		files_write(&files, path, span_str(key));
		assert_int_equal(chmod(files_path(&files, path), 0600), 0);
	}
}

/* What is found for a name: the certificate's text, "none", "cannot tell", or the problem. The caller frees it. */
static char *
found(const char *name)
{
	struct certificate_set set = {.n = 0};
	const struct certificate_files *f = &set.v[0];
	enum lookup r;
	char *text;

	domains_begin(domains);
	r = certificate_set_find(domains, span_str(name), true, &set);
	text = r == LOOKUP_NOT_FOUND ? xstrdup("none")
	       : r == LOOKUP_UNKNOWN ? xstrdup("cannot tell")
	       : f->problem.len > 0  ? xstrdup(buf_str(&f->problem))
				     : xstrdup(buf_str(&f->certificate_text));
	certificate_set_release(&set);
	return text;
}

static void
check_found(const char *name, const char *want)
{
	char *got = found(name);

	if (strstr(got, want) == NULL)
		fail_msg("%s: %s, want %s", name, got, want);
	free(got);
}

static void
the_nearest_domain_above(void **state)
{
	(void)state;
	add("a.test", "A", "k");
	add("sub.a.test", "S", "k");
	files_domain(&files, "plain.a.test", "", NULL, NULL);
	assert_int_equal(symlink("a.test", files_path(&files, "alias.test")), 0);
	check_found("a.test", "A");
	check_found("mail.a.test", "A");
	check_found("b.c.d.a.test", "A");
	check_found("mx.sub.a.test", "S");
	check_found("plain.a.test", "A");
	check_found("alias.test", "A");
	check_found("mail.alias.test", "A");
	check_found("xa.test", "none");
	check_found("test", "none");
	check_found("", "none");
	check_found("1.2.3.4.5.6.7.8.9.a.test", "none");
	/* A name is not a path. */
	check_found("../a.test", "none");
	check_found("x./../a.test", "none");
}

static void
what_must_not_be_believed(void **state)
{
	(void)state;
	add("half.test", "C", NULL);
	check_found("half.test", "half.test/etc/tls/key.pem: does not exist");
	add("other.test", NULL, "k");
	check_found("other.test", "other.test/etc/tls/certificate.pem: does not exist");
	add("open.test", "C", "k");
	assert_int_equal(chmod(files_path(&files, "open.test/etc/tls/key.pem"), 0640), 0);
	check_found("open.test", "may be read by others (mode 0640)");
	assert_int_equal(chmod(files_path(&files, "open.test/etc/tls/key.pem"), 0600), 0);
	check_found("open.test", "C");
	assert_int_equal(
	    chmod(files_path(&files, "open.test/etc/tls/certificate.pem"), 0666), 0);
	check_found("open.test", "certificate.pem: is writable by everybody");
	assert_int_equal(
	    chmod(files_path(&files, "open.test/etc/tls/certificate.pem"), 0644), 0);
	assert_int_equal(chmod(files_path(&files, "open.test/etc/tls"), 0777), 0);
	check_found("open.test", "open.test/etc/tls: is writable by everybody");
	add("link.test", "C", NULL);
	assert_int_equal(
	    symlink("/etc/passwd", files_path(&files, "link.test/etc/tls/key.pem")), 0);
	check_found("link.test", "leads out of the domain");
	add("fifo.test", "C", NULL);
	assert_int_equal(mkfifo(files_path(&files, "fifo.test/etc/tls/key.pem"), 0600), 0);
	check_found("fifo.test", "key.pem: ");
}

static void
a_change_is_another_stamp(void **state)
{
	struct certificate_set f = {.n = 0}, again = {.n = 0};

	(void)state;
	add("a.test", "A", "k");
	domains_begin(domains);
	assert_int_equal(
	    certificate_set_find(domains, span_str("a.test"), false, &f), LOOKUP_FOUND);
	assert_int_equal(
	    f.v[0].certificate_text.len + f.v[0].key_text.len + f.v[0].problem.len, 0);
	assert_true(strlen(f.v[0].stamp) < sizeof f.v[0].stamp - 1);
	assert_string_equal(f.v[0].key, files_path(&files, "a.test/etc/tls/key.pem"));
	assert_int_equal(
	    certificate_set_find(domains, span_str("mx.a.test"), true, &again), LOOKUP_FOUND);
	assert_string_equal(f.v[0].stamp, again.v[0].stamp);
	assert_string_equal(buf_str(&again.v[0].key_text), "k");
	certificate_set_release(&again);
	assert_int_equal(rename(files_path(&files, "a.test/etc/tls/key.pem"),
			     files_path(&files, "a.test/etc/tls/old.pem")),
	    0);
	files_write(&files, "a.test/etc/tls/key.pem", span_str("k"));
	assert_int_equal(
	    certificate_set_find(domains, span_str("a.test"), true, &again), LOOKUP_FOUND);
	assert_string_not_equal(f.v[0].stamp, again.v[0].stamp);
	certificate_set_release(&again);
	certificate_set_release(&f);
}

static void
those_of_the_configuration(void **state)
{
	char *c = xstrdup(files_path(&files, "c.pem")),
	     *k = xstrdup(files_path(&files, "k.pem"));
	struct certificate_set f = {.n = 0};

	(void)state;
	certificate_set_add(&f, c, k, FIXTURE_UID, true);
	assert_non_null(strstr(buf_str(&f.v[0].problem), "c.pem: does not exist"));
	assert_string_equal(f.v[0].stamp, "-/-");
	certificate_set_release(&f);
	files_write(&files, "c.pem", span_str("C"));
	files_write(&files, "k.pem", span_str("K"));
	certificate_set_add(&f, c, k, FIXTURE_UID, true);
	assert_non_null(strstr(buf_str(&f.v[0].problem), "k.pem: may be read by others"));
	certificate_set_release(&f);
	assert_int_equal(chmod(k, 0600), 0);
	certificate_set_add(&f, c, k, FIXTURE_UID, true);
	assert_int_equal(f.v[0].problem.len, 0);
	assert_string_equal(buf_str(&f.v[0].certificate_text), "C");
	assert_string_equal(buf_str(&f.v[0].key_text), "K");
	certificate_set_release(&f);
	certificate_set_add(&f, c, k, FIXTURE_UID + 1, true);
	assert_non_null(strstr(buf_str(&f.v[0].problem), "belongs to uid"));
	certificate_set_release(&f);
	free(c);
	free(k);
}

/* A second pair, for clients that know another kind of key. */
static void
two_pairs(void **state)
{
	struct certificate_set set = {.n = 0};

	(void)state;
	add("a.test", "A", "k");
	files_write(&files, "a.test/etc/tls/second-certificate.pem", span_str("B"));
	files_write(&files, "a.test/etc/tls/second-key.pem", span_str("l"));
	assert_int_equal(chmod(files_path(&files, "a.test/etc/tls/second-key.pem"), 0600), 0);
	domains_begin(domains);
	assert_int_equal(
	    certificate_set_find(domains, span_str("mx.a.test"), true, &set), LOOKUP_FOUND);
	assert_int_equal(set.n, 2);
	assert_string_equal(buf_str(&set.v[0].certificate_text), "A");
	assert_string_equal(buf_str(&set.v[1].certificate_text), "B");
	assert_string_equal(buf_str(&set.v[1].key_text), "l");
	assert_string_not_equal(set.v[0].stamp, set.v[1].stamp);
	certificate_set_release(&set);
	/* The second alone is as good as the first alone. */
	assert_int_equal(unlink(files_path(&files, "a.test/etc/tls/certificate.pem")), 0);
	check_found("a.test", "a.test/etc/tls/certificate.pem: does not exist");
	assert_int_equal(unlink(files_path(&files, "a.test/etc/tls/key.pem")), 0);
	check_found("a.test", "B");
	assert_int_equal(unlink(files_path(&files, "a.test/etc/tls/second-key.pem")), 0);
	check_found("a.test", "second-key.pem: does not exist");
}

/* What postrider check says of a domain's certificate. */
static void
checked_before_a_client_does(void **state)
{
	struct certificate good, expired, foreign, ending;
	const struct {
		const char *domain;
		const struct certificate *certificate, *key;
		const char *complaint, *warning; /* NULL: none */
	} rows[] = {
	    {"good.test", &good, &good, NULL, NULL},
	    {"mixed.test", &good, &expired, "key.pem: does not belong to the certificate",
		NULL},
	    {"old.test", &expired, &expired, NULL,
		"/old.test/etc/tls/certificate.pem: the certificate has expired 1 day ago, on "
		"2"},
	    {"ending.test", &ending, &ending, NULL,
		"/ending.test/etc/tls/certificate.pem: the certificate expires in 1"},
	    {"foreign.test", &foreign, &foreign, "neither for foreign.test nor", NULL},
	};

	(void)state;
	certificate_make(&good, "EC:P-256", "mail.good.test,DNS:mixed.test", -1, 30, NULL);
	certificate_make(&expired, "EC:P-256", "old.test", -30, -1, NULL);
	certificate_make(&foreign, "EC:P-256", "elsewhere.test", -1, 30, NULL);
	certificate_make(&ending, "EC:P-256", "ending.test", -1, 13, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config_errors errors = {.v = NULL};
		struct domain *d;
		struct buf why;

		buf_init(&why, 1024);
		add(rows[i].domain, buf_str(&rows[i].certificate->certificate),
		    buf_str(&rows[i].key->private));
		domains_begin(domains);
		assert_int_equal(
		    domains_find(domains, span_str(rows[i].domain), &d, &why), LOOKUP_FOUND);
		certificate_check(domains, d, &errors);
		complaints_print(&errors);
		check_row(rows[i].domain, errors.n == (rows[i].complaint != NULL));
		check_row(rows[i].domain,
		    rows[i].complaint == NULL ||
			complaint_has(&errors, rows[i].domain, rows[i].complaint));
		check_row(rows[i].domain, errors.nwarnings == (rows[i].warning != NULL));
		check_row(rows[i].domain,
		    rows[i].warning == NULL ||
			strstr(errors.warnings[0].text, rows[i].warning) != NULL);
		config_errors_release(&errors);
		buf_release(&why);
	}
	certificate_release(&good);
	certificate_release(&expired);
	certificate_release(&foreign);
	certificate_release(&ending);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_nearest_domain_above, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_must_not_be_believed, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_change_is_another_stamp, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_pairs, setup, teardown),
	    cmocka_unit_test_setup_teardown(those_of_the_configuration, setup, teardown),
	    cmocka_unit_test_setup_teardown(checked_before_a_client_does, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
