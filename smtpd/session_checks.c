/* session_checks: header checks of a session's message. See session_checks.h. Called by session_content and RCPT. */
#include "smtpd/session_checks.h"

#include <inttypes.h>

#include "common/log.h"
#include "common/log_value.h"
#include "conf/header_check.h"
#include "smtpd/content.h"
#include "smtpd/header_source.h"
#include "smtpd/session.h"
#include "smtpd/session_content.h"
#include "smtpd/txn.h"

/* Of a field, and of the recipients that a message had. */
#define SHOWN_FIELD	 160
#define SHOWN_RECIPIENTS 2000

bool
session_checks_are_ready(const struct session *s)
{
	return header_source_is_ready(s->server->headers);
}

static void
add_quoted(struct buf *out, const char *name, struct span text)
{
	buf_addf(out, " %s=\"", name);
	log_add_quoted(out, text, SHOWN_FIELD);
	buf_add_char(out, '"');
}

static void
on_hit(const struct header_hit *h, void *arg)
{
	const struct session *s = arg;
	struct buf line;

	buf_init(&line, LOG_LINE_MAX / 2);
	buf_addf(&line,
	    "session=%s id=%s rule=" SESSION_CHECKS_RULE " at=%s:%u action=%s in=%s line=%u",
	    s->id, s->txn->id, h->path, h->rule->line, header_action_name(h->rule->action),
	    mime_where_name(h->field->where), h->field->line);
	add_quoted(&line, "field", h->field->text);
	if (h->text.len > 0)
		add_quoted(&line, "text", h->text);
	log_info("%s", buf_str(&line));
	buf_release(&line);
}

static void
on_trouble(const char *text, void *arg)
{
	const struct session *s = arg;

	log_warnx("session=%s id=%s rule=" SESSION_CHECKS_RULE " %s", s->id, s->txn->id, text);
}

struct header_check *
session_checks_begin(struct session *s)
{
	static const struct header_check_ops ops = {.on_hit = on_hit, .on_trouble = on_trouble};
	struct header_set *set = header_source_set(s->server->headers);

	return set != NULL ? header_check_new(set, &ops, s) : NULL;
}

static void
log_redirected(const struct session *s, struct span target)
{
	const struct txn *t = s->txn;
	size_t shown = 0;
	struct buf list;

	buf_init(&list, SHOWN_RECIPIENTS);
	while (shown < t->recipients.n && buf_addf(&list, "%s<%s>", shown > 0 ? "," : "",
					      LOG_ADDRESS(t->recipients.v[shown].address)) == 0)
		shown++;
	log_info("session=%s id=%s rule=" SESSION_CHECKS_RULE
		 " to=<%s> instead of rcpt=%s and %zu "
		 "more: redirected",
	    s->id, t->id, LOG_ADDRESS(target), buf_str(&list), t->recipients.n - shown);
	buf_release(&list);
}

/* One recipient instead of all: what these asked for (RFC 3461) was about them. */
static void
redirect(struct session *s)
{
	struct txn *t = s->txn;
	struct recipient one = {.address = t->asked.address, .hosted = true};

	log_redirected(s, one.address);
	recipients_release(&t->recipients);
	recipients_init(&t->recipients);
	recipients_add(&t->recipients, &one);
	t->asked = (struct recipient){.hash = 0};
}

/*
 * Does the target exist? A message that must not go where it was sent does not go there, and its sender is not told
 * of an address that he did not write: the client keeps it.
 */
static void
on_target(const struct answer *a, void *arg)
{
	struct session *s = arg;
	struct verdict v;

	if (a->verdict.kind == VERDICT_OK) {
		redirect(s);
		session_content_store(s);
		session_continue(s);
		return;
	}
	log_warnx("session=%s id=%s rule=" SESSION_CHECKS_RULE
		  " REDIRECT to <%s> is not possible: %s",
	    s->id, s->txn->id, LOG_ADDRESS(s->txn->asked.address), a->verdict.text);
	verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.5",
	    "Header checks redirect this message to where it cannot go, try again later");
	session_reply_verdict(s, &v, span_str(SESSION_CHECKS_RULE));
	session_content_end(s);
	session_continue(s);
}

bool
session_checks_apply(struct session *s)
{
	struct txn *t = s->txn;
	const struct header_check *c = t->content->check;

	if (c != NULL && c->hold != NULL)
		txn_hold(t, SESSION_CHECKS_RULE, span_str(c->hold));
	if (c == NULL || c->redirect == NULL)
		return true;
	t->asked =
	    (struct recipient){.address = arena_copy(&t->strings, span_str(c->redirect))};
	session_set_state(s, SESSION_COMMITTING);
	session_ask(s, QUESTION_REDIRECT, on_target);
	return false;
}
