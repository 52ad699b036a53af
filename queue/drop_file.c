/*
 * drop_file: the form of a file in spool/drop/. See drop_file.h. Called by
 * sendmail (format) and by the queue manager (parse). Invariant: what was
 * parsed can be formatted and parsed again to the same values.
 */
#include "queue/drop_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/address.h"
#include "common/wire.h"
#include "common/xalloc.h"

#define DROP_VERSION 1
#define DSN_MAX	     100 /* RFC 3461 4.4: octets of an ENVID */

/* What an esmtp-value may hold: printable ASCII but SP and `=` (RFC 5321 4.1.2). */
static bool
is_esmtp_value(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 127 || s.p[i] == '=')
			return false;
	}
	return s.len > 0 && s.len <= DSN_MAX;
}

/* One address in its canonical form; a file that holds another form was not written by sendmail(1). */
static bool
is_canonical(struct span s, unsigned flags)
{
	struct address a;
	const char *why;

	return address_parse(s, flags | ADDRESS_UTF8, &a, &why) == 0 &&
	       span_eq(address_span(&a), s);
}

static const char *
take_field(struct drop_file *d, const struct wire_field *f, bool *from_seen, bool *size_seen)
{
	if (span_is(f->name, "rcpt")) {
		if (d->nrecipients == DROP_RECIPIENTS_MAX)
			return "too many recipients";
		if (!is_canonical(f->value, 0))
			return "a recipient is no address";
		d->recipients[d->nrecipients++] = f->value;
		return NULL;
	}
	if (span_is(f->name, "from")) {
		if (*from_seen || !is_canonical(f->value, ADDRESS_ALLOW_EMPTY))
			return "the sender is no address";
		d->from = f->value;
		*from_seen = true;
		return NULL;
	}
	if (span_is(f->name, "size")) {
		if (*size_seen || span_to_u64(f->value, INT64_MAX, &d->size) != 0)
			return "the size is no number";
		*size_seen = true;
		return NULL;
	}
	if (span_is(f->name, "body")) {
		d->eight_bit = span_is(f->value, "8bit");
		return d->eight_bit || span_is(f->value, "7bit") ? NULL : "unknown body type";
	}
	if (span_is(f->name, "utf8")) {
		d->utf8 = span_is(f->value, "yes");
		return d->utf8 ? NULL : "unknown value of utf8";
	}
	if (!is_esmtp_value(f->value))
		return "a value holds what it must not";
	if (span_is(f->name, "envid"))
		d->envid = f->value;
	else if (span_is(f->name, "ret"))
		d->ret = f->value;
	else if (span_is(f->name, "notify"))
		d->notify = f->value;
	else
		return "unknown field";
	return NULL;
}

static const char *
take_fields(struct drop_file *d, const struct wire_msg *m)
{
	bool from_seen = false, size_seen = false;

	if (!span_is(m->verb, "drop") || m->id != DROP_VERSION)
		return "no file of sendmail(1), or of another version";
	d->recipients = xcalloc(m->nfields, sizeof *d->recipients);
	for (size_t i = 0; i < m->nfields; i++) {
		const char *why = take_field(d, &m->fields[i], &from_seen, &size_seen);

		if (why != NULL)
			return why;
	}
	if (!from_seen || !size_seen || d->nrecipients == 0)
		return "sender, recipients or size missing";
	return NULL;
}

enum drop_result
drop_file_parse(struct span head, struct drop_file *d, size_t *head_size, const char **why)
{
	struct wire_fields fields = {NULL, 0};
	struct wire_msg m;
	const char *end;

	*d = (struct drop_file){.nrecipients = 0};
	head = span_first(head, DROP_HEAD_MAX);
	end = head.len > 0 ? memmem(head.p, head.len, "\n\n", 2) : NULL;
	if (end == NULL) {
		*why = "no empty line ends its head";
		return head.len < DROP_HEAD_MAX ? DROP_SHORT : DROP_BAD;
	}
	*head_size = (size_t)(end - head.p) + 2;
	d->arena = xspandup(span_first(head, *head_size - 1));
	if (wire_parse(d->arena, *head_size - 1, &fields, &m) != 0)
		*why = "its head is malformed";
	else
		*why = take_fields(d, &m);
	wire_fields_release(&fields);
	if (*why == NULL)
		return DROP_OK;
	drop_file_release(d);
	return DROP_BAD;
}

void
drop_file_release(struct drop_file *d)
{
	free(d->recipients);
	free(d->arena);
	*d = (struct drop_file){.nrecipients = 0};
}

int
drop_file_format(const struct drop_file *d, struct buf *out)
{
	struct wire_out w;
	int r;

	wire_out_init(&w, "drop", DROP_VERSION);
	wire_add(&w, "from", d->from);
	for (size_t i = 0; i < d->nrecipients; i++)
		wire_add(&w, "rcpt", d->recipients[i]);
	wire_add_u64(&w, "size", d->size);
	wire_add_str(&w, "body", d->eight_bit ? "8bit" : "7bit");
	if (d->utf8)
		wire_add_str(&w, "utf8", "yes");
	if (d->envid.len > 0)
		wire_add(&w, "envid", d->envid);
	if (d->ret.len > 0)
		wire_add(&w, "ret", d->ret);
	if (d->notify.len > 0)
		wire_add(&w, "notify", d->notify);
	r = w.text.len < DROP_HEAD_MAX && buf_add_span(out, buf_span(&w.text)) == 0 &&
		    buf_add_char(out, '\n') == 0
		? 0
		: -1;
	wire_out_release(&w);
	return r;
}

static bool
is_random(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (memchr("0123456789abcdef", s.p[i], 16) == NULL)
			return false;
	}
	return s.len == DROP_RANDOM_SIZE;
}

int
drop_file_names(struct drop_file_names *n)
{
	unsigned char random[DROP_RANDOM_SIZE / 2];
	char hex[DROP_RANDOM_SIZE + 1];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(hex + 2 * i, 3, "%02x", random[i]);
	snprintf(n->unfinished, sizeof n->unfinished, "tmp.%s", hex);
	snprintf(n->whole, sizeof n->whole, "%s.msg", hex);
	return 0;
}

bool
drop_file_name_valid(struct span name)
{
	return name.len == DROP_RANDOM_SIZE + 4 &&
	       is_random(span_first(name, DROP_RANDOM_SIZE)) &&
	       span_is(span_skip(name, DROP_RANDOM_SIZE), ".msg");
}

bool
drop_file_name_unfinished(struct span name)
{
	return name.len == DROP_RANDOM_SIZE + 4 && span_starts_with(name, "tmp.") &&
	       is_random(span_skip(name, 4));
}
