/*
 * test_keys: the process keys' answers, with a directory behind it that reads real files: which
 * certificate for which name, new versions, signatures, ticket keys, and what it does not do.
 */
#include "conf/keys.h"

#include "common/log.h"
#include "common/peer.h"
#include "conf/directory.h"
#include "conf/key_pair.h"
#include "conf/key_sign.h"
#include "conf/ticket_keys.h"
#include "tests/unit/certificates.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/sockets.h"

static const char verify13[] =
    "                                                                "
    "TLS 1.3, server CertificateVerify\0"
    "0123456789abcdef0123456789abcdef";

struct world {
	struct files files;
	struct sockets front, back;
	struct event_base *base;
	struct directory *directory;
	struct service *directory_service, *service;
	struct keys *keys;
	struct peer *peer; /* an smtpd */
	int ups, downs, tickets, answers, questions;
	bool silent; /* the directory */
	char ticket_keys[TICKET_KEYS_SIZE];
	/* of the last answer */
	bool told, unchanged;
	enum verdict_kind kind;
	char id[KEY_PAIR_IDS_SIZE];
	uint64_t first; /* octets of the first pair, if there are two; else 0 */
	struct buf payload;
};

/* --- the directory --- */

static void
on_question(struct client *c, struct wire_msg *m, void *arg)
{
	struct world *w = arg;
	struct wire_out out;

	w->questions++;
	if (w->silent)
		return;
	client_answer_init(&out, m);
	directory_refresh(w->directory);
	assert_int_equal(directory_answer(w->directory, "keys/directory", m, &out), 0);
	client_send(c, &out, -1);
}

/* --- keys --- */

static void
on_up(struct client *c, void *arg)
{
	keys_on_up(((struct world *)arg)->keys, c);
}

static void
on_down(struct client *c, void *arg)
{
	struct world *w = arg;

	if (w->keys != NULL)
		keys_on_down(w->keys, c);
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	if (keys_on_message(((struct world *)arg)->keys, c, m) != 0)
		client_drop(c, "as keys_main does");
}

/* --- an smtpd --- */

static void
peer_up(struct peer *p, void *arg)
{
	(void)p;
	((struct world *)arg)->ups++;
}

static void
peer_down(struct peer *p, void *arg)
{
	(void)p;
	((struct world *)arg)->downs++;
}

static void
peer_message(struct peer *p, struct wire_msg *m, void *arg)
{
	struct world *w = arg;

	(void)p;
	assert_true(span_is(m->verb, "tickets"));
	assert_int_equal(m->payload.len, TICKET_KEYS_SIZE);
	memcpy(w->ticket_keys, m->payload.p, TICKET_KEYS_SIZE);
	w->tickets++;
}

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct world *w = arg;
	struct verdict v;
	struct span id;

	w->answers++;
	w->told = m != NULL && wire_get_verdict(m, &v) == 0;
	if (!w->told)
		return;
	w->kind = v.kind;
	w->unchanged = wire_is_yes(m, "unchanged");
	buf_clear(&w->payload);
	buf_add_span(&w->payload, m->payload);
	if (wire_get_u64(m, "first", m->payload.len, &w->first) != 0)
		w->first = 0;
	if (wire_get(m, "id", &id) == 0)
		snprintf(w->id, sizeof w->id, "%.*s", SPAN_ARG(id));
}

static void
ask(struct world *w, struct wire_out *out)
{
	int before = w->answers;

	peer_call(w->peer, out, 3000, on_answer, w);
	assert_true(testing_run_until(w->base, &w->answers, before + 1));
}

