/*
 * test_session_tls: sessions that get TLS: what is forgotten, what is counted on, what came in clear and
 * is not read, how such a session ends, what TLS itself is made to work on; and every dialogue of dialogues.h inside TLS.
 */
#include "smtpd/session_tls.h"

#include "common/log.h"
#include "conf/fingerprint.h"
#include "smtpd/content.h"
#include "tests/unit/dialogues.h"
#include "tests/unit/testing.h"
#include "tests/unit/tls_fake.h"

#define STARTTLS "STARTTLS\\r\\n"

static struct certificate ec, ca, client_certificate;

/* A client of a server that has TLS. */
struct secure {
	struct client c;
	struct tls_fake source;
	struct tls *tls;
	SSL_CTX *ctx;
};

static void
secure_init(struct secure *s, bool prepared)
{
	memset(s, 0, sizeof *s);
	buf_init(&s->c.got, 1U << 20);
	fake_init(&s->c.fake);
	s->source.first = &ec;
	s->source.with_tickets = true;
	ticket_keys_make(s->source.tickets);
	s->tls = tls_new(s->c.fake.base, &tls_fake_ops, &s->source, fake_clock);
	assert_int_equal(tls_configure(s->tls, "mx.test",
			     &(struct tls_rules){
				 .ask_clients = true, .client_ca = buf_span(&ca.certificate)}),
	    0);
	s->c.fake.server.tls = s->tls;
	if (prepared) {
		tls_prepare(s->tls);
		tls_fake_answer(&s->source);
	}
}

static void
secure_connect(struct secure *s, enum listener_tls tls)
{
	struct session_origin from = {
	    .role = LISTENER_MX, .tls = tls, .uid = -1, .peer_uid = -1, .text = "192.0.2.7"};

	assert_int_equal(netaddr_parse(span_str(from.text), &from.client), 0);
	from.peer = from.client;
	s->c.fd = fake_connect(&s->c.fake, &from);
	fake_run(&s->c.fake);
}

static void
secure_open(struct secure *s, enum listener_tls tls)
{
	secure_init(s, true);
	secure_connect(s, tls);
}

