/* wire: the messages that processes exchange. See wire.h and doc/IPC.md. */
#include "common/wire.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/limits.h"
#include "common/xalloc.h"

/* Room for a question or an answer as they usually are. */
#define USUAL_SIZE 250

void
wire_out_init(struct wire_out *w, const char *verb, uint64_t id)
{
	buf_init(&w->text, WIRE_TEXT_MAX + 1);
	w->payload = (struct span){NULL, 0};
	(void)!buf_reserve(&w->text, USUAL_SIZE);
	buf_add_str(&w->text, verb);
	if (id != 0) {
		buf_add_char(&w->text, ' ');
		decimal_add(&w->text, id);
	}
	buf_add_char(&w->text, '\n');
}

void
wire_out_keep_nothing(struct wire_out *w)
{
	w->text.secret = true;
}

void
wire_out_release(struct wire_out *w)
{
	buf_release(&w->text);
}

/* A message that has outgrown its limit is filled to one octet above it, which wire_header refuses. */
static void
mark_too_long(struct wire_out *w)
{
	static const char fill[4096] = {0};
	size_t left;

	while ((left = WIRE_TEXT_MAX + 1 - w->text.len) > 0)
		buf_add(&w->text, fill, left < sizeof fill ? left : sizeof fill);
}

static int
add_escaped(struct buf *b, struct span v)
{
	size_t from = 0;

	for (size_t i = 0; i < v.len; i++) {
		const char *esc = v.p[i] == '\n'   ? "\\n"
				  : v.p[i] == '\\' ? "\\\\"
				  : v.p[i] == '\0' ? "\\0"
						   : NULL;

		if (esc == NULL)
			continue;
		if (buf_add(b, v.p + from, i - from) != 0 || buf_add_str(b, esc) != 0)
			return -1;
		from = i + 1;
	}
	return buf_add(b, v.p + from, v.len - from);
}

void
wire_add(struct wire_out *w, const char *name, struct span value)
{
	if (buf_add_str(&w->text, name) != 0 || buf_add_char(&w->text, '=') != 0 ||
	    add_escaped(&w->text, value) != 0 || buf_add_char(&w->text, '\n') != 0)
		mark_too_long(w);
}

void
wire_add_unless_empty(struct wire_out *w, const char *name, struct span value)
{
	if (value.len > 0)
		wire_add(w, name, value);
}

void
wire_add_str(struct wire_out *w, const char *name, const char *value)
{
	wire_add(w, name, span_str(value));
}

void
wire_add_u64(struct wire_out *w, const char *name, uint64_t value)
{
	if (buf_add_str(&w->text, name) != 0 || buf_add_char(&w->text, '=') != 0 ||
	    decimal_add(&w->text, value) != 0 || buf_add_char(&w->text, '\n') != 0)
		mark_too_long(w);
}

void
wire_addf(struct wire_out *w, const char *name, const char *fmt, ...)
{
	struct buf value;
	va_list ap;

	buf_init(&value, WIRE_TEXT_MAX);
	va_start(ap, fmt);
	if (buf_vaddf(&value, fmt, ap) != 0)
		mark_too_long(w);
	else
		wire_add(w, name, buf_span(&value));
	va_end(ap);
	buf_release(&value);
}

void
wire_add_verdict(struct wire_out *w, const struct verdict *v)
{
	wire_add_str(w, "kind", verdict_kind_name(v->kind));
	wire_add_u64(w, "code", (uint64_t)v->code);
	wire_add_str(w, "status", v->status);
	wire_add_str(w, "text", v->text);
}

int
wire_header(const struct wire_out *w, size_t nfds, unsigned char header[WIRE_HEADER_SIZE])
{
	uint32_t v[3] = {htonl((uint32_t)w->text.len), htonl((uint32_t)w->payload.len),
	    htonl((uint32_t)nfds)};

	if (w->text.len > WIRE_TEXT_MAX || w->payload.len > WIRE_PAYLOAD_MAX ||
	    nfds > WIRE_FDS_MAX)
		return -1;
	memcpy(header, v, sizeof v);
	return 0;
}

