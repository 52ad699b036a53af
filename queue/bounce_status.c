/*
 * bounce_status: the part of a report that programs read, message/delivery-status
 * (RFC 3464 2). Called by bounce.c. Every value is one line of printable ASCII. On a message that came with
 * SMTPUTF8, if there is an address in UTF-8, it is message/global-delivery-status (RFC 6533 4), where
 * addresses are as they are; it leaves in quoted-printable, which that type may, so the report is 7-bit.
 */
#include "queue/bounce_parts.h"

#include "common/clock.h"
#include "common/utf8.h"
#include "common/xtext.h"
#include "queue/dsn.h"

#define HELO_ROOM  600
#define ENVID_ROOM 100 /* decoded xtext is never longer than as written (RFC 3461 4.4) */
/* The longest line is a reason: text of a verdict, each octet as \xNN. */
#define DIAGNOSTIC_MAX 900
#define GROUP_ROOM     16384 /* all fields of one recipient, or of the message */
/* Reports on many recipients are kept short: the reasons are mostly the same. */
#define MANY		    100
#define DIAGNOSTIC_MANY_MAX 160

static const char *const actions[] = {
    [BOUNCE_FAILED] = "failed",
    [BOUNCE_DELAYED] = "delayed",
    [BOUNCE_DELIVERED] = "delivered",
    [BOUNCE_RELAYED] = "relayed",
    [BOUNCE_EXPANDED] = "expanded",
};

static int
add_date(struct buf *out, const char *name, int64_t when)
{
	char date[CLOCK_DATE_SIZE];

	if (when == 0)
		return 0;
	clock_format_rfc5322(when, date);
	return buf_addf(out, "%s: %s\n", name, date);
}

/* A field whose value a stranger chose, cut to room octets. */
static int
add_field(struct buf *out, const char *name, struct span value, size_t room)
{
	struct buf clean;
	int r;

	buf_init(&clean, value.len * DSN_ASCII_GROWTH);
	(void)dsn_add_ascii(&clean, value); /* the room is enough for it */
	r = buf_addf(out, "%s: ", name) != 0 ||
		    buf_add_span(out, span_first(buf_span(&clean), room)) != 0 ||
		    buf_add_char(out, '\n') != 0
		? -1
		: 0;
	buf_release(&clean);
	return r;
}

/* RFC 3464 2.2 */
static int
add_message_fields(const struct bounce *b, struct buf *out)
{
	struct buf envid, helo;
	int r = 0;

	buf_init(&envid, ENVID_ROOM);
	buf_init(&helo, HELO_ROOM);
	if (b->envid.len > 0 && xtext_decode(b->envid, &envid) == 0)
		r = add_field(out, "Original-Envelope-Id", buf_span(&envid), DIAGNOSTIC_MAX);
	if (r == 0)
		r = buf_addf(out, "Reporting-MTA: dns; %s\n", b->hostname);
	if (r == 0 && b->helo.len > 0 && buf_add_str(&helo, "dns; ") == 0 &&
	    buf_add_span(&helo, b->helo) == 0)
		r = add_field(out, "Received-From-MTA", buf_span(&helo), DIAGNOSTIC_MAX);
	if (r == 0)
		r = add_date(out, "Arrival-Date", b->arrived);
	if (r == 0)
		r = buf_addf(out, "X-Postrider-Message: %s\n", b->id);
	buf_release(&envid);
	buf_release(&helo);
	return r;
}

/*
 * What the sender said it was (RFC 3464 2.3.1); else, where an alias led to another address, what RCPT
 * said, without which the sender could not tell whom this is about.
 */
static int
add_original(const struct bounce_recipient *r, bool global, struct buf *out)
{
	struct buf value;
	int result = 0;

	buf_init(&value, 2048);
	if (r->orcpt.len > 0)
		(void)(global ? dsn_add_original_utf8 : dsn_add_original)(&value, r->orcpt);
	if (value.len == 0 && !span_eq(r->original, r->address))
		(void)(global ? dsn_add_address_utf8 : dsn_add_address)(&value, r->original);
	if (value.len > 0)
		result = buf_addf(out, "Original-Recipient: %s\n", value.p);
	buf_release(&value);
	return result;
}

