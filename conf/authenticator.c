/* authenticator: passwords tried, on threads. See authenticator.h. Used by directory_main. */
#include "conf/authenticator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "conf/auth_throttle.h"
#include "conf/login_work.h"
#include "conf/refusal.h"

#define THREADS 2

/* Attempts under way; more are told to come back. */
#define ATTEMPTS_MAX 256

/* Failures are answered when a whole number of these has passed, so that the time of hashing does not show. */
#define FAILURE_STEP_MS 500 /* less than a second */

/* Those that the throttle wants slow begin so late. */
#define SLOW_SEC 3

#define NONCE_SIZE 18  /* octets of our part, before base64 */
#define NONCE_MAX  256 /* of the client's part */

struct attempt {
	struct worker_task task; /* first: the thread's view of it */
	LIST_ENTRY(attempt) link;
	struct authenticator *owner;
	void *asker; /* NULL: it has gone */
	uint64_t id; /* of the question */
	struct netaddr client;
	bool undecided; /* its domain cannot be read */
	bool slow;
	struct login_work work;
	uint64_t began_ms;
	struct event *delay;
};

struct authenticator {
	struct event_base *base;
	authenticator_reply_fn *reply;
	struct worker *workers[THREADS];
	unsigned next, n;
	struct auth_throttle *throttle;
	unsigned char secret[SCRAM_SECRET_SIZE];
	LIST_HEAD(, attempt) attempts;
};

static struct auth_throttle_try
throttle_try(const struct attempt *t)
{
	return (struct auth_throttle_try){.client = t->client.family != 0 ? &t->client : NULL,
	    .account = span_make(t->work.name, t->work.name_len),
	    .slow = t->slow};
}

static void
attempt_free(struct attempt *t)
{
	LIST_REMOVE(t, link);
	t->owner->n--;
	if (t->delay != NULL)
		event_free(t->delay);
	explicit_bzero(t, sizeof *t);
	free(t);
}

static void
answer_begin(
    struct wire_out *w, const struct attempt *t, const struct verdict *v, const char *rule)
{
	wire_out_init(w, "answer", t->id);
	wire_add_verdict(w, v);
	wire_add_str(w, "rule", rule);
}

static void
answer(const struct attempt *t, const struct verdict *v, const char *rule)
{
	struct wire_out w;

	if (t->asker == NULL)
		return;
	answer_begin(&w, t, v, rule);
	if (v->kind == VERDICT_OK)
		wire_add(&w, "account", address_span(&t->work.account.name));
	if (v->kind == VERDICT_OK && t->work.use == ACCOUNT_SCRAM)
		wire_add(
		    &w, "signature", span_make(t->work.signature, sizeof t->work.signature));
	t->owner->reply(t->asker, &w);
}

/* Refused without a look at the password. */
static void
refuse(struct attempt *t, int code, const char *status, const char *text, const char *rule)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, code, status, "%s", text);
	answer(t, &v, rule);
	attempt_free(t);
}

static void
refuse_undecided(struct attempt *t)
{
	refuse(t, REFUSAL_LOGIN_UNDECIDED);
}

static void
on_failure_time(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *t = arg;
	struct verdict v;

	(void)fd, (void)what;
	if (t->undecided) {
		refuse_undecided(t);
		return;
	}
	verdict_set(&v, VERDICT_PERMANENT, 535, "5.7.8", "User name or password wrong");
	answer(t, &v, "login-failed");
	attempt_free(t);
}

static void
wait_for(struct attempt *t, const struct timeval *time, event_callback_fn then)
{
	if (t->delay != NULL)
		event_free(t->delay);
	t->delay = evtimer_new(t->owner->base, then, t);
	evtimer_add(t->delay, time);
}

/* On a thread: touches the attempt's work alone. */
static void
run(struct worker_task *task)
{
	struct attempt *t = (struct attempt *)task;

	login_work_run(&t->work, password_hash_verify);
}

