/* test_policy_dns: what is wanted to be known of a client, and what is decided by it. */
#include "conf/policy.h"

#include "conf/access_file.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/domain_fake.h"

static struct fake fake;
static struct files files;

static struct reply_filter filters[1];
static struct config_dnslist dnsbls[] = {
    {.zone = (char[]){"warn.test"}, .action = CHECK_WARN},
    {.zone = (char[]){"bl.test"},
	.action = CHECK_REJECT,
	.replies = filters,
	.nreplies = 1,
	.text = (char[]){"%c 100%% bad, says %z"}},
    {.zone = (char[]){"off.test"}, .action = CHECK_OFF},
};
static struct config_dnslist dnswls[] = {{.zone = (char[]){"wl.test"}}};

static int
setup(void **state)
{
	struct config *c = &fake.config;

	(void)state;
	fake_init(&fake);
	files_init(&files);
	fake_domain(&fake, "a.test", "alice:x\n", "", "");
	assert_int_equal(reply_filter_parse(span_str("127.0.0.2..11"), &filters[0]), 0);
	assert_int_equal(netblock_parse(span_str("192.0.2.0/24"),
			     c->relay_from.v = xcalloc(1, sizeof *c->relay_from.v)),
	    0);
	c->relay_from.n = 1;
	c->relay_domains.v = xcalloc(1, sizeof(char *));
	c->relay_domains.v[0] = xstrdup("backup.test");
	c->relay_domains.n = 1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	access_file_free(&fake.env.senders);
	files_release(&files);
	fake_release(&fake);
	return 0;
}

static void
set_checks(enum config_check check)
{
	struct config *c = &fake.config;

	c->client_name = c->helo_name = c->helo_resolves = c->helo_ours = c->sender_domain =
	    check;
	c->dnsbls = check == CHECK_OFF ? NULL : dnsbls;
	c->ndnsbls = check == CHECK_OFF ? 0 : 3;
	c->dnswls = check == CHECK_OFF ? NULL : dnswls;
	c->ndnswls = check == CHECK_OFF ? 0 : 1;
}

static void
set_table(const char *text)
{
	access_file_free(&fake.env.senders);
	files_write(&files, "access", span_str(text));
	fake.env.senders = access_file_new(files_path(&files, "access"), FIXTURE_UID);
	assert_non_null(access_file_table(fake.env.senders));
}

struct row {
	const char *client, *helo, *from, *rcpt;
	const char *facts; /* lines */
	const char *want;  /* code, status, rule; and the rules that warn */
};

static void
fill(const struct row *r, struct policy_client *client, struct facts *known,
    struct address *from, struct address *rcpt)
{
	struct span facts = span_str(r->facts != NULL ? r->facts : "");

	*client = (struct policy_client){
	    .helo = span_str(r->helo != NULL ? r->helo : "c.test"), .facts = known};
	assert_int_equal(netaddr_parse(span_str(r->client != NULL ? r->client : "203.0.113.5"),
			     &client->address),
	    0);
	assert_int_equal(address_parse(span_str(r->from != NULL ? r->from : "s@else.test"),
			     ADDRESS_ALLOW_EMPTY, from, NULL),
	    0);
	assert_int_equal(address_parse(span_str(r->rcpt != NULL ? r->rcpt : "alice@a.test"),
			     ADDRESS_POSTMASTER, rcpt, NULL),
	    0);
	while (facts.len > 0) {
		struct fact f;

		assert_int_equal(fact_parse(span_cut(&facts, '\n'), &f), 0);
		facts_set(known, &f);
	}
}

static void
decide(const struct row *r, char *got, size_t size)
{
	struct facts known = {.n = 0};
	struct policy_client client;
	struct address from, rcpt;
	struct policy_answer a;
	size_t n;

	fill(r, &client, &known, &from, &rcpt);
	policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
	n = (size_t)snprintf(got, size, "%d %s %s", a.verdict.code, a.verdict.status, a.rule);
	for (unsigned i = 0; i < a.nwarnings; i++)
		n += (size_t)snprintf(got + n, size - n, " %s", a.warnings[i].rule);
	facts_release(&known);
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char got[200];

		decide(&rows[i], got, sizeof got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu (%s): got %s, want %s", i,
			    rows[i].facts != NULL ? rows[i].facts : "-", got, rows[i].want);
	}
}

#define HOSTED "250 2.1.5 hosted"

