/* test_config: postrider.conf, from text to struct, with everything that can be wrong in it. */
#include "conf/config.h"

#include <limits.h>

#include "conf/config_keys.h"
#include "conf/config_parse.h"
#include "tests/unit/config_fixture.h"

static void
has_a_worker_for_two_processors(void **state)
{
	static const struct {
		long processors;
		uint32_t want;
	} rows[] = {{-1, 1}, {0, 1}, {1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 32},
	    {127, 64}, {128, 64}, {129, 64}, {LONG_MAX, 64}, {LONG_MIN, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(config_default_workers(rows[i].processors), rows[i].want);
}

static void
fills_defaults(void **state)
{
	struct config *c = load("hostname = \"MX.Example.NET\"\n");

	(void)state;
	complaints_print(&errors);
	assert_non_null(c);
	assert_string_equal(c->hostname, "mx.example.net");
	assert_int_equal(c->nlisteners, 2);
	assert_string_equal(c->listeners[0].address, "0.0.0.0:25");
	assert_string_equal(c->listeners[1].address, "[::]:25");
	assert_int_equal(c->listeners[0].role, LISTENER_MX);
	assert_int_equal(c->listeners[0].tls, LISTENER_TLS_NONE);
	assert_true(c->message_size_limit == 50 << 20);
	assert_true(c->segment_size == 16 << 20);
	assert_int_equal(c->recipient_limit, 1000);
	assert_int_equal(c->error_limit, 10);
	assert_int_equal(c->hop_limit, 50);
	assert_int_equal(c->command_line_limit, 2048);
	assert_int_equal(c->idle_timeout, 300000);
	assert_int_equal(c->greeting_delay, 0);
	assert_int_equal(c->queue_lifetime, 5 * 86400000);
	assert_int_equal(c->nretry, 7);
	assert_int_equal(c->retry[0], 300000);
	assert_int_equal(c->retry[6], 4 * 3600000);
	assert_int_equal(c->remote_port, 25);
	assert_false(c->allow_loopback_destinations);
	assert_int_equal(c->workers, config_default_workers(sysconf(_SC_NPROCESSORS_ONLN)));
	assert_null(c->smarthost);
	assert_null(c->postmaster);
	assert_int_equal(c->relay_from.n, 0);
	config_free(&c);
	assert_null(c);
}

static void
takes_values(void **state)
{
	struct config *c = load("hostname = mx.test # unquoted\n"
				"listen \"127.0.0.1:2525\" { }\n"
				"listen \"[::1]:2525\" { role = mx\n  tls = none }\n"
				"relay-from = { \"192.0.2.0/24\", // a comment\n  \"::1\" }\n"
				"relay-domains = \"Example.ORG\"\n"
				"relay-domains += { \".b\xc3\xbc"
				"cher.test\" }\n"
				"smarthost = \"[192.0.2.9]:587\"\n"
				"resolver = { \"127.0.0.1:5353\", \"192.0.2.53\" }\n"
				"postmaster = \"Root@Example.NET\"\n"
				"message-size-limit = 35M  idle-timeout = 90s\n"
				"greeting-delay = 200ms /* and\nmore */ retry = { 1s, 2m }\n"
				"allow-loopback-destinations = yes\n"
				"double-bounce = postmaster\n"
				"header-checks-unfinished = refuse\n"
				"log-level = \"debug\"\n");

	(void)state;
	complaints_print(&errors);
	assert_non_null(c);
	assert_int_equal(c->nlisteners, 2);
	assert_string_equal(c->listeners[1].address, "[::1]:2525");
	assert_int_equal(c->listeners[1].addr.port, 2525);
	assert_int_equal(c->relay_from.n, 2);
	assert_int_equal(c->relay_from.v[0].bits, 24);
	assert_int_equal(c->relay_from.v[1].bits, 128);
	assert_int_equal(c->relay_domains.n, 2);
	assert_string_equal(c->relay_domains.v[0], ".xn--bcher-kva.test");
	assert_string_equal(c->relay_domains.v[1], "example.org");
	assert_string_equal(c->smarthost, "[192.0.2.9]:587");
	assert_string_equal(c->resolver.v[0], "127.0.0.1:5353");
	assert_string_equal(c->resolver.v[1], "192.0.2.53:53");
	assert_string_equal(c->postmaster, "Root@example.net");
	assert_true(c->message_size_limit == 35 << 20);
	assert_int_equal(c->idle_timeout, 90000);
	assert_int_equal(c->greeting_delay, 200);
	assert_int_equal(c->nretry, 2);
	assert_true(c->allow_loopback_destinations);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->double_bounce, DOUBLE_BOUNCE_POSTMASTER);
	assert_int_equal(c->header_unfinished, HEADER_UNFINISHED_REFUSE);
	config_free(&c);
}

static void
writes_smarthost_as_destination(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
	    {"relay.test:587", "[relay.test]:587"},
	    {"RELAY.Test:25", "[relay.test]:25"},
	    {"192.0.2.1:25", "[192.0.2.1]:25"},
	    {"[192.0.2.1]:25", "[192.0.2.1]:25"},
	    {"[2001:db8::1]:2525", "[2001:db8::1]:2525"},
	    {"[relay.test]:25", "[relay.test]:25"},
	    {"relay.test", NULL},
	    {"relay.test:0", NULL},
	    {"relay.test:65536", NULL},
	    {"2001:db8::1:25", NULL},
	    {":25", NULL},
	    {"[]:25", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[100];
		struct config *c;

		snprintf(
		    text, sizeof text, "hostname = a.test\nsmarthost = \"%s\"\n", rows[i].in);
		c = load(text);
		check_row(rows[i].in, (c != NULL) == (rows[i].want != NULL));
		if (c != NULL)
			check_row(rows[i].in, strcmp(c->smarthost, rows[i].want) == 0);
		config_free(&c);
	}
}

static void
reports_each_error(void **state)
{
	static const struct config_row rows[] = {
	    {"hostnam = x", ":4:", "did you mean hostname?"},
	    {"frobnicate = x", ":4:", "unknown key frobnicate"},
	    {"quota = 1G", ":4:", "quota belongs into etc/domain.conf"},
	    {"message-rate = 10/hour", ":4:", "message-rate belongs into etc/domain.conf"},
	    {"listen \"127.0.0.1:25\" { catch-all = bob }",
		":4:", "catch-all belongs into etc/domain.conf"},
	    {"frobnicate { a = 1 { } }", ":4:", "unknown key frobnicate"},
	    {"frobnicate \"t\" { a = 1 }", ":4:", "unknown key frobnicate"},
	    {"frobnicate = { a, b }", ":4:", "unknown key frobnicate"},
	    {"role = mx", ":4:", "role belongs into listen { }"},
	    {"listen \"127.0.0.1:25\" { hostname = x }", ":4:", "does not belong into listen"},
	    {"listen \"127.0.0.1:25\" { rolle = mx }", ":4:", "did you mean role?"},
	    {"domains = /tmp", ":4:", "given twice, first on line 1"},
	    {"users { }", ":4:", "given twice, first on line 3"},
	    {"listen \"127.0.0.1:25\" { }\nlisten \"127.0.0.1:25\" { }", ":5:", "given twice"},
	    {"listen \"127.0.0.1:25\" { }\nlisten 127.0.0.1:25 { }", ":5:", "given twice"},
	    {"listen \"[::1]:25\" { }\nlisten \"[0::1]:25\" { }",
		":5:", "same address as on line 4"},
	    {"listen { }", ":4:", "expected a name between double quotes"},
	    {"listen \"127.0.0.1\" { }", ":4:", "expected address:port"},
	    {"listen \"127.0.0.1:25\" { role = mxx }", ":4:", "expected mx or submission"},
	    {"listen \"127.0.0.1:25\" { tls = maybe }",
		":4:", "expected starttls, implicit or none"},
	    {"listen \"127.0.0.1:25\" { role = submission }",
		":4:", "role = submission without TLS"},
	    {"listen \"127.0.0.1:25\" { role = submission\ntls = none }\n"
	     "tls { certificate = \"/nonexistent\" }",
		":4:", "tls = none, and so without logins: expected tls = starttls"},
	    {"idle-timeout = 5", ":4:", "expected a duration"},
	    {"idle-timeout = 5 s", ":4:", "expected a duration"},
	    {"greeting-delay = -1", ":4:", "expected a duration"},
	    {"greeting-delay = 6m", ":4:", "expected from 0 to 5m"},
	    {"recipient-limit = 1e99", ":4:", "expected a whole number"},
	    {"recipient-limit = 99999999999999999999", ":4:", "expected a whole number"},
	    {"recipient-limit = 0", ":4:", "expected from 100 to 10000"},
	    {"message-size-limit = 10X", ":4:", "expected a size"},
	    {"message-size-limit = 99999999T", ":4:", "expected a size"},
	    {"hop-limit =", ":4:", "expected a value after hop-limit ="},
	    {"hop-limit 3", ":4:", "expected = after the key"},
	    {"hop-limit = { 3 }", ":4:", "expected one value"},
	    {"hop-limit += 3", ":4:", "expected = after the key"},
	    {"hop-limit = \"3", ":4:", "string is not closed"},
	    {"hop-limit = \"${HOME}\"", ":4:", "not replaced"},
	    {"hop-limit = ${HOME}", ":4:", "unexpected $"},
	    {"postmaster = \"a\\tb@c\"", ":4:", "after the \\ in a string"},
	    {"/* comment", ":4:", "comment is not closed"},
	    {"}", ":4:", "expected a key, found }"},
	    {"= 3", ":4:", "expected a key, found ="},
	    {"\"hop-limit\" = 3", ":4:", "expected a key"},
	    {"relay-from = { \"192.0.2.0/24\" \"192.0.3.0/24\" }", ":4:", "a comma or }"},
	    {"relay-from = { \"192.0.2.0/24\"", ":4:", "not closed"},
	    {"relay-from = { \"192.0.2.0/33\" }", ":4:", "expected an address or a network"},
	    {"relay-from = { \"192.0.2.1/24\" }", ":4:", "expected an address or a network"},
	    {"relay-from = { \"0.0.0.0/0\" }", ":4:", "open relay"},
	    {"relay-domains = { a.test, A.TEST }", ":4:", "listed already on line 4"},
	    {"relay-domains = { \"b\xc3\xbc"
	     "cher.test\",\n xn--bcher-kva.test }",
		":5:", "listed already on line 4"},
	    {"relay-domains = { \"a..test\" }", ":4:", "expected a domain name"},
	    {"relay-domains = { \"[192.0.2.1]\" }", ":4:", "expected a domain name"},
	    {"resolver = \"dns.test:53\"", ":4:", "expected address:port"},
	    {"retry = { 5m, 10 }", ":4:", "expected durations"},
	    {"retry = 5m, 10m", ":4:", "expected braces around several values: retry = {"},
	    {"destination \"a.test\" { retry = 5m, 1h }", ":4:", "expected braces around"},
	    {"listen \"127.0.0.1:25\" { role = mx, tls = none }",
		":4:", "expected one value for role, and a blank"},
	    {"postmaster = root", ":4:", "expected an address"},
	    {"allow-loopback-destinations = maybe", ":4:", "expected yes or no"},
	    {"double-bounce = bounce", ":4:", "expected drop or postmaster"},
	    {"header-checks-unfinished = no", ":4:", "expected accept, hold or refuse"},
	    {"log-level = loud", ":4:", "expected debug, info or warn"},
	    {"system-call-filter = yes", ":4:", "expected enforce, log or off"},
	    {"tls { certificate = /nonexistent }",
		":4:", "has only one of certificate and key"},
	    {"smarthost = relay.test", ":4:", "expected host:port"},
	    {"smarthost = \"[relay.test]\"", ":4:", "expected host:port"},
	};

	(void)state;
	check_errors(rows, sizeof rows / sizeof *rows);
}

static void
reports_all_errors_at_once(void **state)
{
	struct config *c = load("hostnam = a\n"		   /* 4 */
				"hostname = mx.test\n"	   /* 5 */
				"idle-timeout = 5\n"	   /* 6 */
				"relay-from = { 1.2.3.4\n" /* 7: not closed */
				"hop-limit = \"x\n"	   /* 8: nor this */
				"error-limit = 0\n"	   /* 9 */
				"listen \"127.0.0.1:25\" { roll = mx  tls = x }\n" /* 10 */
				"error-limit = 3\n"	   /* 11: twice */
				"foo { bar = { 1 } }\n"	   /* 12 */
				"queue-lifetime = never"); /* 13 */
	static const char *const places[] = {
	    ":4:", ":6:", ":7:", ":8:", ":9:", ":10:", ":11:", ":12:", ":13:"};

	(void)state;
	assert_null(c);
	complaints_print(&errors);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		check_row(places[i], complaint_has(&errors, places[i], ""));
	assert_true(complaint_has(&errors, ":10:", "tls = x"));
	assert_true(complaint_has(&errors, ":10:", "did you mean role?"));
	assert_false(complaint_has(&errors, ":5:", ""));
	/* in the order of the lines */
	for (size_t i = 1; i < errors.n; i++)
		assert_true(errors.v[i - 1].line <= errors.v[i].line);
}

/* One slip gives one complaint: what stands behind it is read as if nothing had been. */
static void
goes_on_behind_an_error(void **state)
{
	static const char *const slips[] = {"foo = 1", "foo { a = { b } c { } }", "hop-limit",
	    "hop-limit =", "hop-limit = \"", "listen \"x\" { role = mx", "relay-from = { a, b",
	    "{ } }", "= =", "listen \"127.0.0.1:1\" {\n role = \"mx\n}"};

	(void)state;
	for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
		char *text = xasprintf("%s\nerror-limit = 0\n", slips[i]);

		assert_null(load(text));
		if (strstr(slips[i], "{ role = mx") != NULL)
			check_row(slips[i], complaint_has(&errors, "", "error-limit"));
		else
			check_row(slips[i], complaint_has(&errors, "", "error-limit = 0"));
		free(text);
	}
}

