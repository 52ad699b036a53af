/* authenticator: passwords tried, on threads. See authenticator.h. Used by directory_main. */
#include "conf/authenticator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "conf/account.h"
#include "conf/auth_throttle.h"

#define THREADS 2

/* Attempts under way; more are told to come back. */
#define ATTEMPTS_MAX 256

/* Failures are answered when a whole number of these has passed, so that the time of hashing does not show. */
#define FAILURE_STEP_MS 500 /* less than a second */

struct attempt {
	struct worker_task task; /* first: the thread's view of it */
	LIST_ENTRY(attempt) link;
	struct authenticator *owner;
	void *asker; /* NULL: it has gone */
	uint64_t id; /* of the question */
	struct netaddr client;
	struct account account;
	bool exists, undecided; /* undecided: its domain cannot be read */
	char user[ADDRESS_MAX + 1];
	char password[PASSWORD_MAX];
	size_t password_len;
	bool right; /* the thread's answer */
	uint64_t began_ms;
	struct event *delay;
};

struct authenticator {
	struct event_base *base;
	authenticator_reply_fn *reply;
	struct worker *workers[THREADS];
	unsigned next, n;
	struct auth_throttle *throttle;
	LIST_HEAD(, attempt) attempts;
};

static const struct netaddr *
client_of(const struct attempt *t)
{
	return t->client.family != 0 ? &t->client : NULL;
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
answer(const struct attempt *t, const struct verdict *v, const char *rule)
{
	struct wire_out w;

	if (t->asker == NULL)
		return;
	wire_out_init(&w, "answer", t->id);
	wire_add_verdict(&w, v);
	wire_add_str(&w, "rule", rule);
	if (v->kind == VERDICT_OK)
		wire_add(&w, "account", address_span(&t->account.name));
	t->owner->reply(t->asker, &w);
}

static void
answer_failure(const struct attempt *t)
{
	struct verdict v;

	if (t->undecided) {
		verdict_set(&v, VERDICT_TEMPORARY, 454, "4.7.0",
		    "Cannot tell now whether this is the password, try again later");
		answer(t, &v, "cannot-tell");
	} else {
		verdict_set(&v, VERDICT_PERMANENT, 535, "5.7.8", "User name or password wrong");
		answer(t, &v, "login-failed");
	}
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	answer_failure(arg);
	attempt_free(arg);
}

/* On a thread: touches the attempt alone. */
static void
run(struct worker_task *task)
{
	struct attempt *t = (struct attempt *)task;
	struct span password = span_make(t->password, t->password_len);
	struct span stored = span_make(t->account.stored, t->account.stored_len);

	if (t->exists)
		t->right = password_hash_verify(stored, password);
	/* What was cheap to find out costs the same as what was not. */
	if (!t->exists ||
	    (!t->right && password_hash_is_cheap(password_hash_form(stored, NULL))))
		password_hash_verify(span_str(PASSWORD_DUMMY), password);
	explicit_bzero(t->password, sizeof t->password);
}

static void
done(struct worker_task *task)
{
	struct attempt *t = (struct attempt *)task;
	struct authenticator *a = t->owner;
	struct timeval wait = {0, 0};
	struct verdict v;
	uint64_t ms;

	if (t->right || t->undecided)
		auth_throttle_take_back(a->throttle, client_of(t), span_str(t->user));
	if (t->right) {
		verdict_set(&v, VERDICT_OK, 235, "2.7.0", "Logged in");
		answer(t, &v, "login");
		attempt_free(t);
		return;
	}
	ms = FAILURE_STEP_MS - (clock_mono_ms() - t->began_ms) % FAILURE_STEP_MS;
	wait.tv_usec = (suseconds_t)(ms * 1000);
	t->delay = evtimer_new(a->base, on_delay, t);
	evtimer_add(t->delay, &wait);
}

struct authenticator *
authenticator_new(struct event_base *base, authenticator_reply_fn *reply)
{
	struct authenticator *a = xcalloc(1, sizeof *a);

	a->base = base;
	a->reply = reply;
	a->throttle = auth_throttle_new();
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
	free(a);
}

void
authenticator_configure(struct authenticator *a, const struct config *c)
{
	auth_throttle_configure(
	    a->throttle, c->auth_failures_per_client, c->auth_failures_per_account);
}

/* The name failures are counted for: the account's own if there is one, else what was typed, folded. */
static void
name_attempt(struct attempt *t, struct span user)
{
	if (t->exists)
		user = address_span(&t->account.name);
	user = span_first(user, ADDRESS_MAX);
	for (size_t i = 0; i < user.len; i++) {
		char c = user.p[i];

		t->user[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
}

static void
find_account(struct attempt *t, const struct resolve_env *env, struct span user)
{
	enum lookup l;
	struct buf why;

	buf_init(&why, 1024);
	l = account_find(env, user, &t->account, &why);
	t->exists = l == LOOKUP_FOUND;
	t->undecided = l == LOOKUP_UNKNOWN;
	if (t->undecided)
		log_warnx("login cannot be decided: %s", buf_str(&why));
	buf_release(&why);
}

/* Refused without a look at the password. */
static void
refuse(struct attempt *t, const char *text, const char *rule)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 454, "4.7.0", "%s", text);
	answer(t, &v, rule);
	attempt_free(t);
}

int
authenticator_ask(struct authenticator *a, const struct resolve_env *env, void *asker,
    const struct wire_msg *m)
{
	struct span user, password, client;
	struct attempt *t;

	if (m->id == 0 || wire_get(m, "user", &user) != 0 ||
	    wire_get(m, "password", &password) != 0 || password.len > PASSWORD_MAX)
		return -1;
	t = xcalloc(1, sizeof *t);
	if (wire_get(m, "client", &client) == 0 && client.len > 0 &&
	    netaddr_parse(client, &t->client) != 0) {
		free(t);
		return -1;
	}
	t->owner = a;
	t->asker = asker;
	t->id = m->id;
	t->began_ms = clock_mono_ms();
	LIST_INSERT_HEAD(&a->attempts, t, link);
	a->n++;
	find_account(t, env, user);
	name_attempt(t, user);
	if (a->n > ATTEMPTS_MAX) {
		refuse(t, "Too many logins at once, try again later", "auth-busy");
		return 0;
	}
	if (auth_throttle_refuses(a->throttle, client_of(t), span_str(t->user), t->began_ms)) {
		refuse(t, "Too many failed logins (auth-throttle), try again later",
		    "auth-throttle");
		return 0;
	}
	memcpy(t->password, password.p, password.len);
	t->password_len = password.len;
	t->task.run = run;
	t->task.done = done;
	worker_submit(a->workers[a->next++ % THREADS], &t->task);
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
