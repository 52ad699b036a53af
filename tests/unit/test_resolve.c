/* test_resolve: where mail for an address goes. */
#include "conf/resolve.h"

#include "tests/unit/domain_fake.h"

static struct fake fake;

static int
setup(void **state)
{
	fake_init(&fake);
	*state = &fake;
	fake_domain(&fake, "a.test",
	    "alice:x\nbob:x\nanna+exact:x\no'brien:x\nm\xc3\xbcller:x\n",
	    "sales: alice\n"
	    "team: alice, bob, carl@remote.test\n"
	    "bob: bob, copy@b.test\n"
	    "anna+alias: bob\n"
	    "anna: alice\n"
	    "far: x@remote.test\n"
	    "two: two2\ntwo2: alice, sales\n"
	    "x: y\ny: x\n"
	    "me: me\n"
	    "half: alice, nobody, ghost@b.test\n"
	    "none: nobody, nobody2\n"
	    "prog: alice, |/bin/cat\n"
	    "list: :include:staff\n"
	    "lost: alice, :include:missing\n"
	    "ring: :include:ring\n"
	    "empty: :include:empty\n"
	    "final: \\bob, \\alice\n"
	    "\"a b\": alice\n"
	    "hung: x@broken.test, alice\n",
	    "subaddress-separators = \"+-\"");
	fake_domain(&fake, "b.test", "sink:x\n", "loop: alice@c.test\n", "catch-all = sink");
	fake_domain(&fake, "c.test", "alice:x\n", "alice: loop@b.test\n", "");
	fake_domain(&fake, "far.test", "", "", "catch-all = \"all@remote.test\"");
	fake_domain(&fake, "bad.test", "bob:x\n", "", "catch-all = nobody");
	fake_list(&fake, "staff", "alice\nbob\nlist\nalice\n");
	fake_list(&fake, "ring", "alice\nring\n:include:ring\n");
	fake_list(&fake, "empty", "# nobody\n");
	fake.aliases[fake.naliases].alias = "alias.test";
	fake.aliases[fake.naliases++].name = "a.test";
	fake.broken = "broken.test";
	return 0;
}

/* The outcome in one line: "alice@a.test>a.test x@remote.test>remote.test!" (! is remote), or "550 5.1.1". */
static const char *
outcome(const char *address, unsigned flags, struct trace *trace)
{
	static char out[4000];
	struct resolution r;
	struct address a;
	size_t n = 0;

	assert_int_equal(
	    address_parse(span_str(address), ADDRESS_UTF8 | ADDRESS_POSTMASTER, &a, NULL), 0);
	resolve(&fake.env, &a, flags, trace, &r);
	out[0] = '\0';
	if (r.verdict.kind != VERDICT_OK) {
		assert_int_equal(r.n, 0);
		snprintf(out, sizeof out, "%d %s", r.verdict.code, r.verdict.status);
	} else {
		assert_true(r.n > 0);
	}
	for (size_t i = 0; i < r.n; i++)
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s>%s%s", i > 0 ? " " : "",
		    r.v[i].address, r.v[i].destination,
		    r.v[i].kind == TARGET_REMOTE ? "!" : "");
	resolution_release(&r);
	return out;
}

static void
check(const char *address, unsigned flags, const char *want)
{
	const char *got = outcome(address, flags, NULL);

	if (strcmp(got, want) != 0)
		fail_msg("%s: got %s, want %s", address, got, want);
}