/* Ends TLS and the connection, and looks for what is left behind. */
static void
secure_close(struct secure *s)
{
	if (s->c.ssl != NULL)
		SSL_free(s->c.ssl);
	SSL_CTX_free(s->ctx);
	s->c.ssl = NULL;
	close(s->c.fd);
	for (int i = 0; i < 500 && s->c.fake.server.nsessions > 0; i++) {
		fake_run(&s->c.fake);
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	assert_int_equal(s->c.fake.large_open, 0);
	assert_int_equal(s->c.fake.server.nsessions, 0);
	assert_int_equal(s->c.fake.server.budget.used, 0);
	server_release(&s->c.fake.server);
	tls_free(&s->tls);
	for (size_t i = 0; i < s->c.fake.nmessages; i++)
		fake_message_release(&s->c.fake.messages[i]);
	event_base_free(s->c.fake.base);
	buf_release(&s->c.got);
	ERR_clear_error();
}

static void
secure_prepare_client(struct secure *s, const char *name)
{
	s->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(
	    s->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	s->c.ssl = SSL_new(s->ctx);
	SSL_set_fd(s->c.ssl, s->c.fd);
	SSL_set_connect_state(s->c.ssl);
	if (name != NULL)
		SSL_set_tlsext_host_name(s->c.ssl, name);
}

/* The client's handshake. -1 if it fails, or the server goes away. */
static int
secure_shake(struct secure *s)
{
	uint64_t end = clock_mono_ms() + 5000;
	int r, error = SSL_ERROR_WANT_READ;

	while (clock_mono_ms() < end) {
		ERR_clear_error();
		r = SSL_do_handshake(s->c.ssl);
		error = SSL_get_error(s->c.ssl, r);
		event_base_loop(s->c.fake.base, EVLOOP_NONBLOCK);
		tls_fake_answer(&s->source);
		if (r != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return -1;
		if (r == 1 && s->tls->under_way == 0)
			break;
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	assert_int_equal(error, SSL_ERROR_NONE);
	fake_run(&s->c.fake);
	return 0;
}

/* From the greeting to the inside. */
static void
secure_start(struct secure *s, const char *name)
{
	secure_open(s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s->c, E STARTTLS), "220,250,220");
	secure_prepare_client(s, name);
	assert_int_equal(secure_shake(s), 0);
}

static bool
is_offered(struct secure *s)
{
	char got[1024] = {0};

	client_say(&s->c, LITERAL(""), 1);
	assert_int_equal(client_send_some(&s->c, "EHLO c.test\r\n", 13), 13);
	fake_run(&s->c.fake);
	assert_true(client_receive(&s->c, got, sizeof got - 1) > 0);
	assert_non_null(strstr(got, "250 HELP\r\n"));
	return strstr(got, "250-STARTTLS\r\n") != NULL;
}

static void
every_dialogue_inside(void **state)
{
	struct secure s;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		for (size_t piece = 1U << 20; piece > 0; piece = piece > 1 ? 1 : 0) {
			if (piece == 1 && !may_split(&rows[i]))
				continue;
			/* What is not offered without TLS is another dialogue with it. */
			if (strstr(rows[i].name, "OT-13") != NULL)
				continue;
			secure_start(&s, NULL);
			dialogue_play(&s.c, &rows[i], piece);
			secure_close(&s);
		}
	}
}

static void
offered_until_it_is_there(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_true(is_offered(&s));
	assert_true(is_offered(&s));
	secure_close(&s);
	secure_open(&s, LISTENER_TLS_NONE);
	assert_false(is_offered(&s));
	assert_string_equal(say(&s.c, STARTTLS), "502");
	secure_close(&s);
	secure_start(&s, "mx.test");
	assert_string_equal(say(&s.c, STARTTLS), "503");
	assert_string_equal(say(&s.c, M), "503");
	assert_false(is_offered(&s));
	assert_string_equal(say(&s.c, STARTTLS), "503");
	assert_string_equal(say(&s.c, M R D), "250,250,354");
	assert_string_equal(say(&s.c, B Q), "250,221!");
	secure_close(&s);
}

static void
when_it_may_be_said(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, STARTTLS), "220,503");
	assert_string_equal(say(&s.c, E "STARTTLS now\\r\\n"), "250,501");
	/* TL-06, TL-07 */
	assert_string_equal(say(&s.c, M STARTTLS), "250,503");
	assert_string_equal(say(&s.c, R STARTTLS), "250,503");
	assert_string_equal(say(&s.c, D), "354");
	assert_string_equal(say(&s.c, B "starttls\\r\\n"), "250,220");
	secure_close(&s);
}

/* CVE-2011-0411: TL-05, TL-12. */
static void
what_came_in_clear_is_not_run(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E STARTTLS M R), "220,250,554!");
	assert_int_equal(s.c.fake.nmessages, 0);
	secure_close(&s);
	/* The same where it came in a packet of its own, before the line was read. */
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E), "220,250");
	send(s.c.fd, "STARTTLS\r\n", 10, 0);
	send(s.c.fd, "RSET\r\n", 6, 0);
	assert_string_equal(say(&s.c, ""), "554!");
	secure_close(&s);
	/* And after the 220: it is no handshake. */
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E STARTTLS), "220,250,220");
	send(s.c.fd, "NOOP\r\nNOOP\r\nNOOP\r\n", 18, 0);
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), -1);
	assert_int_equal(s.c.fake.server.nsessions, 0);
	secure_close(&s);
}

