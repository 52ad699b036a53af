/* test_listener: who may connect, how many of them, and who they are. */
#include "smtpd/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <cmocka.h>

#include "common/log.h"
#include "tests/unit/smtpd_fake.h"

#define CLIENTS 16

struct bench {
	struct fake fake;
	struct listeners listeners;
	struct sockaddr_storage address;
	socklen_t address_len;
	int clients[CLIENTS];
};

static void
on_session_end(const struct session *s, void *arg)
{
	listeners_session_end(arg, s);
}

static void
bench_init(struct bench *b, enum listener_role role)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(role == LISTENER_SUBMIT ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

	memset(b, 0, sizeof *b);
	fake_init(&b->fake);
	b->address_len = sizeof b->address;
	/* An address that begins with NUL stands in no file system (unix(7)). */
	if (role == LISTENER_SUBMIT)
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&(struct sockaddr_un){.sun_family = AF_UNIX},
			sizeof(sa_family_t)),
		    0);
	else
		assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&b->address, &b->address_len), 0);
	assert_int_equal(listen(fd, CLIENTS), 0);
	listeners_init(&b->listeners, &b->fake.server);
	listeners_add(&b->listeners, span_str("one"), role, LISTENER_TLS_NONE, fd);
	b->fake.server.on_session_end = on_session_end;
	b->fake.server.arg = &b->listeners;
	for (int i = 0; i < CLIENTS; i++)
		b->clients[i] = -1;
}

static void
bench_release(struct bench *b)
{
	for (int i = 0; i < CLIENTS; i++)
		if (b->clients[i] >= 0)
			close(b->clients[i]);
	fake_run(&b->fake);
	assert_int_equal(b->fake.server.nsessions, 0);
	assert_int_equal(hash_count(&b->listeners.clients.clients), 0);
	listeners_release(&b->listeners);
	fake_release(&b->fake);
}

/* Connects client i and returns what it is greeted with: the first digit, or 0 for nothing. */
static char
greeting(struct bench *b, int i)
{
	char c = 0;

	b->clients[i] = socket(b->address.ss_family, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(b->clients[i], (struct sockaddr *)&b->address, b->address_len), 0);
	fake_run(&b->fake);
	fake_run(&b->fake);
	return recv(b->clients[i], &c, 1, MSG_DONTWAIT) == 1 ? c : '0';
}

static void
nothing_before_the_start(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	assert_int_equal(greeting(&b, 0), '0');
	listeners_start(&b.listeners, (uid_t)-1);
	fake_run(&b.fake);
	fake_run(&b.fake);
	assert_int_equal(b.fake.server.nsessions, 1);
	assert_string_equal(TAILQ_FIRST(&b.fake.server.sessions)->origin.text, "127.0.0.1");
	assert_int_equal(TAILQ_FIRST(&b.fake.server.sessions)->origin.uid, -1);
	bench_release(&b);
}

