/*
 * keys: certificates, signatures and ticket keys for smtpd. See keys.h. A question
 * for a certificate asks the directory where its files lie, and once more for what
 * is in them if that is another version than ours: first for the name, then, if
 * there is none for it, for this host.
 */
#include "conf/keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/peer.h"
#include "common/xalloc.h"
#include "conf/certificate_answer.h"
#include "conf/certificate_files.h"
#include "conf/key_sign.h"
#include "conf/key_store.h"
#include "conf/ticket_keys.h"

/* Questions of all clients under way; smtpd has far fewer handshakes at once. */
#define QUESTIONS_MAX 10000

#define ANSWER_TIMEOUT_MS 5000

/* How often it is said which certificates have expired, or will soon. */
#define REMIND_SEC 86400

struct listener {
	TAILQ_ENTRY(listener) link;
	struct client *client;
};

/* A question for a certificate on its way. */
struct question {
	TAILQ_ENTRY(question) link;
	struct keys *keys;
	struct client *client;
	uint64_t id;	 /* of the question, for its answer */
	uint64_t asking; /* our question to the directory */
	char *name;	 /* NULL: this host's own */
	char have[KEY_PAIR_IDS_SIZE];
	bool texts; /* the texts were asked for */
};

struct keys {
	struct event *rotate, *remind;
	struct peer *directory;
	struct key_store *store;
	struct ticket_key tickets[TICKET_KEYS];
	TAILQ_HEAD(, listener) listeners;
	TAILQ_HEAD(, question) questions;
	size_t nquestions;
};

static void on_directory_answer(struct wire_msg *, void *);

/* --- ticket keys --- */

static void
tell_tickets(struct keys *k, struct client *c)
{
	struct wire_out w;

	wire_out_init(&w, "tickets", 0);
	w.payload = span_make(k->tickets, TICKET_KEYS_SIZE);
	(void)client_send(c, &w, -1); /* one that cannot be told is gone */
}

static void
on_rotate(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;
	struct listener *l;

	(void)fd, (void)what;
	ticket_keys_rotate(k->tickets);
	TAILQ_FOREACH (l, &k->listeners, link)
		tell_tickets(k, l->client);
}

static void
on_remind(evutil_socket_t fd, short what, void *arg)
{
	struct keys *k = arg;

	(void)fd, (void)what;
	key_store_remind(k->store);
}

/* --- life --- */

struct keys *
keys_new(struct event_base *base, const char *directory_socket)
{
	static const struct peer_ops ops = {.secret = true};
	struct keys *k = xcalloc(1, sizeof *k);

	TAILQ_INIT(&k->listeners);
	TAILQ_INIT(&k->questions);
	k->store = key_store_new(KEY_STORE_MAX, NULL, NULL);
	k->directory = peer_new(base, directory_socket, "keys", &ops, k);
	ticket_keys_make(k->tickets);
	k->rotate = event_new(base, -1, EV_PERSIST, on_rotate, k);
	k->remind = event_new(base, -1, EV_PERSIST, on_remind, k);
	if (k->rotate == NULL || k->remind == NULL)
		fatalx("cannot make a timer");
	event_add(k->remind, &(struct timeval){REMIND_SEC, 0});
	event_add(k->rotate, &(struct timeval){TICKET_KEYS_ROTATE_SEC, 0});
	return k;
}

static void
question_free(struct question *q)
{
	if (q->asking != 0)
		peer_cancel(q->keys->directory, q->asking);
	TAILQ_REMOVE(&q->keys->questions, q, link);
	q->keys->nquestions--;
	free(q->name);
	free(q);
}

void
keys_free(struct keys **kp)
{
	struct keys *k = *kp;

	if (k == NULL)
		return;
	*kp = NULL;
	while (!TAILQ_EMPTY(&k->questions))
		question_free(TAILQ_FIRST(&k->questions));
	while (!TAILQ_EMPTY(&k->listeners))
		keys_on_down(k, TAILQ_FIRST(&k->listeners)->client);
	event_free(k->rotate);
	event_free(k->remind);
	peer_free(&k->directory);
	key_store_free(&k->store);
	explicit_bzero(k->tickets, sizeof k->tickets);
	free(k);
}

