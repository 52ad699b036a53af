/*
 * sendmail_queue: mailq and sendmail -q. See sendmail_queue.h. Called by
 * sendmail_main.c. Invariant: what a message says of itself is printed through the
 * log's escaper, so that it cannot drive a terminal.
 */
#include "queue/sendmail_queue.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/log.h"
#include "queue/control_client.h"
#include "queue/listing.h"

#define SHOWN_MAX 4096

/* Prints s with everything unprintable as \xNN. */
static void
print_escaped(struct span s, FILE *out)
{
	struct buf b;

	buf_init(&b, 4 * SHOWN_MAX);
	log_escape(&b, span_first(s, SHOWN_MAX));
	fputs(buf_str(&b), out);
	buf_release(&b);
}

static void
print_recipient(const struct listing_recipient *r, FILE *out)
{
	bool held = span_is(r->state, "held");

	if (held && r->text.len == 0)
		fputs("                 (held)\n", out);
	if (r->text.len > 0) {
		fputs("                 (", out);
		if (held)
			fputs("held; ", out);
		else if (span_is(r->state, "deferred"))
			fputs("Deferred: ", out);
		if (r->status.len > 0)
			fprintf(out, "%.*s ", SPAN_ARG(r->status));
		print_escaped(r->text, out);
		fputs(")\n", out);
	}
	fputs("\t\t\t\t\t <", out);
	print_escaped(r->address, out);
	fputs(">\n", out);
}

static void
print_message(const struct listing_message *m, FILE *out)
{
	time_t received = (time_t)m->received;
	char when[32] = "";
	struct tm tm;

	if (!m->continued) {
		if (localtime_r(&received, &tm) != NULL)
			strftime(when, sizeof when, "%a %b %e %H:%M", &tm);
		fprintf(out, "%-14.*s %8" PRIu64 " %-16s <", SPAN_ARG(m->id), m->size, when);
		print_escaped(m->from, out);
		fputs(">\n", out);
	}
	for (size_t i = 0; i < m->nrecipients; i++)
		print_recipient(&m->recipients[i], out);
}

static void
begin(struct sendmail_queue_view *v, const struct wire_msg *frame)
{
	v->began = true;
	(void)wire_get_u64(frame, "messages", INT64_MAX, &v->messages);
	if (v->messages == 0) {
		fprintf(v->out, "%s is empty\n", v->spool);
		return;
	}
	fprintf(v->out, "\t\t%s (%" PRIu64 " request%s)\n", v->spool, v->messages,
	    v->messages == 1 ? "" : "s");
	fputs("-----Q-ID----- --Size-- -----Q-Time----- "
	      "------------Sender/Recipient-----------\n",
	    v->out);
}

int
sendmail_queue_frame(struct sendmail_queue_view *v, const struct wire_msg *frame)
{
	struct listing l;

	if (listing_parse(frame, &l) != 0)
		return -1;
	if (!v->began)
		begin(v, frame);
	for (size_t i = 0; i < l.nmessages; i++)
		print_message(&l.messages[i], v->out);
	listing_release(&l);
	if (span_is(frame->verb, "end"))
		fprintf(v->out, "\t\tTotal requests: %" PRIu64 "\n", v->messages);
	return 0;
}

/* A pattern that fits whatever contains the text, which itself is no pattern. */
static void
add_part(struct wire_out *w, const char *name, const char *text)
{
	struct buf pattern;

	buf_init(&pattern, 2 * strlen(text) + 2);
	buf_add_char(&pattern, '*');
	for (; *text != '\0'; text++) {
		if (strchr("*?[\\", *text) != NULL)
			buf_add_char(&pattern, '\\');
		buf_add_char(&pattern, *text);
	}
	buf_add_char(&pattern, '*');
	wire_add(w, name, buf_span(&pattern));
	buf_release(&pattern);
}

void
sendmail_queue_limits(const struct sendmail_options *o, struct wire_out *w)
{
	for (size_t i = 0; i < o->nlimits; i++) {
		const struct sendmail_limit *l = &o->limits[i];

		if (l->kind == 'I')
			add_part(w, l->negated ? "not-match-id" : "match-id", l->part);
		else if (l->kind == 'R')
			add_part(w, l->negated ? "not-recipient" : "recipient", l->part);
		else if (l->kind == 'S')
			add_part(w, l->negated ? "not-sender" : "sender", l->part);
		else
			wire_add_str(w, l->negated ? "not-state" : "state", "held");
	}
}

/* Asks the queue manager one thing. The client is the caller's to close, whatever is returned. */
static int
ask(const struct sendmail_setup *s, const char *verb, const struct sendmail_options *o,
    struct control_client **c, struct buf *why)
{
	struct wire_msg answer;
	struct wire_out w;
	struct verdict v;
	int status;

	*c = control_client_open(s->config.spool, "queue", &status, why);
	if (*c == NULL)
		return status;
	wire_out_init(&w, verb, control_client_next_id(*c));
	sendmail_queue_limits(o, &w);
	if (o->queue_run && o->mode != SENDMAIL_MAILQ)
		wire_add_str(&w, "all", "yes"); /* -q alone means everything */
	if (o->mode == SENDMAIL_HOLD)
		wire_add_str(&w, "note", o->why_held);
	status = control_client_call(*c, &w, &answer, why);
	if (status != 0)
		return status;
	if (wire_get_verdict(&answer, &v) != 0 || v.kind != VERDICT_OK) {
		buf_addf(why, "the queue manager: %s", v.text);
		return EX_UNAVAILABLE;
	}
	return 0;
}

int
sendmail_queue_print(const struct sendmail_setup *s, const struct sendmail_options *o,
    FILE *out, struct buf *why)
{
	struct sendmail_queue_view v = {.out = out, .spool = s->config.spool};
	struct control_client *c;
	struct wire_msg frame = {.verb = {"", 0}};
	int status = ask(s, "list", o, &c, why);

	while (status == 0 && !span_is(frame.verb, "end") && ferror(out) == 0) {
		status = control_client_next(c, &frame, why);
		if (status == 0 && sendmail_queue_frame(&v, &frame) != 0) {
			buf_add_str(why, "the queue manager's answer is malformed");
			status = EX_PROTOCOL;
		}
	}
	control_client_close(&c);
	return status;
}

int
sendmail_queue_act(
    const struct sendmail_setup *s, const struct sendmail_options *o, struct buf *why)
{
	struct control_client *c;
	int status = ask(s,
	    o->mode == SENDMAIL_HOLD	  ? "hold"
	    : o->mode == SENDMAIL_RELEASE ? "release"
					  : "retry",
	    o, &c, why);

	control_client_close(&c);
	return status;
}
