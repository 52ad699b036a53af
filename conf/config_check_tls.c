/* config_check_tls: what must be true of tls { }. See config_check_tls.h. */
#include "conf/config_check_tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "conf/datafile.h"
#include "conf/key_pair.h"

struct check {
	const struct config *c;
	const struct config_lines *lines;
	struct config_errors *errors;
};

#define COMPLAIN(k, line, ...) config_errors_add((k)->errors, (k)->c->path, line, __VA_ARGS__)

static unsigned
line_of(const struct check *k, const char *name)
{
	return config_lines_find(k->lines, "tls", name);
}

/* Reads a file that must be believed into text. False if it is not: said. */
static bool
read_file(
    const struct check *k, const char *name, const char *path, bool private, struct buf *text)
{
	struct datafile_stamp stamp;
	enum datafile_result r;
	struct buf why;

	buf_init(&why, 1024);
	r = datafile_read(AT_FDCWD, path, false, geteuid(), text, &stamp, &why);
	if (r == DATAFILE_MISSING)
		buf_add_str(&why, "does not exist");
	else if (r == DATAFILE_OK && private && (stamp.mode & 077) != 0)
		buf_addf(&why, "may be read by others (mode %04o): chmod 600 it",
		    (unsigned)stamp.mode & 07777);
	if (why.len > 0)
		COMPLAIN(k, line_of(k, name), "%s = %s: %s", name, path, buf_str(&why));
	buf_release(&why);
	return r == DATAFILE_OK;
}

/* A pair as the file names it: the keys, and their values, NULL if not set. */
struct named {
	const char *certificate_name, *key_name, *certificate, *key;
};

/* Do the texts of both make a pair? */
static bool
parse_pair(const struct check *k, const struct named *n, struct span certificate,
    struct span key, struct key_pair *pair)
{
	char term[KEY_PAIR_TERM_SIZE];
	enum key_pair_file file;
	struct buf why;
	bool good;

	buf_init(&why, 1024);
	good = key_pair_parse(certificate, key, pair, &file, &why) == 0;
	if (!good) {
		const char *name = file == KEY_PAIR_KEY ? n->key_name : n->certificate_name;

		COMPLAIN(k, line_of(k, name), "%s = %s: %s", name,
		    file == KEY_PAIR_KEY ? n->key : n->certificate, buf_str(&why));
	} else if (key_pair_term(pair, clock_wall(), term) != KEY_PAIR_VALID) {
		config_errors_warn(k->errors, k->c->path, line_of(k, n->certificate_name),
		    "%s = %s: %s", n->certificate_name, n->certificate, term);
	}
	buf_release(&why);
	return good;
}

/* True: they are there and can be used, and *pair is to be released. */
static bool
check_pair(const struct check *k, const struct named *n, struct key_pair *pair)
{
	struct buf certificate, key;
	bool both = n->certificate != NULL && n->key != NULL;

	buf_init(&certificate, KEY_PAIR_FILE_MAX);
	buf_init_secret(&key, KEY_PAIR_FILE_MAX);
	if (n->certificate != NULL &&
	    !read_file(k, n->certificate_name, n->certificate, false, &certificate))
		both = false;
	if (n->key != NULL && !read_file(k, n->key_name, n->key, true, &key))
		both = false;
	if (both)
		both = parse_pair(k, n, buf_span(&certificate), buf_span(&key), pair);
	if ((n->certificate == NULL) != (n->key == NULL))
		COMPLAIN(k, line_of(k, n->key != NULL ? n->key_name : n->certificate_name),
		    "tls { } has only one of %s and %s, expected both", n->certificate_name,
		    n->key_name);
	buf_release(&key);
	buf_release(&certificate);
	return both;
}

static void
check_certificates(const struct check *k)
{
	const struct config *c = k->c;
	const struct named first = {"certificate", "key", c->tls_certificate, c->tls_key};
	const struct named second = {
	    "second-certificate", "second-key", c->tls_second_certificate, c->tls_second_key};
	struct key_pair a = {.leaf = NULL}, b = {.leaf = NULL};
	bool both = check_pair(k, &first, &a);

	if (check_pair(k, &second, &b) && both && key_pair_same_kind(&a, &b))
		COMPLAIN(k, line_of(k, second.certificate_name),
		    "second-certificate = %s: " KEY_PAIR_SAME_KIND, second.certificate,
		    key_pair_kind(&b), first.certificate);
	if (second.certificate != NULL && first.certificate == NULL)
		COMPLAIN(k, line_of(k, second.certificate_name),
		    "second-certificate is for a second kind of key, expected certificate = "
		    "\"...\" first");
	key_pair_release(&a);
	key_pair_release(&b);
}