void
keys_on_up(struct keys *k, struct client *c)
{
	struct listener *l;

	/* Whoever asks for signatures alone reads nothing else. */
	if (strcmp(client_role(c), KEYS_ROLE_SIGNER) == 0)
		return;
	l = xcalloc(1, sizeof *l);
	l->client = c;
	TAILQ_INSERT_TAIL(&k->listeners, l, link);
	tell_tickets(k, c);
}

void
keys_on_down(struct keys *k, struct client *c)
{
	struct question *q, *next;
	struct listener *l;

	for (q = TAILQ_FIRST(&k->questions); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->client == c)
			question_free(q);
	}
	TAILQ_FOREACH (l, &k->listeners, link) {
		if (l->client == c) {
			TAILQ_REMOVE(&k->listeners, l, link);
			free(l);
			return;
		}
	}
}

/* --- certificates --- */

/* Says the id of what is shown: of both pairs, if there are two. */
static const char *
format_id(const struct key_pair *const pairs[], size_t n, char id[KEY_PAIR_IDS_SIZE])
{
	snprintf(id, KEY_PAIR_IDS_SIZE, "%s%s%s", pairs[0]->id, n > 1 ? " " : "",
	    n > 1 ? pairs[1]->id : "");
	return id;
}

/* With the pairs that are to be shown; n 0: there is none. */
static void
answer(struct question *q, const struct key_pair *const pairs[], size_t n)
{
	char id[KEY_PAIR_IDS_SIZE];
	struct wire_out w;
	struct verdict v;
	struct buf pem;
	size_t first;

	buf_init(&pem, WIRE_PAYLOAD_MAX);
	wire_out_init(&w, "answer", q->id);
	verdict_set(&v, VERDICT_TEMPORARY, 454, "4.7.0", "TLS is not available");
	if (n > 0 && key_pair_format(pairs[0], &pem) == 0)
		verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "certificate");
	first = pem.len;
	if (n > 1 && key_pair_format(pairs[1], &pem) != 0)
		n = 1;
	wire_add_verdict(&w, &v);
	if (v.kind == VERDICT_OK)
		wire_add_str(&w, "id", format_id(pairs, n, id));
	if (v.kind == VERDICT_OK && strcmp(q->have, id) == 0) {
		wire_add_str(&w, "unchanged", "yes");
	} else if (v.kind == VERDICT_OK) {
		if (n > 1)
			wire_add_u64(&w, "first", first);
		w.payload = span_first(buf_span(&pem), n > 1 ? pem.len : first);
	}
	(void)client_send(q->client, &w, -1);
	buf_release(&pem);
	question_free(q);
}

static void
ask_directory(struct question *q)
{
	struct keys *k = q->keys;
	struct wire_out w;

	q->asking = peer_next_id(k->directory);
	wire_out_init(&w, "certificate", q->asking);
	if (q->name != NULL)
		wire_add_str(&w, "name", q->name);
	if (q->texts)
		wire_add_str(&w, "texts", "yes");
	peer_call(k->directory, &w, ANSWER_TIMEOUT_MS, on_directory_answer, q);
}

/* There is none for the name: this host's own does. */
static void
fall_back(struct question *q)
{
	if (q->name == NULL) {
		answer(q, NULL, 0);
		return;
	}
	free(q->name);
	q->name = NULL;
	q->texts = false;
	ask_directory(q);
}

