/* test_key_store: which version of a certificate and its key is in force, what is said, and what is kept. */
#include "conf/key_store.h"

#include "conf/config_errors.h"
#include "tests/unit/certificates.h"
#include "tests/unit/conf_fixture.h"

static struct config_errors said;
static struct certificate one, two, expired, to_come;

static void
complain(const char *text, void *arg)
{
	(void)arg;
	config_errors_add_text(&said, text);
}

static int
make(void **state)
{
	(void)state;
	certificate_make(&one, "EC:P-256", "one.test", -1, 30, NULL);
	certificate_make(&two, "EC:P-256", "two.test", -1, 30, NULL);
	certificate_make(&expired, "EC:P-256", "old.test", -30, -1, NULL);
	certificate_make(&to_come, "EC:P-256", "new.test", 2, 30, NULL);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	certificate_release(&one);
	certificate_release(&two);
	certificate_release(&expired);
	certificate_release(&to_come);
	config_errors_release(&said);
	return 0;
}

static void
take(struct key_store *s, const char *path, const char *stamp, const struct certificate *c,
    const struct certificate *k)
{
	struct key_files f = {.path = span_str(path),
	    .stamp = span_str(stamp),
	    .certificate = buf_span(&c->certificate),
	    .key_path = span_str("/the/key"),
	    .key = buf_span(&k->private)};

	key_store_take(s, &f);
}

static bool
is_current(struct key_store *s, const char *path, const char *stamp)
{
	return key_store_is_current(s, span_str(path), span_str(stamp));
}

static const char *
name_at(struct key_store *s, const char *path)
{
	const struct key_pair *p = key_store_at(s, span_str(path));

	return p == NULL				  ? "none"
	       : key_pair_covers(p, span_str("one.test")) ? "one"
	       : key_pair_covers(p, span_str("two.test")) ? "two"
							  : "old";
}

static void
a_bad_version_leaves_the_one_before(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);
	char id[KEY_PAIR_ID_SIZE];

	(void)state;
	config_errors_release(&said);
	assert_false(is_current(s, "/c", "1"));
	assert_string_equal(name_at(s, "/c"), "none");

	take(s, "/c", "1", &one, &two);
	assert_int_equal(said.n, 1);
	assert_true(complaint_has(&said, "/the/key: does not belong", "it is not used"));
	assert_string_equal(name_at(s, "/c"), "none");
	/* Said once: nobody reads it again before it changes. */
	assert_true(is_current(s, "/c", "1"));
	assert_false(is_current(s, "/c", "2"));

	take(s, "/c", "2", &one, &one);
	assert_int_equal(said.n, 1);
	assert_string_equal(name_at(s, "/c"), "one");
	assert_true(is_current(s, "/c", "2"));

	take(s, "/c", "3", &two, &one);
	assert_int_equal(said.n, 2);
	assert_true(complaint_has(&said, "/the/key:", "the pair before stays in force"));
	assert_string_equal(name_at(s, "/c"), "one");
	assert_true(is_current(s, "/c", "3"));

	key_store_take(s, &(struct key_files){.path = span_str("/c"),
			      .stamp = span_str("4"),
			      .problem = span_str("/c: is writable by everybody")});
	assert_true(complaint_has(&said, "/c: is writable by everybody; the pair before", ""));
	assert_string_equal(name_at(s, "/c"), "one");

	/* A good one comes into force, and handshakes that began with the other find its key. */
	snprintf(id, sizeof id, "%s", key_store_at(s, span_str("/c"))->id);
	take(s, "/c", "5", &two, &two);
	assert_string_equal(name_at(s, "/c"), "two");
	assert_non_null(key_store_find(s, span_str(id)));
	assert_null(key_store_find(s, span_str("")));
	assert_null(key_store_find(s, span_str("00000000000000000000000000000000")));
	key_store_free(&s);
}

static void
expiry_is_said(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);

	(void)state;
	config_errors_release(&said);
	take(s, "/c", "1", &expired, &expired);
	assert_true(
	    complaint_has(&said, "/c: the certificate has expired 1 day ago", "in use"));
	assert_string_equal(name_at(s, "/c"), "old");
	assert_true(is_current(s, "/c", "1"));
	config_errors_release(&said);
	take(s, "/d", "1", &one, &one);
	key_store_remind(s);
	assert_int_equal(said.n, 1);
	assert_true(complaint_has(&said, "/c: the certificate has expired 1 day ago", ""));
	key_store_free(&s);
}

/* What clients refuse replaces nothing that they take. */
static void
a_valid_pair_stays_before_one_that_is_not(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);

	(void)state;
	config_errors_release(&said);
	take(s, "/c", "1", &one, &one);
	take(s, "/c", "2", &expired, &expired);
	assert_true(complaint_has(&said, "/c: the certificate has expired 1 day ago",
	    "the pair before, which is valid, stays in force"));
	assert_string_equal(name_at(s, "/c"), "one");
	assert_true(is_current(s, "/c", "2"));

	config_errors_release(&said);
	take(s, "/c", "3", &to_come, &to_come);
	assert_true(
	    complaint_has(&said, "/c: the certificate is not valid yet", "stays in force"));
	assert_string_equal(name_at(s, "/c"), "one");
	assert_true(is_current(s, "/c", "3"));

	take(s, "/c", "4", &two, &two);
	assert_string_equal(name_at(s, "/c"), "two");

	/* Where nothing is valid the newest is as good as any. */
	take(s, "/d", "1", &expired, &expired);
	take(s, "/d", "2", &to_come, &to_come);
	assert_true(key_pair_covers(key_store_at(s, span_str("/d")), span_str("new.test")));
	key_store_free(&s);
}

