/* session_author: whom a message is from, and whom it says it is from. See session_author.h. Called by session_content. */
#include "smtpd/session_author.h"

#include "smtpd/author_scan.h"
#include "smtpd/content.h"
#include "smtpd/session.h"
#include "smtpd/session_content.h"
#include "smtpd/txn.h"

struct author_scan *
session_author_begin(const struct session *s)
{
	return s->account != NULL && s->settings->check_header_from != CHECK_OFF
		   ? author_scan_new()
		   : NULL;
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;

	if (a->verdict.kind == VERDICT_OK) {
		session_log_warnings(s, a);
		session_content_check(s);
	} else {
		session_reply_verdict(s, &a->verdict, a->rule);
		session_content_end(s);
	}
	session_continue(s);
}

bool
session_author_apply(struct session *s)
{
	struct content *c = s->txn->content;

	if (c->author == NULL)
		return true;
	session_set_state(s, SESSION_COMMITTING);
	session_ask(s, QUESTION_AUTHOR, on_answer);
	return false;
}

void
session_author_fill(const struct session *s, struct question *q)
{
	const struct author_scan *a = s->txn->content->author;

	q->authors = buf_span(&a->list);
	q->unclear = span_str(a->unclear);
}
