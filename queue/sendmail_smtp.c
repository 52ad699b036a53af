/*
 * sendmail_smtp: SMTP over the submit socket, the wire. See sendmail_smtp.h. RFC
 * 5321 4.2 (replies), 3463 (their enhanced codes). Invariant: a reply is bounded in
 * lines and octets, and one that is none ends the connection.
 */
#include "queue/sendmail_smtp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "queue/blocking.h"

#define OUT_MAX	 (1U << 20)
#define READ_MAX 4096

void
sendmail_smtp_init(struct sendmail_smtp *s, int fd, bool verbose)
{
	*s = (struct sendmail_smtp){.fd = fd, .verbose = verbose};
	buf_init(&s->in, REMOTE_REPLY_MAX);
	buf_init(&s->out, OUT_MAX);
}

void
sendmail_smtp_release(struct sendmail_smtp *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_release(&s->in);
	buf_release(&s->out);
}

int
sendmail_smtp_command(struct sendmail_smtp *s, const char *fmt, ...)
{
	size_t begin = s->out.len;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_vaddf(&s->out, fmt, ap);
	va_end(ap);
	if (r != 0)
		return -1;
	if (s->verbose)
		printf(">>> %s\n", s->out.p + begin);
	return buf_add_str(&s->out, "\r\n");
}

int
sendmail_smtp_flush(struct sendmail_smtp *s)
{
	int r = blocking_write(s->fd, buf_span(&s->out));

	buf_clear(&s->out);
	return r;
}

/* The next line without its CRLF (LF alone is taken too), out of in; NULL-pointer span if the connection is gone. */
static struct span
read_line(struct sendmail_smtp *s, size_t *used, const char **why)
{
	for (;;) {
		struct span have = span_skip(buf_span(&s->in), *used), line;
		char piece[READ_MAX];
		ssize_t n;

		line = span_cut(&have, '\n');
		if (have.p != NULL) {
			*used += line.len + 1;
			if (line.len > 0 && line.p[line.len - 1] == '\r')
				line.len--;
			return line;
		}
		n = recv(s->fd, piece, sizeof piece, 0);
		if (n < 0 && errno == EINTR)
			continue;
		*why = n == 0					 ? "it closed the connection"
		       : errno == EAGAIN || errno == EWOULDBLOCK ? "it did not answer in time"
								 : strerror(errno);
		if (n > 0 && buf_add(&s->in, piece, (size_t)n) == 0)
			continue;
		if (n > 0)
			*why = "its reply is too long";
		return (struct span){NULL, 0};
	}
}

/* The code of a reply line, and whether more lines follow; -1 if it is no reply line. */
static int
parse_code(struct span line, bool *last)
{
	if (line.len < 3 || !isdigit((unsigned char)line.p[0]) ||
	    !isdigit((unsigned char)line.p[1]) || !isdigit((unsigned char)line.p[2]) ||
	    line.p[0] < '2' || line.p[0] > '5' ||
	    (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return -1;
	*last = line.len == 3 || line.p[3] == ' ';
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

/* What the text of the reply's last line says, with the class of its code where it has no enhanced one. */
static void
set_verdict(struct verdict *v, int code, struct span text)
{
	enum verdict_kind kind = code >= 500   ? VERDICT_PERMANENT
				 : code >= 400 ? VERDICT_TEMPORARY
					       : VERDICT_OK;
	struct span rest = text, status = span_cut(&rest, ' ');

	if (!verdict_status_valid(status)) {
		status = span_str(kind == VERDICT_OK	      ? "2.0.0"
				  : kind == VERDICT_TEMPORARY ? "4.0.0"
							      : "5.0.0");
		rest = text;
	}
	verdict_set_parts(v, kind, code, status, rest.p != NULL ? rest : span_str(""));
}

static int
broken(struct verdict *v, const char *why)
{
	verdict_set(
	    v, VERDICT_TEMPORARY, 0, "4.4.2", "the daemon at the submit socket: %s", why);
	return -1;
}

int
sendmail_smtp_reply(
    struct sendmail_smtp *s, unsigned seconds, struct verdict *v, struct buf *text)
{
	size_t used = 0;
	int code = 0;

	blocking_set_receive_timeout(s->fd, seconds);
	for (unsigned lines = 0; lines < REMOTE_REPLY_LINES_MAX; lines++) {
		const char *why = NULL;
		struct span line = read_line(s, &used, &why);
		bool last;

		if (line.p == NULL)
			return broken(v, why);
		if (s->verbose)
			printf("%.*s\n", SPAN_ARG(line));
		if (parse_code(line, &last) < 0 ||
		    (lines > 0 && parse_code(line, &last) != code))
			return broken(v, "what it says is no SMTP");
		code = parse_code(line, &last);
		line = span_skip(line, 4);
		if (text != NULL &&
		    (buf_add_span(text, line) != 0 || buf_add_char(text, '\n') != 0))
			return broken(v, "its reply is too long");
		if (!last)
			continue;
		set_verdict(v, code, line);
		buf_drop(&s->in, used);
		return code;
	}
	return broken(v, "its reply is too long");
}
