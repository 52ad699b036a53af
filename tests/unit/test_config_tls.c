/* test_config_tls: tls { } of postrider.conf: what is taken, what a listener does about it, and what is refused, with its line. */
#include "conf/config_check_tls.h"

#include "tests/unit/certificates.h"
#include "tests/unit/config_fixture.h"

static struct certificate good, other, expired, ending, rsa;

static void
put(const char *name, struct span text, mode_t mode)
{
	files_write(&files, name, text);
	assert_int_equal(chown(files_path(&files, name), geteuid(), getegid()), 0);
	assert_int_equal(chmod(files_path(&files, name), mode), 0);
}

static int
setup_files(void **state)
{
	setup(state);
	put("good.pem", buf_span(&good.certificate), 0644);
	put("good.key", buf_span(&good.private), 0600);
	put("other.key", buf_span(&other.private), 0600);
	put("expired.pem", buf_span(&expired.certificate), 0644);
	put("expired.key", buf_span(&expired.private), 0600);
	put("ending.pem", buf_span(&ending.certificate), 0644);
	put("ending.key", buf_span(&ending.private), 0600);
	put("other.pem", buf_span(&other.certificate), 0644);
	put("rsa.pem", buf_span(&rsa.certificate), 0644);
	put("rsa.key", buf_span(&rsa.private), 0600);
	put("open.key", buf_span(&good.private), 0640);
	put("writable.pem", buf_span(&good.certificate), 0666);
	put("text", span_str("nothing\n"), 0600);
	return 0;
}

/* Loads a configuration in whose text @ is the directory. */
static struct config *
load_there(const char *text)
{
	struct config *c;
	struct buf b;

	buf_init(&b, 65536);
	buf_add_str(&b, "hostname = a.test\n");
	for (; *text != '\0'; text++) {
		if (*text == '@')
			buf_add_str(&b, files.root);
		else
			buf_add_char(&b, *text);
	}
	c = load(buf_str(&b));
	buf_release(&b);
	return c;
}

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ASK                                                                                    \
	"tls { certificate = @/good.pem  key = @/good.key  client-certificates = ask  "        \
	"client-ca = @/expired.pem }\n"
#define TLS "tls { certificate = @/good.pem  key = @/good.key }\n"

static void
listeners_and_their_default(void **state)
{
	static const struct {
		const char *text;
		enum listener_tls want;
	} rows[] = {
	    {"listen \"127.0.0.1:25\" { }\n", LISTENER_TLS_NONE},
	    {TLS, LISTENER_TLS_STARTTLS},
	    {TLS "listen \"127.0.0.1:25\" { }\n", LISTENER_TLS_STARTTLS},
	    {"listen \"127.0.0.1:25\" { }\n" TLS, LISTENER_TLS_STARTTLS},
	    {TLS "listen \"127.0.0.1:25\" { tls = none }\n", LISTENER_TLS_NONE},
	    {TLS "listen \"127.0.0.1:25\" { tls = starttls }\n", LISTENER_TLS_STARTTLS},
	    {TLS "listen \"127.0.0.1:465\" { tls = implicit }\n", LISTENER_TLS_IMPLICIT},
	    {"tls { certificate = @/expired.pem  key = @/expired.key }\n",
		LISTENER_TLS_STARTTLS},
	    {"tls { certificate = @/good.pem  key = @/good.key  second-certificate = "
	     "@/rsa.pem  second-key = @/rsa.key }\n",
		LISTENER_TLS_STARTTLS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *c = load_there(rows[i].text);

		complaints_print(&errors);
		check_row(rows[i].text, c != NULL);
		check_row(rows[i].text, c->listeners[0].tls == rows[i].want);
		check_row(rows[i].text, !c->tls_ask_client);
		config_free(&c);
	}
}

static void
what_is_refused(void **state)
{
	static const struct config_row rows[] = {
	    {"tls { certificate = @/good.pem }", ":5:", "only one of certificate and key"},
	    {"tls {\n key = @/good.key }", ":6:", "only one of certificate and key"},
	    {"tls { certificate = @/none.pem\n key = @/good.key }", ":5:", "does not exist"},
	    {"tls { certificate = @/good.pem\n key = @/none.key }", ":6:", "does not exist"},
	    {"tls { certificate = @/good.pem\n key = @/other.key }",
		":6:", "does not belong to the certificate"},
	    {"tls { certificate = @/good.pem\n key = @/open.key }",
		":6:", "may be read by others (mode 0640): chmod 600 it"},
	    {"tls { certificate = @/writable.pem\n key = @/good.key }",
		":5:", "is writable by everybody"},
	    {"tls { certificate = @/text\n key = @/good.key }", ":5:", "holds no certificate"},
	    {"tls { certificate = @/good.pem\n key = @/text }", ":6:", "holds no private key"},
	    {"tls { certificate = @/virtual\n key = @/good.key }",
		":5:", "is not a regular file"},
	    {"listen \"127.0.0.1:25\" { tls = starttls }",
		":5:", "tls = starttls needs tls { certificate"},
	    {"listen \"127.0.0.1:465\" { tls = implicit }",
		":5:", "tls = implicit needs tls { certificate"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n second-key = @/other.key }",
		":6:", "only one of second-certificate and second-key"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n second-certificate = "
	     "@/other.pem  second-key = @/other.key }",
		":6:", "its key is of the kind EC, as that of /"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n second-certificate = "
	     "@/rsa.pem  second-key = @/other.key }",
		":6:", "second-key = /"},
	    {"tls {\n second-certificate = @/rsa.pem  second-key = @/rsa.key }",
		":6:", "expected certificate = \"...\" first"},
	    {TLS "relay-client-certs = { \"" FINGERPRINT "\" }",
		":6:", "relay-client-certs: no client is asked"},
	    {ASK "relay-client-certs = { \"" FINGERPRINT "0\" }",
		":6:", "expected the SHA-256 of a certificate"},
	    {TLS "relay-verified-clients = yes",
		":6:", "expected tls { client-certificates = ask"},
	    {"tls { certificate = @/good.pem  key = @/good.key client-certificates = ask }\n"
	     "relay-verified-clients = yes\nrelay-client-certs = { \"" FINGERPRINT "\" }",
		":6:", "relay-verified-clients: expected tls { client-certificates = ask"},
	    {TLS "tls { }", ":6:", "given twice, first on line 5"},
	    {"tls { client-certificates = require }", ":5:", "expected no or ask"},
	    {TLS "tls-x { }", ":6:", "unknown"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n client-certificates = ask }",
		":6:", "needs client-ca"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n client-ca = @/text }",
		":6:", "expected certificates as PEM text"},
	    {"tls { certificate = @/good.pem  key = @/good.key\n client-ca = @/none }",
		":6:", "does not exist"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *c = load_there(rows[i].text);

		if (!complaint_has(&errors, rows[i].line, rows[i].complaint))
			complaints_print(&errors);
		check_row(rows[i].text, c == NULL);
		check_row(
		    rows[i].text, complaint_has(&errors, rows[i].line, rows[i].complaint));
	}
}