static void
survives_odd_octets(void **state)
{
	struct buf big;
	struct config *c;

	(void)state;
	assert_null(load_octets(LITERAL("hostname = \"a\0b.test\"\n")));
	assert_true(complaint_has(&errors, ":4:", "octet 0x00"));
	assert_null(load("hostname = \"\xff.test\"\n"));
	assert_true(complaint_has(&errors, ":4:", "octet 0xff"));
	assert_null(load("hostname = \"a\x01.test\"\n"));
	assert_true(complaint_has(&errors, ":4:", "octet 0x01"));
	assert_null(load("hostname = a.test\rhop-limit = 3\n"));
	assert_true(complaint_has(&errors, ":4:", "octet 0x0d"));

	c = load("hostname = a.test\r\nhop-limit = 7\r\n# comment\r\nlisten \"127.0.0.1:1\" { "
		 "}\r\n");
	complaints_print(&errors);
	assert_non_null(c);
	assert_int_equal(c->hop_limit, 7);
	config_free(&c);

	c = load("hostname = a.test\nhop-limit = 7");
	assert_non_null(c);
	assert_int_equal(c->hop_limit, 7);
	config_free(&c);

	buf_init(&big, 2 << 20);
	buf_add_str(&big, "hostname = a.test\nfoo = \"");
	for (size_t i = 0; i < 1 << 20; i++)
		buf_add_char(&big, 'x');
	buf_add_str(&big, "\"\nhop-limit = 0\n");
	assert_null(load_octets(buf_span(&big)));
	assert_true(complaint_has(&errors, ":5:", "unknown key foo"));
	assert_true(complaint_has(&errors, ":6:", "hop-limit"));
	while (big.len < (2 << 20))
		buf_add_char(&big, '\n');
	assert_null(load_octets(buf_span(&big)));
	assert_true(complaint_has(&errors, "", "larger than"));
	buf_release(&big);
}

