/*
 * sendmail_queue: mailq and sendmail -q. See sendmail_queue.h. Called by
 * sendmail_main.c. Invariant: what a message says of itself is printed through the
 * log's escaper, so that it cannot drive a terminal.
 */
#include "queue/sendmail_queue.h"

#include <inttypes.h>
#include <sysexits.h>
#include <time.h>

#include "common/log.h"
#include "queue/control_client.h"

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
	if (r->text.len > 0) {
		fputs("                 (", out);
		if (span_is(r->state, "deferred"))
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

	if (localtime_r(&received, &tm) != NULL)
		strftime(when, sizeof when, "%a %b %e %H:%M", &tm);
	fprintf(out, "%-14.*s %8" PRIu64 " %-16s <", SPAN_ARG(m->id), m->size, when);
	print_escaped(m->from, out);
	fputs(">\n", out);
	for (size_t i = 0; i < m->nrecipients; i++)
		print_recipient(&m->recipients[i], out);
}

void
sendmail_queue_format(const struct listing *l, const char *spool, FILE *out)
{
	if (l->nmessages == 0) {
		fprintf(out, "%s is empty\n", spool);
	} else {
		fprintf(out, "\t\t%s (%zu request%s%s)\n", spool, l->nmessages,
		    l->nmessages == 1 ? "" : "s",
		    l->more ? ", and more that are not shown" : "");
		fputs("-----Q-ID----- --Size-- -----Q-Time----- "
		      "------------Sender/Recipient-----------\n",
		    out);
		for (size_t i = 0; i < l->nmessages; i++)
			print_message(&l->messages[i], out);
	}
	fprintf(out, "\t\tTotal requests: %zu%s\n", l->nmessages, l->more ? " and more" : "");
}

/* Asks the queue manager one thing. The client is the caller's to close, whatever is returned. */
static int
ask(const struct sendmail_setup *s, const char *verb, const struct sendmail_options *o,
    struct control_client **c, struct wire_msg *answer, struct buf *why)
{
	struct wire_out w;
	struct verdict v;
	int status;

	*c = control_client_open(s->config.spool, "queue", &status, why);
	if (*c == NULL)
		return status;
	wire_out_init(&w, verb, control_client_next_id(*c));
	if (o != NULL && o->retry_id != NULL)
		wire_add_str(&w, "id", o->retry_id);
	if (o != NULL && o->retry_sender != NULL)
		wire_add_str(&w, "sender", o->retry_sender);
	if (o != NULL && o->retry_recipient != NULL)
		wire_add_str(&w, "recipient", o->retry_recipient);
	status = control_client_call(*c, &w, answer, why);
	if (status != 0)
		return status;
	if (wire_get_verdict(answer, &v) != 0 || v.kind != VERDICT_OK) {
		buf_addf(why, "the queue manager: %s", v.text);
		return EX_UNAVAILABLE;
	}
	return 0;
}

int
sendmail_queue_print(const struct sendmail_setup *s, FILE *out, struct buf *why)
{
	struct control_client *c;
	struct wire_msg answer;
	struct listing l;
	int status = ask(s, "list", NULL, &c, &answer, why);

	if (status == 0 && listing_parse(&answer, &l) != 0) {
		buf_add_str(why, "the queue manager's answer is malformed");
		status = EX_PROTOCOL;
	} else if (status == 0) {
		sendmail_queue_format(&l, s->config.spool, out);
		listing_release(&l);
	}
	control_client_close(&c);
	return status;
}

int
sendmail_queue_retry(
    const struct sendmail_setup *s, const struct sendmail_options *o, struct buf *why)
{
	struct control_client *c;
	struct wire_msg answer;
	int status = ask(s, "retry", o, &c, &answer, why);

	control_client_close(&c);
	return status;
}
