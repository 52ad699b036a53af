/*
 * sendmail_submit: the SMTP client of sendmail(1). See sendmail_submit.h. RFC 5321;
 * 2920 (pipelining), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN).
 * Invariant: a recipient is SENT only after a 250 that followed the end of the data.
 */
#include "queue/sendmail_submit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/lineend.h"
#include "queue/blocking.h"
#include "queue/sendmail_smtp.h"

/* RCPT commands on their way at once: their replies fit a socket's buffer. */
#define RCPT_BATCH 100

#define PIECE 65536

/* Seconds: everything is decided by then. */
#define GOODBYE_TIMEOUT 5

enum {
	EXT_PIPELINING = 1,
	EXT_SIZE = 2,
	EXT_8BITMIME = 4,
	EXT_SMTPUTF8 = 8,
	EXT_DSN = 16,
};

struct submission {
	struct sendmail_smtp smtp;
	struct sendmail_envelope *e;
	const struct sendmail_content *content;
	unsigned extensions;
	struct verdict verdict; /* of the last reply, or why there was none */
};

enum outcome {
	GOES_ON,
	ENDED, /* no further transaction: s->verdict says why */
};

/*
 * May the message wait in drop/ until this passes by itself, as the daemon being restarted does? A full
 * spool (4.3.1) or a domain that must be repaired (4.3.5) is for the caller to hear about.
 */
static bool
passes_by_itself(const struct verdict *v)
{
	return v->kind != VERDICT_PERMANENT &&
	       (v->code == 0 || v->code == 421 || strcmp(v->status, "4.3.0") == 0 ||
		   strcmp(v->status, "4.3.2") == 0 || strncmp(v->status, "4.4.", 4) == 0);
}

static enum sendmail_recipient_state
state_of(const struct verdict *v)
{
	return passes_by_itself(v) ? SENDMAIL_RECIPIENT_DEFERRED : SENDMAIL_RECIPIENT_REFUSED;
}

static void
lost(struct submission *s)
{
	verdict_set(&s->verdict, VERDICT_TEMPORARY, 0, "4.4.2",
	    "the connection to the daemon broke: %s", strerror(errno));
}

/* Sends what is queued and reads one reply: its code, or -1. */
static int
ask(struct submission *s, unsigned seconds, struct buf *text)
{
	if (sendmail_smtp_flush(&s->smtp) != 0) {
		lost(s);
		return -1;
	}
	return sendmail_smtp_reply(&s->smtp, seconds, &s->verdict, text);
}

static bool
is_positive(int code)
{
	return code >= 200 && code < 300;
}

static unsigned
parse_extensions(struct span text)
{
	static const struct {
		const char *keyword;
		unsigned bit;
	} known[] = {{"PIPELINING", EXT_PIPELINING}, {"SIZE", EXT_SIZE},
	    {"8BITMIME", EXT_8BITMIME}, {"SMTPUTF8", EXT_SMTPUTF8}, {"DSN", EXT_DSN}};
	unsigned found = 0;

	while (text.p != NULL) {
		struct span line = span_cut(&text, '\n'), keyword = span_cut(&line, ' ');

		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
			if (span_is_nocase(keyword, known[i].keyword))
				found |= known[i].bit;
		}
	}
	return found;
}

static enum outcome
greet(struct submission *s)
{
	struct buf text;
	int code = sendmail_smtp_reply(&s->smtp, SENDMAIL_GREETING_TIMEOUT, &s->verdict, NULL);

	if (!is_positive(code))
		return ENDED;
	buf_init(&text, 65536);
	sendmail_smtp_command(&s->smtp, "EHLO %s", s->e->hostname);
	code = ask(s, SENDMAIL_REPLY_TIMEOUT, &text);
	s->extensions = parse_extensions(buf_span(&text));
	buf_release(&text);
	return is_positive(code) ? GOES_ON : ENDED;
}

static bool
offers(const struct submission *s, unsigned extension)
{
	return (s->extensions & extension) != 0;
}

