/* test_policy_limits: whom which limit stops, what it says, and what counts. */
#include "conf/policy_limits.h"

#include "tests/unit/domain_fake.h"

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)

static struct fake fake;

static int
setup(void **state)
{
	(void)state;
	fake_init(&fake);
	fake_domain(&fake, "a.test", "alice:x\nbob:x\n", "",
	    "message-rate = 3/hour\nrecipient-rate = 6/hour\n");
	fake_domain(&fake, "b.test", "carl:x\n", "", "");
	fake.aliases[0].alias = "alias.test";
	fake.aliases[0].name = "a.test";
	fake.naliases = 1;
	fake.env.counts = policy_counts_new();
	fake.env.now_ms = 50 * HOUR;
	fake.config.relay_from.v = xcalloc(1, sizeof *fake.config.relay_from.v);
	fake.config.relay_from.n = 1;
	assert_int_equal(
	    netblock_parse(span_str("10.0.0.0/8"), &fake.config.relay_from.v[0]), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	policy_counts_free(&fake.env.counts);
	fake_release(&fake);
	return 0;
}

static void
set_rate(enum config_rate which, uint32_t count, uint64_t period)
{
	fake.config.rates[which] = (struct units_rate){count, period};
}

static struct policy_client
client_at(const char *address, const char *auth)
{
	struct policy_client c = {.role = LISTENER_MX, .auth = span_str(auth)};

	if (auth[0] != '\0')
		c.role = LISTENER_SUBMISSION;
	assert_int_equal(netaddr_parse(span_str(address), &c.address), 0);
	return c;
}

/* Who need not be asked is asked here all the same: everybody is let in, and nothing counts. */
static void
an_open_configuration_needs_no_question(void **state)
{
	static const enum config_rate rates[] = {RATE_CONNECTION_CLIENT,
	    RATE_CONNECTION_NETWORK, RATE_COMMAND_CLIENT, RATE_COMMAND_NETWORK};
	static const enum config_rate others[] = {RATE_MESSAGE_CLIENT, RATE_RECIPIENT_CLIENT,
	    RATE_MESSAGE_ACCOUNT, RATE_MESSAGE_DOMAIN};
	enum config_check *checks[] = {&fake.config.client_name, &fake.config.helo_name,
	    &fake.config.helo_resolves, &fake.config.helo_ours, &fake.config.sender_domain};
	struct config_dnslist list = {.zone = (char[]){"bl.test"}, .action = CHECK_WARN};
	struct policy_client client = client_at("192.0.2.1", "");
	struct policy_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		set_rate(others[i], 1, HOUR);
	assert_true(policy_connect_is_open(&fake.config));
	for (int i = 0; i < 3; i++) {
		policy_connect(&fake.env, &client, NULL, &a);
		assert_int_equal(a.verdict.kind, VERDICT_OK);
		assert_false(a.count);
		policy_count_connection(&fake.env, &client);
	}
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		set_rate(rates[i], 1, HOUR);
		assert_false(policy_connect_is_open(&fake.config));
		set_rate(rates[i], 0, 0);
	}
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		*checks[i] = CHECK_WARN;
		assert_false(policy_connect_is_open(&fake.config));
		*checks[i] = CHECK_OFF;
	}
	fake.config.client_name = CHECK_LOOKUP;
	assert_false(policy_connect_is_open(&fake.config));
	fake.config.client_name = CHECK_OFF;
	fake.config.dnsbls = &list;
	fake.config.ndnsbls = 1;
	assert_false(policy_connect_is_open(&fake.config));
	fake.config.ndnsbls = 0;
	fake.config.dnsbls = NULL;
	fake.config.access_table = (char[]){"access"};
	assert_false(policy_connect_is_open(&fake.config));
	fake.config.access_table = NULL;
	assert_true(policy_connect_is_open(&fake.config));
}

/* "4.7.1 rule", or "rule" of what is not refused. */
static const char *
told(const struct policy_answer *a)
{
	static char text[128];

	snprintf(text, sizeof text, "%s%s%s", a->limit ? a->verdict.status : "",
	    a->limit ? " " : "", a->limit ? a->rule : "-");
	return text;
}