static void
everything_said_is_forgotten(void **state)
{
	struct secure s;

	(void)state;
	secure_start(&s, NULL);
	/* TL-03 */
	assert_string_equal(say(&s.c, M), "503");
	assert_string_equal(say(&s.c, "HELO d.test\\r\\n" M R D), "250,250,250,354");
	assert_string_equal(s.c.fake.asked,
	    "2 role=0 client=192.0.2.7 uid=-1 helo=d.test from=s@remote.test "
	    "rcpt=alice@a.test");
	assert_string_equal(say(&s.c, B), "250");
	assert_int_equal(s.c.fake.server.nsessions, 1);
	assert_int_equal(s.c.fake.server.counts.connections, 1);
	secure_close(&s);
}

/* So has who has sent messages in clear (transaction-limit). */
static void
messages_go_on_counting(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_STARTTLS);
	s.c.fake.server.settings->transaction_limit = 1;
	assert_string_equal(say(&s.c, E M "RSET\\r\\n" STARTTLS), "220,250,250,250,220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	assert_string_equal(say(&s.c, E M), "250,421!");
	secure_close(&s);
}

/* The client is a proxy that XCLIENT is believed. */
static void
believe_it(struct secure *s)
{
	struct settings *set = s->c.fake.server.settings;

	free(set->xclient_from.v);
	set->xclient_from.v = xcalloc(1, sizeof *set->xclient_from.v);
	assert_int_equal(netblock_parse(span_str("192.0.2.7"), &set->xclient_from.v[0]), 0);
	set->xclient_from.n = 1;
}

/* Either order: TLS outlives XCLIENT; behind STARTTLS the client is still who was named, and no more is (RFC 3207 4.2). */
static void
xclient_before_and_behind(void **state)
{
	static const char named[] =
	    "XCLIENT ADDR=192.0.2.8 HELO=real.test LOGIN=alice@a.test\\r\\n";
	struct session *session;
	struct secure s;

	(void)state;
	secure_init(&s, true);
	believe_it(&s);
	secure_connect(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E STARTTLS), "220,250,220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(SSL_use_cert_and_key(
			     s.c.ssl, client_certificate.x, client_certificate.key, NULL, 1),
	    1);
	assert_int_equal(secure_shake(&s), 0);
	assert_string_equal(say(&s.c, E M "RSET\\r\\n"), "250,250,250");
	assert_true(s.c.fake.asked_certificate);
	assert_string_equal(say(&s.c, named), "220");
	/* The certificate is the proxy's, and so are its rights. */
	assert_false(s.c.fake.asked_certificate);
	assert_false(is_offered(&s));
	assert_string_equal(say(&s.c, STARTTLS), "503");
	assert_string_equal(say(&s.c, M R D), "250,250,354");
	assert_false(s.c.fake.asked_certificate);
	assert_string_equal(say(&s.c, B), "250");
	assert_non_null(strstr(s.c.fake.messages[0].content, "with ESMTPSA"));
	secure_close(&s);
	secure_init(&s, true);
	believe_it(&s);
	secure_connect(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, named), "220,220");
	assert_string_equal(say(&s.c, E STARTTLS), "250,220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	session = TAILQ_FIRST(&s.c.fake.server.sessions);
	assert_string_equal(session->origin.text, "192.0.2.8");
	assert_null(session->account);
	assert_string_equal(say(&s.c, E M), "250,250");
	assert_string_equal(s.c.fake.asked,
	    "1 role=0 client=192.0.2.8 uid=-1 helo=c.test from=s@remote.test rcpt=");
	assert_string_equal(say(&s.c, "RSET\\r\\nXCLIENT LOGIN=alice@a.test\\r\\n"), "250,220");
	assert_string_equal(session->origin.text, "192.0.2.8");
	assert_string_equal(session->account, "alice@a.test");
	secure_close(&s);
}