static void
done(struct worker_task *task)
{
	struct attempt *t = (struct attempt *)task;
	struct authenticator *a = t->owner;
	struct auth_throttle_try try = throttle_try(t);
	struct timeval wait = {0, 0};
	struct verdict v;
	uint64_t now = clock_mono_ms();

	if (t->work.right) {
		auth_throttle_succeed(a->throttle, &try, now);
		verdict_set_text(&v, VERDICT_OK, 235, "2.7.0", "Logged in");
		answer(t, &v, "login");
		attempt_free(t);
		return;
	}
	if (t->undecided)
		auth_throttle_take_back(a->throttle, &try);
	wait.tv_usec =
	    (suseconds_t)(FAILURE_STEP_MS - (now - t->began_ms) % FAILURE_STEP_MS) * 1000;
	wait_for(t, &wait, on_failure_time);
}

struct authenticator *
authenticator_new(struct event_base *base, authenticator_reply_fn *reply,
    const unsigned char secret[SCRAM_SECRET_SIZE])
{
	struct authenticator *a = xcalloc(1, sizeof *a);

	a->base = base;
	a->reply = reply;
	a->throttle = auth_throttle_new();
	memcpy(a->secret, secret, sizeof a->secret);
	LIST_INIT(&a->attempts);
	for (size_t i = 0; i < THREADS; i++)
		a->workers[i] = worker_new(base);
	return a;
}

void
authenticator_free(struct authenticator **ap)
{
	struct authenticator *a = *ap;
	struct attempt *t, *next;

	if (a == NULL)
		return;
	*ap = NULL;
	LIST_FOREACH (t, &a->attempts, link)
		t->asker = NULL;
	for (size_t i = 0; i < THREADS; i++)
		worker_free(&a->workers[i]);
	for (t = LIST_FIRST(&a->attempts); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		attempt_free(t);
	}
	auth_throttle_free(&a->throttle);
	explicit_bzero(a->secret, sizeof a->secret);
	free(a);
}

void
authenticator_configure(struct authenticator *a, const struct config *c)
{
	struct auth_throttle_limits limits = {.per_client = c->auth_failures_per_client,
	    .per_account = c->auth_failures_per_account,
	    .ceiling = c->auth_failures_ceiling};

	auth_throttle_configure(a->throttle, &limits);
}

/* --- questions --- */

/* The name failures are counted for: the account's if it could be one, else what was typed, folded. */
static void
name_attempt(struct login_work *w, struct span user)
{
	if (w->account.name.len > 0)
		user = address_span(&w->account.name);
	user = span_first(user, sizeof w->name);
	w->name_len = user.len;
	for (size_t i = 0; i < user.len; i++) {
		char c = user.p[i];

		w->name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
}

static void
find_account(struct attempt *t, const struct resolve_env *env, const struct wire_msg *m)
{
	struct account_search search = {.use = t->work.use, .secret = t->owner->secret};
	enum lookup l;
	struct buf why;

	wire_get(m, "user", &search.user); /* it is there */
	wire_get(m, "server", &search.server);
	buf_init(&why, 1024);
	l = account_find(env, &search, &t->work.account, &why);
	t->work.can = l == LOOKUP_FOUND;
	t->work.secret = t->owner->secret;
	t->undecided = l == LOOKUP_UNKNOWN;
	if (t->undecided)
		log_warnx("login cannot be decided: %s", buf_str(&why));
	buf_release(&why);
	name_attempt(&t->work, search.user);
}

/* RFC 5802 5.1, server-first-message. */
static void
challenge(struct attempt *t, struct span client_nonce)
{
	struct buf message;
	unsigned char nonce[NONCE_SIZE];
	struct verdict v;
	struct wire_out w;
	struct scram s;

	login_work_challenge(&t->work, &s);
	if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce)
		fatal("getrandom");
	buf_init(&message, LOGIN_TEXT_MAX);
	buf_addf(&message, "r=%.*s", SPAN_ARG(client_nonce));
	base64_encode(span_make(nonce, sizeof nonce), &message);
	buf_add_str(&message, ",s=");
	base64_encode(span_make(s.salt, s.salt_len), &message);
	buf_addf(&message, ",i=%u", s.iterations);
	verdict_set_text(&v, VERDICT_OK, 334, "2.7.0", "Go on");
	answer_begin(&w, t, &v, "login-challenge");
	wire_add(&w, "challenge", buf_span(&message));
	t->owner->reply(t->asker, &w);
	buf_release(&message);
	explicit_bzero(&s, sizeof s);
	attempt_free(t);
}

