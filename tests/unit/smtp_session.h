/*
 * smtp_session: one session of smtp_client with a scripted server, and what became of it in
 * words. Used by test_smtp_client.c and test_smtp_slices.c.
 */
#ifndef TESTS_UNIT_SMTP_SESSION_H
#define TESTS_UNIT_SMTP_SESSION_H

#include "deliver/smtp_client.h"
#include "tests/unit/smtp_server.h"

#define EHLO	"EHLO me.test\r\n"
#define PIPE	"250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n"
#define PLAIN	"250 mx\r\n"
#define MAIL	"MAIL FROM:<s@x.test> SIZE=21\r\n"
#define MAIL_0	"MAIL FROM:<s@x.test>\r\n"
#define RCPT(x) "RCPT TO:<" x "@d.test>\r\n"
#define BODY	"Subject: x\r\n\r\n..dot\r\n.\r\n"
#define GREETED                                                                                \
	{"", "220 mx\r\n"},                                                                    \
	{                                                                                      \
		EHLO, PIPE                                                                     \
	}
#define GREETED_0                                                                              \
	{"", "220 mx\r\n"},                                                                    \
	{                                                                                      \
		EHLO, PLAIN                                                                    \
	}
#define MAX_RCPT 4

struct row {
	const char *name;
	struct smtp_step script[SMTP_SERVER_STEPS];
	size_t recipients;   /* a, b, c, d @d.test */
	const char *outcome; /* "a:ok b:permanent ...|how" */
	const char *status;  /* of the first recipient, NULL: any */
	bool eight_bit;
	uint64_t size; /* 0: the real one */
};

static const char content[] = "Subject: x\n\n.dot\n";

struct session {
	struct event_base *base;
	struct smtp_client *client;
	struct smtp_transaction t;
	struct smtp_recipient recipients[MAX_RCPT];
	struct smtp_server server;
	char how[100];
	int events, want_messages, sent;
	enum smtp_stage stage;
	struct verdict closed;
};

static inline ssize_t
read_content(void *arg, uint64_t at, void *out, size_t n)
{
	size_t len = strlen(arg);

	if (at >= len)
		return 0;
	n = n < len - at ? n : len - at;
	memcpy(out, (char *)arg + at, n);
	return (ssize_t)n;
}

static inline void
note(struct session *s, const char *word)
{
	size_t n = strlen(s->how);

	snprintf(s->how + n, sizeof s->how - n, "%s%s", n > 0 ? " " : "", word);
	s->events++;
}

static inline void
on_ready(struct smtp_client *c, void *arg)
{
	struct session *s = arg;

	if (s->sent == s->want_messages) {
		note(s, "ready");
		return;
	}
	s->sent++;
	for (size_t i = 0; i < s->t.nrecipients; i++)
		s->t.recipients[i].decided = s->t.recipients[i].accepted = false;
	smtp_client_send(c, &s->t);
}

static inline void
on_done(struct smtp_client *c, struct smtp_transaction *t, enum smtp_outcome outcome, void *arg)
{
	static const char *const words[] = {[SMTP_DONE] = "done",
	    [SMTP_REFUSED] = "refused",
	    [SMTP_STALE] = "stale",
	    [SMTP_BROKEN] = "broken",
	    [SMTP_PARTIAL] = "partial"};
	struct session *s = arg;

	(void)c;
	assert_ptr_equal(t, &s->t);
	for (size_t i = 0; i < t->nrecipients; i++)
		assert_true(t->recipients[i].decided || outcome == SMTP_PARTIAL);
	note(s, words[outcome]);
}

static inline void
on_closed(struct smtp_client *c, enum smtp_stage stage, const struct verdict *v, void *arg)
{
	struct session *s = arg;

	assert_ptr_equal(c, s->client);
	s->stage = stage;
	s->closed = *v;
	assert_int_not_equal(v->kind, VERDICT_OK);
	note(s, "closed");
	smtp_client_free(&s->client);
}

static const struct smtp_client_ops ops = {
    .on_ready = on_ready, .on_done = on_done, .on_closed = on_closed};

static const struct smtp_options options = {.helo = "me.test",
    .connect_timeout_ms = 2000,
    .reply_timeout_ms = 2000,
    .final_timeout_ms = 2000};

static inline void
session_init(struct session *s, const struct smtp_step *script, bool bytewise,
    const struct smtp_options *o, size_t recipients)
{
	static const char *const names[] = {"a@d.test", "b@d.test", "c@d.test", "d@d.test"};
	int fd;

	memset(s, 0, sizeof *s);
	s->base = event_base_new();
	s->want_messages = 1;
	s->t = (struct smtp_transaction){.from = "s@x.test",
	    .size = sizeof content - 1,
	    .wire_size = 21,
	    .read = read_content,
	    .content = (void *)(uintptr_t)content,
	    .recipients = s->recipients,
	    .nrecipients = recipients};
	for (size_t i = 0; i < recipients; i++)
		s->recipients[i].address = names[i];
	fd = smtp_server_init(&s->server, s->base, script, bytewise);
	s->client = smtp_client_new(s->base, fd, o, &ops, s);
}

static inline void
session_release(struct session *s)
{
	smtp_client_free(&s->client);
	smtp_server_end(&s->server);
	event_base_free(s->base);
}

static inline int
words(const char *s)
{
	int n = *s != '\0';

	for (; *s != '\0'; s++)
		n += *s == ' ';
	return n;
}

/* "a:ok b:permanent|done ready" */
static inline void
describe(const struct session *s, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->t.nrecipients; i++)
		if (s->recipients[i].decided)
			n += (size_t)snprintf(out + n, size - n, "%s%c:%s", n > 0 ? " " : "",
			    (char)('a' + i), verdict_kind_name(s->recipients[i].verdict.kind));
	snprintf(out + n, size - n, "|%s", s->how);
}

#endif
