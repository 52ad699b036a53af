/*
 * fuzz_command: any octets as input before content: lines, verbs, arguments. Invariants: a line is
 * taken whole or not at all and holds no CR or LF; what a parser takes it can take again; an address it gives
 * is canonical; what it refuses has a reply of class 5.
 */
#include "smtpd/command.h"

#include "smtpd/line.h"
#include "smtpd/param.h"
#include "smtpd/verbs.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_address(const struct address *a, unsigned flags)
{
	struct address again;

	MUST(a->len == strlen(a->text) && a->len <= ADDRESS_MAX);
	MUST(!span_has_control(address_span(a)));
	MUST(address_parse(address_span(a), flags, &again, NULL) == 0);
	MUST(span_eq(address_span(a), address_span(&again)));
}

static void
check_xclient(const struct xclient_args *x)
{
	MUST(x->client.family == AF_INET || x->client.family == AF_INET6);
	MUST(x->has_client || netaddr_is_loopback(&x->client));
	MUST(x->has_port || x->port == 0);
	MUST(x->helo[0] == '\0' || (x->has_helo && strlen(x->helo) <= HELO_NAME_MAX &&
				       !span_has_control(span_str(x->helo))));
	if (x->login.len > 0)
		check_address(&x->login, ADDRESS_UTF8);
}

static void
check_arguments(const struct verb *v, struct span arg, const struct command *c)
{
	if (v->parse == cmd_mail_parse)
		check_address(&c->args.mail.from,
		    ADDRESS_ALLOW_EMPTY | (c->args.mail.utf8 ? ADDRESS_UTF8 : 0));
	else if (v->parse == cmd_rcpt_parse)
		check_address(&c->args.rcpt.to, ADDRESS_POSTMASTER | ADDRESS_UTF8);
	else if (v->parse == cmd_helo_parse)
		MUST(c->args.name.len > 0 && !span_has_control(c->args.name) &&
		     span_index(c->args.name, ')') < 0 && span_index(c->args.name, ' ') < 0);
	else if (v->parse == cmd_bdat_parse)
		MUST(arg.len > 0 && arg.p[0] >= '0' && arg.p[0] <= '9');
	else if (v->parse == cmd_xclient_parse)
		check_xclient(&c->args.xclient);
	else if (v->parse == cmd_xsubmitter_parse)
		MUST(c->args.uid != UINT32_MAX);
}

/* Every parser looks at every argument: none relies on the verb it came with. */
static void
parse_all(struct span arg, unsigned offers)
{
	static const char *const names[] = {
	    "MAIL", "RCPT", "HELO", "VRFY", "BDAT", "XSUBMITTER", "XCLIENT"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct verb *v = command_find(span_str(names[i]));
		struct command c = {.verb = v};
		struct refusal r = {REPLY_OK, {NULL, 0}};

		if (v->parse(arg, offers, &c, &r) == 0)
			check_arguments(v, arg, &c);
		else
			MUST(smtp_reply_find(r.reply)->code >= 500);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), line, arg, name;
	enum line_result r;
	bool whole;

	while (in.len > 0) {
		size_t had = in.len;

		r = line_take(&in, 512, &line);
		if (r == LINE_MORE || r == LINE_FOREIGN || r == LINE_BARE)
			MUST(in.len == had);
		if (r == LINE_LONG) {
			MUST(in.len == had && line_skip(&in, &whole) > 0);
			continue;
		}
		if (r != LINE_WHOLE)
			break;
		MUST(had - in.len == line.len + 2 && line.len + 2 <= 512);
		MUST(span_index(line, '\r') < 0 && span_index(line, '\n') < 0);
		name = command_split(line, &arg);
		MUST(name.len <= line.len && arg.len <= line.len);
		(void)command_find(name);
		/* Every second line meets a server that offers everything. */
		parse_all(arg, line.len % 2 == 0 ? ~0U : (unsigned)line.len & 7);
	}
	return 0;
}