/* The certificate for a name (NULL: none given), as the first of its DNS names; "" if it is unchanged. */
static const char *
certificate(struct world *w, const char *name, const char *have)
{
	static char subject[256];
	struct wire_out out;
	struct key_pair p;
	struct buf why;

	wire_out_init(&out, "certificate", peer_next_id(w->peer));
	if (name != NULL)
		wire_add_str(&out, "name", name);
	if (have != NULL)
		wire_add_str(&out, "have", have);
	ask(w, &out);
	if (!w->told || w->kind != VERDICT_OK)
		return "refused";
	if (w->unchanged)
		return "";
	buf_init(&why, 1024);
	assert_int_equal(
	    key_pair_parse_certificate(
		span_first(buf_span(&w->payload), w->first > 0 ? w->first : w->payload.len), &p,
		&why),
	    0);
	assert_int_equal(strncmp(p.id, w->id, strlen(p.id)), 0);
	assert_int_equal(w->id[strlen(p.id)] == ' ', w->first > 0);
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(p.leaf), NID_commonName, subject, sizeof subject);
	key_pair_release(&p);
	buf_release(&why);
	return subject;
}

static bool
sign(struct world *w, const char *id, const char *digest, struct span message)
{
	struct wire_out out;

	wire_out_init(&out, "sign", peer_next_id(w->peer));
	wire_add_str(&out, "id", id);
	wire_add_str(&out, "digest", digest);
	wire_add_str(&out, "padding", "none");
	out.payload = message;
	ask(w, &out);
	return w->told && w->kind == VERDICT_OK;
}

/* --- the world --- */

static struct certificate main_pair, a_pair, other;

static void
write_pair(struct world *w, const char *directory, const struct certificate *c,
    const struct certificate *k)
{
	char certificate_path[300], key_path[300];

	snprintf(certificate_path, sizeof certificate_path, "%s/certificate.pem", directory);
	snprintf(key_path, sizeof key_path, "%s/key.pem", directory);
	/* By rename, as every tool does that replaces certificates. */
	unlink(files_path(&w->files, certificate_path));
	unlink(files_path(&w->files, key_path));
	files_write(&w->files, certificate_path, buf_span(&c->certificate));
	files_write(&w->files, key_path, buf_span(&k->private));
	assert_int_equal(chmod(files_path(&w->files, key_path), 0600), 0);
}

static void
write_main(struct world *w, const struct certificate *c, const struct certificate *k)
{
	write_pair(w, ".", c, k);
	assert_int_equal(
	    chown(files_path(&w->files, "./certificate.pem"), geteuid(), getegid()), 0);
	assert_int_equal(chown(files_path(&w->files, "./key.pem"), geteuid(), getegid()), 0);
}

static struct config *
make_config(struct world *w)
{
	struct config *c = xcalloc(1, sizeof *c);

	c->path = xstrdup("conf");
	c->hostname = xstrdup("mx.test");
	c->domains = xasprintf("%s/virtual", w->files.root);
	c->tls_certificate = xasprintf("%s/certificate.pem", w->files.root);
	c->tls_key = xasprintf("%s/key.pem", w->files.root);
	return c;
}

static void
configure(struct world *w)
{
	directory_configure(w->directory, make_config(w));
}

static void
configure_second(struct world *w)
{
	struct config *c = make_config(w);

	c->tls_second_certificate = xasprintf("%s/second-certificate.pem", w->files.root);
	c->tls_second_key = xasprintf("%s/second-key.pem", w->files.root);
	directory_configure(w->directory, c);
}