static void
goes_by_the_fixed_order(void **state)
{
	static const struct {
		const char *address, *want;
	} rows[] = {
	    {"alice@a.test", "alice@a.test>a.test"},
	    {"ALICE@A.TEST", "alice@a.test>a.test"},
	    {"\"alice\"@a.test", "alice@a.test>a.test"},
	    {"o'brien@a.test", "o'brien@a.test>a.test"},
	    {"m\xc3\xbcller@a.test", "m\xc3\xbcller@a.test>a.test"},
	    {"alice@alias.test", "alice@a.test>a.test"},
	    {"nobody@a.test", "550 5.1.1"},
	    {"nobody@alias.test", "550 5.1.1"},
	    {"sales@a.test", "alice@a.test>a.test"},
	    {"Sales@a.test", "alice@a.test>a.test"},
	    {"\"a b\"@a.test", "alice@a.test>a.test"},
	    {"team@a.test", "alice@a.test>a.test bob@a.test>a.test sink@b.test>b.test "
			    "carl@remote.test>remote.test!"},
	    {"bob@a.test", "bob@a.test>a.test sink@b.test>b.test"},
	    {"far@a.test", "x@remote.test>remote.test!"},
	    {"two@a.test", "alice@a.test>a.test"},
	    /* subaddress: the exact name goes first, and an alias before a mailbox */
	    {"alice+tag@a.test", "alice@a.test>a.test"},
	    {"alice-tag+x@a.test", "alice@a.test>a.test"},
	    {"alice+@a.test", "alice@a.test>a.test"},
	    {"sales+x@a.test", "alice@a.test>a.test"},
	    {"anna+exact@a.test", "anna+exact@a.test>a.test"},
	    {"anna+alias@a.test", "bob@a.test>a.test sink@b.test>b.test"},
	    {"anna+other@a.test", "alice@a.test>a.test"},
	    {"+tag@a.test", "550 5.1.1"},
	    {"nobody+x@a.test", "550 5.1.1"},
	    {"alice-x@c.test", "550 5.1.1"}, /* only + there */
	    /* catch-all */
	    {"whatever@b.test", "sink@b.test>b.test"},
	    {"what+ever@b.test", "sink@b.test>b.test"},
	    {"sink@b.test", "sink@b.test>b.test"},
	    {"\"x@evil.test\"@b.test", "sink@b.test>b.test"},
	    {"x%evil.test@b.test", "sink@b.test>b.test"},
	    {"anybody@far.test", "all@remote.test>remote.test!"},
	    {"anybody@bad.test", "451 4.3.5"},
	    {"bob@bad.test", "bob@bad.test>bad.test"},
	    /* elsewhere */
	    {"x@remote.test", "x@remote.test>remote.test!"},
	    {"x@sub.a.test", "x@sub.a.test>sub.a.test!"},
	    {"X@Remote.TEST", "X@remote.test>remote.test!"},
	    {"x@[192.0.2.1]", "550 5.1.2"},
	    {"postmaster@[192.0.2.1]", "550 5.1.2"},
	    {"x@broken.test", "451 4.3.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].address, 0, rows[i].want);
}

static void
ends_loops(void **state)
{
	(void)state;
	check("x@a.test", 0, "550 5.4.6");
	check("me@a.test", 0,
	    "550 5.1.1"); /* its own name means the mailbox, and there is none */
	check("alice@c.test", 0, "550 5.4.6");
	check("list@a.test", 0,
	    "alice@a.test>a.test bob@a.test>a.test sink@b.test>b.test list@a.test>a.test");
	check("ring@a.test", 0, "alice@a.test>a.test ring@a.test>a.test");
}

/* A target that is wrong must not swallow what is right, nor vanish. */
static void
keeps_wrong_targets_apart(void **state)
{
	(void)state;
	check("half@a.test", 0, "alice@a.test>a.test sink@b.test>b.test nobody@a.test>a.test");
	check("none@a.test", 0, "550 5.1.1");
	check("prog@a.test", 0, "451 4.3.5");
	check("prog@a.test", RESOLVE_ANY, "451 4.3.5");
	check("lost@a.test", 0, "451 4.3.5");
	check("hung@a.test", 0, "451 4.3.5");
	check("empty@a.test", 0, "550 5.1.1");
	check("final@a.test", 0, "bob@a.test>a.test alice@a.test>a.test");
}

static void
names_file_and_line_of_what_must_be_mended(void **state)
{
	struct resolution r;
	struct address a;

	(void)state;
	assert_int_equal(address_parse(span_str("prog@a.test"), 0, &a, NULL), 0);
	resolve(&fake.env, &a, 0, NULL, &r);
	assert_non_null(strstr(
	    r.verdict.text, "a.test/etc/aliases:14: programs and files are not delivered to"));
	resolution_release(&r);
	assert_int_equal(address_parse(span_str("anybody@bad.test"), 0, &a, NULL), 0);
	resolve(&fake.env, &a, 0, NULL, &r);
	assert_non_null(
	    strstr(r.verdict.text, "bad.test/etc/domain.conf:1: the catch-all goes nowhere"));
	resolution_release(&r);
}

static void
takes_targets_as_they_are(void **state)
{
	(void)state;
	check("alice@a.test", RESOLVE_FINAL, "alice@a.test>a.test");
	check("bob@a.test", RESOLVE_FINAL, "bob@a.test>a.test");
	check("sales@a.test", RESOLVE_FINAL, "550 5.1.1");
	check("alice+x@a.test", RESOLVE_FINAL, "550 5.1.1");
	check("nobody@b.test", RESOLVE_FINAL, "550 5.1.1");
	check("x@remote.test", RESOLVE_FINAL, "x@remote.test>remote.test!");
}

static void
stops_at_the_first_if_one_will_do(void **state)
{
	(void)state;
	check("team@a.test", RESOLVE_ANY, "alice@a.test>a.test");
	check("half@a.test", RESOLVE_ANY, "alice@a.test>a.test");
	check("none@a.test", RESOLVE_ANY, "550 5.1.1");
	check("x@a.test", RESOLVE_ANY, "550 5.4.6");
}

static void
finds_a_postmaster_for_every_domain(void **state)
{
	(void)state;
	check("postmaster@a.test", 0, "alice@a.test>a.test"); /* the first user */
	check("PostMaster@b.test", 0, "sink@b.test>b.test");  /* the catch-all */
	check("postmaster+x@a.test", 0, "alice@a.test>a.test");
	check("postmaster", 0, "alice@a.test>a.test"); /* of the first domain */
	fake.config.postmaster = xstrdup("boss@b.test");
	check("postmaster@a.test", 0, "sink@b.test>b.test");
	check("postmaster", 0, "sink@b.test>b.test");
	free(fake.config.postmaster);
	fake.config.postmaster = xstrdup("postmaster@a.test");
	check("postmaster@a.test", 0, "alice@a.test>a.test");
	check("postmaster@c.test", 0, "alice@a.test>a.test");
	check("postmaster", 0, "alice@a.test>a.test");
	free(fake.config.postmaster);
	fake.config.postmaster = xstrdup("root@remote.test");
	check("postmaster@a.test", 0, "root@remote.test>remote.test!");
	free(fake.config.postmaster);
	fake.config.postmaster = NULL;
	fake_domain(&fake, "mx.test", "root:x\n", "postmaster: root\n", "");
	check("postmaster", 0,
	    "root@mx.test>mx.test"); /* the host's own domain goes before the first */
	fake_domain(&fake, "void.test", "", "", "");
	check("postmaster@void.test", 0, "451 4.3.5");
	check("other@void.test", 0, "550 5.1.1");
}

static void
has_no_postmaster_without_domains(void **state)
{
	struct fake none, kept = fake;

	(void)state;
	fake_init(&none);
	fake = none;
	fake.env.config = &fake.config;
	fake.env.source.arg = &fake;
	check("postmaster", 0, "550 5.1.1");
	fake_release(&fake);
	fake = kept;
}

static void
goes_by_smarthost(void **state)
{
	(void)state;
	fake.config.smarthost = xstrdup("[relay.test]:587");
	check("x@remote.test", 0, "x@remote.test>[relay.test]:587!");
	check("alice@a.test", 0, "alice@a.test>a.test");
	check("x@remote.test", RESOLVE_FINAL, "x@remote.test>[relay.test]:587!");
}

/* Deep chains, broad fans and diamonds all end, and soon. */
static void
bounds_expansion(void **state)
{
	struct resolution r;
	struct address a;
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	for (unsigned i = 0; i < 10000; i++)
		buf_addf(&b, "c%u: c%u\n", i, i + 1);
	for (unsigned i = 0; i < 18; i++)
		buf_addf(&b, "s%u: s%u\n", i, i + 1);
	buf_add_str(&b, "s18: bob\n");
	for (unsigned i = 0; i < 19; i++)
		buf_addf(&b, "d%u: d%u, d%u\n", i, i + 1, i + 1);
	buf_add_str(&b, "d19: nobody\nwide: ");
	for (unsigned i = 0; i < 10000; i++)
		buf_addf(&b, "u%u@remote.test,", i);
	buf_add_str(&b, "\nwider: one@remote.test, wide\n");
	fake_domain(&fake, "big.test", "bob:x\n", buf_str(&b), "");
	check("c0@big.test", 0, "550 5.4.6");
	check("s0@big.test", 0, "bob@big.test>big.test");
	check("d0@big.test", 0, "550 5.4.6");
	check("wider@big.test", 0, "550 5.4.6");
	assert_int_equal(address_parse(span_str("wide@big.test"), 0, &a, NULL), 0);
	resolve(&fake.env, &a, 0, NULL, &r);
	assert_int_equal(r.verdict.kind, VERDICT_OK);
	assert_int_equal(r.n, RESOLVE_TARGETS_MAX);
	resolution_release(&r);
	buf_release(&b);
}

static void
tells_its_steps(void **state)
{
	static const char *const wanted[] = {
	    "alias.test is an alias of a.test",
	    "team+x is a subaddress of team",
	    "/virtual/a.test/etc/aliases:2: alias: team is an alias",
	    "/virtual/a.test/etc/passwd:1: user: alice is a user",
	    "/virtual/a.test/etc/aliases:3: alias: bob within its own alias means the mailbox",
	    "/virtual/b.test/etc/domain.conf:1: catch-all: sink@b.test",
	    "remote.test is not hosted here",
	};
	struct trace t;

	(void)state;
	trace_init(&t);
	outcome("team+x@alias.test", 0, &t);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		bool found = false;

		for (size_t j = 0; j < t.n; j++) {
			char *step =
			    xasprintf("%s: %s: %s", t.v[j].where, t.v[j].what, t.v[j].outcome);

			found = found || strstr(step, wanted[i]) != NULL;
			free(step);
		}
		check_row(wanted[i], found);
	}
	trace_release(&t);
	trace_init(&t);
	for (unsigned i = 0; i < 600; i++)
		trace_add(&t, "step %u", i);
	assert_int_equal(t.n, TRACE_MAX + 1);
	trace_release(&t);
	trace_add(NULL, "nobody listens");
}

static void
checks_whom_it_delivers_as(void **state)
{
	struct domain *d;

	(void)state;
	fake.env.privileged = true;
	check("alice@a.test", 0, "alice@a.test>a.test");
	d = fake_domain(&fake, "root.test", "bob:x\n", "", "");
	d->uid = 0;
	check("bob@root.test", 0, "451 4.3.5");
	d->uid = 2000;
	d->gid = 0;
	check("bob@root.test", RESOLVE_ANY, "451 4.3.5");
	fake.env.privileged = false;
	check("bob@root.test", 0, "bob@root.test>root.test");
}

static void
finds_mailboxes(void **state)
{
	static const struct {
		const char *address, *status, *home;
	} rows[] = {
	    {"alice@a.test", "2.1.5", "home/alice"},
	    {"Alice@alias.test", "2.1.5", "home/alice"},
	    {"sales@a.test", "5.1.1", NULL},
	    {"alice+x@a.test", "5.1.1", NULL},
	    {"x@remote.test", "5.1.2", NULL},
	    {"x@broken.test", "4.3.5", NULL},
	};

	(void)state;
	fake.env.privileged = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mailbox m;
		struct verdict v;
		struct address a;

		assert_int_equal(address_parse(span_str(rows[i].address), 0, &a, NULL), 0);
		resolve_mailbox(&fake.env, &a, &v, &m);
		check_row(rows[i].address, strcmp(v.status, rows[i].status) == 0);
		check_row(rows[i].address, (v.kind == VERDICT_OK) == (m.user != NULL));
		if (v.kind == VERDICT_OK) {
			assert_string_equal(m.user, "alice");
			assert_string_equal(m.domain, "a.test");
			assert_string_equal(m.directory, "/virtual/a.test");
			assert_string_equal(m.home, rows[i].home);
			assert_string_equal(m.maildir, "Maildir");
			assert_int_equal(m.ids.uid, 2000);
		}
		mailbox_release(&m);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(goes_by_the_fixed_order),
	    TEST(ends_loops),
	    TEST(keeps_wrong_targets_apart),
	    TEST(names_file_and_line_of_what_must_be_mended),
	    TEST(takes_targets_as_they_are),
	    TEST(stops_at_the_first_if_one_will_do),
	    TEST(finds_a_postmaster_for_every_domain),
	    TEST(has_no_postmaster_without_domains),
	    TEST(goes_by_smarthost),
	    TEST(bounds_expansion),
	    TEST(tells_its_steps),
	    TEST(checks_whom_it_delivers_as),
	    TEST(finds_mailboxes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