/* A byte order mark at the beginning of the file is not text; only a real file can begin with one. */
static void
skips_a_byte_order_mark(void **state)
{
	struct buf b;
	struct config *c;

	(void)state;
	config_errors_release(&errors);
	buf_init(&b, 4096);
	buf_addf(&b,
	    "\xef\xbb\xbfhostname = a.test\ndomains = %s/virtual\nspool = %s/spool\n" USERS,
	    files.root, files.root);
	files_write(&files, "bom", buf_span(&b));
	assert_int_equal(chown(files_path(&files, "bom"), geteuid(), getegid()), 0);
	c = config_load(files_path(&files, "bom"), &errors);
	complaints_print(&errors);
	assert_non_null(c);
	config_free(&c);
	buf_release(&b);
}

static void
checks_what_is_named(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(mkdir(files_path(&files, "virtual/hosted.test"), 0755), 0);
	assert_null(load("hostname = a.test\nrelay-domains = { x.test, Hosted.TEST }\n"));
	assert_true(complaint_has(&errors, ":5:", "hosted.test is hosted here"));

	text = xasprintf("hostname = a.test\ntls { certificate = %s/conf key = %s/key }\n",
	    files.root, files.root);
	files_write(&files, "key", span_str("secret"));
	assert_int_equal(chown(files_path(&files, "key"), geteuid(), getegid()), 0);
	assert_null(load(text));
	assert_true(complaint_has(&errors, ":5:", "may be read by others"));
	assert_int_equal(chmod(files_path(&files, "key"), 0600), 0);
	assert_null(load(text));
	assert_false(complaint_has(&errors, ":5:", "may be read by others"));
	assert_true(complaint_has(&errors, ":5:", "holds no certificate"));
	free(text);

	assert_int_equal(chmod(files_path(&files, "virtual"), 0777), 0);
	assert_null(load("hostname = a.test\n"));
	assert_true(complaint_has(&errors, ":1:", "is writable by everybody"));
	assert_int_equal(chmod(files_path(&files, "virtual"), 0755), 0);
}