static int
setup(void **state)
{
	static const struct service_ops directory_ops = {.on_message = on_question};
	static const struct service_ops ops = {
	    .on_up = on_up, .on_down = on_down, .on_message = on_message};
	static const struct peer_ops peer_ops = {
	    .on_up = peer_up, .on_down = peer_down, .on_message = peer_message};
	const struct domain_ids self = {geteuid(), getegid()};
	struct world *w = xcalloc(1, sizeof *w);

	*state = w;
	w->base = event_base_new();
	buf_init(&w->payload, 1U << 20);
	files_init(&w->files);
	sockets_init(&w->front);
	sockets_init(&w->back);
	files_mkdir(&w->files, "virtual");
	files_domain(&w->files, "virtual/a.test", "bob:x\n", NULL, NULL);
	files_mkdir(&w->files, "virtual/a.test/etc/tls");
	files_domain(&w->files, "virtual/b.test", "bob:x\n", NULL, NULL);
	write_main(w, &main_pair, &main_pair);
	write_pair(w, "virtual/a.test/etc/tls", &a_pair, &a_pair);
	w->directory = directory_new(geteuid() == 0, &self);
	configure(w);
	w->directory_service = service_new(
	    w->base, sockets_listen(&w->back), "keys/directory", (uid_t)-1, &directory_ops, w);
	w->keys = keys_new(w->base, w->back.path);
	w->service =
	    service_new(w->base, sockets_listen(&w->front), "smtpd/keys", (uid_t)-1, &ops, w);
	w->peer = peer_new(w->base, w->front.path, "smtpd", &peer_ops, w);
	assert_true(testing_run_until(w->base, &w->tickets, 1));
	testing_run_for(w->base, 20); /* keys finds the directory */
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	peer_free(&w->peer);
	keys_free(&w->keys);
	service_free(&w->service);
	if (w->directory_service != NULL)
		service_free(&w->directory_service);
	directory_free(&w->directory);
	sockets_release(&w->front);
	sockets_release(&w->back);
	files_release(&w->files);
	buf_release(&w->payload);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void
the_certificate_of_a_name(void **state)
{
	struct world *w = *state;

	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	assert_string_equal(certificate(w, "mail.a.test", NULL), "a.test");
	/* The domain is hosted, its certificate is not one for this name. */
	assert_string_equal(certificate(w, "other.a.test", NULL), "mx.test");
	assert_string_equal(certificate(w, "b.test", NULL), "mx.test");
	assert_string_equal(certificate(w, "unknown.test", NULL), "mx.test");
	assert_string_equal(certificate(w, "../a.test", NULL), "mx.test");
	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	assert_string_equal(certificate(w, "a.test", w->id), "");
	assert_string_equal(certificate(w, NULL, w->id), "mx.test");
}

static void
new_files_come_into_force(void **state)
{
	struct world *w = *state;
	char before[KEY_PAIR_IDS_SIZE];

	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
	snprintf(before, sizeof before, "%s", w->id);
	write_main(w, &other, &main_pair); /* half of a renewal */
	assert_string_equal(certificate(w, NULL, before), "");
	write_main(w, &other, &other);
	assert_string_equal(certificate(w, NULL, before), "other.test");
	assert_true(sign(w, before, "SHA256", LITERAL(verify13)));
	unlink(files_path(&w->files, "./key.pem"));
	assert_string_equal(certificate(w, NULL, NULL), "other.test");
	unlink(files_path(&w->files, "./certificate.pem"));
	assert_string_equal(certificate(w, NULL, NULL), "other.test");

	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	write_pair(w, "virtual/a.test/etc/tls", &a_pair, &other);
	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	/* Taking both away is a wish, not a fault. */
	unlink(files_path(&w->files, "virtual/a.test/etc/tls/key.pem"));
	unlink(files_path(&w->files, "virtual/a.test/etc/tls/certificate.pem"));
	assert_string_equal(certificate(w, "a.test", NULL), "other.test");
}

/* The second pair at this directory. */
static void
write_second(struct world *w, const char *directory, const struct certificate *c)
{
	char path[300];

	snprintf(path, sizeof path, "%s/second-certificate.pem", directory);
	unlink(files_path(&w->files, path));
	files_write(&w->files, path, buf_span(&c->certificate));
	if (strcmp(directory, ".") == 0)
		assert_int_equal(chown(files_path(&w->files, path), geteuid(), getegid()), 0);
	snprintf(path, sizeof path, "%s/second-key.pem", directory);
	unlink(files_path(&w->files, path));
	files_write(&w->files, path, buf_span(&c->private));
	assert_int_equal(chmod(files_path(&w->files, path), 0600), 0);
	if (strcmp(directory, ".") == 0)
		assert_int_equal(chown(files_path(&w->files, path), geteuid(), getegid()), 0);
}

/* The name of the second pair of the last answer, "-" if there was one alone. */
static const char *
second_of(struct world *w)
{
	static char subject[256];
	struct key_pair p;
	struct buf why;

	if (w->first == 0)
		return "-";
	buf_init(&why, 1024);
	assert_int_equal(
	    key_pair_parse_certificate(span_skip(buf_span(&w->payload), w->first), &p, &why),
	    0);
	assert_string_equal(w->id + KEY_PAIR_ID_SIZE, p.id);
	assert_true(sign(w, p.id, "SHA256", LITERAL(verify13)));
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(p.leaf), NID_commonName, subject, sizeof subject);
	key_pair_release(&p);
	buf_release(&why);
	return subject;
}