/* Who has made errors in clear has them still. */
static void
what_counts_goes_on_counting(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E "{*8:FOO\\r\\n}" STARTTLS),
	    "220,250,500,500,500,500,500,500,500,500,220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	assert_string_equal(say(&s.c, "FOO\\r\\nFOO\\r\\n"), "500,421!");
	secure_close(&s);
	/* And the session's time is that of the connection: 60 s here. */
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E), "220,250");
	for (int i = 0; i < 14; i++) {
		fake_sleep(&s.c.fake, 4000);
		assert_string_equal(say(&s.c, "NOOP\\r\\n"), "250");
	}
	assert_string_equal(say(&s.c, STARTTLS), ""); /* it is asked again by now */
	tls_fake_answer(&s.source);
	assert_string_equal(say(&s.c, ""), "220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	fake_sleep(&s.c.fake, 4000);
	assert_string_equal(say(&s.c, ""), "421!");
	secure_close(&s);
}

static void
not_now(void **state)
{
	struct secure s;

	(void)state;
	secure_init(&s, false);
	s.source.away = true;
	secure_connect(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E), "220,250");
	assert_string_equal(say(&s.c, STARTTLS), "");
	tls_fake_answer(&s.source);
	assert_string_equal(say(&s.c, ""), "454");
	assert_string_equal(say(&s.c, M R), "250,250");
	secure_close(&s);
}

/* STARTTLS waits for an answer; what the client does meanwhile. */
static void
while_it_is_asked(void **state)
{
	struct secure s;

	(void)state;
	/* It waits as well. */
	secure_init(&s, false);
	secure_connect(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E), "220,250");
	assert_string_equal(say(&s.c, STARTTLS), "");
	tls_fake_answer(&s.source);
	assert_string_equal(say(&s.c, ""), "220");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	assert_string_equal(say(&s.c, E), "250");
	secure_close(&s);
	/* It talks on in clear: that is no handshake. */
	secure_init(&s, false);
	secure_connect(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E), "220,250");
	assert_string_equal(say(&s.c, STARTTLS), "");
	send(s.c.fd, "MAIL FROM:<>\r\n", 14, 0);
	fake_run(&s.c.fake);
	tls_fake_answer(&s.source);
	/* The handshake's thread may have given it up already: "220!". */
	assert_int_equal(strncmp(say(&s.c, ""), "220", 3), 0);
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), -1);
	assert_int_equal(s.c.fake.nmessages, 0);
	secure_close(&s);
	/* It goes, or the service ends: nobody is told the answer. */
	for (int i = 0; i < 2; i++) {
		secure_init(&s, false);
		secure_connect(&s, LISTENER_TLS_STARTTLS);
		assert_string_equal(say(&s.c, E), "220,250");
		assert_string_equal(say(&s.c, STARTTLS), "");
		if (i == 0)
			shutdown(s.c.fd, SHUT_RDWR);
		else
			server_abandon(&s.c.fake.server);
		fake_run(&s.c.fake);
		tls_fake_answer(&s.source);
		fake_run(&s.c.fake);
		secure_close(&s);
	}
}

static void
the_trace_field_and_the_log_tell(void **state)
{
	const struct fake_message *m;
	char text[SESSION_TLS_TEXT_SIZE], fingerprint[FINGERPRINT_SIZE], want[512];
	unsigned char digest[32];
	struct secure s;

	(void)state;
	X509_digest(client_certificate.x, EVP_sha256(), digest, NULL);
	fingerprint_format(digest, fingerprint);
	secure_open(&s, LISTENER_TLS_STARTTLS);
	assert_string_equal(say(&s.c, E STARTTLS), "220,250,220");
	secure_prepare_client(&s, "MX.test");
	assert_int_equal(SSL_use_cert_and_key(
			     s.c.ssl, client_certificate.x, client_certificate.key, NULL, 1),
	    1);
	assert_int_equal(secure_shake(&s), 0);
	session_tls_text(TAILQ_FIRST(&s.c.fake.server.sessions), text);
	snprintf(want, sizeof want,
	    " tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=mx.test subject=\"CN=client.test\" "
	    "client-cert=%s",
	    fingerprint);
	assert_string_equal(text, want);
	assert_string_equal(say(&s.c, E M R D), "250,250,250,354");
	assert_string_equal(say(&s.c, B), "250");
	m = &s.c.fake.messages[0];
	snprintf(want, sizeof want,
	    "Received: from c.test ([192.0.2.7])\n\t(TLSv1.3 TLS_AES_256_GCM_SHA384 "
	    "sni=mx.test\n\tclient certificate sha256=%s\n\tverified client CN=client.test)\n"
	    "\tby mx.test (Postrider) with ESMTPS id ",
	    fingerprint);
	assert_int_equal(strncmp(m->content, want, strlen(want)), 0);
	/* RFC 3848 has no name for HELO inside TLS. */
	assert_string_equal(say(&s.c, H M R D), "250,250,250,354");
	assert_string_equal(say(&s.c, B), "250");
	assert_non_null(strstr(s.c.fake.messages[1].content, "with SMTP id "));
	secure_close(&s);
}

