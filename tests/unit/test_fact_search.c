/* test_fact_search: facts out of a name server's answers, and the socket that tells them. */
#include "deliver/fact_search.h"

#include "common/peer.h"
#include "deliver/fact_service.h"
#include "tests/unit/dns_server.h"
#include "tests/unit/sockets.h"

static const struct dns_row rows[] = {
    /* 192.0.2.1 is mail.test, 192.0.2.2 says so of itself, 192.0.2.3 has a second name that is true */
    {"1.2.0.192.in-addr.arpa", "PTR", "Mail.test"},
    {"mail.test", "A", "192.0.2.9"},
    {"mail.test", "A", "192.0.2.1"},
    {"2.2.0.192.in-addr.arpa", "PTR", "mail.test"},
    {"3.2.0.192.in-addr.arpa", "PTR", "gone.test"},
    {"3.2.0.192.in-addr.arpa", "PTR", "three.test"},
    {"three.test", "A", "192.0.2.3"},
    {"5.2.0.192.in-addr.arpa", "PTR", "a\nb.test"},
    {"6.2.0.192.in-addr.arpa", "PTR", "broken.test"},
    {"7.2.0.192.in-addr.arpa", "PTR", "SERVFAIL"},
    {"8.b.d.0.1.0.0.2.ip6.arpa", "PTR", "EMPTY"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR",
	"six.test"},
    {"six.test", "AAAA", "2001:db8::1"},
    {"broken.test", "A", "SERVFAIL"},
    {"1.2.0.192.bl.test", "A", "127.0.0.2"},
    {"1.2.0.192.bl.test", "A", "127.0.0.4"},
    {"2.2.0.192.bl.test", "A", "SERVFAIL"},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test", "A",
	"127.0.0.3"},
    {"mx.test", "MX", "mail.test"},
    {"null.test", "MX", "."},
    {"odd.test", "MX", "a b"},
    {"only6.test", "AAAA", "2001:db8::9"},
    {"empty.test", "TXT", "EMPTY"},
    {"silent.test", "A", "SILENCE"},
    {NULL, NULL, NULL},
};

struct row {
	const char *client, *want, *fact;
};

static const struct row searches[] = {
    {"192.0.2.1", "ptr -", "ptr confirmed mail.test"},
    {"192.0.2.2", "ptr -", "ptr unconfirmed mail.test"},
    {"192.0.2.3", "ptr -", "ptr confirmed three.test"},
    {"192.0.2.4", "ptr -", "ptr none -"},
    {"192.0.2.5", "ptr -", "ptr none -"}, /* a name that is none */
    {"192.0.2.6", "ptr -", "ptr temporary -"},
    {"192.0.2.7", "ptr -", "ptr temporary -"},
    {"2001:db8::1", "ptr -", "ptr confirmed six.test"},
    {"192.0.2.1", "list bl.test", "list listed bl.test 127.0.0.2 127.0.0.4"},
    {"192.0.2.2", "list bl.test", "list temporary bl.test"},
    {"192.0.2.3", "list bl.test", "list none bl.test"},
    {"2001:db8::1", "list bl.test", "list listed bl.test 127.0.0.3"},
    {"192.0.2.1", "host mail.test", "host client mail.test"},
    {"192.0.2.2", "host mail.test", "host elsewhere mail.test"},
    {"192.0.2.2", "host only6.test", "host elsewhere only6.test"},
    {"2001:db8::9", "host only6.test", "host client only6.test"},
    {"2001:db8::9", "host mail.test", "host elsewhere mail.test"},
    {"192.0.2.2", "host mx.test", "host none mx.test"},
    {"192.0.2.2", "host nowhere.test", "host none nowhere.test"},
    {"192.0.2.2", "host broken.test", "host temporary broken.test"},
    {"192.0.2.1", "exists mx.test", "exists exists mx.test"},
    {"192.0.2.1", "exists mail.test", "exists exists mail.test"},
    {"192.0.2.1", "exists only6.test", "exists exists only6.test"},
    {"192.0.2.1", "exists empty.test", "exists none empty.test"},
    {"192.0.2.1", "exists nowhere.test", "exists none nowhere.test"},
    {"192.0.2.1", "exists null.test", "exists null-mx null.test"},
    {"192.0.2.1", "exists odd.test", "exists none odd.test"},
    {"192.0.2.1", "exists broken.test", "exists temporary broken.test"},
};

struct world {
	struct event_base *base;
	struct dns_server server;
	struct dns *dns;
	int found;
};

static void
world_init(struct world *w)
{
	*w = (struct world){.base = event_base_new()};
	dns_server_init(&w->server, w->base, rows);
	w->dns = dns_new(w->base);
	assert_non_null(w->dns);
	assert_int_equal(dns_set_servers(w->dns, w->server.address), 0);
}

static void
world_release(struct world *w)
{
	dns_free(&w->dns);
	dns_server_release(&w->server);
	event_base_free(w->base);
}

static void
on_found(struct fact_search *s, void *arg)
{
	struct world *w = arg;

	(void)s;
	w->found++;
}

static void
finds_facts(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	/* Twice: from the server, and from what is remembered. */
	for (size_t i = 0; i < 2 * sizeof searches / sizeof *searches; i++) {
		const struct row *r = &searches[i % (sizeof searches / sizeof *searches)];
		struct fact_search s = {.nnames = 0};
		struct netaddr client;
		struct span name;
		struct buf b;
		char text[256];

		assert_int_equal(netaddr_parse(span_str(r->client), &client), 0);
		assert_int_equal(fact_want_parse(span_str(r->want), &s.fact.kind, &name), 0);
		snprintf(s.fact.name, sizeof s.fact.name, "%.*s", SPAN_ARG(name));
		w.found = 0;
		fact_search_start(&s, w.dns, &client, on_found, &w);
		assert_true(testing_run_until(w.base, &w.found, 1));
		buf_init(&b, FACT_TEXT_MAX);
		fact_format(&s.fact, &b);
		snprintf(text, sizeof text, "%s", buf_str(&b));
		buf_release(&b);
		/* a server's records come in the order of the table here */
		if (strcmp(text, r->fact) != 0)
			fail_msg("%s %s: got %s, want %s", r->client, r->want, text, r->fact);
		fact_search_release(&s);
	}
	world_release(&w);
}

