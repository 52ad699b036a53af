/*
 * test_tls: handshakes with every kind of key, version and client; which certificate is shown and when it
 * is asked for; what is refused; and handshakes that are given up.
 */
#include "smtpd/tls.h"

#include "tests/unit/tls_stage.h"

static struct certificate ec, rsa, ed, second;

/* --- kinds --- */

static void
every_key_and_version(void **state)
{
	struct certificate *const kinds[] = {&ec, &rsa, &ed};
	static const struct {
		int version;
		const char *name;
	} versions[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 2; j++) {
			struct tls_peer p;
			struct stage s;
			int fds[2];

			stage_init(&s, kinds[i]);
			pair(fds);
			tls_peer_init(&p, fds[0], "mx.test", NULL);
			SSL_set_max_proto_version(p.ssl, versions[j].version);
			assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
			assert_string_equal(s.result.info->protocol, versions[j].name);
			assert_string_equal(s.result.info->name, "mx.test");
			assert_string_equal(s.result.info->cipher, SSL_get_cipher_name(p.ssl));
			assert_false(s.result.info->resumed);
			assert_null(s.result.info->subject);
			assert_int_equal(
			    X509_cmp(SSL_get0_peer_certificate(p.ssl), kinds[i]->x), 0);
			assert_null(SSL_get_current_compression(p.ssl));
			/* Nothing of the key is with the server's side. */
			assert_null(SSL_get_privatekey(s.result.ssl));
			tls_peer_release(&p);
			stage_release(&s);
		}
	}
}

/* Of RSA and ECDSA a client gets what it knows, and ECDSA if that is both. */
static void
two_kinds_of_key(void **state)
{
	static const struct {
		const char *algorithms; /* of the client; NULL: all */
		bool rsa;
	} rows[] = {
	    {NULL, false},
	    {"ECDSA+SHA256", false},
	    {"RSA-PSS+SHA256:RSA+SHA256", true},
	    {"RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA256", false},
	};
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct stage s;

	(void)state;
	stage_init_two(&s, &rsa, &ec);
	s.fake.both = true;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		bool want_rsa = rows[i / 2].rsa;
		struct tls_peer p;
		int fds[2];

		pair(fds);
		tls_peer_init(&p, fds[0], "mx.test", NULL);
		SSL_set_max_proto_version(p.ssl, versions[i % 2]);
		if (rows[i / 2].algorithms != NULL)
			assert_int_equal(
			    SSL_set1_sigalgs_list(p.ssl, rows[i / 2].algorithms), 1);
		assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
		assert_int_equal(
		    X509_cmp(SSL_get0_peer_certificate(p.ssl), want_rsa ? rsa.x : ec.x), 0);
		tls_peer_release(&p);
	}
	stage_release(&s);
}

static void
old_versions_and_suites_are_refused(void **state)
{
	static const struct {
		const char *name;
		int version;
		const char *suites;
		bool works;
	} rows[] = {
	    {"TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
	    {"RSA key exchange", TLS1_2_VERSION, "kRSA:@SECLEVEL=0", false},
	    {"no authentication", TLS1_2_VERSION, "aNULL:@SECLEVEL=0", false},
	    {"finite fields", TLS1_2_VERSION, "DHE:@SECLEVEL=0", false},
	    {"SHA-1", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA:@SECLEVEL=0", false},
	    {"3DES", TLS1_2_VERSION, "3DES:@SECLEVEL=0", false},
	    {"CBC with SHA-2", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384", true},
	    {"ChaCha", TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", true},
	};
	struct stage s;

	(void)state;
	stage_init(&s, &rsa);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_peer p;
		int fds[2];

		pair(fds);
		tls_peer_init(&p, fds[0], NULL, NULL);
		SSL_set_min_proto_version(p.ssl, 0);
		SSL_set_max_proto_version(p.ssl, rows[i].version);
		/* A suite that the client's OpenSSL does not have is refused as well. */
		(void)SSL_set_cipher_list(p.ssl, rows[i].suites);
		check_row(
		    rows[i].name, (shake(&s, &p, fds[1], LISTENER_MX) == 0) == rows[i].works);
		check_row(rows[i].name, rows[i].works || s.why[0] != '\0');
		tls_peer_release(&p);
	}
	stage_release(&s);
}

/* --- names --- */

static void
the_name_decides_and_is_checked(void **state)
{
	static const struct {
		const char *sni, *asked, *info;
	} rows[] = {
	    {NULL, "", ""},
	    {"mx.test", "", "mx.test"},
	    {"MX.Test", "", "mx.test"},
	    {"b.test", "b.test", "b.test"},
	    {"B.TEST", "b.test", "b.test"},
	    {"mail.a.test", "mail.a.test", "mail.a.test"},
	    /* CVE-2019-15846 */
	    {"a.test\\", "", ""},
	    {"../../etc/passwd", "", ""},
	    {"a..test", "", ""},
	    {"-a.test", "", ""},
	    {"b\xc3\xbc"
	     "cher.test",
		"", ""},
	    {"xn--bcher-kva.test", "xn--bcher-kva.test", "xn--bcher-kva.test"},
	    {"a.test\r\nX: y", "", ""},
	};
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *row = rows[i].sni != NULL ? rows[i].sni : "none";

		now_ms += 10000;
		snprintf(s.fake.asked, sizeof s.fake.asked, "not asked");
		check_row(row, shake_plain(&s, rows[i].sni) == 0);
		if (strcmp(s.fake.asked, rows[i].asked) != 0)
			fail_msg("%s: asked for %s", row, s.fake.asked);
		check_row(row, strcmp(s.result.info->name, rows[i].info) == 0);
	}
	stage_release(&s);
}

static void
shows_the_certificate_of_the_name(void **state)
{
	struct tls_peer p;
	struct stage s;
	int fds[2];

	(void)state;
	stage_init_two(&s, &ec, &second);
	pair(fds);
	tls_peer_init(&p, fds[0], "b.test", NULL);
	assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(p.ssl), second.x), 0);
	tls_peer_release(&p);
	stage_release(&s);
}