static void
implicit_from_the_first_octet(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_IMPLICIT);
	client_read(&s.c);
	assert_string_equal(s.c.replies, "");
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	client_read(&s.c);
	assert_string_equal(s.c.replies, "220");
	assert_false(is_offered(&s));
	assert_string_equal(say(&s.c, STARTTLS), "503");
	assert_string_equal(say(&s.c, M R D), "250,250,354");
	assert_string_equal(say(&s.c, B Q), "250,221!");
	assert_int_equal(s.c.fake.nmessages, 1);
	secure_close(&s);
	/* SMTP in clear is no handshake, and hears no SMTP. */
	secure_open(&s, LISTENER_TLS_IMPLICIT);
	send(s.c.fd, "EHLO c.test\r\n", 13, 0);
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), -1);
	secure_close(&s);
}

/* The client says it all with its last octets of the handshake. */
static void
commands_right_behind_the_handshake(void **state)
{
	uint64_t end = clock_mono_ms() + 5000;
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_IMPLICIT);
	secure_prepare_client(&s, NULL);
	while (SSL_do_handshake(s.c.ssl) != 1 && clock_mono_ms() < end) {
		event_base_loop(s.c.fake.base, EVLOOP_NONBLOCK);
		tls_fake_answer(&s.source);
	}
	assert_int_equal(SSL_write(s.c.ssl, "EHLO c.test\r\n", 13), 13);
	assert_int_equal(secure_shake(&s), 0);
	client_read(&s.c);
	assert_string_equal(s.c.replies, "220,250");
	secure_close(&s);
}

static void
early_talkers_inside(void **state)
{
	struct secure s;

	(void)state;
	secure_init(&s, true);
	s.c.fake.server.settings->greeting_delay_ms = 200;
	secure_connect(&s, LISTENER_TLS_IMPLICIT);
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	assert_string_equal(say(&s.c, E), "554!");
	secure_close(&s);
	secure_init(&s, true);
	s.c.fake.server.settings->greeting_delay_ms = 200;
	secure_connect(&s, LISTENER_TLS_IMPLICIT);
	secure_prepare_client(&s, NULL);
	assert_int_equal(secure_shake(&s), 0);
	fake_sleep(&s.c.fake, 250);
	assert_string_equal(say(&s.c, E), "220,250");
	secure_close(&s);
}

/* TL-13 */
static void
a_handshake_that_stalls(void **state)
{
	struct secure s;
	char octet;

	(void)state;
	for (int far = 0; far < 2; far++) {
		secure_open(&s, LISTENER_TLS_STARTTLS);
		assert_string_equal(say(&s.c, E STARTTLS), "220,250,220");
		if (far > 0)
			send(s.c.fd, "\x16\x03\x01\x02\x00\x01", 6, 0);
		fake_run(&s.c.fake);
		fake_sleep(&s.c.fake, 4900);
		assert_int_equal(s.c.fake.server.nsessions, 1);
		/* An octet more does not buy more time. */
		send(s.c.fd, "\x00", far, 0);
		fake_sleep(&s.c.fake, 200);
		assert_int_equal(s.c.fake.server.nsessions, 0);
		/* Nothing that looks like SMTP was said. */
		assert_true(recv(s.c.fd, &octet, 1, MSG_DONTWAIT) <= 0);
		secure_close(&s);
	}
}