static struct config *
load_raw(const char *text)
{
	config_errors_release(&errors);
	files_write(&files, "raw", span_str(text));
	assert_int_equal(chown(files_path(&files, "raw"), geteuid(), getegid()), 0);
	return config_load(files_path(&files, "raw"), &errors);
}

static void
checks_directories(void **state)
{
	char *text;

	(void)state;
	assert_null(
	    load_raw("hostname = a.test\ndomains = /nonexistent\nspool = /nonexistent/a\n"));
	assert_true(complaint_has(&errors, ":2:", "does not exist"));
	assert_true(complaint_has(&errors, ":3:", "/nonexistent is no directory"));
	text = xasprintf(
	    "domains = %s/virtual\nspool = %s/virtual/spool\n", files.root, files.root);
	assert_null(load_raw(text));
	assert_true(complaint_has(&errors, ":2:", "neither above nor below"));
	free(text);
	assert_null(load_raw("domains = virtual\nspool = /a/../b\n"));
	assert_true(complaint_has(&errors, ":1:", "expected an absolute path"));
	assert_true(complaint_has(&errors, ":2:", "expected a path without .."));
	text = xasprintf("spool = /tmp/%078d\n", 1);
	assert_null(load_raw(text));
	assert_true(complaint_has(&errors, ":1:", "at most 80 octets"));
	free(text);
}