static void
one_that_is_not_valid_yet_is_taken_when_it_is(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);
	struct certificate soon;

	(void)state;
	certificate_make(&soon, "EC:P-256", "two.test", 0, 30, NULL);
	X509_gmtime_adj(X509_getm_notBefore(soon.x), 2);
	X509_sign(soon.x, soon.key, EVP_sha256());
	buf_release(&soon.certificate);
	certificate_write(&soon);
	take(s, "/c", "1", &one, &one);
	take(s, "/c", "2", &soon, &soon);
	assert_string_equal(name_at(s, "/c"), "one");
	assert_true(is_current(s, "/c", "2"));
	sleep(3);
	assert_false(is_current(s, "/c", "2"));
	take(s, "/c", "2", &soon, &soon);
	assert_string_equal(name_at(s, "/c"), "two");
	assert_true(is_current(s, "/c", "2"));
	certificate_release(&soon);
	key_store_free(&s);
}

/* The configuration names other files, which turn out to be of no use. */
static void
this_hosts_own_stays_where_it_was(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);
	struct key_files f = {.path = span_str("/old"),
	    .stamp = span_str("1"),
	    .certificate = buf_span(&one.certificate),
	    .key = buf_span(&one.private),
	    .own = 1};

	(void)state;
	config_errors_release(&said);
	key_store_take(s, &f);
	f.path = span_str("/new");
	f.certificate = buf_span(&expired.certificate);
	f.key = buf_span(&expired.private);
	key_store_take(s, &f);
	assert_true(
	    complaint_has(&said, "/new: the certificate has expired", "stays in force"));
	assert_string_equal(name_at(s, "/new"), "one");
	f.stamp = span_str("2");
	f.problem = span_str("/new: does not exist");
	key_store_take(s, &f);
	assert_true(complaint_has(&said, "/new: does not exist; the pair before stays", ""));
	assert_string_equal(name_at(s, "/new"), "one");
	/* Another's is not ours to show. */
	f.path = span_str("/elsewhere");
	f.own = 0;
	key_store_take(s, &f);
	assert_string_equal(name_at(s, "/elsewhere"), "none");
	key_store_free(&s);
}

static void
places_share_a_pair(void **state)
{
	struct key_store *s = key_store_new(10, complain, NULL);

	(void)state;
	take(s, "/a", "1", &one, &one);
	take(s, "/b", "1", &one, &one);
	assert_int_equal(key_store_count(s), 1);
	assert_ptr_equal(key_store_at(s, span_str("/a")), key_store_at(s, span_str("/b")));
	key_store_free(&s);
}

/* Who asks for a thousand names does not push this host's own certificate out. */
static void
bounded_and_the_main_pair_stays(void **state)
{
	struct key_store *s = key_store_new(3, complain, NULL);
	struct key_files f = {.path = span_str("/main"),
	    .stamp = span_str("1"),
	    .certificate = buf_span(&one.certificate),
	    .key = buf_span(&one.private),
	    .own = 1};
	struct certificate others[5];

	(void)state;
	key_store_take(s, &f);
	for (size_t i = 0; i < 5; i++) {
		char path[16];

		snprintf(path, sizeof path, "/%zu", i);
		certificate_make(&others[i], "EC:P-256", "x.test", -1, 30, NULL);
		take(s, path, "1", &others[i], &others[i]);
		assert_in_range(key_store_count(s), 1, 3);
		assert_true(is_current(s, path, "1"));
	}
	assert_false(is_current(s, "/0", "1"));
	assert_true(is_current(s, "/4", "1"));
	assert_true(is_current(s, "/main", "1"));
	assert_string_equal(name_at(s, "/main"), "one");
	/* What had to make room is asked for again. */
	assert_string_equal(name_at(s, "/0"), "none");
	take(s, "/0", "1", &others[0], &others[0]);
	assert_true(is_current(s, "/0", "1"));
	for (size_t i = 0; i < 5; i++)
		certificate_release(&others[i]);
	key_store_free(&s);
	key_store_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bad_version_leaves_the_one_before),
	    cmocka_unit_test(expiry_is_said),
	    cmocka_unit_test(a_valid_pair_stays_before_one_that_is_not),
	    cmocka_unit_test(one_that_is_not_valid_yet_is_taken_when_it_is),
	    cmocka_unit_test(this_hosts_own_stays_where_it_was),
	    cmocka_unit_test(places_share_a_pair),
	    cmocka_unit_test(bounded_and_the_main_pair_stays),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