/* Nothing but certificates that can be read, and at least one? As smtpd/tls_context.c wants it. */
static bool
holds_certificates(struct span text)
{
	BIO *in = BIO_new_mem_buf(text.p != NULL ? text.p : "", (int)text.len);
	bool all;
	unsigned n = 0;
	X509 *x;

	for (; in != NULL && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL; n++)
		X509_free(x);
	all = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(in);
	ERR_clear_error();
	return n > 0 && all;
}

static void
check_client_ca(const struct check *k)
{
	const struct config *c = k->c;
	struct buf text;

	if (c->tls_client_ca == NULL)
		return;
	buf_init(&text, CONFIG_CLIENT_CA_MAX);
	if (read_file(k, "client-ca", c->tls_client_ca, false, &text) &&
	    !holds_certificates(buf_span(&text)))
		COMPLAIN(k, line_of(k, "client-ca"),
		    "client-ca = %s: expected certificates as PEM text, all of which can be "
		    "read",
		    c->tls_client_ca);
	buf_release(&text);
}

/* Whoever may relay by a certificate must be asked for it, and what is asked for must be of use. */
static void
check_client_certificates(const struct check *k)
{
	const struct config *c = k->c;

	if (c->tls_ask_client && c->tls_client_ca == NULL && c->relay_client_certs.n == 0)
		COMPLAIN(k, line_of(k, "client-certificates"),
		    "client-certificates = ask needs client-ca = \"...\", whom they are to "
		    "come from, or relay-client-certs");
	if (c->relay_client_certs.n > 0 && !c->tls_ask_client)
		COMPLAIN(k, config_lines_find(k->lines, NULL, "relay-client-certs"),
		    "relay-client-certs: no client is asked for a certificate, expected tls { "
		    "client-certificates = ask }");
	if (c->relay_verified_clients && (!c->tls_ask_client || c->tls_client_ca == NULL))
		COMPLAIN(k, config_lines_find(k->lines, NULL, "relay-verified-clients"),
		    "relay-verified-clients: expected tls { client-certificates = ask  "
		    "client-ca = \"...\" }");
	check_client_ca(k);
}

/* Does OpenSSL know any of them? */
static void
check_ciphers(const struct check *k)
{
	const struct config *c = k->c;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return;
	if (c->tls_ciphers != NULL && SSL_CTX_set_cipher_list(ctx, c->tls_ciphers) != 1)
		COMPLAIN(k, line_of(k, "ciphers"),
		    "ciphers = \"%s\": OpenSSL knows none of them, openssl ciphers lists them",
		    c->tls_ciphers);
	if (c->tls_ciphersuites != NULL &&
	    SSL_CTX_set_ciphersuites(ctx, c->tls_ciphersuites) != 1)
		COMPLAIN(k, line_of(k, "ciphersuites"),
		    "ciphersuites = \"%s\": OpenSSL does not know them, openssl ciphers "
		    "-tls1_3 "
		    "-s lists them",
		    c->tls_ciphersuites);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}

/* Whoever has said `tls = none` everywhere knows; who has said nothing may not. */
static void
warn_of_none(const struct check *k)
{
	if (k->c->tls_certificate == NULL && k->c->tls_key == NULL && k->lines->tls_unsaid)
		config_errors_warn(k->errors, k->c->path, 0,
		    "there is no TLS certificate: STARTTLS is not offered, mail comes in "
		    "unencrypted, and %s; get one for %s and name it in tls { certificate = "
		    "\"...\"  key = \"...\" }, or say tls = none in every listen { } if that "
		    "is "
		    "what you want",
		    k->c->auth_without_tls
			? "passwords do, too (auth-without-tls)"
			: "without TLS there is no AUTH, so nobody can log in to send",
		    k->c->hostname);
}

void
config_check_tls(
    const struct config *c, const struct config_lines *lines, struct config_errors *errors)
{
	struct check k = {c, lines, errors};

	check_certificates(&k);
	warn_of_none(&k);
	check_client_certificates(&k);
	check_ciphers(&k);
	for (size_t i = 0; i < c->nlisteners; i++) {
		const unsigned *at = lines->titled[CONFIG_LISTEN];
		const struct config_listener *l = &c->listeners[i];

		if (l->tls != LISTENER_TLS_NONE &&
		    (c->tls_certificate == NULL || c->tls_key == NULL))
			COMPLAIN(&k, at != NULL ? at[i] : 0,
			    "listen \"%s\": tls = %s needs tls { certificate = \"…\"  key = "
			    "\"…\" }",
			    l->address, listener_tls_name(l->tls));
	}
}
