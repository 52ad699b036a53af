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
read_file(const struct check *k, const char *name, const char *path, struct buf *text)
{
	struct datafile_stamp stamp;
	enum datafile_result r;
	struct buf why;

	buf_init(&why, 1024);
	r = datafile_read(AT_FDCWD, path, false, geteuid(), text, &stamp, &why);
	if (r == DATAFILE_MISSING)
		buf_add_str(&why, "does not exist");
	else if (r == DATAFILE_OK && strcmp(name, "key") == 0 && (stamp.mode & 077) != 0)
		buf_addf(&why, "may be read by others (mode %04o): chmod 600 it",
		    (unsigned)stamp.mode & 07777);
	if (why.len > 0)
		COMPLAIN(k, line_of(k, name), "%s = %s: %s", name, path, buf_str(&why));
	buf_release(&why);
	return r == DATAFILE_OK;
}

/* Do the texts of both make a pair? */
static void
check_pair(const struct check *k, struct span certificate, struct span key)
{
	char term[KEY_PAIR_TERM_SIZE];
	enum key_pair_file file;
	struct key_pair pair;
	struct buf why;

	buf_init(&why, 1024);
	if (key_pair_parse(certificate, key, &pair, &file, &why) != 0) {
		bool is_key = file == KEY_PAIR_KEY;

		COMPLAIN(k, line_of(k, is_key ? "key" : "certificate"), "%s = %s: %s",
		    is_key ? "key" : "certificate",
		    is_key ? k->c->tls_key : k->c->tls_certificate, buf_str(&why));
	} else {
		if (key_pair_term(&pair, clock_wall(), term) != KEY_PAIR_VALID)
			config_errors_warn(k->errors, k->c->path, line_of(k, "certificate"),
			    "certificate = %s: %s", k->c->tls_certificate, term);
		key_pair_release(&pair);
	}
	buf_release(&why);
}

static void
check_certificate(const struct check *k)
{
	const struct config *c = k->c;
	struct buf certificate, key;
	bool both = c->tls_certificate != NULL && c->tls_key != NULL;

	buf_init(&certificate, KEY_PAIR_FILE_MAX);
	buf_init(&key, KEY_PAIR_FILE_MAX);
	if (c->tls_certificate != NULL &&
	    !read_file(k, "certificate", c->tls_certificate, &certificate))
		both = false;
	if (c->tls_key != NULL && !read_file(k, "key", c->tls_key, &key))
		both = false;
	if (both)
		check_pair(k, buf_span(&certificate), buf_span(&key));
	if ((c->tls_certificate == NULL) != (c->tls_key == NULL))
		COMPLAIN(k, line_of(k, c->tls_key != NULL ? "key" : "certificate"),
		    "tls { } has only one of certificate and key, expected both");
	if (key.p != NULL)
		explicit_bzero(key.p, key.len);
	buf_release(&key);
	buf_release(&certificate);
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

	if (c->tls_ask_client && c->tls_client_ca == NULL)
		COMPLAIN(k, line_of(k, "client-certificates"),
		    "client-certificates = ask needs client-ca = \"…\", whom they are to come "
		    "from");
	if (c->tls_client_ca == NULL)
		return;
	buf_init(&text, CONFIG_CLIENT_CA_MAX);
	if (read_file(k, "client-ca", c->tls_client_ca, &text) &&
	    !holds_certificates(buf_span(&text)))
		COMPLAIN(k, line_of(k, "client-ca"),
		    "client-ca = %s: expected certificates as PEM text, all of which can be "
		    "read",
		    c->tls_client_ca);
	buf_release(&text);
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
		    "unencrypted, and without TLS there is no AUTH, so nobody can log in to "
		    "send; get one for %s and name it in tls { certificate = \"...\"  key = "
		    "\"...\" }, or say tls = none in every listen { } if that is what you want",
		    k->c->hostname);
}

void
config_check_tls(
    const struct config *c, const struct config_lines *lines, struct config_errors *errors)
{
	struct check k = {c, lines, errors};

	check_certificate(&k);
	warn_of_none(&k);
	check_client_ca(&k);
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