static void
an_answer_is_good_for_a_second(void **state)
{
	char id[64];
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	tls_prepare(s.tls);
	assert_false(tls_is_prepared(s.tls));
	tls_fake_answer(&s.fake);
	assert_true(tls_is_prepared(s.tls));
	assert_int_equal(s.fake.questions, 1);
	assert_string_equal(s.fake.had, "");
	assert_int_equal(shake_plain(&s, NULL), 0);
	assert_int_equal(s.fake.questions, 1);
	now_ms += TLS_NAMES_FRESH_MS;
	assert_int_equal(shake_plain(&s, NULL), 0);
	assert_int_equal(s.fake.questions, 2);
	assert_int_equal(strlen(s.fake.had), KEY_PAIR_ID_SIZE - 1);
	snprintf(id, sizeof id, "%s", s.fake.had);
	/* A name without a certificate of its own shares this host's. */
	assert_int_equal(shake_plain(&s, "other.test"), 0);
	assert_string_equal(s.fake.had, id);
	assert_int_equal(tls_names_count(s.tls->names), 2);
	/* A new one is in force with the next question. */
	now_ms += TLS_NAMES_FRESH_MS;
	s.fake.first = &rsa;
	assert_int_equal(shake_plain(&s, NULL), 0);
	assert_string_equal(s.fake.had, id);
	now_ms += TLS_NAMES_FRESH_MS;
	assert_int_equal(shake_plain(&s, NULL), 0);
	assert_string_not_equal(s.fake.had, id);
	/* None to be had: no handshake, but nothing is forgotten. */
	now_ms += TLS_NAMES_FRESH_MS;
	s.fake.away = true;
	assert_int_equal(shake_plain(&s, NULL), -1);
	assert_string_equal(s.why, "there is no certificate to be had");
	s.fake.away = false;
	assert_int_equal(shake_plain(&s, NULL), 0);
	assert_true(tls_is_prepared(s.tls));
	stage_release(&s);
}

static void
names_are_bounded(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	for (int i = 0; i < TLS_NAMES_MAX + 50; i++) {
		struct tls_names_wait w = {.name = NULL};
		char name[32];

		snprintf(name, sizeof name, "n%d.test", i);
		assert_null(tls_names_get(s.tls->names, span_str(name), &w));
		tls_names_cancel(&w);
		tls_fake_answer(&s.fake);
		assert_in_range(tls_names_count(s.tls->names), 1, TLS_NAMES_MAX);
	}
	stage_release(&s);
}

/* --- what is refused --- */

static void
other_protocols_by_alpn(void **state)
{
	static const struct {
		const char *name, *list;
		bool works;
	} rows[] = {
	    {"smtp", "\4smtp", true},
	    {"smtp among others", "\2h2\4smtp", true},
	    {"http", "\10http/1.1", false},
	    {"h2 and http", "\2h2\10http/1.1", false},
	    {"longer", "\5smtps", false},
	    {"upper case", "\4SMTP", false},
	};
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_peer p;
		int fds[2];

		pair(fds);
		tls_peer_init(&p, fds[0], "mx.test", NULL);
		SSL_set_alpn_protos(
		    p.ssl, (const unsigned char *)rows[i].list, (unsigned)strlen(rows[i].list));
		check_row(
		    rows[i].name, (shake(&s, &p, fds[1], LISTENER_MX) == 0) == rows[i].works);
		tls_peer_release(&p);
	}
	stage_release(&s);
}