static void
limits_hold(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	b.fake.server.settings->connection_limit = 5;
	b.fake.server.settings->connection_limit_per_client = 3;
	listeners_start(&b.listeners, (uid_t)-1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(greeting(&b, i), '2');
	assert_int_equal(greeting(&b, 3), '4');
	b.fake.server.settings->connection_limit_per_client = 100;
	b.fake.server.settings->connection_limit_per_network = 3;
	assert_int_equal(greeting(&b, 8), '4');
	b.fake.server.settings->connection_limit_per_network = 100;
	assert_int_equal(greeting(&b, 4), '2');
	assert_int_equal(greeting(&b, 5), '2');
	assert_int_equal(greeting(&b, 6), '4');
	close(b.clients[0]);
	b.clients[0] = -1;
	fake_run(&b.fake);
	assert_int_equal(greeting(&b, 7), '2');
	assert_int_equal(b.fake.server.nsessions, 5);
	bench_release(&b);
}

/* Without a descriptor left accepting pauses, nothing spins, and it goes on when a session ends. */
static void
without_descriptors(void **state)
{
	struct rlimit old, low;
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	listeners_start(&b.listeners, (uid_t)-1);
	assert_int_equal(greeting(&b, 0), '2');
	b.clients[1] = socket(AF_INET, SOCK_STREAM, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)b.clients[1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(
	    connect(b.clients[1], (struct sockaddr *)&b.address, b.address_len), 0);
	fake_run(&b.fake);
	assert_int_equal(b.fake.server.nsessions, 1);
	assert_true(event_pending(b.listeners.resume, EV_TIMEOUT, NULL));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(b.clients[0]);
	b.clients[0] = -1;
	fake_run(&b.fake);
	fake_run(&b.fake);
	assert_false(event_pending(b.listeners.resume, EV_TIMEOUT, NULL));
	assert_int_equal(b.fake.server.nsessions, 1);
	bench_release(&b);
}

static void
local_users_are_known(void **state)
{
	const struct session_origin *o;
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_SUBMIT);
	listeners_start(&b.listeners, getuid() + 1);
	assert_int_equal(greeting(&b, 0), '2');
	o = &TAILQ_FIRST(&b.fake.server.sessions)->origin;
	assert_int_equal(o->uid, getuid());
	assert_int_equal(o->text[0], '\0');
	assert_false(o->queue_manager);
	b.listeners.queue_uid = getuid();
	assert_int_equal(greeting(&b, 1), '2');
	assert_true(TAILQ_LAST(&b.fake.server.sessions, server_sessions)->origin.queue_manager);
	assert_int_equal(client_count_get(&b.listeners.clients, o), 2);
	bench_release(&b);
}

static void
removed_and_stopped(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	listeners_start(&b.listeners, (uid_t)-1);
	listeners_remove(&b.listeners, span_str("another"));
	assert_int_equal(greeting(&b, 0), '2');
	listeners_remove(&b.listeners, span_str("one"));
	b.clients[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_not_equal(
	    connect(b.clients[1], (struct sockaddr *)&b.address, b.address_len), 0);
	bench_release(&b);
}

static void
clients_are_counted_by_network(void **state)
{
	static const struct {
		const char *a, *b;
		bool same, near;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", true, true},
	    {"192.0.2.1", "192.0.2.2", false, true},
	    {"192.0.2.1", "192.0.3.1", false, false},
	    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::", true, true},
	    {"2001:db8:1:2::1", "2001:db8:1:3::1", false, false},
	};
	struct client_count c;

	(void)state;
	client_count_init(&c);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct session_origin a = {.role = LISTENER_MX}, b = {.role = LISTENER_MX};

		assert_int_equal(netaddr_parse(span_str(rows[i].a), &a.client), 0);
		assert_int_equal(netaddr_parse(span_str(rows[i].b), &b.client), 0);
		assert_int_equal(client_count_enter(&c, &a, 1, 9), CLIENT_COUNTED);
		assert_int_equal(client_count_enter(&c, &b, 1, 9),
		    rows[i].same ? CLIENT_HAS_MOST : CLIENT_COUNTED);
		client_count_leave(&c, &a);
		if (!rows[i].same)
			client_count_leave(&c, &b);
		assert_int_equal(hash_count(&c.clients), 0);
		/* and by the network around them */
		assert_int_equal(client_count_enter(&c, &a, 9, 1), CLIENT_COUNTED);
		assert_int_equal(client_count_enter(&c, &b, 9, 1),
		    rows[i].near ? NETWORK_HAS_MOST : CLIENT_COUNTED);
		client_count_leave(&c, &a);
		if (!rows[i].near)
			client_count_leave(&c, &b);
		assert_int_equal(hash_count(&c.clients), 0);
		assert_int_equal(hash_count(&c.networks), 0);
	}
	client_count_release(&c);
}

/* Whom the listener's connections come from, once a PROXY header has said so. */
static void
bench_proxied(struct bench *b, const char *from)
{
	struct settings *set = b->fake.server.settings;

	free(set->proxied);
	set->proxied = xcalloc(1, sizeof *set->proxied);
	set->proxied[set->nproxied++] = xstrdup("one");
	free(set->proxy_from.v);
	set->proxy_from.v = xcalloc(1, sizeof *set->proxy_from.v);
	assert_int_equal(netblock_parse(span_str(from), &set->proxy_from.v[0]), 0);
	set->proxy_from.n = 1;
	listeners_start(&b->listeners, (uid_t)-1);
}

/* Sends in pieces of n octets; returns what comes back as greeting does, '!' if the connection is closed. */
static char
send_pieces(struct bench *b, int i, const char *text, size_t n)
{
	size_t len = strlen(text);
	char c = 0;
	ssize_t got;

	for (size_t at = 0; at < len; at += n) {
		if (send(b->clients[i], text + at, len - at < n ? len - at : n, MSG_NOSIGNAL) <
		    0)
			break;
		fake_run(&b->fake);
		fake_run(&b->fake);
	}
	got = recv(b->clients[i], &c, 1, MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno == ECONNRESET) ? '!' : got == 1 ? c : '0';
}

static void
proxies_name_clients(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\r\n";
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	b.fake.server.settings->connection_limit_per_client = 2;
	bench_proxied(&b, "127.0.0.0/8");
	/* Nothing is said before the header, and the limit is the client's. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(greeting(&b, i), '0');
		assert_int_equal(send_pieces(&b, i, header, i == 0 ? 100 : 1), '2');
	}
	assert_string_equal(TAILQ_FIRST(&b.fake.server.sessions)->origin.text, "192.0.2.7");
	assert_int_equal(TAILQ_FIRST(&b.fake.server.sessions)->origin.client.port, 12345);
	assert_int_equal(greeting(&b, 2), '0');
	assert_int_equal(send_pieces(&b, 2, header, 100), '4');
	assert_int_equal(greeting(&b, 3), '0');
	assert_int_equal(send_pieces(&b, 3, "PROXY UNKNOWN\r\n", 100), '2');
	assert_string_equal(
	    TAILQ_LAST(&b.fake.server.sessions, server_sessions)->origin.text, "0.0.0.0");
	assert_int_equal(greeting(&b, 4), '0');
	assert_int_equal(send_pieces(&b, 4, "EHLO c.test\r\n", 100), '!');
	/* Who waits counts among the connections, and goes when the listener goes. */
	b.fake.server.settings->connection_limit = 4;
	assert_int_equal(greeting(&b, 5), '0');
	assert_int_equal(greeting(&b, 6), '4');
	assert_int_equal(b.listeners.nproxied, 1);
	listeners_remove(&b.listeners, span_str("one"));
	assert_int_equal(b.listeners.nproxied, 0);
	assert_int_equal(send_pieces(&b, 5, "P", 1), '!');
	bench_release(&b);
}

static void
proxies_have_to_be_known(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, LISTENER_MX);
	bench_proxied(&b, "192.0.2.0/24");
	assert_int_equal(greeting(&b, 0), '0');
	assert_int_equal(send_pieces(&b, 0, "P", 1), '!');
	assert_int_equal(b.fake.server.nsessions, 0);
	assert_int_equal(b.fake.server.counts.refused, 1);
	bench_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_before_the_start),
	    cmocka_unit_test(limits_hold),
	    cmocka_unit_test(without_descriptors),
	    cmocka_unit_test(local_users_are_known),
	    cmocka_unit_test(removed_and_stopped),
	    cmocka_unit_test(clients_are_counted_by_network),
	    cmocka_unit_test(proxies_name_clients),
	    cmocka_unit_test(proxies_have_to_be_known),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