static const char *
connect_from(const char *address)
{
	struct policy_client c = client_at(address, "");
	struct policy_answer a;

	policy_connect(&fake.env, &c, NULL, &a);
	assert_int_equal(a.limit, a.verdict.kind != VERDICT_OK);
	if (!a.limit)
		policy_count_connection(&fake.env, &c);
	else
		assert_int_equal(a.verdict.code, 421);
	return told(&a);
}

/* A whole message to so many; the answer that stopped it, or "-". */
static const char *
send_as(struct policy_client c, const char *sender, uint32_t recipients)
{
	struct policy_answer a;
	struct address from = {.len = 0}, rcpt;
	bool counted;

	if (sender[0] != '\0')
		assert_int_equal(address_parse(span_str(sender), 0, &from, NULL), 0);
	assert_int_equal(address_parse(span_str("bob@a.test"), 0, &rcpt, NULL), 0);
	policy_mail(&fake.env, &c, &from, NULL, &a);
	if (a.verdict.kind != VERDICT_OK)
		return told(&a);
	counted = a.count;
	for (uint32_t i = 0; i < recipients; i++) {
		c.recipients = i;
		policy_rcpt(&fake.env, &c, &from, &rcpt, NULL, &a);
		if (a.verdict.kind != VERDICT_OK)
			return told(&a);
	}
	if (counted)
		policy_count_message(&fake.env, &c, &from, recipients);
	return "-";
}

static void
counts_connections(void **state)
{
	(void)state;
	set_rate(RATE_CONNECTION_CLIENT, 2, MINUTE);
	set_rate(RATE_CONNECTION_NETWORK, 3, MINUTE);
	assert_string_equal(connect_from("192.0.2.1"), "-");
	assert_string_equal(connect_from("192.0.2.1"), "-");
	assert_string_equal(connect_from("192.0.2.1"), "4.7.0 connection-rate-per-client");
	assert_string_equal(connect_from("192.0.2.2"), "-");
	assert_string_equal(connect_from("192.0.2.3"), "4.7.0 connection-rate-per-network");
	assert_string_equal(connect_from("192.0.3.1"), "-");
	/* Of IPv6 a client is a /64 */
	assert_string_equal(connect_from("2001:db8::1"), "-");
	assert_string_equal(connect_from("2001:db8::2"), "-");
	assert_string_equal(connect_from("2001:db8::3"), "4.7.0 connection-rate-per-client");
	assert_string_equal(connect_from("2001:db8:0:1::3"), "-");
	/* our own are not counted */
	for (int i = 0; i < 10; i++)
		assert_string_equal(connect_from("10.1.2.3"), "-");
	/* nor proxies, whose clients are */
	fake.config.xclient_from.v = xcalloc(1, sizeof *fake.config.xclient_from.v);
	fake.config.xclient_from.n = 1;
	assert_int_equal(
	    netblock_parse(span_str("192.0.2.1"), &fake.config.xclient_from.v[0]), 0);
	assert_string_equal(connect_from("192.0.2.1"), "-");
	assert_string_equal(connect_from("192.0.2.2"), "4.7.0 connection-rate-per-network");
	free(fake.config.xclient_from.v);
	fake.config.xclient_from.v = NULL;
	fake.config.xclient_from.n = 0;
	fake.env.now_ms += MINUTE + MINUTE / 12;
	assert_string_equal(connect_from("192.0.2.1"), "-");
}