static void
what_is_no_handshake(void **state)
{
	static const struct {
		const char *name;
		struct span text;
	} rows[] = {
	    {"smtp", LITERAL_INIT("EHLO c.test\r\nMAIL FROM:<>\r\n")},
	    {"http", LITERAL_INIT("GET / HTTP/1.1\r\n\r\n")},
	    {"zeros", LITERAL_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
	    {"a record that is too long", LITERAL_INIT("\x16\x03\x01\xff\xff\x01")},
	    {"an alert", LITERAL_INIT("\x15\x03\x01\x00\x02\x02\x28")},
	    {"application data", LITERAL_INIT("\x17\x03\x03\x00\x04\x41\x42\x43\x44")},
	};
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char got[512];
		ssize_t n;
		int fds[2];

		pair(fds);
		assert_non_null(tls_handshake_new(s.tls, fds[1], LISTENER_MX, on_done, &s));
		assert_int_equal(
		    send(fds[0], rows[i].text.p, rows[i].text.len, 0), rows[i].text.len);
		shutdown(fds[0], SHUT_WR);
		check_row(rows[i].name, testing_run_until(s.base, &s.done, (int)i + 1));
		check_row(rows[i].name, s.result.ssl == NULL && s.why[0] != '\0');
		/* At most an alert came back, and then the end. */
		n = recv(fds[0], got, sizeof got, 0);
		check_row(rows[i].name, n == 0 || (n == 7 && got[0] == 0x15));
		check_row(rows[i].name, n == 0 || recv(fds[0], got, sizeof got, 0) == 0);
		close(fds[0]);
	}
	assert_int_equal(s.tls->under_way, 0);
	stage_release(&s);
}

static void
no_signature_no_handshake(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s, &rsa);
	s.fake.no_signing = true;
	assert_int_equal(shake_plain(&s, NULL), -1);
	s.fake.no_signing = false;
	assert_int_equal(shake_plain(&s, NULL), 0);
	stage_release(&s);
}

static void
no_renegotiation(void **state)
{
	struct tls_peer p;
	struct stage s;
	char octet;
	int fds[2];

	(void)state;
	stage_init(&s, &ec);
	pair(fds);
	tls_peer_init(&p, fds[0], NULL, NULL);
	SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION);
	assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
	assert_int_equal(SSL_renegotiate(p.ssl), 1);
	(void)SSL_do_handshake(p.ssl);
	assert_int_equal(SSL_read(s.result.ssl, &octet, 1), -1);
	assert_int_equal(SSL_get_error(s.result.ssl, -1), SSL_ERROR_WANT_READ);
	assert_int_equal(SSL_num_renegotiations(s.result.ssl), 0);
	/* The client hears that it will not be. */
	assert_int_not_equal(tls_peer_step(&p), 1);
	ERR_clear_error();
	tls_peer_release(&p);
	stage_release(&s);
}

/* --- giving up --- */