static enum outcome
say_mail(struct submission *s)
{
	const struct sendmail_envelope *e = s->e;
	bool utf8 = sendmail_envelope_is_utf8(e), dsn = offers(s, EXT_DSN);
	bool eight_bit = e->eight_bit || s->content->eight_bit;
	bool header_utf8 = offers(s, EXT_SMTPUTF8) && sendmail_content_is_utf8(s->content);
	char size[40] = "";

	if (utf8 && !offers(s, EXT_SMTPUTF8)) {
		verdict_set(&s->verdict, VERDICT_PERMANENT, 553, "5.6.7",
		    "addresses must be ASCII: SMTPUTF8 is not offered");
		return ENDED;
	}
	if (offers(s, EXT_SIZE))
		snprintf(
		    size, sizeof size, " SIZE=%" PRIu64, s->content->size + s->content->lines);
	sendmail_smtp_command(&s->smtp, "MAIL FROM:<%s>%s%s%s%s%s%s%s", e->from.text, size,
	    eight_bit && offers(s, EXT_8BITMIME) ? " BODY=8BITMIME" : "",
	    utf8 || header_utf8 ? " SMTPUTF8" : "", dsn && e->ret != NULL ? " RET=" : "",
	    dsn && e->ret != NULL ? e->ret : "", dsn && e->envid != NULL ? " ENVID=" : "",
	    dsn && e->envid != NULL ? e->envid : "");
	return is_positive(ask(s, SENDMAIL_REPLY_TIMEOUT, NULL)) ? GOES_ON : ENDED;
}

/* Says up to `most` pending recipients from *at on; v gets those said. How many. */
static size_t
say_rcpts(struct submission *s, size_t *at, size_t most, struct sendmail_recipient **v)
{
	struct sendmail_recipients *all = &s->e->recipients;
	bool notify = offers(s, EXT_DSN) && s->e->notify != NULL;
	size_t n = 0;

	for (; *at < all->n && n < most; ++*at) {
		if (all->v[*at]->state != SENDMAIL_RECIPIENT_PENDING)
			continue;
		v[n] = all->v[*at];
		sendmail_smtp_command(&s->smtp, "RCPT TO:<%s>%s%s", v[n]->address,
		    notify ? " NOTIFY=" : "", notify ? s->e->notify : "");
		n++;
	}
	return n;
}

/* Was it "too many recipients" (RFC 5321 4.5.3.1.10), not something about this one? */
static bool
is_full(const struct submission *s, int code)
{
	return code == 452 && (strcmp(s->verdict.status, "4.5.3") == 0 ||
				  strcmp(s->verdict.status, "4.0.0") == 0);
}

/*
 * One transaction's recipients. *accepted counts them. When the server takes no more in this one, the
 * rest stay pending for the next; one that takes nobody at all ends it.
 */
static enum outcome
say_all_rcpts(struct submission *s, size_t *accepted)
{
	struct sendmail_recipient *batch[RCPT_BATCH];
	size_t at = 0, n, decided = 0, most = offers(s, EXT_PIPELINING) ? RCPT_BATCH : 1;
	bool full = false;

	while (!full && (n = say_rcpts(s, &at, most, batch)) > 0) {
		for (size_t i = 0; i < n; i++) {
			int code = ask(s, SENDMAIL_REPLY_TIMEOUT, NULL);

			if (code < 0 || code == 421 || (decided == 0 && is_full(s, code)))
				return ENDED;
			if (is_full(s, code)) {
				full = true;
				continue;
			}
			decided++;
			if (is_positive(code)) {
				batch[i]->state = SENDMAIL_RECIPIENT_ACCEPTED;
				++*accepted;
			} else {
				sendmail_recipient_decide(
				    batch[i], state_of(&s->verdict), &s->verdict);
			}
		}
	}
	return GOES_ON;
}