static void
refuses_a_file_others_write(void **state)
{
	struct config *c;

	(void)state;
	c = load("hostname = a.test\n");
	assert_non_null(c);
	config_free(&c);
	assert_int_equal(chmod(files_path(&files, "conf"), 0664), 0);
	assert_null(config_load(files_path(&files, "conf"), &errors));
	assert_true(complaint_has(&errors, "/conf: ", "is writable by its group"));
	config_errors_release(&errors);
	assert_int_equal(chmod(files_path(&files, "conf"), 0644), 0);
	assert_int_equal(link(files_path(&files, "conf"), files_path(&files, "conf2")), 0);
	assert_null(config_load(files_path(&files, "conf"), &errors));
	assert_true(complaint_has(&errors, "/conf: ", "hard links"));
	assert_int_equal(unlink(files_path(&files, "conf2")), 0);
	config_errors_release(&errors);
	if (geteuid() == 0) {
		assert_int_equal(chown(files_path(&files, "conf"), 65001, 65001), 0);
		assert_null(config_load(files_path(&files, "conf"), &errors));
		assert_true(complaint_has(&errors, "/conf: ", "belongs to uid 65001"));
		config_errors_release(&errors);
	}
	assert_int_equal(mkfifo(files_path(&files, "fifo"), 0600), 0);
	assert_null(config_load(files_path(&files, "fifo"), &errors));
	assert_true(complaint_has(&errors, "/fifo: ", "is not a regular file"));
	config_errors_release(&errors);
	assert_null(config_load(files_path(&files, "none"), &errors));
	assert_true(complaint_has(&errors, "/none: ", "no such file"));
}

