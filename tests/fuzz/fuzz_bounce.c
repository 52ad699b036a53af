/*
 * Reports on a message that a stranger wrote, for a recipient he named, after what his server said,
 * by a template: whatever these hold, the report parses back to its three parts, every field of
 * the status part is one of ours, the message is returned as it was, and lines are as RFC 5322 wants
 * them. The input is cut at NUL octets into the values.
 */
#include <string.h>

#include "common/limits.h"
#include "queue/bounce.h"
#include "tests/fuzz/must.h"

static const char *const fields[] = {"Original-Envelope-Id", "Reporting-MTA",
    "Received-From-MTA", "Arrival-Date", "X-Postrider-Message", "Original-Recipient",
    "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date",
    "Will-Retry-Until"};

static void
check_lines(struct span s, bool ascii)
{
	while (s.p != NULL) {
		struct span line = span_cut(&s, '\n');

		MUST(!ascii || line.len <= 998);
		for (size_t i = 0; ascii && i < line.len; i++)
			MUST(line.p[i] == '\t' || (line.p[i] >= 0x20 && line.p[i] < 0x7f));
	}
}

/* Takes what stands before the boundary line off *rest. */
static struct span
take_part(struct span *rest, const char *boundary)
{
	const char *at = memmem(rest->p, rest->len, boundary, strlen(boundary));
	struct span part;

	MUST(at != NULL);
	part = span_make(rest->p, (size_t)(at - rest->p));
	*rest = span_skip(*rest, part.len + strlen(boundary));
	return part;
}

/* Quoted-printable undone. */
static struct span
unquoted(struct span s, struct buf *out)
{
	while (s.len > 0) {
		unsigned octet;

		if (s.p[0] != '=') {
			MUST(buf_add_char(out, s.p[0]) == 0);
			s = span_skip(s, 1);
		} else if (s.len > 1 && s.p[1] == '\n') {
			s = span_skip(s, 2);
		} else {
			MUST(s.len > 2 && sscanf(s.p + 1, "%2X", &octet) == 1);
			MUST(buf_add_char(out, (char)octet) == 0);
			s = span_skip(s, 3);
		}
	}
	return buf_span(out);
}

static void
check_status(struct span part, size_t recipients, struct buf *plain)
{
	size_t groups = 0;

	if (span_starts_with(part, "Content-Type: message/global-delivery-status\n")) {
		part = unquoted(part, plain);
		(void)span_cut(&part, '\n');
		(void)span_cut(&part, '\n');
	} else {
		MUST(span_starts_with(part, "Content-Type: message/delivery-status\n\n"));
		(void)span_cut(&part, '\n');
	}
	while (part.p != NULL) {
		struct span line = span_cut(&part, '\n');
		bool known = line.len == 0;

		groups += line.len == 0 && part.len > 0;
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			known |= span_starts_with(line, fields[i]) &&
				 line.p[strlen(fields[i])] == ':';
		MUST(known);
	}
	MUST(groups == recipients + 1);
}

static void
check(const struct bounce *b, struct span report, const struct bounce_result *result)
{
	struct span rest = report, head, name, text, status, returned;
	char line[100], last[100];
	struct buf plain;

	MUST(report.len <= MESSAGE_INLINE_MAX);
	MUST(result->nrecipients == b->nrecipients);
	head = take_part(&rest, "\n\tboundary=\"");
	check_lines(head, !result->utf8);
	name = span_cut(&rest, '"');
	MUST(name.len > 0 && name.len < 70);
	snprintf(line, sizeof line, "\n--%.*s\n", SPAN_ARG(name));
	snprintf(last, sizeof last, "\n--%.*s--\n", SPAN_ARG(name));
	take_part(&rest, line);
	text = take_part(&rest, line);
	status = take_part(&rest, line);
	returned = take_part(&rest, last);
	MUST(rest.len == 0);
	check_lines(text, true);
	check_lines(status, true);
	buf_init(&plain, MESSAGE_INLINE_MAX);
	check_status(status, b->nrecipients, &plain);
	buf_release(&plain);
	if (b->content_whole && !b->utf8 && b->content.len > 0) {
		MUST(span_starts_with(returned, "Content-Type: message/rfc822\n"));
		take_part(&returned, "\n\n");
		MUST(span_eq(span_first(returned, b->content.len), b->content));
	} else {
		check_lines(returned, true);
	}
}

static struct span
take_value(struct span *rest)
{
	struct span v = span_cut(rest, '\0');

	return v.len > 0 ? v : span_str("");
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct span rest = span_make(data, size);
	struct bounce_recipient r[2] = {{.until = 1}, {.until = 2}};
	struct bounce b = {.hostname = "mx.test",
	    .id = "0000000000001",
	    .own_id = "0000000000002",
	    .arrived = 1,
	    .now = 2,
	    .recipients = r,
	    .nrecipients = 2};
	struct bounce_result result;
	struct buf out, seven;
	unsigned char how = size > 0 ? data[0] : 0;

	if (size == 0 || size > 100000)
		return 0;
	rest = span_skip(rest, 1);
	for (size_t i = 0; i < 2; i++) {
		struct span text;

		r[i].action = (enum bounce_action)((i == 0 ? how : how >> 3) % 5);
		r[i].original = span_first(take_value(&rest), ADDRESS_MAX);
		r[i].address = span_first(take_value(&rest), ADDRESS_MAX);
		r[i].orcpt = span_first(take_value(&rest), 500);
		r[i].mta = span_first(take_value(&rest), DOMAIN_MAX);
		text = take_value(&rest);
		verdict_set_parts(&r[i].verdict, VERDICT_PERMANENT, i == 0 ? 550 : 0,
		    span_str("5.1.1"), text);
	}
	b.to = span_first(take_value(&rest), ADDRESS_MAX);
	b.envid = span_first(take_value(&rest), 100);
	b.helo = span_first(take_value(&rest), DOMAIN_MAX);
	b.text = take_value(&rest);
	b.content = rest.len > 0 ? rest : span_str("");
	b.content_whole = (how & 64) != 0;
	b.utf8 = (how & 128) != 0;
	buf_init(&out, MESSAGE_INLINE_MAX);
	buf_init(&seven, MESSAGE_INLINE_MAX);
	MUST(bounce_compose(&b, &out, &result) == 0);
	check(&b, buf_span(&out), &result);
	if (result.eight_bit && !result.utf8) {
		MUST(bounce_seven_bit(buf_span(&out), &seven) == 0);
		b.content_whole = false;
		check(&b, buf_span(&seven), &result);
	}
	/* And what is none of ours. */
	buf_clear(&seven);
	(void)bounce_seven_bit(span_make(data, size), &seven);
	buf_release(&out);
	buf_release(&seven);
	return 0;
}