static void
two_kinds_of_key(void **state)
{
	struct world *w = *state;
	struct certificate rsa, own;
	char before[KEY_PAIR_IDS_SIZE];

	certificate_make(&rsa, "RSA:2048", "a.test", -1, 30, NULL);
	certificate_make(&own, "RSA:2048", "rsa.mx.test", -1, 30, NULL);
	write_second(w, "virtual/a.test/etc/tls", &rsa);
	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	assert_string_equal(second_of(w), "a.test");
	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	snprintf(before, sizeof before, "%s", w->id);
	assert_string_equal(certificate(w, "a.test", before), "");
	/* That one is not for this name. */
	assert_string_equal(certificate(w, "mail.a.test", before), "a.test");
	assert_string_equal(second_of(w), "-");
	/* One of the same kind is no use. */
	write_second(w, "virtual/a.test/etc/tls", &a_pair);
	assert_string_equal(certificate(w, "a.test", before), "a.test");
	assert_string_equal(second_of(w), "-");
	/* A version that cannot be used leaves the one before. */
	write_second(w, "virtual/a.test/etc/tls", &rsa);
	assert_string_equal(certificate(w, "a.test", before), "");
	files_write(&w->files, "virtual/a.test/etc/tls/second-key.pem", buf_span(&own.private));
	assert_string_equal(certificate(w, "a.test", before), "");
	/* Taken away, it is gone. */
	unlink(files_path(&w->files, "virtual/a.test/etc/tls/second-key.pem"));
	unlink(files_path(&w->files, "virtual/a.test/etc/tls/second-certificate.pem"));
	assert_string_equal(certificate(w, "a.test", before), "a.test");
	assert_string_equal(second_of(w), "-");

	/* This host's. */
	write_second(w, ".", &own);
	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
	assert_string_equal(second_of(w), "-");
	configure_second(w);
	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
	assert_string_equal(second_of(w), "rsa.mx.test");
	assert_string_equal(certificate(w, "unknown.test", NULL), "mx.test");
	assert_string_equal(second_of(w), "rsa.mx.test");
	certificate_release(&rsa);
	certificate_release(&own);
}

static void
without_the_directory(void **state)
{
	struct world *w = *state;

	service_free(&w->directory_service);
	testing_run_for(w->base, 20);
	assert_string_equal(certificate(w, NULL, NULL), "refused");
	assert_int_equal(w->kind, VERDICT_TEMPORARY);
	assert_int_equal(w->downs, 0);
}

static void
signs_by_id(void **state)
{
	struct world *w = *state;
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	assert_string_equal(certificate(w, "a.test", NULL), "a.test");
	assert_true(sign(w, w->id, "SHA256", LITERAL(verify13)));
	assert_int_equal(
	    EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, a_pair.key, NULL), 1);
	assert_int_equal(EVP_DigestVerify(c, (unsigned char *)w->payload.p, w->payload.len,
			     (const unsigned char *)verify13, sizeof verify13 - 1),
	    1);
	EVP_MD_CTX_free(c);
	assert_false(sign(w, "0123", "SHA256", LITERAL(verify13)));
	assert_int_equal(w->kind, VERDICT_TEMPORARY);
	assert_int_equal(w->downs, 0);
	/* Anything but a handshake is no honest question. */
	assert_false(sign(w, w->id, "SHA256", LITERAL("pay to the bearer")));
	assert_false(w->told);
	assert_true(testing_run_until(w->base, &w->downs, 1));
	assert_true(testing_run_until(w->base, &w->ups, 2));
	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
}