/* The content with CRLF and stuffed dots, and the end of the data. -1: the connection broke, or we cannot read it. */
static int
send_content(struct submission *s)
{
	char piece[PIECE];
	struct wire_end end;
	struct buf out;
	uint64_t at = 0;
	ssize_t n = 0;
	int r = 0;

	wire_end_init(&end);
	buf_init(&out, 2 * PIECE);
	while (r == 0 && (n = sendmail_content_read(s->content, at, piece, sizeof piece)) > 0) {
		struct span in = span_make(piece, (size_t)n);

		at += (uint64_t)n;
		while (r == 0 && in.len > 0) {
			wire_end_feed(&end, &in, &out);
			r = blocking_write(s->smtp.fd, buf_span(&out));
			buf_clear(&out);
		}
	}
	if (n < 0)
		r = -1; /* without the end of the data nothing was submitted */
	if (r == 0) {
		wire_end_finish(&end, &out);
		r = blocking_write(s->smtp.fd, buf_span(&out));
	}
	if (r != 0)
		lost(s);
	buf_release(&out);
	return r;
}

static enum outcome
say_data(struct submission *s)
{
	struct sendmail_recipients *all = &s->e->recipients;
	int code;

	sendmail_smtp_command(&s->smtp, "DATA");
	code = ask(s, SENDMAIL_REPLY_TIMEOUT, NULL);
	if (code < 0)
		return ENDED;
	if (code == 354) {
		if (send_content(s) != 0)
			return ENDED;
		code = sendmail_smtp_reply(&s->smtp, SENDMAIL_DATA_TIMEOUT, &s->verdict, NULL);
		if (code < 0)
			return ENDED;
	}
	if (is_positive(code))
		sendmail_recipients_decide_all(
		    all, SENDMAIL_RECIPIENT_ACCEPTED, SENDMAIL_RECIPIENT_SENT, NULL);
	else
		sendmail_recipients_decide_all(
		    all, SENDMAIL_RECIPIENT_ACCEPTED, state_of(&s->verdict), &s->verdict);
	return code == 421 ? ENDED : GOES_ON;
}

/* A transaction without a recipient is given up, so that the next MAIL is not nested. */
static enum outcome
reset(struct submission *s)
{
	sendmail_smtp_command(&s->smtp, "RSET");
	return is_positive(ask(s, SENDMAIL_REPLY_TIMEOUT, NULL)) ? GOES_ON : ENDED;
}

/* Transactions until no recipient is pending. Each decides at least one, so this ends. */
static void
run(struct submission *s)
{
	enum outcome r = greet(s);

	while (r == GOES_ON &&
	       sendmail_recipients_count(&s->e->recipients, SENDMAIL_RECIPIENT_PENDING) > 0) {
		size_t accepted = 0;

		r = say_mail(s);
		if (r == GOES_ON)
			r = say_all_rcpts(s, &accepted);
		if (r == GOES_ON)
			r = accepted > 0 ? say_data(s) : reset(s);
	}
	if (r == GOES_ON) {
		sendmail_smtp_command(&s->smtp, "QUIT");
		ask(s, GOODBYE_TIMEOUT, NULL);
	}
}

void
sendmail_submit(const char *path, struct sendmail_envelope *e, const struct sendmail_content *c,
    bool verbose)
{
	struct submission s = {.e = e, .content = c};
	int fd = blocking_connect(path, SENDMAIL_GREETING_TIMEOUT);

	if (fd < 0) {
		verdict_set(&s.verdict, VERDICT_TEMPORARY, 0, "4.4.1",
		    "nobody answers at %s: %s", path, strerror(errno));
	} else {
		sendmail_smtp_init(&s.smtp, fd, verbose);
		run(&s);
		sendmail_smtp_release(&s.smtp);
	}
	sendmail_recipients_decide_all(
	    &e->recipients, SENDMAIL_RECIPIENT_ACCEPTED, state_of(&s.verdict), &s.verdict);
	sendmail_recipients_decide_all(
	    &e->recipients, SENDMAIL_RECIPIENT_PENDING, state_of(&s.verdict), &s.verdict);
}