/* What is taken as it is, and yet wants a person. */
static void
what_is_warned_of(void **state)
{
	static const struct {
		const char *text, *warning; /* NULL: none */
	} rows[] = {
	    {TLS, NULL},
	    {"listen \"127.0.0.1:25\" { tls = none }\n", NULL},
	    {"\n", "conf: there is no TLS certificate: STARTTLS is not offered"},
	    {"listen \"127.0.0.1:25\" { tls = none }\nlisten \"127.0.0.1:26\" { }\n",
		"there is no AUTH, so nobody can log in to send; get one for a.test and"},
	    {"auth-without-tls = yes\n", "passwords do, too (auth-without-tls); get one for"},
	    {"tls { key = @/expired.key\n certificate = @/expired.pem }\n",
		"expired.pem: the certificate has expired 1 day ago, on 2"},
	    {"tls { key = @/ending.key\n certificate = @/ending.pem }\n",
		"ending.pem: the certificate expires in 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *c = load_there(rows[i].text);

		complaints_print(&errors);
		check_row(rows[i].text, c != NULL);
		check_row(rows[i].text, errors.nwarnings == (rows[i].warning != NULL));
		check_row(
		    rows[i].text, rows[i].warning == NULL ||
				      strstr(errors.warnings[0].text, rows[i].warning) != NULL);
		config_free(&c);
	}
	assert_non_null(strstr(errors.warnings[0].text, "conf:6: certificate = /"));
}

static void
client_certificates(void **state)
{
	struct config *c = load_there(
	    ASK "relay-verified-clients = yes\nrelay-client-certs = { \"" FINGERPRINT "\", "
		"\"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:"
		"23:45:67:89:AB:CD:EF\" }\n");
	struct wire_fields fields = {NULL, 0};
	struct config *copy;
	struct wire_out w;
	struct wire_msg m;
	char *text;

	(void)state;
	complaints_print(&errors);
	assert_non_null(c);
	assert_true(c->tls_ask_client);
	wire_out_init(&w, "settings", 0);
	config_to_wire(c, &w);
	text = xstrdup(buf_str(&w.text));
	assert_int_equal(wire_parse(text, w.text.len, &fields, &m), 0);
	copy = config_from_wire(&m);
	assert_non_null(copy);
	assert_true(copy->tls_ask_client);
	assert_string_equal(copy->tls_client_ca, c->tls_client_ca);
	assert_true(copy->relay_verified_clients);
	assert_int_equal(copy->relay_client_certs.n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(copy->relay_client_certs.v[i], FINGERPRINT);
	assert_string_equal(copy->tls_certificate, c->tls_certificate);
	assert_int_equal(copy->listeners[0].tls, LISTENER_TLS_STARTTLS);
	config_free(&copy);
	config_free(&c);
	wire_out_release(&w);
	wire_fields_release(&fields);
	free(text);
}

static int
make(void **state)
{
	(void)state;
	certificate_make(&good, "EC:P-256", "a.test", -1, 30, NULL);
	certificate_make(&other, "EC:P-256", "b.test", -1, 30, NULL);
	certificate_make(&expired, "EC:P-256", "ca.test", -30, -1, NULL);
	certificate_make(&rsa, "RSA:2048", "a.test", -1, 30, NULL);
	certificate_make(&ending, "EC:P-256", "a.test", -1, 13, NULL);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	certificate_release(&good);
	certificate_release(&other);
	certificate_release(&expired);
	certificate_release(&ending);
	certificate_release(&rsa);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(listeners_and_their_default, setup_files, teardown),
	    cmocka_unit_test_setup_teardown(what_is_refused, setup_files, teardown),
	    cmocka_unit_test_setup_teardown(what_is_warned_of, setup_files, teardown),
	    cmocka_unit_test_setup_teardown(client_certificates, setup_files, teardown),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