/* The class of the status goes with the action (RFC 3464 2.3.4). */
static const char *
status_of(const struct bounce_recipient *r)
{
	bool failed = r->action == BOUNCE_FAILED;

	/* 5.4.7: delivery time expired (RFC 3463 3.5) */
	return failed && r->verdict.kind != VERDICT_PERMANENT ? "5.4.7" : r->verdict.status;
}

static int
add_diagnostic(const struct bounce_recipient *r, size_t room, struct buf *out)
{
	struct buf value;
	int result;

	if (r->verdict.text[0] == '\0')
		return 0;
	buf_init(&value, sizeof r->verdict.text + 64);
	buf_add_str(&value, r->verdict.code != 0 ? "smtp; " : "X-Postrider; ");
	if (r->verdict.code != 0)
		buf_addf(&value, "%d ", r->verdict.code);
	buf_addf(&value, "%s %s", r->verdict.status, r->verdict.text);
	result = add_field(out, "Diagnostic-Code", buf_span(&value), room);
	buf_release(&value);
	return result;
}

/* RFC 3464 2.3 */
static int
add_recipient(
    const struct bounce *b, const struct bounce_recipient *r, bool global, struct buf *out)
{
	size_t room = b->nrecipients > MANY ? DIAGNOSTIC_MANY_MAX : DIAGNOSTIC_MAX;
	struct buf mta;
	int result = -1;

	buf_init(&mta, HELO_ROOM);
	buf_add_str(&mta, "dns; ");
	(void)buf_add_span(&mta, r->mta);
	if (buf_add_char(out, '\n') == 0 && add_original(r, global, out) == 0 &&
	    buf_add_str(out, "Final-Recipient: ") == 0 &&
	    (global ? dsn_add_address_utf8 : dsn_add_address)(out, r->address) == 0 &&
	    buf_addf(out, "\nAction: %s\nStatus: %s\n", actions[r->action], status_of(r)) ==
		0 &&
	    (r->mta.len == 0 || add_field(out, "Remote-MTA", buf_span(&mta), room) == 0) &&
	    add_diagnostic(r, room, out) == 0 &&
	    add_date(out, "Last-Attempt-Date", r->tried) == 0 &&
	    add_date(out, "Will-Retry-Until", r->action == BOUNCE_DELAYED ? r->until : 0) == 0)
		result = 0;
	buf_release(&mta);
	return result;
}

/* Does one of the addresses need it? utf-8 as the type of an ORCPT is about characters that are not ASCII. */
static bool
is_global(const struct bounce *b)
{
	for (size_t i = 0; b->utf8 && i < b->nrecipients; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		if (!utf8_is_ascii(r->address) || !utf8_is_ascii(r->original) ||
		    span_starts_with_nocase(r->orcpt, "utf-8;"))
			return true;
	}
	return false;
}

/* The same, coded where it has to be; nothing of it if out is full. */
static int
add_group(
    const struct bounce *b, const struct bounce_recipient *r, bool global, struct buf *out)
{
	size_t before = out->len;
	struct buf plain;
	int result;

	if (!global) {
		result =
		    r != NULL ? add_recipient(b, r, false, out) : add_message_fields(b, out);
	} else {
		buf_init(&plain, GROUP_ROOM);
		result = r != NULL ? add_recipient(b, r, true, &plain)
				   : add_message_fields(b, &plain);
		if (result == 0)
			result = bounce_quote(out, buf_span(&plain));
		buf_release(&plain);
	}
	if (result != 0) {
		out->len = before;
		out->p[before] = '\0';
	}
	return result;
}

int
bounce_status_add(const struct bounce *b, struct buf *out, size_t *n)
{
	bool global = is_global(b);

	if (buf_addf(out, "Content-Type: message/%sdelivery-status\n%s\n",
		global ? "global-" : "",
		global ? "Content-Transfer-Encoding: quoted-printable\n" : "") != 0 ||
	    add_group(b, NULL, global, out) != 0)
		return -1;
	for (*n = 0; *n < b->nrecipients; ++*n)
		if (add_group(b, &b->recipients[*n], global, out) != 0)
			break;
	return *n > 0 ? 0 : -1;
}
