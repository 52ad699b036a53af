/* test_policy: who may send what to whom, and the questions of the directory's sockets. */
#include "conf/policy.h"

#include "conf/directory.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/domain_fake.h"

static struct fake fake;

static int
setup(void **state)
{
	struct netblock b;

	fake_init(&fake);
	*state = &fake;
	fake_domain(&fake, "a.test", "alice:x\n", "loop: loop2\nloop2: loop\nprog: |x\n", "");
	fake.broken = "broken.test";
	assert_int_equal(netblock_parse(span_str("192.0.2.0/24"), &b), 0);
	fake.config.relay_from.v = xcalloc(2, sizeof b);
	fake.config.relay_from.v[0] = b;
	assert_int_equal(netblock_parse(span_str("2001:db8::/32"), &b), 0);
	fake.config.relay_from.v[1] = b;
	fake.config.relay_from.n = 2;
	/* sorted, as config_load leaves them */
	fake.config.relay_domains.v = xcalloc(3, sizeof(char *));
	fake.config.relay_domains.v[0] = xstrdup(".up.test");
	fake.config.relay_domains.v[1] = xstrdup("backup.test");
	fake.config.relay_domains.v[2] = xstrdup("other.test");
	fake.config.relay_domains.n = 3;
	return 0;
}

static void
decides_about_recipients(void **state)
{
	static const struct {
		enum listener_role role;
		const char *client, *rcpt, *want; /* status and rule */
	} rows[] = {
	    /* everybody to what is hosted, and nowhere else */
	    {LISTENER_MX, "203.0.113.5", "alice@a.test", "2.1.5 hosted"},
	    {LISTENER_MX, "203.0.113.5", "ALICE+x@A.test", "2.1.5 hosted"},
	    {LISTENER_MX, "203.0.113.5", "nobody@a.test", "5.1.1 no-such-user"},
	    {LISTENER_MX, "203.0.113.5", "loop@a.test", "5.4.6 alias-loop"},
	    {LISTENER_MX, "203.0.113.5", "prog@a.test", "4.3.5 cannot-tell"},
	    {LISTENER_MX, "203.0.113.5", "x@broken.test", "4.3.5 cannot-tell"},
	    {LISTENER_MX, "203.0.113.5", "postmaster", "2.1.5 hosted"},
	    {LISTENER_MX, "203.0.113.5", "x@evil.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@sub.a.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@xa.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@a.test.evil.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@[127.0.0.1]", "5.1.2 address-literal"},
	    {LISTENER_MX, "127.0.0.1", "x@evil.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "::1", "x@evil.test", "5.7.1 relay-denied"},
	    /* relay-domains: themselves, and with a dot what is below */
	    {LISTENER_MX, "203.0.113.5", "x@backup.test", "2.1.5 relay-domains"},
	    {LISTENER_MX, "203.0.113.5", "x@BACKUP.test", "2.1.5 relay-domains"},
	    {LISTENER_MX, "203.0.113.5", "x@sub.backup.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@xbackup.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@one.up.test", "2.1.5 relay-domains"},
	    {LISTENER_MX, "203.0.113.5", "x@one.two.up.test", "2.1.5 relay-domains"},
	    {LISTENER_MX, "203.0.113.5", "x@up.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "203.0.113.5", "x@test", "5.7.1 relay-denied"},
	    /* our own clients */
	    {LISTENER_MX, "192.0.2.77", "x@evil.test", "2.1.5 relay-from"},
	    {LISTENER_MX, "::ffff:192.0.2.77", "x@evil.test", "2.1.5 relay-from"},
	    {LISTENER_MX, "192.0.3.1", "x@evil.test", "5.7.1 relay-denied"},
	    {LISTENER_MX, "2001:db8:1::1", "x@evil.test", "2.1.5 relay-from"},
	    {LISTENER_MX, "192.0.2.77", "nobody@a.test", "5.1.1 no-such-user"},
	    {LISTENER_MX, "192.0.2.77", "x@[192.0.2.1]", "5.1.2 address-literal"},
	    /* users of this system */
	    {LISTENER_SUBMIT, NULL, "x@evil.test", "2.1.5 local-user"},
	    {LISTENER_SUBMIT, NULL, "alice@a.test", "2.1.5 hosted"},
	    {LISTENER_SUBMIT, NULL, "nobody@a.test", "5.1.1 no-such-user"},
	    /* users who log in, and those who did not */
	    {LISTENER_SUBMISSION, "203.0.113.5", "alice@a.test", "5.7.0 login-required"},
	    {LISTENER_SUBMISSION, "192.0.2.77", "x@evil.test", "5.7.0 login-required"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_client client = {.role = rows[i].role, .uid = 1000};
		struct address from = {.len = 0}, rcpt;
		struct policy_answer a;
		char got[64];

		if (rows[i].client != NULL)
			assert_int_equal(
			    netaddr_parse(span_str(rows[i].client), &client.address), 0);
		assert_int_equal(
		    address_parse(span_str(rows[i].rcpt), ADDRESS_POSTMASTER, &rcpt, NULL), 0);
		policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
		snprintf(got, sizeof got, "%s %s", a.verdict.status, a.rule);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s to %s: got %s, want %s", rows[i].client, rows[i].rcpt, got,
			    rows[i].want);
		check_row(rows[i].rcpt, a.verdict.code / 100 == a.verdict.status[0] - '0');
	}
}

#define ONE   "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO   "2222222222222222222222222222222222222222222222222222222222222222"
#define OTHER "3333333333333333333333333333333333333333333333333333333333333333"

/* By the certificate that a client has shown, and by nothing else of it. */
static void
lets_known_certificates_relay(void **state)
{
	static const struct {
		const char *certificate, *key;
		bool verified, all_verified;
		enum listener_role role;
		const char *rcpt, *want;
	} rows[] = {
	    {ONE, OTHER, false, false, LISTENER_MX, "x@evil.test", "2.1.5 relay-client-certs"},
	    {OTHER, TWO, false, false, LISTENER_MX, "x@evil.test", "2.1.5 relay-client-certs"},
	    {OTHER, OTHER, false, false, LISTENER_MX, "x@evil.test", "5.7.1 relay-denied"},
	    {OTHER, OTHER, true, false, LISTENER_MX, "x@evil.test", "5.7.1 relay-denied"},
	    {OTHER, OTHER, false, true, LISTENER_MX, "x@evil.test", "5.7.1 relay-denied"},
	    {OTHER, OTHER, true, true, LISTENER_MX, "x@evil.test",
		"2.1.5 relay-verified-clients"},
	    {ONE, OTHER, true, true, LISTENER_MX, "x@evil.test", "2.1.5 relay-client-certs"},
	    /* without a certificate nothing is verified */
	    {"", "", true, true, LISTENER_MX, "x@evil.test", "5.7.1 relay-denied"},
	    {"", "", false, false, LISTENER_MX, "x@evil.test", "5.7.1 relay-denied"},
	    /* it opens nothing else */
	    {ONE, TWO, true, true, LISTENER_MX, "nobody@a.test", "5.1.1 no-such-user"},
	    {ONE, TWO, true, true, LISTENER_SUBMISSION, "x@evil.test", "5.7.0 login-required"},
	};
	char *list[] = {(char[]){ONE}, (char[]){TWO}};

	(void)state;
	fake.config.relay_client_certs = (struct config_strings){list, 2};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policy_client client = {.role = rows[i].role,
		    .certificate = span_str(rows[i].certificate),
		    .public_key = span_str(rows[i].key),
		    .verified = rows[i].verified};
		struct address from = {.len = 0}, rcpt;
		struct policy_answer a;
		char got[64];

		fake.config.relay_verified_clients = rows[i].all_verified;
		assert_int_equal(netaddr_parse(span_str("203.0.113.5"), &client.address), 0);
		assert_int_equal(address_parse(span_str(rows[i].rcpt), 0, &rcpt, NULL), 0);
		policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
		snprintf(got, sizeof got, "%s %s", a.verdict.status, a.rule);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: got %s, want %s", i, got, rows[i].want);
	}
	fake.config.relay_client_certs = (struct config_strings){NULL, 0};
}

static void
lets_those_who_logged_in_send(void **state)
{
	struct policy_client client = {
	    .role = LISTENER_SUBMISSION, .auth = span_str("alice@a.test")};
	struct address from, rcpt;
	struct policy_answer a;

	(void)state;
	assert_int_equal(netaddr_parse(span_str("203.0.113.5"), &client.address), 0);
	assert_int_equal(address_parse(span_str("alice@a.test"), 0, &from, NULL), 0);
	assert_int_equal(address_parse(span_str("x@evil.test"), 0, &rcpt, NULL), 0);
	policy_connect(&fake.env, &client, NULL, &a);
	assert_int_equal(a.verdict.kind, VERDICT_OK);
	policy_mail(&fake.env, &client, &from, NULL, &a);
	assert_int_equal(a.verdict.kind, VERDICT_OK);
	policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
	assert_string_equal(a.rule, "login");
	client.auth = span_str("");
	policy_mail(&fake.env, &client, &from, NULL, &a);
	assert_string_equal(a.rule, "login-required");
	assert_int_equal(a.verdict.code, 530);
}

static void
writes_down_why(void **state)
{
	struct policy_client client = {.role = LISTENER_MX};
	struct address from = {.len = 0}, rcpt;
	struct policy_answer a;
	struct trace t;

	(void)state;
	trace_init(&t);
	assert_int_equal(netaddr_parse(span_str("192.0.2.9"), &client.address), 0);
	assert_int_equal(address_parse(span_str("x@evil.test"), 0, &rcpt, NULL), 0);
	policy_rcpt(&fake.env, &client, &from, &rcpt, &t, &a);
	assert_int_equal(t.n, 3);
	assert_string_equal(t.v[1].what, "relay-from");
	assert_string_equal(t.v[1].outcome, "192.0.2.0/24 has the client");
	assert_non_null(strstr(t.v[2].outcome, "rule relay-from"));
	trace_release(&t);
}

/* --- over the wire --- */

static struct files files;
static struct directory *directory;

static int
setup_directory(void **state)
{
	const struct domain_ids self = {geteuid(), getegid()};
	struct config_errors errors = {.v = NULL};
	struct config *c;
	char *text;

	(void)state;
	files_init(&files);
	assert_int_equal(mkdir(files_path(&files, "virtual"), 0755), 0);
	files_domain(
	    &files, "virtual/a.test", "alice:x\nbob:x\n", "team: alice, x@remote.test\n", NULL);
	files_write(&files, "virtual/a.test/etc/bounce.txt", span_str("{id} failed\n"));
	text = xasprintf("hostname = mx.test\ndomains = %s/virtual\nspool = %s/spool\n"
			 "relay-from = { 192.0.2.0/24 }\n"
			 "users { smtpd = 64001 directory = 64002 queue = 64003 remote = 64004 "
			 "keys = 64005 }\n",
	    files.root, files.root);
	files_write(&files, "conf", span_str(text));
	assert_int_equal(chown(files_path(&files, "conf"), geteuid(), getegid()), 0);
	free(text);
	c = config_load(files_path(&files, "conf"), &errors);
	complaints_print(&errors);
	config_errors_release(&errors);
	assert_non_null(c);
	directory = directory_new(geteuid() == 0, &self);
	directory_configure(directory, c);
	return 0;
}

static int
teardown_directory(void **state)
{
	(void)state;
	directory_free(&directory);
	files_release(&files);
	return 0;
}

/* Asks with these lines; the answer's text, without its first line, or "refused". For the caller to free. */
static char *
ask(const char *socket_name, const char *question)
{
	struct wire_fields fields = {NULL, 0};
	char *text = xstrdup(question), *answer;
	struct wire_msg m;
	struct wire_out w;

	assert_int_equal(wire_parse(text, strlen(text), &fields, &m), 0);
	wire_out_init(&w, "answer", m.id);
	directory_refresh(directory);
	if (directory_answer(directory, socket_name, &m, &w) == 0)
		answer = xstrdup(strchr(buf_str(&w.text), '\n') + 1);
	else
		answer = xstrdup("refused");
	wire_out_release(&w);
	wire_fields_release(&fields);
	free(text);
	return answer;
}

static void
answers_questions(void **state)
{
	char *ids = xasprintf("uid=%u\ngid=%u\n", (unsigned)FIXTURE_UID, (unsigned)FIXTURE_GID);
	const struct {
		const char *socket_name, *question, *want[6];
	} rows[] = {
	    {"smtpd/directory", "connect 1\nclient=203.0.113.5\nrole=mx\n",
		{"kind=ok\n", "rule=everybody\n"}},
	    {"smtpd/directory", "mail 1\nclient=203.0.113.5\nrole=mx\nhelo=x\nauth=\nfrom=\n",
		{"kind=ok\n"}},
	    {"smtpd/directory", "mail 1\nclient=203.0.113.5\nrole=mx\nfrom=a b@c\n",
		{"kind=permanent\n", "status=5.1.3\n", "rule=bad-address\n"}},
	    {"smtpd/directory",
		"rcpt 1\nclient=203.0.113.5\nrole=mx\nfrom=s@x.test\nrcpt=alice@a.test\n",
		{"kind=ok\n", "code=250\n", "rule=hosted\n"}},
	    {"smtpd/directory",
		"rcpt 1\nclient=203.0.113.5\nrole=mx\nfrom=\nrcpt=nobody@a.test\n",
		{"kind=permanent\n", "code=550\n", "status=5.1.1\n", "rule=no-such-user\n"}},
	    {"smtpd/directory",
		"rcpt 1\nclient=203.0.113.5\nrole=mx\nfrom=\nrcpt=x@evil.test\n",
		{"status=5.7.1\n", "rule=relay-denied\n"}},
	    {"smtpd/directory", "rcpt 1\nclient=192.0.2.5\nrole=mx\nfrom=\nrcpt=x@evil.test\n",
		{"kind=ok\n", "rule=relay-from\n"}},
	    {"smtpd/directory", "rcpt 1\nuid=1000\nrole=submit\nfrom=\nrcpt=x@evil.test\n",
		{"kind=ok\n", "rule=local-user\n"}},
	    {"queue/directory", "resolve 1\naddress=team@a.test\nfrom=\n",
		{"kind=ok\n", "target=mailbox\naddress=alice@a.test\ndestination=a.test\n",
		    "target=remote\naddress=x@remote.test\ndestination=remote.test\n"}},
	    {"queue/directory", "resolve 1\naddress=team@a.test\nfinal=yes\n",
		{"status=5.1.1\n"}},
	    {"queue/directory", "bounce-text 1\naddress=alice@a.test\nkind=failed\n",
		{"kind=ok\n", "template={id} failed\\n\n"}},
	    {"queue/directory", "bounce-text 1\naddress=x@evil.test\nkind=failed\n",
		{"kind=ok\ncode=250\nstatus=2.0.0\ntext=Ok\n"}},
	    {"local/directory", "mailbox 1\naddress=alice@a.test\n",
		{"kind=ok\n", "user=alice\n", "domain=a.test\n", "home=home/alice\n",
		    "maildir=Maildir\n", ids}},
	    {"local/directory", "mailbox 1\naddress=nobody@a.test\n", {"status=5.1.1\n"}},
	    {"control/directory", "explain 1\naddress=team+x@a.test\n",
		{"kind=ok\n", "rule=resolve\naction=deliver\n",
		    "step=team is an alias\nstage=targets\nwhat=alias\nwhere=",
		    "etc/aliases:1\n", "target=remote\n"}},
	    {"control/directory",
		"explain 1\naddress=x@evil.test\nrole=mx\nclient=203.0.113.5\n",
		{"kind=permanent\n", "rule=relay-denied\naction=reject\n",
		    "step=no network of it has the client\nstage=rcpt\nwhat=relay-from\n"}},
	    {"control/directory",
		"explain 1\naddress=alice@a.test\nrole=mx\nclient=203.0.113.5\n",
		{"kind=ok\n", "rule=hosted\naction=deliver\n", "target=mailbox\n",
		    "step=rule hosted", "text=Recipient OK\n"}},
	    {"control/directory",
		"explain 1\naddress=alice@a.test\nrole=mx\nclient=203.0.113.5\nhelo=a b\n",
		{"code=501\nstatus=5.5.4\n", "rule=helo-name\n", "stage=helo\n"}},
	    {"control/directory",
		"explain 1\naddress=alice@a.test\nrole=mx\nclient=203.0.113.5\nfrom=a>b@c\n",
		{"code=501\nstatus=5.1.7\n", "rule=sender-syntax\n", "stage=mail\n"}},
	    {"control/directory",
		"explain 1\naddress=alice@a.test\nrole=submission\nclient=203.0.113.5\n",
		{"code=530\n", "rule=login-required\n", "stage=mail\n"}},
	    {"control/directory", "explain 1\naddress=nonsense\n",
		{"code=501\nstatus=5.1.3\ntext=Bad recipient address: ",
		    "rule=recipient-syntax\n"}},
	    {"control/directory", "explain 1\naddress=alice@a.test\nrole=mx\nclient=here\n",
		{"refused"}},
	    {"control/directory", "status 1\n", {"domains-loaded=", "questions=", "uptime="}},
	    /* what a socket is not for, and what makes no sense */
	    {"smtpd/directory", "resolve 1\naddress=team@a.test\n", {"refused"}},
	    {"smtpd/directory", "bounce-text 1\naddress=alice@a.test\nkind=failed\n",
		{"refused"}},
	    {"queue/directory", "bounce-text 1\naddress=alice@a.test\nkind=../x\n",
		{"refused"}},
	    {"smtpd/directory", "mailbox 1\naddress=alice@a.test\n", {"refused"}},
	    {"queue/directory", "mailbox 1\naddress=alice@a.test\n", {"refused"}},
	    {"queue/directory", "explain 1\naddress=alice@a.test\n", {"refused"}},
	    {"local/directory", "rcpt 1\nclient=192.0.2.5\nrole=mx\nfrom=\nrcpt=x@evil.test\n",
		{"refused"}},
	    {"smtpd/directory", "rcpt\nclient=192.0.2.5\nrole=mx\nfrom=\nrcpt=x@evil.test\n",
		{"refused"}},
	    {"smtpd/directory", "rcpt 1\nclient=192.0.2.5\nrole=mx\nfrom=\n", {"refused"}},
	    {"smtpd/directory", "rcpt 1\nclient=here\nrole=mx\nfrom=\nrcpt=x@evil.test\n",
		{"refused"}},
	    {"smtpd/directory", "rcpt 1\nrole=mx\nfrom=\nrcpt=x@evil.test\n", {"refused"}},
	    {"smtpd/directory", "rcpt 1\nrole=submit\nfrom=\nrcpt=x@evil.test\n", {"refused"}},
	    {"smtpd/directory",
		"rcpt 1\nclient=192.0.2.5\nrole=root\nfrom=\nrcpt=x@evil.test\n", {"refused"}},
	    {"queue/directory", "resolve 1\n", {"refused"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *answer = ask(rows[i].socket_name, rows[i].question);

		for (size_t j = 0; j < 6 && rows[i].want[j] != NULL; j++) {
			if (strstr(answer, rows[i].want[j]) == NULL)
				fail_msg("%s: got %s, want %s", rows[i].question, answer,
				    rows[i].want[j]);
		}
		free(answer);
	}
	free(ids);
}

/* Who logs in as nobody is refused as AUTH refuses; an address may be typed as MAIL has it. */
static void
explains_what_was_typed(void **state)
{
	static const struct {
		const char *question, *want[3];
	} rows[] = {
	    {"explain 1\naddress=x@evil.test\nrole=submission\nclient=203.0.113.5\n"
	     "auth=nobody@a.test\nfrom=nobody@a.test\n",
		{"code=535\nstatus=5.7.8\n", "rule=login-failed\naction=reject\n",
		    "stage=auth\nwhat=user\n"}},
	    {"explain 1\naddress=alice@a.test\nrole=mx\nclient=203.0.113.5\nfrom=<>\n",
		{"kind=ok\n", "step=sender <>\n", "rule=hosted\n"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *answer = ask("control/directory", rows[i].question);

		for (size_t j = 0; j < 3; j++)
			if (strstr(answer, rows[i].want[j]) == NULL)
				fail_msg("%s: got %s, want %s", rows[i].question, answer,
				    rows[i].want[j]);
		free(answer);
	}
}

/* The next question after a change is answered by what is there now. */
static void
knows_changes_at_once(void **state)
{
	static const char question[] =
	    "rcpt 1\nclient=203.0.113.5\nrole=mx\nfrom=\nrcpt=carl@a.test\n";
	char *answer;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		files_write(&files, "virtual/a.test/etc/passwd", span_str("alice:x\n"));
		answer = ask("smtpd/directory", question);
		assert_non_null(strstr(answer, "status=5.1.1"));
		free(answer);
		files_write(&files, "virtual/a.test/etc/passwd", span_str("alice:x\ncarl:x\n"));
		answer = ask("smtpd/directory", question);
		assert_non_null(strstr(answer, "kind=ok"));
		free(answer);
	}
}

int
main(void)
{
#define TEST(f)	  cmocka_unit_test_setup_teardown(f, setup, fake_teardown)
#define SOCKET(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown_directory)
	const struct CMUnitTest tests[] = {
	    TEST(decides_about_recipients),
	    TEST(lets_known_certificates_relay),
	    TEST(lets_those_who_logged_in_send),
	    TEST(writes_down_why),
	    SOCKET(answers_questions),
	    SOCKET(explains_what_was_typed),
	    SOCKET(knows_changes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