static void
checks_users_as_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_null(load_raw(
	    "users { smtpd = nobody-of-that-name queue = 0\n remote = 7 directory = 7 }\n"));
	assert_true(complaint_has(&errors, ":1:", "there is no user nobody-of-that-name"));
	assert_true(complaint_has(&errors, ":1:", "is root"));
	assert_true(complaint_has(&errors, ":2:", "are the same user"));
}

static void
travels_as_settings(void **state)
{
	struct config *c =
	    load("hostname = mx.test\n"
		 "listen \"[::1]:25\" { }\nlisten \"127.0.0.1:25\" { }\n"
		 "relay-from = { 10.0.0.0/8, \"2001:db8::/32\" }\nrelay-domains = { b.test, "
		 "a.test }\n"
		 "smarthost = h.test:25\nresolver = 192.0.2.1\nretry = { 0s, 1500ms }\n"
		 "postmaster = \"\\\"a b\\\"@c.test\"\nmessage-size-limit = 1000001\n"
		 "tls-x = 1\n");
	struct wire_fields fields = {NULL, 0};
	struct wire_out w, again;
	struct wire_msg m;
	struct config *copy;
	char *text;

	(void)state;
	assert_null(c);
	c = load("hostname = mx.test\n"
		 "listen \"[::1]:25\" { }\nlisten \"127.0.0.1:25\" { }\n"
		 "relay-from = { 10.0.0.0/8, \"2001:db8::/32\" }\nrelay-domains = { b.test, "
		 "a.test }\n"
		 "smarthost = h.test:25\nresolver = 192.0.2.1\nretry = { 1s, 1500ms }\n"
		 "postmaster = \"\\\"a b\\\"@c.test\"\nmessage-size-limit = 1000001\n"
		 "destination z.test { }\n"
		 "destination \".y.test\" { concurrency = 3 rate = 7/hour retry = { 1m, 90s }\n"
		 "lifetime = 36h }\nretry-status 4.7.1 { retry = { 11ms, 1h } }\n"
		 "retry-status unreachable { }\ndelay-warning = 0\n"
		 "message-rate-per-account = 100/hour\n"
		 "dnsbl z.test { replies = { 127.0.0.2..11, 127.0.1.2 } text = \"%c, "
		 "\\\"%z\\\"\" }\n"
		 "dnsbl y.test { action = off }\ndnswl z.test { replies = 127.0.0..9.1 }\n"
		 "client-name = lookup\nhelo-ours = warn\nsender-domain = reject\n");
	complaints_print(&errors);
	assert_non_null(c);
	wire_out_init(&w, "settings", 0);
	config_to_wire(c, &w);
	wire_add_str(&w, "process", "smtpd"); /* what is no key is left alone */
	text = xspandup(buf_span(&w.text));
	assert_int_equal(wire_parse(text, w.text.len, &fields, &m), 0);
	copy = config_from_wire(&m);
	assert_non_null(copy);
	assert_string_equal(copy->postmaster, "\"a b\"@c.test");
	assert_int_equal(copy->message_size_limit, 1000001);
	assert_int_equal(copy->retry[1], 1500);
	assert_int_equal(copy->relay_from.v[1].bits, 32);
	assert_int_equal(copy->nlisteners, 2);
	assert_int_equal(copy->ndestinations, 2);
	assert_string_equal(copy->destinations[0].name, ".y.test");
	assert_int_equal(copy->destinations[0].concurrency, 3);
	assert_int_equal(copy->destinations[0].rate.count, 7);
	assert_int_equal(copy->destinations[0].rate.period_ms, 3600000);
	assert_int_equal(copy->destinations[0].nretry, 2);
	assert_int_equal(copy->destinations[0].retry[1], 90000);
	assert_int_equal(copy->destinations[0].lifetime, 36 * 3600000);
	assert_int_equal(copy->destinations[1].concurrency, 0);
	assert_int_equal(copy->retry_statuses[0].retry[0], 11);
	assert_int_equal(copy->retry_statuses[1].nretry, 0);
	assert_int_equal(copy->rates[RATE_MESSAGE_ACCOUNT].count, 100);
	assert_int_equal(copy->rates[RATE_MESSAGE_ACCOUNT].period_ms, 3600000);
	assert_int_equal(copy->rates[RATE_MESSAGE_CLIENT].count, 0);
	wire_out_init(&again, "settings", 0);
	config_to_wire(copy, &again);
	wire_add_str(&again, "process", "smtpd");
	assert_string_equal(buf_str(&w.text), buf_str(&again.text));
	/* each field that must be there is missed */
	for (size_t i = 0; i < m.nfields; i++) {
		static const char *const may_lack[] = {"relay-from", "relay-domains",
		    "smarthost", "resolver", "postmaster", "process", "retry", "listen",
		    "destination", "listen.role", "listen.tls", "listen.proxy",
		    "destination.concurrency", "destination.rate", "destination.retry",
		    "destination.lifetime", "retry-status", "retry-status.retry",
		    "message-rate-per-account", "dnsbl", "dnswl", "dnsbl.action",
		    "dnsbl.replies", "dnsbl.text", "dnswl.replies"};
		struct wire_field kept = m.fields[i];
		bool optional = false;
		struct config *lacking;

		for (size_t j = 0; j < sizeof may_lack / sizeof *may_lack; j++)
			optional = optional || span_is(kept.name, may_lack[j]);
		m.fields[i].name = span_str("something-else");
		lacking = config_from_wire(&m);
		m.fields[i] = kept;
		if (!optional && lacking != NULL)
			fail_msg("settings without %.*s are taken", SPAN_ARG(kept.name));
		config_free(&lacking);
	}
	config_free(&copy);
	config_free(&c);
	wire_out_release(&w);
	wire_out_release(&again);
	wire_fields_release(&fields);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_a_worker_for_two_processors),
	    cmocka_unit_test_setup_teardown(fills_defaults, setup, teardown),
	    cmocka_unit_test_setup_teardown(takes_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(writes_smarthost_as_destination, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_each_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(reports_all_errors_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(goes_on_behind_an_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(survives_odd_octets, setup, teardown),
	    cmocka_unit_test_setup_teardown(skips_a_byte_order_mark, setup, teardown),
	    cmocka_unit_test_setup_teardown(checks_what_is_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(checks_directories, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_a_file_others_write, setup, teardown),
	    cmocka_unit_test_setup_teardown(checks_users_as_root, setup, teardown),
	    cmocka_unit_test_setup_teardown(travels_as_settings, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
