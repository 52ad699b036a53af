/* bounce: composes delivery status notifications. See bounce.h. */
#include "queue/bounce.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"

/* A value for a header or status field: printable ASCII only, the rest as \xNN. */
static void
add_clean(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f)
			buf_add_char(out, (char)c);
		else
			buf_addf(out, "\\x%02x", c);
	}
}

static void
add_head(const struct bounce *b, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_rfc5322(b->now, date);
	buf_addf(out, "Date: %s\n", date);
	buf_addf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\n", b->hostname);
	buf_add_str(out, "To: <");
	add_clean(out, b->sender);
	buf_add_str(out, ">\nSubject: Undelivered mail: ");
	if (b->nrecipients == 1)
		add_clean(out, b->recipients[0].original);
	else
		buf_addf(out, "%zu recipients", b->nrecipients);
	buf_addf(out, "\nMessage-ID: <%s@%s>\n", b->own_id, b->hostname);
	buf_add_str(out, "MIME-Version: 1.0\n"
			 "Auto-Submitted: auto-replied\n"
			 "Content-Type: multipart/report; report-type=delivery-status;\n");
	buf_addf(out, "\tboundary=\"=_%s\"\n", b->own_id);
	if (b->eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_add_str(out, "\n");
}

static void
add_text(const struct bounce *b, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_rfc5322(b->arrived, date);
	buf_addf(out, "--=_%s\nContent-Type: text/plain; charset=us-ascii\n\n", b->own_id);
	buf_addf(out,
	    "This is the mail system at %s.\n\n"
	    "Your message of %s\n"
	    "could not be delivered to %s below. It will not be tried again.\n",
	    b->hostname, date, b->nrecipients == 1 ? "the recipient" : "the recipients");
	for (size_t i = 0; i < b->nrecipients; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		buf_add_str(out, "\n  <");
		add_clean(out, r->original);
		buf_add_str(out, ">\n");
		if (!span_eq(r->original, r->address)) {
			buf_add_str(out, "    (forwarded to <");
			add_clean(out, r->address);
			buf_add_str(out, ">)\n");
		}
		if (r->mta.len > 0) {
			buf_add_str(out, "    The mail server ");
			add_clean(out, r->mta);
			buf_add_str(out, " said:\n");
		}
		buf_add_str(out, "    ");
		if (r->verdict.code != 0)
			buf_addf(out, "%d ", r->verdict.code);
		buf_addf(out, "%s ", r->verdict.status);
		add_clean(out, span_str(r->verdict.text));
		buf_add_str(out, "\n");
	}
	buf_addf(out,
	    "\nThe technical report and %s follow. The mail system knows\n"
	    "this message as %s.\n\n",
	    b->content_whole ? "your message" : "the header of your message", b->id);
}

static void
add_status(const struct bounce *b, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_rfc5322(b->arrived, date);
	buf_addf(out, "--=_%s\nContent-Type: message/delivery-status\n\n", b->own_id);
	buf_addf(out, "Reporting-MTA: dns; %s\nX-Postrider-Message: %s\nArrival-Date: %s\n",
	    b->hostname, b->id, date);
	for (size_t i = 0; i < b->nrecipients; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		buf_add_str(out, "\n");
		if (!span_eq(r->original, r->address)) {
			buf_add_str(out, "Original-Recipient: rfc822; ");
			add_clean(out, r->original);
			buf_add_str(out, "\n");
		}
		buf_add_str(out, "Final-Recipient: rfc822; ");
		add_clean(out, r->address);
		buf_addf(out, "\nAction: failed\nStatus: %s\n", r->verdict.status);
		if (r->mta.len > 0) {
			buf_add_str(out, "Remote-MTA: dns; ");
			add_clean(out, r->mta);
			buf_add_str(out, "\n");
		}
		buf_addf(out, "Diagnostic-Code: %s; ",
		    r->verdict.code != 0 ? "smtp" : "X-Postrider");
		if (r->verdict.code != 0)
			buf_addf(out, "%d ", r->verdict.code);
		buf_addf(out, "%s ", r->verdict.status);
		add_clean(out, span_str(r->verdict.text));
		buf_add_str(out, "\n");
	}
	buf_add_str(out, "\n");
}

int
bounce_compose(const struct bounce *b, struct buf *out)
{
	add_head(b, out);
	add_text(b, out);
	add_status(b, out);
	buf_addf(out, "--=_%s\nContent-Type: %s\n", b->own_id,
	    b->content_whole ? "message/rfc822" : "text/rfc822-headers");
	if (b->eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_add_str(out, "\n");
	if (buf_add_span(out, b->content) != 0)
		return -1;
	if (b->content.len > 0 && b->content.p[b->content.len - 1] != '\n')
		buf_add_str(out, "\n");
	return buf_addf(out, "\n--=_%s--\n", b->own_id);
}

struct span
bounce_header_of(struct span content, size_t max)
{
	const char *end = memmem(content.p, content.len, "\n\n", 2);
	struct span head =
	    end != NULL ? span_first(content, (size_t)(end - content.p) + 1) : content;
	ptrdiff_t lf;

	if (content.len > 0 && content.p[0] == '\n')
		return span_first(content, 0);
	if (head.len <= max)
		return head;
	head = span_first(head, max);
	lf = span_rindex(head, '\n');
	return span_first(head, (size_t)(lf + 1));
}
