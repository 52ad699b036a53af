/* received: the trace field. See received.h. Called by DATA when content begins. */
#include "smtpd/received.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"

/* The HELO name was checked when it came; this holds even if it was not. */
static void
add_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') ||
			    (c != '\0' && strchr("-_.:[]", c) != NULL);

		buf_add_char(out, fits ? c : '?');
	}
}

/*
 * An address in canonical form holds no control octet, and its quotes are balanced. One in UTF-8 is left out:
 * nothing else may make a message need SMTPUTF8 that goes on to an address in ASCII.
 */
static void
add_recipient(struct buf *out, struct span address)
{
	if (address.len == 0 || span_has_control(address) || !utf8_is_ascii(address))
		return;
	buf_add_str(out, "\n\tfor <");
	buf_add_span(out, address);
	buf_add_char(out, '>');
}

/* What is in it is canonical or static, but for the subject, which holds nothing that could end a comment. */
static void
add_tls(struct buf *out, const struct tls_info *tls)
{
	buf_addf(out, "\n\t(%s %s", tls->protocol, tls->cipher);
	if (tls->name[0] != '\0') {
		buf_add_str(out, " sni=");
		add_name(out, span_str(tls->name));
	}
	if (tls->certificate != NULL)
		buf_addf(out, "\n\tclient certificate sha256=%s", tls->certificate);
	if (tls->subject != NULL)
		buf_addf(out, "\n\tverified client %s", tls->subject);
	buf_add_char(out, ')');
}

void
received_format(const struct received *r, struct buf *out)
{
	char date[CLOCK_DATE_SIZE], literal[NETADDR_TEXT_SIZE];

	if (r->client != NULL) {
		buf_add_str(out, "Received: from ");
		add_name(out, r->helo);
		buf_add_str(out, " (");
		add_name(out, r->name);
		buf_addf(out, "%s[%s])", r->name.len > 0 ? " " : "",
		    netaddr_format_literal(r->client, literal));
		if (r->tls != NULL)
			add_tls(out, r->tls);
		buf_add_str(out, "\n\tby ");
		add_name(out, r->hostname);
		buf_addf(out, " (Postrider) with %s id %s", r->protocol, r->id);
	} else {
		buf_add_str(out, "Received: by ");
		add_name(out, r->hostname);
		buf_addf(out, " (Postrider, from userid %" PRId64 ")\n\tid %s", r->uid, r->id);
	}
	add_recipient(out, r->recipient);
	clock_format_rfc5322(r->when, date);
	buf_addf(out, ";\n\t%s\n", date);
}