static void
what_makes_no_sense_ends_the_connection(void **state)
{
	static const char *const verbs[] = {"certificate", "hello", "sign", "resolve"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		struct wire_out out;

		wire_out_init(&out, verbs[i], i == 0 ? 0 : peer_next_id(w->peer));
		if (i == 0)
			peer_notify(w->peer, &out, -1);
		else
			ask(w, &out);
		assert_true(testing_run_until(w->base, &w->downs, (int)i + 1));
		assert_true(testing_run_until(w->base, &w->ups, (int)i + 2));
	}
}

static void
ticket_keys_turn(void **state)
{
	struct ticket_key keys[TICKET_KEYS], before[TICKET_KEYS];
	struct world *w = *state;
	static const char zero[sizeof(struct ticket_key)];

	for (size_t i = 0; i < TICKET_KEYS; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(w->ticket_keys + i * sizeof *keys,
			    w->ticket_keys + j * sizeof *keys, sizeof *keys);
	ticket_keys_make(keys);
	assert_memory_not_equal(&keys[TICKET_KEYS - 1], zero, sizeof zero);
	memcpy(before, keys, sizeof keys);
	ticket_keys_rotate(keys);
	assert_memory_equal(&keys[1], &before[0], (TICKET_KEYS - 1) * sizeof *keys);
	assert_memory_not_equal(&keys[0], &before[0], sizeof *keys);
	/* The same for every client. */
	memcpy(keys, w->ticket_keys, sizeof keys);
	peer_free(&w->peer);
	testing_run_for(w->base, 10);
	w->peer = peer_new(w->base, w->front.path, "smtpd",
	    &(struct peer_ops){
		.on_up = peer_up, .on_down = peer_down, .on_message = peer_message},
	    w);
	assert_true(testing_run_until(w->base, &w->tickets, 2));
	assert_memory_equal(keys, w->ticket_keys, sizeof keys);
	peer_free(&w->peer);
	w->peer = peer_new(w->base, w->front.path, "smtpd", &(struct peer_ops){NULL}, w);
}

/* Its questions go with a client; nobody answers into the void. */
static void
a_client_that_goes(void **state)
{
	struct world *w = *state;
	struct wire_out out;

	w->silent = true;
	for (int i = 0; i < 10; i++) {
		wire_out_init(&out, "certificate", peer_next_id(w->peer));
		peer_call(w->peer, &out, 1000, on_answer, w);
	}
	assert_true(testing_run_until(w->base, &w->questions, 10));
	peer_free(&w->peer);
	testing_run_for(w->base, 20);
	assert_int_equal(w->answers, 0);
	w->silent = false;
	w->peer = peer_new(w->base, w->front.path, "smtpd", &(struct peer_ops){NULL}, w);
	testing_run_for(w->base, 20);
	assert_string_equal(certificate(w, NULL, NULL), "mx.test");
}

static int
make(void **state)
{
	(void)state;
	certificate_make(&main_pair, "EC:P-256", "mx.test", -1, 30, NULL);
	certificate_make(&a_pair, "EC:P-256", "a.test,DNS:mail.a.test", -1, 30, NULL);
	certificate_make(&other, "EC:P-256", "other.test", -1, 30, NULL);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	certificate_release(&main_pair);
	certificate_release(&a_pair);
	certificate_release(&other);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_certificate_of_a_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(new_files_come_into_force, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_kinds_of_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_the_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(signs_by_id, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_makes_no_sense_ends_the_connection, setup, teardown),
	    cmocka_unit_test_setup_teardown(ticket_keys_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_client_that_goes, setup, teardown),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make, unmake);
}
