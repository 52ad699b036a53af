/*
 * sendmail_message: sendmail -bm. See sendmail_message.h. Called by
 * sendmail_main.c. Invariant: nothing is submitted before the whole message is read
 * and every argument has been understood; a status of 0 means that every recipient's
 * copy is on disk.
 */
#include "queue/sendmail_message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/sendmail_drop.h"
#include "queue/sendmail_input.h"
#include "queue/sendmail_submit.h"

#define WHY_MAX 8192

struct job {
	const struct sendmail_options *o;
	const struct sendmail_setup *setup;
	struct sendmail_envelope e;
	struct sendmail_recipients except; /* -t with arguments: these get nothing */
	struct sendmail_content content;
	struct sendmail_report *report;
};

static void
on_bad_address(struct span field, struct span text, const char *why, void *arg)
{
	struct job *m = arg;

	sendmail_report_add(m->report, EX_DATAERR, "%.*s: %.*s: %s", SPAN_ARG(field),
	    SPAN_ARG(span_first(text, 200)), why);
}

static void
set_sender(struct job *m)
{
	const char *text = m->o->sender != NULL ? m->o->sender : m->setup->login, *why;

	if (sendmail_envelope_set_sender(&m->e, text, m->setup->config.hostname, &why) != 0)
		sendmail_report_add(m->report, EX_DATAERR, "the sender %.200s: %s", text, why);
}

/* Recipients from the command line; with -t those are the ones that get nothing. */
static void
set_recipients(struct job *m)
{
	struct sendmail_recipients *to = m->o->take_recipients ? &m->except : &m->e.recipients;

	for (int i = 0; i < m->o->nrecipients; i++) {
		const char *text = m->o->recipients[i], *why;

		if (sendmail_recipients_add_list(
			to, span_str(text), m->setup->config.hostname, &why) != 0)
			sendmail_report_add(
			    m->report, EX_DATAERR, "the recipient %.200s: %s", text, why);
	}
	if (m->o->take_recipients)
		m->e.recipients.except = &m->except;
	else if (m->o->nrecipients == 0)
		sendmail_report_add(m->report, EX_USAGE,
		    "nobody to send to: name recipients, or take those of the "
		    "header with -t");
}

/* The left part of a Message-ID: nobody else's, ever. */
static char *
unique_id(void)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		fatal("no random numbers");
	return xasprintf("%" PRId64 ".%016" PRIx64, clock_wall_ms(), random);
}

/* A name for the From field: the one asked for, or the caller's own for his own address. */
static const char *
full_name(const struct job *m)
{
	if (m->o->full_name != NULL)
		return m->o->full_name;
	return m->o->sender == NULL ? m->setup->full_name : NULL;
}

static int
read_message(struct job *m, int input)
{
	char *unique = unique_id();
	char *login = xasprintf("%s@%s", m->setup->login, m->setup->config.hostname);
	struct sendmail_header_job job = {.hostname = m->setup->config.hostname,
	    .sender = m->e.from.len > 0 ? m->e.from.text : login,
	    .full_name = full_name(m),
	    .unique = unique,
	    .now = clock_wall(),
	    .recipients = m->o->take_recipients ? &m->e.recipients : NULL,
	    .on_bad_address = on_bad_address,
	    .arg = m};
	struct buf why;
	int status;

	buf_init(&why, WHY_MAX);
	status = sendmail_input_read(input, !m->o->ignore_dots, &job, &m->content, &why);
	if (status != 0)
		sendmail_report_add(m->report, status, "%s", buf_str(&why));
	buf_release(&why);
	free(unique);
	free(login);
	return status;
}

/* The exit status for a recipient that was refused (sysexits.h, RFC 3463). */
static int
status_of(const struct verdict *v)
{
	if (v->kind != VERDICT_PERMANENT)
		return EX_TEMPFAIL;
	if (strncmp(v->status, "5.1.2", 5) == 0)
		return EX_NOHOST;
	if (strncmp(v->status, "5.1.", 4) == 0)
		return EX_NOUSER;
	if (strncmp(v->status, "5.7.", 4) == 0)
		return EX_NOPERM;
	if (strncmp(v->status, "5.6.", 4) == 0 || strncmp(v->status, "5.5.", 4) == 0)
		return EX_DATAERR;
	return EX_UNAVAILABLE;
}

static void
report_refused(struct job *m)
{
	for (size_t i = 0; i < m->e.recipients.n; i++) {
		const struct sendmail_recipient *r = m->e.recipients.v[i];

		if (r->state == SENDMAIL_RECIPIENT_REFUSED)
			sendmail_report_add(m->report, status_of(r->verdict), "%s: %d %s %s",
			    r->address, r->verdict->code, r->verdict->status, r->verdict->text);
	}
}

/* Who could not be told now is told later: by the queue manager, from drop/. */
static void
drop_deferred(struct job *m)
{
	char *dir = sendmail_setup_path(m->setup, "drop");
	struct buf why;
	int status;

	buf_init(&why, WHY_MAX);
	status = sendmail_drop(dir, &m->e, &m->content, &why);
	for (size_t i = 0; status != 0 && i < m->e.recipients.n; i++) {
		const struct sendmail_recipient *r = m->e.recipients.v[i];

		if (r->state != SENDMAIL_RECIPIENT_DEFERRED)
			continue;
		sendmail_report_add(m->report, status, "%s: %s; %s", r->address,
		    r->verdict->text, buf_str(&why));
		break; /* the reason is everybody's */
	}
	buf_release(&why);
	free(dir);
}

/* To the daemon; what it does not take now, into drop/. */
static void
submit(struct job *m)
{
	char *path = sendmail_setup_path(m->setup, "sockets/submit/smtp");

	sendmail_submit(path, &m->e, &m->content, m->o->verbose);
	free(path);
	report_refused(m);
	if (sendmail_recipients_count(&m->e.recipients, SENDMAIL_RECIPIENT_DEFERRED) > 0)
		drop_deferred(m);
}

void
sendmail_message_send(const struct sendmail_options *o, const struct sendmail_setup *setup,
    int input, struct sendmail_report *report)
{
	struct job m = {.o = o,
	    .setup = setup,
	    .report = report,
	    .e = {.hostname = setup->config.hostname,
		.eight_bit = o->eight_bit,
		.envid = o->envid,
		.ret = o->ret,
		.notify = o->notify}};

	sendmail_recipients_init(&m.e.recipients);
	sendmail_recipients_init(&m.except);
	sendmail_content_init(&m.content, setup->config.size_limit);
	set_sender(&m);
	set_recipients(&m);
	if (report->status == 0 && read_message(&m, input) == 0) {
		if (m.e.recipients.n > 0)
			submit(&m);
		else
			sendmail_report_add(report, EX_DATAERR,
			    "nobody to send to: the header names no recipient");
	}
	sendmail_content_release(&m.content);
	sendmail_recipients_release(&m.e.recipients);
	sendmail_recipients_release(&m.except);
}