static const struct row rejected[] = {
    /* nothing is known: nothing is refused */
    {.want = HOSTED},
    {.facts = "ptr unknown -\nlist unknown bl.test\nhost unknown c.test\nexists unknown "
	      "else.test",
	.want = HOSTED},
    {.facts = "ptr temporary -\nlist temporary bl.test\nhost temporary c.test", .want = HOSTED},
    {.facts = "ptr confirmed x.test\nlist none bl.test\nhost client c.test\nexists exists "
	      "else.test",
	.want = HOSTED},
    /* lists: filters, one that warns, one that is off */
    {.facts = "list listed bl.test 127.0.0.2", .want = "554 5.7.1 dnsbl"},
    {.facts = "list listed bl.test 127.0.0.99 127.0.0.11", .want = "554 5.7.1 dnsbl"},
    {.facts = "list listed bl.test 127.0.0.99", .want = HOSTED},
    {.facts = "list listed warn.test 127.0.0.99", .want = HOSTED " dnsbl"},
    {.facts = "list listed warn.test 127.255.255.254", .want = HOSTED},
    {.facts = "list listed off.test 127.0.0.2", .want = HOSTED},
    {.facts = "list listed warn.test 127.0.0.2\nlist listed bl.test 127.0.0.2",
	.want = "554 5.7.1 dnsbl dnsbl"},
    {.facts = "list listed wl.test 127.0.0.2\nlist listed bl.test 127.0.0.2\nptr none -",
	.helo = "x",
	.want = HOSTED},
    /* names */
    {.facts = "ptr none -", .want = "550 5.7.25 client-name"},
    {.facts = "ptr unconfirmed x.test", .want = "550 5.7.25 client-name"},
    /* greetings */
    {.helo = "x", .want = "550 5.7.1 helo-name"},
    {.helo = "c_x.test", .want = "550 5.7.1 helo-name"},
    {.helo = "192.0.2.1", .want = "550 5.7.1 helo-name"},
    {.helo = "[203.0.113.5]", .want = HOSTED},
    {.helo = "[203.0.113.6]", .want = "550 5.7.1 helo-name"},
    {.helo = "[IPv6:2001:db8::1]", .client = "2001:db8::1", .want = HOSTED},
    {.helo = "[ipv6:2001:DB8:0::1]", .client = "2001:db8::1", .want = HOSTED},
    {.helo = "[IPv6:2001:db8::2]", .client = "2001:db8::1", .want = "550 5.7.1 helo-name"},
    {.helo = "[]", .want = "550 5.7.1 helo-name"},
    {.helo = "[", .want = "550 5.7.1 helo-name"},
    {.helo = "", .want = HOSTED},
    {.helo = "MX.Test", .want = "550 5.7.1 helo-ours"},
    {.helo = "a.test", .want = "550 5.7.1 helo-ours"},
    {.helo = "mail.a.test", .want = HOSTED},
    {.helo = "C.test", .facts = "host none c.test", .want = "550 5.7.1 helo-resolves"},
    {.facts = "host elsewhere c.test", .want = HOSTED},
    {.facts = "host none other.test", .want = HOSTED},
    /* senders */
    {.facts = "exists none else.test", .want = "550 5.1.8 sender-domain"},
    {.facts = "exists null-mx else.test", .want = "550 5.7.27 sender-domain"},
    {.facts = "exists temporary else.test", .want = "451 4.1.8 sender-domain"},
    {.facts = "exists none other.test", .want = HOSTED},
    {.from = "", .facts = "exists none else.test", .want = HOSTED},
    {.from = "x@a.test", .facts = "exists none a.test", .want = HOSTED},
    {.from = "x@backup.test", .facts = "exists none backup.test", .want = HOSTED},
    {.from = "x@[192.0.2.1]", .want = HOSTED},
    /* who is spared, and what stays refused */
    {.rcpt = "postmaster@a.test", .facts = "list listed bl.test 127.0.0.2", .want = HOSTED},
    {.rcpt = "PostMaster", .facts = "list listed bl.test 127.0.0.2", .want = HOSTED},
    {.rcpt = "nobody@a.test",
	.facts = "list listed bl.test 127.0.0.2",
	.want = "550 5.1.1 no-such-user"},
    {.rcpt = "x@evil.test",
	.facts = "list listed bl.test 127.0.0.2",
	.want = "550 5.7.1 relay-denied"},
    {.rcpt = "x@backup.test",
	.facts = "list listed bl.test 127.0.0.2",
	.want = "554 5.7.1 dnsbl"},
    {.client = "192.0.2.9",
	.helo = "x",
	.facts = "list listed bl.test 127.0.0.2\nptr none -",
	.want = HOSTED},
};

static void
refuses_strangers(void **state)
{
	(void)state;
	set_checks(CHECK_REJECT);
	check_rows(rejected, sizeof rejected / sizeof *rejected);
}