static void
turns_addresses_round(void **state)
{
	char out[DOMAIN_MAX + 1], suffix[256];
	struct netaddr a;

	(void)state;
	assert_int_equal(netaddr_parse(span_str("192.0.2.1"), &a), 0);
	assert_int_equal(fact_search_reverse(&a, "x.test", out), 0);
	assert_string_equal(out, "1.2.0.192.x.test");
	snprintf(suffix, sizeof suffix, "%0240d", 1);
	assert_int_equal(fact_search_reverse(&a, suffix, out), 0);
	snprintf(suffix, sizeof suffix, "%0244d", 1);
	assert_int_equal(fact_search_reverse(&a, suffix, out), -1);
}

/* --- the socket --- */

struct asked {
	int answers;
	bool gone;
	char facts[2048];
};

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct asked *a = arg;
	size_t n = 0;

	a->answers++;
	a->gone = m == NULL;
	a->facts[0] = '\0';
	for (size_t i = 0; m != NULL && i < m->nfields; i++) {
		assert_true(span_is(m->fields[i].name, "fact"));
		n += (size_t)snprintf(
		    a->facts + n, sizeof a->facts - n, "%.*s\n", SPAN_ARG(m->fields[i].value));
	}
}

struct stage {
	struct world w;
	struct sockets sockets;
	struct fact_service *service;
	struct peer *peer;
};

static void
stage_init(struct stage *s)
{
	static const struct peer_ops ops = {0};

	world_init(&s->w);
	sockets_init(&s->sockets);
	s->service = fact_service_new(s->w.base, s->w.dns);
	fact_service_set_timeout(s->service, 200);
	fact_service_listen(s->service, sockets_listen(&s->sockets), "smtpd/dns", (uid_t)-1);
	s->peer = peer_new(s->w.base, s->sockets.path, "smtpd", &ops, s);
	while (!peer_is_up(s->peer))
		event_base_loop(s->w.base, EVLOOP_ONCE);
}

static void
stage_release(struct stage *s)
{
	peer_free(&s->peer);
	dns_free(&s->w.dns);
	fact_service_free(&s->service);
	world_release(&s->w);
	sockets_release(&s->sockets);
}

static void
ask(struct stage *s, const char *client, const char *const *wants, struct asked *a)
{
	struct wire_out w;

	*a = (struct asked){.answers = 0};
	wire_out_init(&w, "facts", peer_next_id(s->peer));
	wire_add_str(&w, "client", client);
	for (; *wants != NULL; wants++)
		wire_add_str(&w, "want", *wants);
	peer_call(s->peer, &w, 3000, on_answer, a);
	assert_true(testing_run_until(s->w.base, &a->answers, 1));
}

static void
tells_all_that_is_wanted(void **state)
{
	static const char *const wants[] = {
	    "ptr -", "list bl.test", "list wl.test", "host mail.test", "exists mx.test", NULL};
	static const char *const none[] = {NULL};
	struct stage s;
	struct asked a;

	(void)state;
	stage_init(&s);
	ask(&s, "192.0.2.1", wants, &a);
	assert_string_equal(a.facts,
	    "ptr confirmed mail.test\nlist listed bl.test 127.0.0.2 127.0.0.4\n"
	    "list none wl.test\nhost client mail.test\nexists exists mx.test\n");
	ask(&s, "192.0.2.1", none, &a);
	assert_false(a.gone);
	assert_string_equal(a.facts, "");
	stage_release(&s);
}

/* What takes too long is unknown, and the rest is told; a search may outlive who asked. */
static void
does_not_wait_for_ever(void **state)
{
	static const char *const wants[] = {"host silent.test", "list bl.test", NULL};
	struct stage s;
	struct asked a;
	uint64_t began = clock_mono_ms();

	(void)state;
	stage_init(&s);
	ask(&s, "192.0.2.3", wants, &a);
	assert_string_equal(a.facts, "host unknown silent.test\nlist none bl.test\n");
	assert_true(clock_mono_ms() - began < 1500);
	ask(&s, "192.0.2.3", wants, &a);
	assert_string_equal(a.facts, "host unknown silent.test\nlist none bl.test\n");
	stage_release(&s);
}

static void
drops_who_makes_no_sense(void **state)
{
	static const char *const bad[] = {"list Bad Zone", NULL};
	static const char *const good[] = {"list bl.test", NULL};
	struct stage s;
	struct asked a;

	(void)state;
	stage_init(&s);
	ask(&s, "192.0.2.1", bad, &a);
	assert_true(a.gone);
	while (!peer_is_up(s.peer))
		event_base_loop(s.w.base, EVLOOP_ONCE);
	ask(&s, "not an address", good, &a);
	assert_true(a.gone);
	while (!peer_is_up(s.peer))
		event_base_loop(s.w.base, EVLOOP_ONCE);
	ask(&s, "192.0.2.3", good, &a);
	assert_string_equal(a.facts, "list none bl.test\n");
	stage_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_facts),
	    cmocka_unit_test(turns_addresses_round),
	    cmocka_unit_test(tells_all_that_is_wanted),
	    cmocka_unit_test(does_not_wait_for_ever),
	    cmocka_unit_test(drops_who_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