static void
counts_commands(void **state)
{
	struct policy_client c = client_at("192.0.2.1", "");
	struct policy_answer a;

	(void)state;
	policy_connect(&fake.env, &c, NULL, &a);
	assert_false(a.count);
	set_rate(RATE_COMMAND_CLIENT, 10, MINUTE);
	policy_connect(&fake.env, &c, NULL, &a);
	assert_true(a.count);
	policy_count_commands(&fake.env, &c, 10);
	assert_string_equal(send_as(c, "x@far.test", 1), "-");
	assert_string_equal(connect_from("192.0.2.1"), "4.7.0 command-rate-per-client");
	policy_count_commands(&fake.env, &c, 1);
	assert_string_equal(send_as(c, "x@far.test", 1), "4.7.0 command-rate-per-client");
	assert_string_equal(connect_from("192.0.2.2"), "-");
	set_rate(RATE_COMMAND_NETWORK, 15, MINUTE);
	policy_count_commands(&fake.env, &c, 15);
	assert_string_equal(connect_from("192.0.2.2"), "4.7.0 command-rate-per-network");
	assert_string_equal(connect_from("192.0.3.2"), "-");
}

static void
counts_messages_and_recipients_apart(void **state)
{
	struct policy_client c = client_at("192.0.2.1", "carl@b.test");

	(void)state;
	set_rate(RATE_MESSAGE_ACCOUNT, 3, HOUR);
	set_rate(RATE_RECIPIENT_ACCOUNT, 5, HOUR);
	assert_string_equal(send_as(c, "carl@b.test", 6), "4.7.1 recipient-rate-per-account");
	assert_string_equal(send_as(c, "carl@b.test", 1), "-");
	assert_string_equal(send_as(c, "carl@b.test", 5), "4.7.1 recipient-rate-per-account");
	assert_string_equal(send_as(c, "carl@b.test", 1), "-");
	assert_string_equal(send_as(c, "carl@b.test", 3), "-");
	assert_string_equal(send_as(c, "carl@b.test", 1), "4.7.1 message-rate-per-account");
	/* whatever the address he comes from, and whatever he says who he is */
	assert_string_equal(send_as(client_at("192.0.2.9", "carl@b.test"), "carl@b.test", 1),
	    "4.7.1 message-rate-per-account");
	assert_string_equal(send_as(c, "", 1), "4.7.1 message-rate-per-account");
	fake.env.now_ms += HOUR + HOUR / 12;
	assert_string_equal(send_as(c, "carl@b.test", 5), "-");
	assert_string_equal(send_as(c, "carl@b.test", 1), "4.7.1 recipient-rate-per-account");
}

static void
counts_users_of_this_system(void **state)
{
	struct policy_client c = {.role = LISTENER_SUBMIT, .uid = 1000};

	(void)state;
	set_rate(RATE_MESSAGE_ACCOUNT, 1, HOUR);
	assert_string_equal(send_as(c, "me@far.test", 1), "-");
	assert_string_equal(send_as(c, "me@far.test", 1), "4.7.1 message-rate-per-account");
	assert_string_equal(send_as(c, "", 1), "4.7.1 message-rate-per-account");
	c.uid = 1001;
	assert_string_equal(send_as(c, "", 1), "-");
	assert_string_equal(send_as(c, "me@far.test", 1), "4.7.1 message-rate-per-account");
	/* our own reports, and not what somebody else has the queue manager submit */
	fake.env.queue_uid = c.uid = 1002;
	for (int i = 0; i < 3; i++)
		assert_string_equal(send_as(c, "", 1), "-");
	assert_string_equal(send_as(c, "me@far.test", 1), "-");
	assert_string_equal(send_as(c, "me@far.test", 1), "4.7.1 message-rate-per-account");
}

/* An account's mail with the null reverse-path is its domain's, of which strangers send none. */
static void
counts_null_senders(void **state)
{
	struct policy_client alice = client_at("192.0.2.1", "alice@a.test");

	(void)state;
	set_rate(RATE_MESSAGE_ACCOUNT, 2, HOUR);
	assert_string_equal(send_as(alice, "", 1), "-");
	assert_string_equal(send_as(alice, "alice@a.test", 1), "-");
	assert_string_equal(send_as(alice, "", 1), "4.7.1 message-rate-per-account");
	set_rate(RATE_MESSAGE_ACCOUNT, 100, HOUR);
	for (int i = 0; i < 3; i++)
		assert_string_equal(send_as(client_at("192.0.2.7", ""), "", 1), "-");
	assert_string_equal(send_as(alice, "", 1), "-");
	assert_string_equal(send_as(alice, "", 1), "4.7.1 message-rate");
	assert_string_equal(send_as(client_at("192.0.2.1", "bob@a.test"), "bob@a.test", 1),
	    "4.7.1 message-rate");
	assert_string_equal(send_as(client_at("192.0.2.1", "carl@b.test"), "", 1), "-");
}