static void
warns_of_all_it_finds(void **state)
{
	static const struct row rows[] = {
	    {.helo = "x",
		.facts = "list listed warn.test 127.0.0.2\nptr none -\nexists temporary "
			 "else.test",
		.want = HOSTED " dnsbl client-name helo-name sender-domain"},
	    {.helo = "a.test",
		.facts = "host none a.test",
		.want = HOSTED " helo-ours helo-resolves"},
	    {.rcpt = "nobody@a.test", .facts = "ptr none -", .want = "550 5.1.1 no-such-user"},
	};
	static const struct row off[] = {
	    {.helo = "x",
		.facts = "list listed bl.test 127.0.0.2\nptr none -\nexists none else.test",
		.want = HOSTED},
	};

	(void)state;
	set_checks(CHECK_WARN);
	check_rows(rows, sizeof rows / sizeof *rows);
	set_checks(CHECK_OFF);
	check_rows(off, 1);
	set_checks(CHECK_OFF);
	fake.config.client_name = CHECK_LOOKUP;
	check_rows(off, 1);
}

static void
says_what_the_list_says(void **state)
{
	struct row r = {.facts = "list listed bl.test 127.0.0.2"};
	struct facts known = {.n = 0};
	struct policy_client client;
	struct address from, rcpt;
	struct policy_answer a;

	(void)state;
	set_checks(CHECK_REJECT);
	fill(&r, &client, &known, &from, &rcpt);
	policy_rcpt(&fake.env, &client, &from, &rcpt, NULL, &a);
	assert_string_equal(a.verdict.text, "203.0.113.5 100% bad, says bl.test");
	facts_release(&known);
}

static void
believes_the_access_table(void **state)
{
	static const struct row rows[] = {
	    {.client = "203.0.113.7", .helo = "x", .facts = "ptr none -", .want = HOSTED},
	    {.client = "203.0.113.8", .helo = "x", .facts = "ptr none -", .want = HOSTED},
	    {.facts = "ptr confirmed c.ok.test\nlist listed bl.test 127.0.0.2", .want = HOSTED},
	    {.facts = "ptr unconfirmed c.ok.test\nlist listed bl.test 127.0.0.2",
		.want = "554 5.7.1 dnsbl"},
	    {.from = "x@friend.test", .facts = "exists none friend.test", .want = HOSTED},
	    {.from = "x@friend.test", .facts = "ptr none -", .want = "550 5.7.25 client-name"},
	    {.rcpt = "alice@a.test", .from = "y@friend.test", .want = HOSTED},
	    {.facts = "ptr confirmed c.bad.test", .want = "550 5.7.1 access-table"},
	    {.facts = "ptr unconfirmed c.bad.test", .want = "550 5.7.1 access-table"},
	    {.client = "203.0.113.9",
		.facts = "ptr confirmed c.ok.test",
		.want = HOSTED}, /* the name before the address */
	    {.client = "203.0.113.9",
		.facts = "ptr unconfirmed c.ok.test",
		.want = "550 5.7.1 access-table"},
	    {.rcpt = "x@far.test",
		.facts = "ptr confirmed c.relay.test",
		.want = "250 2.1.5 access-table"},
	    {.rcpt = "x@far.test",
		.facts = "ptr unconfirmed c.relay.test",
		.want = "550 5.7.1 relay-denied"},
	    {.rcpt = "x@far.test", .facts = "ptr none -", .want = "550 5.7.1 relay-denied"},
	    {.rcpt = "x@far.test", .facts = "ptr temporary -", .want = "451 4.7.1 client-name"},
	    {.rcpt = "x@far.test", .facts = "ptr unknown -", .want = "451 4.7.1 client-name"},
	};
	struct policy_client client = {.role = LISTENER_MX};
	struct policy_answer a;

	(void)state;
	set_checks(CHECK_REJECT);
	set_table(
	    "Connect:203.0.113.7 OK\nConnect:203.0.113.8 RELAY\nConnect:203.0.113.9 REJECT\n"
	    "ok.test OK\nbad.test REJECT\nConnect:relay.test RELAY\nFrom:friend.test OK\n");
	check_rows(rows, sizeof rows / sizeof *rows);
	/* The address alone does not send away whom a name may spare; without such names it does. */
	assert_int_equal(netaddr_parse(span_str("203.0.113.9"), &client.address), 0);
	policy_connect(&fake.env, &client, NULL, &a);
	assert_int_equal(a.verdict.kind, VERDICT_OK);
	set_table("Connect:203.0.113.9 REJECT\nbad.test REJECT\nTo:ok.test OK\n");
	policy_connect(&fake.env, &client, NULL, &a);
	assert_int_equal(a.verdict.code, 554);
}