int
wire_header_parse(const unsigned char header[WIRE_HEADER_SIZE], size_t *text_len,
    size_t *payload_len, size_t *nfds)
{
	uint32_t v[3];

	memcpy(v, header, sizeof v);
	*text_len = ntohl(v[0]);
	*payload_len = ntohl(v[1]);
	*nfds = ntohl(v[2]);
	return *text_len <= WIRE_TEXT_MAX && *payload_len <= WIRE_PAYLOAD_MAX &&
		       *nfds <= WIRE_FDS_MAX
		   ? 0
		   : -1;
}

void
wire_fields_release(struct wire_fields *f)
{
	free(f->v);
	*f = (struct wire_fields){NULL, 0};
}

/* Undoes escapes where they stand; -1 on an unknown or cut escape. */
static int
unescape(char *p, size_t *len)
{
	char *esc = memchr(p, '\\', *len);
	char *out, *end = p + *len;

	if (esc == NULL)
		return 0;
	out = esc;
	for (char *in = esc; in < end; in++) {
		if (*in != '\\') {
			*out++ = *in;
			continue;
		}
		if (++in == end)
			return -1;
		if (*in == 'n')
			*out++ = '\n';
		else if (*in == '0')
			*out++ = '\0';
		else if (*in == '\\')
			*out++ = '\\';
		else
			return -1;
	}
	*len = (size_t)(out - p);
	return 0;
}

static int
parse_first_line(struct span line, struct wire_msg *m)
{
	m->verb = span_cut(&line, ' ');
	if (m->verb.len == 0 || span_has_control(m->verb))
		return -1;
	m->id = 0;
	return line.p == NULL ? 0 : span_to_u64(line, UINT64_MAX, &m->id);
}

static int
add_field(struct wire_fields *f, size_t *n, char *line, size_t len)
{
	char *eq = memchr(line, '=', len);
	size_t vlen;

	if (eq == NULL || eq == line || *n >= WIRE_FIELDS_MAX)
		return -1;
	vlen = len - (size_t)(eq + 1 - line);
	if (unescape(eq + 1, &vlen) != 0)
		return -1;
	if (*n == f->cap) {
		f->cap = f->cap > 0 ? f->cap * 2 : 32;
		f->v = xreallocarray(f->v, f->cap, sizeof *f->v);
	}
	f->v[(*n)++] =
	    (struct wire_field){span_make(line, (size_t)(eq - line)), span_make(eq + 1, vlen)};
	return 0;
}

int
wire_parse(char *text, size_t len, struct wire_fields *fields, struct wire_msg *m)
{
	char *end = text + len, *line = text, *lf;
	size_t n = 0;

	*m = (struct wire_msg){.nfds = 0};
	if (len == 0 || end[-1] != '\n')
		return -1;
	lf = memchr(line, '\n', len);
	if (parse_first_line(span_make(line, (size_t)(lf - line)), m) != 0)
		return -1;
	for (line = lf + 1; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end - line));
		if (add_field(fields, &n, line, (size_t)(lf - line)) != 0)
			return -1;
	}
	m->fields = fields->v;
	m->nfields = n;
	return 0;
}

int
wire_get(const struct wire_msg *m, const char *name, struct span *value)
{
	for (size_t i = 0; i < m->nfields; i++) {
		if (span_is(m->fields[i].name, name)) {
			*value = m->fields[i].value;
			return 0;
		}
	}
	return -1;
}

int
wire_get_u64(const struct wire_msg *m, const char *name, uint64_t max, uint64_t *value)
{
	struct span s;

	return wire_get(m, name, &s) == 0 ? span_to_u64(s, max, value) : -1;
}

bool
wire_is_yes(const struct wire_msg *m, const char *name)
{
	struct span s;

	return wire_get(m, name, &s) == 0 && span_is(s, "yes");
}

int
wire_get_verdict(const struct wire_msg *m, struct verdict *v)
{
	struct span kind, status, text;
	enum verdict_kind k;
	uint64_t code;

	verdict_init(v);
	if (wire_get(m, "kind", &kind) != 0 || verdict_kind_parse(kind, &k) != 0 ||
	    wire_get_u64(m, "code", 599, &code) != 0 || wire_get(m, "status", &status) != 0 ||
	    wire_get(m, "text", &text) != 0)
		return -1;
	verdict_set_parts(v, k, (int)code, status, text);
	return 0;
}

int
wire_take_fd(struct wire_msg *m, size_t i)
{
	int fd;

	if (i >= m->nfds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}