static void
the_service_ends(void **state)
{
	struct secure s;

	(void)state;
	secure_open(&s, LISTENER_TLS_IMPLICIT);
	server_stop(&s.c.fake.server);
	assert_int_equal(s.c.fake.server.nsessions, 0);
	secure_close(&s);
	secure_start(&s, NULL);
	server_stop(&s.c.fake.server);
	client_read(&s.c);
	assert_string_equal(s.c.replies, "421!");
	secure_close(&s);
}

/* TLX-1, CVE-2026-45185: after close_notify the connection is dead, whatever comes in clear. */
static void
an_end_in_the_middle(void **state)
{
	struct secure s;

	(void)state;
	for (int announced = 0; announced < 2; announced++) {
		secure_start(&s, NULL);
		assert_string_equal(say(&s.c, E M R D), "250,250,250,354");
		assert_string_equal(say(&s.c, "Subject: t\\r\\n\\r\\nhal"), "");
		if (announced > 0)
			SSL_shutdown(s.c.ssl);
		assert_true(send(s.c.fd, "f\r\n.\r\nNOOP\r\n", 12, MSG_NOSIGNAL) > 0);
		fake_run(&s.c.fake);
		assert_int_equal(s.c.fake.server.nsessions, 0);
		assert_int_equal(s.c.fake.nmessages, 0);
		secure_close(&s);
	}
}

/* A connection that is cut is not an end of the message or of the session that anybody announced. */
static void
a_connection_that_is_cut(void **state)
{
	struct secure s;

	(void)state;
	secure_start(&s, NULL);
	assert_string_equal(say(&s.c, E M R D), "250,250,250,354");
	shutdown(s.c.fd, SHUT_WR);
	fake_run(&s.c.fake);
	assert_int_equal(s.c.fake.server.nsessions, 0);
	assert_int_equal(s.c.fake.nmessages, 0);
	secure_close(&s);
}

/* Large content, and a client that reads nothing meanwhile. */
static void
much_in_both_directions(void **state)
{
	struct secure s;

	(void)state;
	secure_start(&s, NULL);
	assert_string_equal(say(&s.c, E M R D), "250,250,250,354");
	for (int i = 0; i < 900; i++)
		assert_string_equal(say(&s.c, "{*900:a}\\r\\n"), "");
	assert_string_equal(say(&s.c, ".\\r\\n"), "250");
	assert_true(s.c.fake.messages[0].large);
	assert_true(s.c.fake.messages[0].content_len > 900 * 901);
	secure_close(&s);

	secure_start(&s, NULL);
	assert_string_equal(say(&s.c, E M R), "250,250,250");
	for (int i = 0; i < 3000; i++) {
		/* RSET and EHLO have long replies; junk ends it in time. */
		if (client_send_some(&s.c, "EHLO c.test\r\n", 13) < 0)
			break;
		if (i % 50 == 0)
			fake_run(&s.c.fake);
	}
	fake_run(&s.c.fake);
	client_read(&s.c);
	assert_true(s.c.closed);
	assert_non_null(strstr(s.c.replies, "421!"));
	secure_close(&s);
}

/* What an idle client with TLS costs is bounded by what OpenSSL holds: not a record's buffer. */
static void
idle_buffers_are_released(void **state)
{
	struct session *one;
	struct secure s;

	(void)state;
	secure_start(&s, NULL);
	assert_string_equal(say(&s.c, E M R D), "250,250,250,354");
	assert_string_equal(say(&s.c, B), "250");
	one = TAILQ_FIRST(&s.c.fake.server.sessions);
	assert_int_equal(SSL_has_pending(one->transport.ssl), 0);
	assert_int_equal(one->in.cap, 0);
	assert_in_range(one->transport.out.cap, 0, 512);
	secure_close(&s);
}

