/* test_tls_trust: what clients bring along to be believed: session tickets, and certificates of their own. */
#include "smtpd/tls.h"

#include "conf/fingerprint.h"
#include "tests/unit/tls_stage.h"

static struct certificate ec, ca, client_good, client_bad, client_old, client_server;

/* --- tickets --- */

/* A handshake that offers what *session holds, and keeps the ticket it gets. Was it a resumption? */
static bool
resumes(struct stage *s, SSL_SESSION **session, int version, enum listener_role role,
    const char *name)
{
	struct tls_peer p;
	char octet;
	int fds[2];
	bool resumed;

	pair(fds);
	tls_peer_init(&p, fds[0], name, session);
	SSL_set_max_proto_version(p.ssl, version);
	assert_int_equal(shake(s, &p, fds[1], role), 0);
	/* In TLS 1.3 tickets come behind the handshake. */
	(void)SSL_read(p.ssl, &octet, 1);
	if (version < TLS1_3_VERSION) { /* where a new ticket is no new session */
		SSL_SESSION_free(*session);
		*session = SSL_get1_session(p.ssl);
	}
	resumed = SSL_session_reused(p.ssl) == 1;
	assert_int_equal(resumed, s->result.info->resumed);
	SSL_shutdown(p.ssl);
	tls_peer_release(&p);
	return resumed;
}

static void
tickets_are_good_in_all_workers(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct stage one, other;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;
		int v = versions[i];

		stage_init(&one, &ec);
		stage_init(&other, &ec);
		memcpy(other.fake.tickets, one.fake.tickets, sizeof one.fake.tickets);
		tls_fake_on_tickets(&other.fake, other.fake.on_tickets, other.fake.arg);
		assert_false(resumes(&one, &session, v, LISTENER_MX, "mx.test"));
		assert_non_null(session);
		assert_int_equal(
		    SSL_SESSION_get_ticket_lifetime_hint(session), TICKET_KEYS_LIFE_SEC);
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		assert_true(resumes(&one, &session, v, LISTENER_MX, "mx.test"));
		assert_true(resumes(&other, &session, v, LISTENER_MX, "mx.test"));
		/* Postfix 20260805: a ticket of one service is not good at another. */
		assert_false(resumes(&other, &session, v, LISTENER_SUBMISSION, "mx.test"));
		assert_false(resumes(&other, &session, v, LISTENER_MX, "mx.test"));
		assert_true(resumes(&other, &session, v, LISTENER_MX, "mx.test"));
		SSL_SESSION_free(session);
		stage_release(&one);
		stage_release(&other);
	}
}

