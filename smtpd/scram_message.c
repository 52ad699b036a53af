/* scram_message: messages of SCRAM. See scram_message.h. Called by login_scram. */
#include "smtpd/scram_message.h"

#include "common/utf8.h"

/* "x=value": the value of the attribute; without p if it is another one. */
static struct span
value_of(struct span field, char name)
{
	if (field.len < 2 || field.p[0] != name || field.p[1] != '=')
		return (struct span){NULL, 0};
	return span_skip(field, 2);
}

/* Attributes behind those we know, which may be left alone: ALPHA "=" value, and not "m". */
static bool
are_extensions(struct span rest)
{
	while (rest.p != NULL) {
		struct span field = span_cut(&rest, ',');
		char c = field.len > 0 ? field.p[0] : '\0';

		if (field.len < 3 || field.p[1] != '=' || c == 'm' ||
		    !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return false;
	}
	return true;
}

/* Printable ASCII but for the comma (RFC 5802 7). */
static bool
is_nonce(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len > 0 && s.len <= SCRAM_NONCE_MAX;
}

/* gs2-cbind-flag: "n", "y", or "p=" and a name. */
static int
parse_flag(struct span flag, struct scram_first *f)
{
	f->binding = value_of(flag, 'p');
	f->flag = flag.len > 0 ? flag.p[0] : '\0';
	return span_is(flag, "n") || span_is(flag, "y") || f->binding.len > 0 ? 0 : -1;
}

int
scram_first_parse(struct span message, struct scram_first *f)
{
	struct span rest = message, field;

	*f = (struct scram_first){.flag = '\0'};
	if (message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message) ||
	    span_has_control(message) || parse_flag(span_cut(&rest, ','), f) != 0 ||
	    rest.p == NULL)
		return -1;
	field = span_cut(&rest, ',');
	if (field.len > 0 && (f->authzid = value_of(field, 'a')).len == 0)
		return -1;
	if (rest.p == NULL)
		return -1;
	f->bare = rest;
	f->header = span_make(message.p, (size_t)(rest.p - message.p));
	f->user = value_of(span_cut(&rest, ','), 'n');
	if (f->user.p == NULL || rest.p == NULL)
		return -1;
	f->nonce = value_of(span_cut(&rest, ','), 'r');
	return f->nonce.p != NULL && is_nonce(f->nonce) && are_extensions(rest) ? 0 : -1;
}

int
scram_final_parse(struct span message, struct scram_final *f)
{
	struct span rest = message;
	ptrdiff_t last = span_rindex(message, ',');

	*f = (struct scram_final){.binding = {NULL, 0}};
	if (message.len > SCRAM_MESSAGE_MAX || !utf8_valid(message) ||
	    span_has_control(message) || last < 0)
		return -1;
	f->without_proof = span_first(message, (size_t)last);
	f->proof = value_of(span_skip(message, (size_t)last + 1), 'p');
	rest = f->without_proof;
	f->binding = value_of(span_cut(&rest, ','), 'c');
	if (f->proof.len == 0 || f->binding.len == 0 || rest.p == NULL)
		return -1;
	f->nonce = value_of(span_cut(&rest, ','), 'r');
	/* The server's part makes it longer than the client's. */
	return f->nonce.len > 0 && are_extensions(rest) ? 0 : -1;
}

int
scram_name_decode(struct span name, char out[ADDRESS_MAX], size_t *len)
{
	size_t n = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c == '=') {
			struct span code = span_first(span_skip(name, i), 3);

			if (!span_is_nocase(code, "=2C") && !span_is_nocase(code, "=3D"))
				return -1;
			c = span_is_nocase(code, "=2C") ? ',' : '=';
			i += 2;
		}
		if (n == ADDRESS_MAX)
			return -1;
		out[n++] = c;
	}
	*len = n;
	return n > 0 ? 0 : -1;
}