/* What the client writes from here on is gathered in *out. */
static void
gather(struct secure *s, BIO **out)
{
	*out = BIO_new(BIO_s_mem());
	SSL_set0_wbio(s->c.ssl, *out);
}

/* Sent at once; then it writes as before. */
static void
send_gathered(struct secure *s, BIO *gathered)
{
	BIO *b = SSL_get_rbio(s->c.ssl);
	char *p;
	long n = BIO_get_mem_data(gathered, &p);

	assert_int_equal(send(s->c.fd, p, (size_t)n, MSG_NOSIGNAL), n);
	assert_int_equal(BIO_up_ref(b), 1);
	SSL_set0_wbio(s->c.ssl, b);
}

static void
take_new_keys(struct secure *s, unsigned times)
{
	BIO *out;

	gather(s, &out);
	while (times-- > 0) {
		assert_int_equal(SSL_key_update(s->c.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(s->c.ssl), 1);
	}
	send_gathered(s, out);
	fake_run(&s->c.fake);
}

/* OpenSSL goes on working on new keys (RFC 8446 4.6.3) as long as they come: some are in order, not a flood of them. */
static void
new_keys_without_end(void **state)
{
	struct secure s;

	(void)state;
	secure_start(&s, NULL);
	take_new_keys(&s, 8);
	assert_string_equal(say(&s.c, "NOOP\\r\\n"), "250");
	take_new_keys(&s, 1000);
	assert_int_equal(s.c.fake.server.nsessions, 0);
	secure_close(&s);
}

/* Records of one octet: a turn takes some of them. */
static void
records_of_one_octet(void **state)
{
	const struct session *session;
	struct secure s;
	BIO *out;

	(void)state;
	secure_start(&s, NULL);
	assert_string_equal(say(&s.c, E), "250");
	assert_string_equal(say(&s.c, M R D), "250,250,354");
	session = TAILQ_FIRST(&s.c.fake.server.sessions);
	gather(&s, &out);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(SSL_write(s.c.ssl, "x", 1), 1);
	send_gathered(&s, out);
	event_base_loop(s.c.fake.base, EVLOOP_ONCE);
	assert_in_range(session->txn->content->size, 1, 3750);
	assert_string_equal(say(&s.c, "\\r\\n.\\r\\n"), "250");
	secure_close(&s);
}

static int
make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certificate_make(&ec, "EC:P-256", "mx.test", -1, 30, NULL);
	certificate_make(&ca, "EC:P-256", "ca.test", -1, 30, NULL);
	certificate_make(&client_certificate, "EC:P-256", "client.test", -1, 30, &ca);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	certificate_release(&ec);
	certificate_release(&ca);
	certificate_release(&client_certificate);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_dialogue_inside),
	    cmocka_unit_test(offered_until_it_is_there),
	    cmocka_unit_test(when_it_may_be_said),
	    cmocka_unit_test(what_came_in_clear_is_not_run),
	    cmocka_unit_test(everything_said_is_forgotten),
	    cmocka_unit_test(messages_go_on_counting),
	    cmocka_unit_test(xclient_before_and_behind),
	    cmocka_unit_test(what_counts_goes_on_counting),
	    cmocka_unit_test(not_now),
	    cmocka_unit_test(while_it_is_asked),
	    cmocka_unit_test(the_trace_field_and_the_log_tell),
	    cmocka_unit_test(implicit_from_the_first_octet),
	    cmocka_unit_test(commands_right_behind_the_handshake),
	    cmocka_unit_test(early_talkers_inside),
	    cmocka_unit_test(a_handshake_that_stalls),
	    cmocka_unit_test(the_service_ends),
	    cmocka_unit_test(an_end_in_the_middle),
	    cmocka_unit_test(a_connection_that_is_cut),
	    cmocka_unit_test(much_in_both_directions),
	    cmocka_unit_test(idle_buffers_are_released),
	    cmocka_unit_test(new_keys_without_end),
	    cmocka_unit_test(records_of_one_octet),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make, unmake);
}