static void
submit(struct attempt *t)
{
	worker_submit(t->owner->workers[t->owner->next++ % THREADS], &t->task);
}

static void
on_slow_time(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *t = arg;

	(void)fd, (void)what;
	t->began_ms = clock_mono_ms();
	submit(t);
}

static void
begin(struct attempt *t, struct span text, struct span proof)
{
	struct auth_throttle_try try = throttle_try(t);
	enum auth_throttle_answer r =
	    auth_throttle_begin(t->owner->throttle, &try, t->began_ms);

	if (r == AUTH_THROTTLE_REFUSED) {
		refuse(t, 454, "4.7.0",
		    "Too many failed logins (auth-throttle), try again later", "auth-throttle");
		return;
	}
	memcpy(t->work.text, text.p, text.len);
	t->work.text_len = text.len;
	if (proof.len > 0)
		memcpy(t->work.proof, proof.p, proof.len);
	t->work.proof_len = proof.len;
	t->task.run = run;
	t->task.done = done;
	t->slow = r == AUTH_THROTTLE_SLOW;
	if (t->slow)
		wait_for(t, &(struct timeval){SLOW_SEC, 0}, on_slow_time);
	else
		submit(t);
}

/* A question taken apart. */
struct fields {
	enum account_use use;
	struct span password, nonce, message, proof; /* without p: not there */
	struct netaddr client;
};

static bool
is_nonce(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	return s.len > 0 && s.len <= NONCE_MAX;
}

static int
get_fields(const struct wire_msg *m, struct fields *f)
{
	struct span user, mechanism, client;

	*f = (struct fields){.use = ACCOUNT_PASSWORD};
	if (m->id == 0 || wire_get(m, "user", &user) != 0)
		return -1;
	if (wire_get(m, "client", &client) == 0 && client.len > 0 &&
	    netaddr_parse(client, &f->client) != 0)
		return -1;
	if (wire_get(m, "mechanism", &mechanism) != 0 || !span_is(mechanism, "SCRAM-SHA-256"))
		return wire_get(m, "password", &f->password) == 0 &&
			       f->password.len <= PASSWORD_MAX
			   ? 0
			   : -1;
	f->use = ACCOUNT_SCRAM;
	if (wire_get(m, "nonce", &f->nonce) == 0)
		return is_nonce(f->nonce) ? 0 : -1;
	return wire_get(m, "message", &f->message) == 0 && f->message.len <= LOGIN_TEXT_MAX &&
		       wire_get(m, "proof", &f->proof) == 0 && f->proof.len <= SCRAM_KEY_SIZE
		   ? 0
		   : -1;
}

static struct attempt *
attempt_new(
    struct authenticator *a, void *asker, const struct wire_msg *m, const struct fields *f)
{
	struct attempt *t = xcalloc(1, sizeof *t);

	t->owner = a;
	t->asker = asker;
	t->id = m->id;
	t->client = f->client;
	t->work.use = f->use;
	t->began_ms = clock_mono_ms();
	LIST_INSERT_HEAD(&a->attempts, t, link);
	a->n++;
	return t;
}

int
authenticator_ask(struct authenticator *a, const struct resolve_env *env, void *asker,
    const struct wire_msg *m)
{
	struct auth_throttle_try try;
	struct fields f;
	struct attempt *t;

	if (get_fields(m, &f) != 0)
		return -1;
	t = attempt_new(a, asker, m, &f);
	find_account(t, env, m);
	try = throttle_try(t);
	if (a->n > ATTEMPTS_MAX)
		refuse(
		    t, 454, "4.7.0", "Too many logins at once, try again later", "auth-busy");
	else if (f.nonce.p == NULL)
		begin(t, f.use == ACCOUNT_SCRAM ? f.message : f.password, f.proof);
	else if (auth_throttle_refuses(a->throttle, &try, t->began_ms))
		refuse(t, 454, "4.7.0",
		    "Too many failed logins (auth-throttle), try again later", "auth-throttle");
	else if (t->undecided)
		refuse_undecided(t);
	else
		challenge(t, f.nonce);
	return 0;
}

void
authenticator_forget(struct authenticator *a, const void *asker)
{
	struct attempt *t;

	LIST_FOREACH (t, &a->attempts, link)
		if (t->asker == asker)
			t->asker = NULL;
}