/* --- wants --- */

static void
add_want(enum fact_kind kind, const char *name, void *arg)
{
	struct buf *b = arg;

	buf_addf(b, "%s %s,", fact_kind_name(kind), name);
}

static void
check_wants(const struct row *r, bool with_sender, enum listener_role role, const char *want)
{
	struct facts known = {.n = 0};
	struct policy_client client;
	struct address from, rcpt;
	struct buf got;

	buf_init(&got, 4096);
	fill(r, &client, &known, &from, &rcpt);
	client.role = role;
	if (role != LISTENER_MX)
		client.auth = span_str("alice@a.test");
	policy_wants(&fake.env, &client, with_sender ? &from : NULL, add_want, &got);
	assert_string_equal(buf_str(&got), want);
	buf_release(&got);
	facts_release(&known);
}

static void
wants_what_it_needs(void **state)
{
	const struct row stranger = {.client = NULL};
	const struct row known = {.facts =
				      "ptr none -\nlist none bl.test\nlist none warn.test\n"
				      "list unknown wl.test\nhost none c.test\nexists none "
				      "else.test"};
	const struct row ours = {.client = "192.0.2.1"};
	const struct row literal = {.helo = "[203.0.113.5]", .from = "x@a.test"};

	(void)state;
	set_checks(CHECK_OFF);
	check_wants(&stranger, true, LISTENER_MX, "");
	fake.config.client_name = CHECK_LOOKUP;
	check_wants(&stranger, true, LISTENER_MX, "ptr -,");
	check_wants(&ours, true, LISTENER_MX, "ptr -,");
	set_checks(CHECK_WARN);
	check_wants(
	    &stranger, false, LISTENER_MX, "ptr -,list warn.test,list bl.test,list wl.test,");
	check_wants(&stranger, true, LISTENER_MX,
	    "ptr -,list warn.test,list bl.test,list wl.test,host c.test,exists else.test,");
	check_wants(&known, true, LISTENER_MX, "");
	check_wants(&ours, true, LISTENER_MX, "ptr -,");
	check_wants(
	    &literal, true, LISTENER_MX, "ptr -,list warn.test,list bl.test,list wl.test,");
	check_wants(&stranger, true, LISTENER_SUBMISSION, "ptr -,");
	check_wants(&stranger, true, LISTENER_SUBMIT, "");
	set_checks(CHECK_OFF);
	set_table("Connect:203.0.113.7 OK\nFrom:friend.test OK\nTo:x.test REJECT\n<> REJECT\n");
	check_wants(&stranger, true, LISTENER_MX, "");
	set_table("friend.test REJECT\n");
	check_wants(&stranger, false, LISTENER_MX, "ptr -,");
	set_table("Connect:friend.test RELAY\n");
	check_wants(&stranger, false, LISTENER_MX, "ptr -,");
	check_wants(&stranger, false, LISTENER_SUBMIT, "");
}

/* How often the recipient's domain was asked for. */
static unsigned finds;
static struct resolve_source plain;

static enum lookup
find_and_count(void *arg, struct span name, struct domain **d, struct buf *why)
{
	finds += span_is(name, "a.test");
	return plain.find(arg, name, d, why);
}

/* The line about a recipient is looked up once, and with it what separates a subaddress in the domain. */
static void
looks_a_recipient_up_once(void **state)
{
	static const struct row row = {.rcpt = "alice+x@a.test"};
	unsigned without;
	char got[200];

	(void)state;
	plain = fake.env.source;
	fake.env.source.find = find_and_count;
	set_checks(CHECK_WARN);
	finds = 0;
	decide(&row, got, sizeof got);
	without = finds;
	set_table("To:else@a.test REJECT\n");
	finds = 0;
	decide(&row, got, sizeof got);
	assert_string_equal(got, HOSTED);
	assert_int_equal(finds, without + 1);
	set_table("To:alice@a.test DISCARD\n");
	finds = 0;
	decide(&row, got, sizeof got);
	assert_string_equal(got, "250 2.1.5 access-table");
	assert_int_equal(finds, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(refuses_strangers, setup, teardown),
	    cmocka_unit_test_setup_teardown(warns_of_all_it_finds, setup, teardown),
	    cmocka_unit_test_setup_teardown(says_what_the_list_says, setup, teardown),
	    cmocka_unit_test_setup_teardown(believes_the_access_table, setup, teardown),
	    cmocka_unit_test_setup_teardown(wants_what_it_needs, setup, teardown),
	    cmocka_unit_test_setup_teardown(looks_a_recipient_up_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