/* What the directory says of a pair. False: its texts are to be asked for first. */
static bool
take_files(struct question *q, const struct wire_msg *m, size_t i, struct span path)
{
	struct key_files f = {.path = path, .own = q->name == NULL ? (unsigned)i + 1 : 0};
	bool told;

	if (certificate_answer_get(m, i, "stamp", &f.stamp) != 0 ||
	    key_store_is_current(q->keys->store, path, f.stamp))
		return true;
	told = certificate_answer_get(m, i, "problem", &f.problem) == 0 ||
	       (certificate_answer_get(m, i, "certificate-text", &f.certificate) == 0 &&
		   certificate_answer_get(m, i, "key-text", &f.key) == 0 &&
		   certificate_answer_get(m, i, "key", &f.key_path) == 0);
	if (told)
		key_store_take(q->keys->store, &f);
	return told || q->texts;
}

/* Those of the pairs at these paths that may be shown for the name, one of each kind. Returns how many. */
static size_t
choose(struct question *q, const struct span paths[], size_t n, const struct key_pair *chosen[])
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct key_pair *p = key_store_at(q->keys->store, paths[i]);

		if (p != NULL && (q->name == NULL || key_pair_covers(p, span_str(q->name))) &&
		    (count == 0 || !key_pair_same_kind(chosen[0], p)))
			chosen[count++] = p;
	}
	return count;
}

static void
on_directory_answer(struct wire_msg *m, void *arg)
{
	struct question *q = arg;
	const struct key_pair *chosen[CERTIFICATE_PAIRS];
	struct span paths[CERTIFICATE_PAIRS];
	struct verdict v;
	bool told = true;
	size_t n = 0;

	q->asking = 0;
	if (m == NULL || wire_get_verdict(m, &v) != 0 || v.kind != VERDICT_OK ||
	    wire_get(m, "certificate", &paths[0]) != 0) {
		fall_back(q);
		return;
	}
	while (n < CERTIFICATE_PAIRS &&
	       certificate_answer_get(m, n, "certificate", &paths[n]) == 0) {
		told = take_files(q, m, n, paths[n]) && told;
		n++;
	}
	if (!told) {
		q->texts = true;
		ask_directory(q);
		return;
	}
	n = choose(q, paths, n, chosen);
	if (n == 0)
		fall_back(q);
	else
		answer(q, chosen, n);
}

static int
on_certificate(struct keys *k, struct client *c, const struct wire_msg *m)
{
	struct question *q;
	struct span s;

	if (k->nquestions >= QUESTIONS_MAX)
		return -1;
	q = xcalloc(1, sizeof *q);
	q->keys = k;
	q->client = c;
	q->id = m->id;
	if (wire_get(m, "name", &s) == 0)
		q->name = xspandup(s);
	if (wire_get(m, "have", &s) == 0 && s.len < sizeof q->have)
		memcpy(q->have, s.p, s.len);
	TAILQ_INSERT_TAIL(&k->questions, q, link);
	k->nquestions++;
	ask_directory(q);
	return 0;
}

/* --- signatures --- */

static int
on_sign(struct keys *k, struct client *c, const struct wire_msg *m)
{
	const struct key_pair *pair;
	unsigned char signature[KEY_SIGN_MAX];
	struct span id, digest, padding;
	struct wire_out w;
	struct verdict v;
	size_t len = 0;

	if (wire_get(m, "id", &id) != 0 || wire_get(m, "digest", &digest) != 0 ||
	    wire_get(m, "padding", &padding) != 0)
		return -1;
	pair = key_store_find(k->store, id);
	if (pair != NULL && key_sign(pair->key, digest, span_is(padding, "pss"), m->payload,
				signature, &len) == 0)
		verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "signed");
	else if (pair != NULL)
		return -1;
	else
		verdict_set(
		    &v, VERDICT_TEMPORARY, 454, "4.7.0", "this key is not here any more");
	client_answer_init(&w, m);
	wire_add_verdict(&w, &v);
	w.payload = span_make(signature, len);
	return client_send(c, &w, -1);
}

int
keys_on_message(struct keys *k, struct client *c, const struct wire_msg *m)
{
	if (m->id == 0)
		return -1;
	if (span_is(m->verb, "certificate"))
		return on_certificate(k, c, m);
	if (span_is(m->verb, "sign"))
		return on_sign(k, c, m);
	return -1;
}
