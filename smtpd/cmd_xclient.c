/*
 * XCLIENT (postfix.org, XCLIENT_README): a proxy of xclient-from says for whom it speaks. The session
 * begins anew, with a question to the directory and a greeting, as if that client had
 * connected; what was said, who had logged in and what was counted before is forgotten, but for what
 * earlier XCLIENT said. TLS stays, and behind STARTTLS of what XCLIENT said in clear only the client does. NAME and DESTADDR are checked and not believed: the name of an address is asked
 * of the DNS here, and nothing is decided by our own addresses. A client whose address is not known
 * is 0.0.0.0, never the proxy.
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "common/xtext.h"
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum attribute { NAME, ADDR, PORT, PROTO, HELO, LOGIN, DESTADDR, DESTPORT, ATTRIBUTES };

static const char *const names[ATTRIBUTES] = {[NAME] = "NAME",
    [ADDR] = "ADDR",
    [PORT] = "PORT",
    [PROTO] = "PROTO",
    [HELO] = "HELO",
    [LOGIN] = "LOGIN",
    [DESTADDR] = "DESTADDR",
    [DESTPORT] = "DESTPORT"};

static int
parse_address(struct span value, struct netaddr *a)
{
	if (span_starts_with_nocase(value, "IPV6:"))
		value = span_skip(value, 5);
	return netaddr_parse(value, a);
}

static int
parse_port(struct span value, uint16_t *port)
{
	uint64_t n;

	if (span_to_u64(value, UINT16_MAX, &n) != 0)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* Not every client has a name that is one, and the proxy has taken it: that is no reason to refuse the proxy. */
static int
take_helo(struct span value, struct xclient_args *x)
{
	x->helo[0] = '\0';
	if (value.len <= HELO_NAME_MAX && address_helo_valid(value))
		snprintf(x->helo, sizeof x->helo, "%.*s", SPAN_ARG(value));
	return 0;
}

/* A value that is there, decoded. */
static int
take_value(enum attribute which, struct span value, struct xclient_args *x)
{
	struct netaddr other;
	uint16_t port;

	switch (which) {
	case NAME:
		return address_helo_valid(value) ? 0 : -1;
	case ADDR:
		return parse_address(value, &x->client);
	case PORT:
		return parse_port(value, &x->port);
	case PROTO:
		return span_is_nocase(value, "SMTP") || span_is_nocase(value, "ESMTP") ? 0 : -1;
	case HELO:
		return take_helo(value, x);
	case LOGIN:
		return address_parse(value, ADDRESS_UTF8, &x->login, NULL);
	case DESTADDR:
		return parse_address(value, &other);
	case DESTPORT:
		return parse_port(value, &port);
	case ATTRIBUTES:
		break;
	}
	return -1;
}

static int
take_attribute(struct span name, struct span value, unsigned *seen, struct xclient_args *x)
{
	unsigned which = 0;
	struct buf plain;
	int r = 0;

	while (which < ATTRIBUTES && !span_is_nocase(name, names[which]))
		which++;
	if (which == ATTRIBUTES || (*seen & 1U << which) != 0)
		return -1;
	*seen |= 1U << which;
	/* What is not known is what x begins with. */
	if (span_is_nocase(value, "[UNAVAILABLE]") || span_is_nocase(value, "[TEMPUNAVAIL]"))
		return 0;
	buf_init(&plain, ADDRESS_MAX);
	if (xtext_decode(value, &plain) != 0 || plain.len == 0)
		r = -1;
	else
		r = take_value((enum attribute)which, buf_span(&plain), x);
	buf_release(&plain);
	return r;
}

int
cmd_xclient_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	struct xclient_args *x = &c->args.xclient;
	unsigned seen = 0;

	(void)offers;
	*r = (struct refusal){REPLY_SYNTAX, span_str("XCLIENT attribute=value ...")};
	*x = (struct xclient_args){.client = {.family = AF_INET}};
	if (arg.len == 0)
		return -1;
	while (arg.p != NULL) {
		struct span value = span_cut(&arg, ' '), name;

		if (value.len == 0)
			continue;
		name = span_cut(&value, '=');
		if (value.p == NULL || take_attribute(name, value, &seen, x) != 0) {
			return command_wrong(r, REPLY_PARAMETER_SYNTAX, name);
		}
	}
	x->has_client = (seen & 1U << ADDR) != 0;
	x->has_port = (seen & 1U << PORT) != 0;
	x->has_helo = (seen & 1U << HELO) != 0;
	x->has_login = (seen & 1U << LOGIN) != 0;
	return 0;
}

static int
change_client(struct session *s, const struct xclient_args *x)
{
	struct session_origin now = s->origin;

	/* The first one takes the proxy's address from the session, whether or not it names another. */
	if (x->has_client || !s->introduced)
		now.client = x->client;
	if (x->has_port)
		now.client.port = x->port;
	netaddr_format(&now.client, now.text);
	if (s->server->on_client_change != NULL &&
	    s->server->on_client_change(s, &now, s->server->arg) != 0)
		return -1;
	s->origin = now;
	return 0;
}

/* A login belongs to the client it came from, unless the proxy vouches for it. */
static void
change_account(struct session *s, const struct xclient_args *x)
{
	if (!x->has_login && s->vouched)
		return;
	free(s->account);
	s->account = x->login.len > 0 ? xspandup(address_span(&x->login)) : NULL;
	s->vouched = x->has_login;
}

static void
change_helo(struct session *s, const struct xclient_args *x)
{
	if (x->has_helo) {
		free(s->helo_named);
		s->helo_named = x->helo[0] != '\0' ? xstrdup(x->helo) : NULL;
	}
	free(s->helo);
	s->helo = NULL;
	s->esmtp = false;
}

/* What was counted, and how long it took, was of the client before: nothing of it is held against the next. */
static void
forget_counts(struct session *s)
{
	if (s->accepted > 0 || s->refusals > 0)
		session_log_end(s, "XCLIENT");
	session_tell_commands(s);
	s->errors = s->logins = s->mails = s->junk = 0;
	s->commands = s->accepted = s->refusals = 0;
	s->began_ms = s->server->clock();
}

enum command_result
cmd_xclient_run(struct session *s, const struct command *c)
{
	const struct xclient_args *x = &c->args.xclient;
	char peer[NETADDR_TEXT_SIZE];

	if (!session_believes_xclient(s))
		return command_refuse(s, REPLY_XCLIENT);
	forget_counts(s);
	if (change_client(s, x) != 0)
		return command_refuse(s, REPLY_CONNECTIONS_CLIENT);
	change_account(s, x);
	change_helo(s, x);
	/* What the proxy has shown of itself says nothing of whom it speaks for. */
	if (s->tls != NULL)
		tls_info_forget_client(s->tls);
	s->introduced = true;
	log_info("session=%s xclient=%s client=%s%s%s", s->id,
	    netaddr_format(&s->origin.peer, peer), s->origin.text,
	    s->account != NULL ? " auth=" : "",
	    s->account != NULL ? LOG_ADDRESS(span_str(s->account)) : "");
	session_begin(s);
	return s->state == SESSION_GREETING ? COMMAND_LATER : COMMAND_DONE;
}
