/* session_facts: what is known of a session's client. See session_facts.h. Called by the session. */
#include "smtpd/session_facts.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "smtpd/session.h"

/* remote keeps to dns-timeout; this is for one that does not answer at all. */
#define GRACE_MS 500

struct session_facts {
	struct session *session;
	struct facts known;
	struct facts_call call;
	enum question_kind kind; /* the question that waits, if fn is not NULL */
	question_fn *fn;
};

static void
on_told(const struct facts *told, void *arg)
{
	struct session_facts *f = arg;
	question_fn *fn = f->fn;

	for (size_t i = 0; i < told->n; i++)
		facts_set(&f->known, &told->v[i]);
	f->fn = NULL;
	if (fn != NULL)
		session_ask(f->session, f->kind, fn);
}

static struct session_facts *
obtain(struct session *s)
{
	if (s->facts == NULL) {
		s->facts = xcalloc(1, sizeof *s->facts);
		s->facts->session = s;
	}
	return s->facts;
}

void
session_facts_want(struct session *s, const struct answer *a)
{
	const struct facts_ops *ops = s->server->facts_ops;
	struct session_facts *f;

	if (a->nwants == 0 || (s->facts != NULL && s->facts->call.id != 0))
		return;
	f = obtain(s);
	for (size_t i = 0; i < a->nwants; i++) {
		enum fact_kind kind;
		struct span name;

		if (fact_want_parse(a->wants[i], &kind, &name) == 0)
			facts_set_result(&f->known, kind, name, FACT_UNKNOWN);
	}
	if (ops == NULL)
		return;
	f->call.fn = on_told;
	f->call.arg = f;
	ops->ask(s->server->dns, span_str(s->origin.text), a->wants, a->nwants,
	    (unsigned)s->settings->dns_timeout_ms + GRACE_MS, &f->call);
}

static void
drop_untold(struct facts *known, enum fact_kind kind)
{
	for (size_t i = 0; i < known->n; i++) {
		const struct fact *f = &known->v[i];

		if (f->kind == kind &&
		    (f->result == FACT_UNKNOWN || f->result == FACT_TEMPORARY)) {
			facts_drop(known, kind); /* there is one */
			return;
		}
	}
}

bool
session_facts_delay(struct session *s, enum question_kind kind, question_fn *fn)
{
	struct session_facts *f = s->facts;

	if (f == NULL || (kind != QUESTION_MAIL && kind != QUESTION_RCPT))
		return false;
	if (f->call.id != 0) {
		f->kind = kind;
		f->fn = fn;
		return true;
	}
	if (kind == QUESTION_MAIL) {
		drop_untold(&f->known, FACT_HOST);
		drop_untold(&f->known, FACT_DOMAIN);
	}
	return false;
}

const struct facts *
session_facts_known(const struct session *s)
{
	return s->facts != NULL ? &s->facts->known : NULL;
}

struct span
session_facts_name(const struct session *s)
{
	const struct fact *f = facts_find(session_facts_known(s), FACT_PTR, span_str("-"));

	return f != NULL && f->result == FACT_CONFIRMED ? span_str(f->name) : span_str("");
}

const char *
session_facts_text(const struct session *s, char out[SESSION_FACTS_TEXT_SIZE])
{
	struct span name = session_facts_name(s);

	if (name.len == 0)
		return "";
	snprintf(out, SESSION_FACTS_TEXT_SIZE, " name=%.*s", SPAN_ARG(name));
	return out;
}

void
session_facts_cancel(struct session *s)
{
	struct session_facts *f = s->facts;

	if (f == NULL)
		return;
	f->fn = NULL;
	if (f->call.id != 0)
		s->server->facts_ops->cancel(s->server->dns, &f->call);
}

void
session_facts_free(struct session *s)
{
	if (s->facts == NULL)
		return;
	session_facts_cancel(s);
	facts_release(&s->facts->known);
	free(s->facts);
	s->facts = NULL;
}

void
session_facts_move(struct session *from, struct session *to)
{
	struct session_facts *f = from->facts;

	if (f == NULL)
		return;
	from->facts = NULL;
	to->facts = f;
	f->session = to;
	f->fn = NULL;
	facts_drop(&f->known, FACT_HOST);
	facts_drop(&f->known, FACT_DOMAIN);
}