static void
ticket_keys_end(void **state)
{
	SSL_SESSION *session = NULL, *first;
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	assert_false(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	first = session;
	SSL_SESSION_up_ref(first);
	for (int i = 1; i < TICKET_KEYS; i++) {
		ticket_keys_rotate(s.fake.tickets);
		tls_fake_on_tickets(&s.fake, s.fake.on_tickets, s.fake.arg);
		/* Opened by an old key, sealed anew by the first. */
		assert_true(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	}
	SSL_SESSION_free(session);
	session = first;
	ticket_keys_rotate(s.fake.tickets);
	tls_fake_on_tickets(&s.fake, s.fake.on_tickets, s.fake.arg);
	assert_false(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	SSL_SESSION_free(session);
	stage_release(&s);
}

/* New ticket keys may come from a new process, which has no certificate until it is asked for one. */
static void
new_ticket_keys_renew_certificates(void **state)
{
	SSL_SESSION *session = NULL;
	struct stage s;

	(void)state;
	stage_init(&s, &ec);
	assert_false(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	snprintf(s.fake.asked, sizeof s.fake.asked, "not asked");
	assert_true(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	assert_string_equal(s.fake.asked, "not asked");
	tls_fake_on_tickets(&s.fake, s.fake.on_tickets, s.fake.arg);
	assert_true(resumes(&s, &session, TLS1_2_VERSION, LISTENER_MX, NULL));
	assert_string_equal(s.fake.asked, "");
	SSL_SESSION_free(session);
	stage_release(&s);
}

static void
without_ticket_keys(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;
		struct stage s;

		memset(&s, 0, sizeof s);
		s.base = event_base_new();
		s.fake.first = &ec;
		s.tls = tls_new(s.base, &tls_fake_ops, &s.fake, test_clock);
		assert_int_equal(tls_configure(s.tls, "mx.test",
				     &(struct tls_rules){.client_ca = (struct span){NULL, 0}}),
		    0);
		assert_false(resumes(&s, &session, versions[i], LISTENER_MX, NULL));
		assert_true(session == NULL || !SSL_SESSION_has_ticket(session));
		assert_false(resumes(&s, &session, versions[i], LISTENER_MX, NULL));
		SSL_SESSION_free(session);
		stage_release(&s);
	}
}

/* --- client certificates --- */

/* Those of the certificate (NULL: none), and of its key as RFC 7469 has it. */
static void
check_fingerprints(const struct tls_info *i, const struct certificate *c)
{
	unsigned char digest[32], der[4096], *p = der;
	char text[FINGERPRINT_SIZE];
	unsigned n = 0;
	int len;

	if (c == NULL) {
		assert_null(i->certificate);
		assert_null(i->public_key);
		return;
	}
	assert_int_equal(X509_digest(c->x, EVP_sha256(), digest, &n), 1);
	assert_string_equal(i->certificate, fingerprint_format(digest, text));
	len = i2d_PUBKEY(c->key, &p);
	assert_in_range(len, 1, sizeof der);
	assert_int_equal(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL), 1);
	assert_string_equal(i->public_key, fingerprint_format(digest, text));
}

static void
client_certificates(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	const struct {
		const char *name;
		const struct certificate *certificate;
		const char *subject;
		bool distrusted;
	} rows[] = {
	    {"none", NULL, NULL, false},
	    {"of our CA", &client_good, "CN=client.test", false},
	    {"of nobody's", &client_bad, NULL, true},
	    {"of our CA, expired", &client_old, NULL, true},
	    {"of our CA, a server's", &client_server, NULL, true},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
			SSL_SESSION *session = NULL;
			struct tls_peer p;
			struct stage s;
			char octet;
			int fds[2];

			stage_init(&s, &ec);
			assert_int_equal(tls_configure(s.tls, "mx.test",
					     &(struct tls_rules){.ask_clients = true,
						 .client_ca = buf_span(&ca.certificate)}),
			    0);
			pair(fds);
			tls_peer_init(&p, fds[0], NULL, &session);
			SSL_set_max_proto_version(p.ssl, versions[i]);
			if (rows[j].certificate != NULL)
				assert_int_equal(
				    SSL_use_cert_and_key(p.ssl, rows[j].certificate->x,
					rows[j].certificate->key, NULL, 1),
				    1);
			check_row(rows[j].name, shake(&s, &p, fds[1], LISTENER_MX) == 0);
			check_row(rows[j].name,
			    (s.result.info->distrust != NULL) == rows[j].distrusted);
			if (rows[j].subject != NULL)
				assert_string_equal(s.result.info->subject, rows[j].subject);
			else
				assert_null(s.result.info->subject);
			check_fingerprints(s.result.info, rows[j].certificate);
			/* Who it is, is found out anew each time: no ticket. */
			(void)SSL_read(p.ssl, &octet, 1);
			check_row(
			    rows[j].name, session == NULL || !SSL_SESSION_has_ticket(session));
			SSL_SESSION_free(session);
			tls_peer_release(&p);
			stage_release(&s);
		}
	}
}

/* Without authorities: it is known, and not verified. */
static void
known_without_an_authority(void **state)
{
	struct tls_peer p;
	struct stage s;
	int fds[2];

	(void)state;
	stage_init(&s, &ec);
	assert_int_equal(
	    tls_configure(s.tls, "mx.test", &(struct tls_rules){.ask_clients = true}), 0);
	pair(fds);
	tls_peer_init(&p, fds[0], NULL, NULL);
	assert_int_equal(SSL_use_cert_and_key(p.ssl, client_bad.x, client_bad.key, NULL, 1), 1);
	assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
	check_fingerprints(s.result.info, &client_bad);
	assert_null(s.result.info->subject);
	assert_non_null(s.result.info->distrust);
	tls_info_forget_client(s.result.info);
	check_fingerprints(s.result.info, NULL);
	tls_peer_release(&p);
	stage_release(&s);
}

/* One handshake that offers *session; what is known of the client is his certificate's, or nothing. */
static void
shake_anew(struct stage *s, SSL_SESSION **session, int version, const struct certificate *c)
{
	struct tls_peer p;
	int fds[2];

	pair(fds);
	tls_peer_init(&p, fds[0], "mx.test", session);
	SSL_set_max_proto_version(p.ssl, version);
	if (c != NULL)
		assert_int_equal(SSL_use_cert_and_key(p.ssl, c->x, c->key, NULL, 1), 1);
	assert_int_equal(shake(s, &p, fds[1], LISTENER_MX), 0);
	assert_int_equal(SSL_session_reused(p.ssl), 0);
	check_fingerprints(s->result.info, c);
	if (version < TLS1_3_VERSION) {
		SSL_SESSION_free(*session);
		*session = SSL_get1_session(p.ssl);
	}
	SSL_shutdown(p.ssl);
	tls_peer_release(&p);
}

/* A ticket from before clients were asked would hide who has come, and what one has shown is not the next one's. */
static void
nobody_is_resumed_who_is_to_be_asked(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;
		struct stage s;

		stage_init(&s, &ec);
		assert_false(resumes(&s, &session, versions[i], LISTENER_MX, "mx.test"));
		assert_true(resumes(&s, &session, versions[i], LISTENER_MX, "mx.test"));
		assert_int_equal(
		    tls_configure(s.tls, "mx.test", &(struct tls_rules){.ask_clients = true}),
		    0);
		for (int round = 0; round < 4; round++)
			shake_anew(
			    &s, &session, versions[i], round % 2 == 0 ? &client_good : NULL);
		SSL_SESSION_free(session);
		stage_release(&s);
	}
}

static void
a_subject_is_a_strangers_text(void **state)
{
	struct certificate evil;
	struct tls_peer p;
	struct stage s;
	int fds[2];

	(void)state;
	certificate_make(&evil, "EC:P-256", NULL, -1, 30, NULL);
	X509_NAME_ENTRY_free(X509_NAME_delete_entry(X509_get_subject_name(evil.x), 0));
	X509_NAME_add_entry_by_txt(X509_get_subject_name(evil.x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"good.test\0.evil)\r\n\tby <x> \"(", 28, -1, 0);
	X509_set_issuer_name(evil.x, X509_get_subject_name(ca.x));
	X509_sign(evil.x, ca.key, EVP_sha256());
	stage_init(&s, &ec);
	assert_int_equal(tls_configure(s.tls, "mx.test",
			     &(struct tls_rules){
				 .ask_clients = true, .client_ca = buf_span(&ca.certificate)}),
	    0);
	pair(fds);
	tls_peer_init(&p, fds[0], NULL, NULL);
	assert_int_equal(SSL_use_cert_and_key(p.ssl, evil.x, evil.key, NULL, 1), 1);
	assert_int_equal(shake(&s, &p, fds[1], LISTENER_MX), 0);
	assert_non_null(s.result.info->subject);
	assert_int_equal(strncmp(s.result.info->subject, "CN=good.test?00.evil?", 21), 0);
	for (const char *c = s.result.info->subject; *c != '\0'; c++)
		assert_true(*c >= 0x20 && *c < 0x7f && strchr("()<>\"\\", *c) == NULL);
	tls_peer_release(&p);
	stage_release(&s);
	certificate_release(&evil);
}

static void
bad_authorities(void **state)
{
	struct stage s;
	SSL_CTX *before;

	(void)state;
	stage_init(&s, &ec);
	before = s.tls->context;
	assert_int_equal(
	    tls_configure(s.tls, "mx.test",
		&(struct tls_rules){.ask_clients = true, .client_ca = span_str("nothing")}),
	    -1);
	assert_int_equal(
	    tls_configure(s.tls, "mx.test",
		&(struct tls_rules){.ask_clients = true,
		    .client_ca = span_str(
			"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}),
	    -1);
	assert_ptr_equal(s.tls->context, before);
	assert_int_equal(shake_plain(&s, NULL), 0);
	stage_release(&s);
}

static int
make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certificate_make(&ec, "EC:P-256", "mx.test", -1, 30, NULL);
	certificate_make(&ca, "EC:P-256", "ca.test", -1, 30, NULL);
	certificate_make(&client_good, "EC:P-256", "client.test", -1, 30, &ca);
	certificate_make(&client_bad, "EC:P-256", "client.test", -1, 30, NULL);
	certificate_make(&client_old, "EC:P-256", "client.test", -9, -1, &ca);
	certificate_make(&client_server, "EC:P-256", "client.test", -1, 30, &ca);
	certificate_extend(client_server.x, NID_ext_key_usage, "serverAuth");
	assert_int_not_equal(X509_sign(client_server.x, ca.key, EVP_sha256()), 0);
	return 0;
}

static int
unmake(void **state)
{
	struct certificate *const all[] = {&ec, &ca, &client_good, &client_bad};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		certificate_release(all[i]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tickets_are_good_in_all_workers),
	    cmocka_unit_test(new_ticket_keys_renew_certificates),
	    cmocka_unit_test(ticket_keys_end),
	    cmocka_unit_test(without_ticket_keys),
	    cmocka_unit_test(client_certificates),
	    cmocka_unit_test(known_without_an_authority),
	    cmocka_unit_test(nobody_is_resumed_who_is_to_be_asked),
	    cmocka_unit_test(a_subject_is_a_strangers_text),
	    cmocka_unit_test(bad_authorities),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make, unmake);
}