static void
counts_clients(void **state)
{
	struct policy_client c = client_at("192.0.2.1", "");

	(void)state;
	set_rate(RATE_MESSAGE_CLIENT, 2, HOUR);
	set_rate(RATE_RECIPIENT_CLIENT, 4, HOUR);
	assert_string_equal(send_as(c, "x@far.test", 2), "-");
	assert_string_equal(send_as(c, "", 3), "4.7.1 recipient-rate-per-client");
	assert_string_equal(send_as(c, "", 2), "-");
	assert_string_equal(send_as(c, "y@far.test", 1), "4.7.1 message-rate-per-client");
	/* who has logged in is counted by name */
	assert_string_equal(
	    send_as(client_at("192.0.2.1", "carl@b.test"), "carl@b.test", 1), "-");
	assert_string_equal(send_as(client_at("10.0.0.1", ""), "y@far.test", 1), "-");
}

/* The owner's own limit and the administrator's, whichever is met first; strangers who pretend use nothing up. */
static void
counts_domains(void **state)
{
	struct policy_client alice = client_at("192.0.2.1", "alice@a.test");
	struct policy_client ours = client_at("10.0.0.1", "");

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_string_equal(
		    send_as(client_at("192.0.2.7", ""), "alice@a.test", 3), "-");
	assert_string_equal(send_as(alice, "alice@a.test", 1), "-");
	assert_string_equal(send_as(ours, "bob@alias.test", 1), "-");
	set_rate(RATE_MESSAGE_DOMAIN, 1, HOUR);
	assert_string_equal(send_as(alice, "alice@a.test", 1), "-");
	assert_string_equal(send_as(alice, "alice@a.test", 1), "4.7.1 message-rate-per-domain");
	set_rate(RATE_MESSAGE_DOMAIN, 100, HOUR);
	assert_string_equal(send_as(ours, "bob@a.test", 1), "4.7.1 message-rate");
	assert_string_equal(send_as(ours, "", 7), "-");
	fake.env.now_ms += 2 * HOUR;
	assert_string_equal(send_as(ours, "bob@a.test", 7), "4.7.1 recipient-rate");
	assert_string_equal(send_as(ours, "carl@b.test", 7), "-");
}

static void
names_the_limit(void **state)
{
	struct policy_client c = client_at("192.0.2.1", "carl@b.test");
	struct address from;
	struct policy_answer a;
	struct trace trace;

	(void)state;
	set_rate(RATE_MESSAGE_ACCOUNT, 2, HOUR);
	assert_string_equal(send_as(c, "carl@b.test", 1), "-");
	assert_string_equal(send_as(c, "carl@b.test", 1), "-");
	fake.env.now_ms += 30 * MINUTE;
	assert_int_equal(address_parse(span_str("carl@b.test"), 0, &from, NULL), 0);
	trace_init(&trace);
	policy_mail(&fake.env, &c, &from, &trace, &a);
	assert_string_equal(a.verdict.text, "Limit message-rate-per-account (2/hour): "
					    "carl@b.test has had 2 messages, try again "
					    "in 35 min");
	assert_int_equal(a.verdict.code, 450);
	assert_string_equal(trace.v[1].what, "message-rate-per-account");
	assert_string_equal(trace.v[1].where, "postrider.conf");
	assert_string_equal(trace.v[1].outcome, "2/hour: carl@b.test has had 2");
	trace_release(&trace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		an_open_configuration_needs_no_question, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_connections, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_commands, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		counts_messages_and_recipients_apart, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_users_of_this_system, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_null_senders, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_clients, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_domains, setup, teardown),
	    cmocka_unit_test_setup_teardown(names_the_limit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