/* Is the other end closed? Waits for it. */
static bool
is_closed(struct stage *s, int fd)
{
	char octets[4096];

	for (int i = 0; i < 500; i++) {
		ssize_t n = recv(fd, octets, sizeof octets, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		testing_run_for(s->base, 2);
	}
	return false;
}

static void
given_up_at_any_time(void **state)
{
	struct stage s;

	(void)state;
	/* How far the client gets before the handshake is given up. */
	for (int far = 0; far < 8; far++) {
		struct tls_handshake *h;
		struct tls_peer p;
		int fds[2];

		stage_init(&s, &rsa);
		s.fake.hold = far == 3;
		pair(fds);
		tls_peer_init(&p, fds[0], "b.test", NULL);
		h = tls_handshake_new(s.tls, fds[1], LISTENER_MX, on_done, &s);
		if (far > 0)
			(void)tls_peer_step(&p);
		if (far == 2) /* while the thread is at it, or just was */
			event_base_loop(s.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		if (far == 3)
			testing_run_for(s.base, 20);
		for (int i = 4; i <= far && s.done == 0; i++) {
			event_base_loop(s.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
			tls_fake_answer(&s.fake);
			nanosleep(&(struct timespec){0, 300000}, NULL);
		}
		if (s.done == 0) {
			tls_handshake_free(&h);
			tls_handshake_free(&h);
			assert_true(is_closed(&s, fds[0]));
			assert_int_equal(s.tls->under_way, 0);
			assert_int_equal(s.done, 0);
		}
		tls_peer_release(&p);
		stage_release(&s);
	}
}

/* The stage ends while the thread is at work: what was given up is freed all the same. */
static void
given_up_and_gone(void **state)
{
	struct stage s;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct tls_handshake *h;
		struct tls_peer p;
		int fds[2];

		stage_init(&s, &rsa);
		pair(fds);
		tls_peer_init(&p, fds[0], "mx.test", NULL);
		h = tls_handshake_new(s.tls, fds[1], LISTENER_MX, on_done, &s);
		(void)tls_peer_step(&p);
		event_base_loop(s.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		tls_handshake_free(&h);
		stage_release(&s);
		tls_peer_release(&p);
	}
}

static unsigned slow_ended;

static void
on_slow(const struct tls_result *r, void *arg)
{
	assert_null(r->ssl);
	assert_non_null(strstr(r->why, "others wait"));
	*(struct tls_handshake **)arg = NULL;
	slow_ended++;
}

/*
 * Who says nothing costs nothing; who comes too many waits for his turn, and gets it when those who
 * begin and do not go on have had their time.
 */
static void
only_so_many_at_once(void **state)
{
	enum { SILENT = 50, SLOW = TLS_HANDSHAKES_MAX + 20 };
	static int silent[SILENT][2], slow[SLOW][2];
	static struct tls_handshake *quiet[SILENT], *begun[SLOW];
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	for (int i = 0; i < SILENT; i++) {
		pair(silent[i]);
		quiet[i] = tls_handshake_new(s.tls, silent[i][1], LISTENER_MX, on_done, &s);
	}
	testing_run_for(s.base, 5);
	assert_int_equal(s.tls->under_way, 0);
	for (int i = 0; i < SLOW; i++) {
		pair(slow[i]);
		begun[i] =
		    tls_handshake_new(s.tls, slow[i][1], LISTENER_MX, on_slow, &begun[i]);
		assert_int_equal(send(slow[i][0], "\x16\x03\x01", 3, 0), 3);
	}
	for (int i = 0; i < 100; i++) {
		testing_run_for(s.base, 2);
		assert_in_range(s.tls->under_way, 0, TLS_HANDSHAKES_MAX);
	}
	assert_int_equal(s.tls->under_way, TLS_HANDSHAKES_MAX);
	/* One goes, the next begins; one that waits may go as well. */
	tls_handshake_free(&begun[SLOW - 1]);
	tls_handshake_free(&begun[0]);
	testing_run_for(s.base, 5);
	assert_int_equal(s.tls->under_way, TLS_HANDSHAKES_MAX);
	now_ms += TLS_PRESSURE_MS - 1;
	testing_run_for(s.base, 300);
	assert_int_equal(slow_ended, 0);
	now_ms += 1;
	for (int i = 0; i < 200 && slow_ended < 18; i++)
		testing_run_for(s.base, 5);
	testing_run_for(s.base, 300);
	assert_int_equal(slow_ended, 18);
	assert_int_equal(s.tls->under_way, TLS_HANDSHAKES_MAX);
	assert_true(TAILQ_EMPTY(&s.tls->waiting));
	for (int i = 1; i < SLOW - 1; i++)
		tls_handshake_free(&begun[i]);
	testing_run_for(s.base, 50);
	assert_int_equal(s.tls->under_way, 0);
	assert_int_equal(s.done, 0);
	for (int i = 0; i < SILENT; i++) {
		tls_handshake_free(&quiet[i]);
		close(silent[i][0]);
	}
	for (int i = 0; i < SLOW; i++)
		close(slow[i][0]);
	assert_int_equal(shake_plain(&s, NULL), 0);
	stage_release(&s);
}

static int
make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certificate_make(&ec, "EC:P-256", "mx.test", -1, 30, NULL);
	certificate_make(&rsa, "RSA:2048", "mx.test", -1, 30, NULL);
	certificate_make(&ed, "ED25519", "mx.test", -1, 30, NULL);
	certificate_make(&second, "EC:P-384", "b.test", -1, 30, NULL);
	return 0;
}

static int
unmake(void **state)
{
	struct certificate *const all[] = {&ec, &rsa, &ed, &second};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		certificate_release(all[i]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_and_version),
	    cmocka_unit_test(two_kinds_of_key),
	    cmocka_unit_test(old_versions_and_suites_are_refused),
	    cmocka_unit_test(the_name_decides_and_is_checked),
	    cmocka_unit_test(shows_the_certificate_of_the_name),
	    cmocka_unit_test(an_answer_is_good_for_a_second),
	    cmocka_unit_test(names_are_bounded),
	    cmocka_unit_test(other_protocols_by_alpn),
	    cmocka_unit_test(what_is_no_handshake),
	    cmocka_unit_test(no_signature_no_handshake),
	    cmocka_unit_test(no_renegotiation),
	    cmocka_unit_test(given_up_at_any_time),
	    cmocka_unit_test(given_up_and_gone),
	    cmocka_unit_test(only_so_many_at_once),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make, unmake);
}
