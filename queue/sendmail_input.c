/*
 * sendmail_input: a message from standard input. See sendmail_input.h. Called by
 * sendmail_main.c. Invariant: what reaches the content has LF line ends only and
 * ends with one.
 */
#include "queue/sendmail_input.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/lineend.h"

#define PIECE 65536

/* A completed header: what is added to each address is bounded too. */
#define COMPLETED_MAX (4 * SENDMAIL_HEADER_MAX)

struct input {
	const struct sendmail_header_job *job;
	struct sendmail_content *content;
	struct buf header; /* until its end is found */
	size_t at;	   /* how far it was looked through */
	bool in_body;
	struct buf *why;
};

static int
add(struct input *in, struct span s)
{
	if (sendmail_content_add(in->content, s) == 0)
		return 0;
	if (errno == EMSGSIZE) {
		buf_addf(
		    in->why, "the message is larger than %" PRIu64 " octets", in->content->max);
		return EX_UNAVAILABLE;
	}
	buf_addf(in->why, "cannot keep the message in a temporary file: %s", strerror(errno));
	return EX_TEMPFAIL;
}

static int
header_too_large(struct input *in)
{
	buf_add_str(in->why, "the header is too large");
	return EX_DATAERR;
}

/* The header ends at in->at; what was read beyond it is body. */
static int
end_header(struct input *in)
{
	struct span read = buf_span(&in->header), body = span_skip(read, in->at);
	struct buf out;
	int r;

	buf_init(&out, COMPLETED_MAX);
	if (sendmail_header_complete(span_first(read, in->at), in->job, &out) != 0 ||
	    buf_add_char(&out, '\n') != 0) {
		buf_release(&out);
		return header_too_large(in);
	}
	if (body.len > 0 && body.p[0] == '\n')
		body = span_skip(body, 1);
	r = add(in, buf_span(&out));
	if (r == 0)
		r = add(in, body);
	in->in_body = true;
	buf_release(&out);
	buf_release(&in->header);
	return r;
}

static int
take(struct input *in, struct span s)
{
	if (in->in_body)
		return add(in, s);
	if (buf_add_span(&in->header, s) != 0)
		return header_too_large(in);
	return sendmail_header_scan(buf_span(&in->header), &in->at) ? end_header(in) : 0;
}

/* Octets read, 0 at the end, -1 and errno. */
static ssize_t
read_some(int fd, char *p, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int ready;

	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	do {
		ready = poll(&pfd, 1, SENDMAIL_INPUT_TIMEOUT * 1000);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	for (;;) {
		ssize_t got = read(fd, p, n);

		if (got >= 0 || errno != EINTR)
			return got;
	}
}

/* Feeds one piece of raw input through the line ends. */
static int
take_raw(struct input *in, struct text_end *ends, struct span raw, struct buf *text)
{
	int r = 0;

	while (r == 0 && raw.len > 0 && !ends->done) {
		text_end_feed(ends, &raw, text);
		r = take(in, buf_span(text));
		buf_clear(text);
	}
	return r;
}

static int
read_all(struct input *in, int fd, bool dots)
{
	char raw[PIECE];
	struct text_end ends;
	struct buf text;
	ssize_t n = 1;
	int r = 0;

	text_end_init(&ends, dots);
	buf_init(&text, PIECE);
	while (r == 0 && !ends.done && (n = read_some(fd, raw, sizeof raw)) > 0)
		r = take_raw(in, &ends, span_make(raw, (size_t)n), &text);
	if (r == 0 && n < 0) {
		buf_addf(in->why, "cannot read the message: %s", strerror(errno));
		r = EX_IOERR;
	}
	if (r == 0) {
		text_end_finish(&ends, &text);
		r = take(in, buf_span(&text));
	}
	if (r == 0 && !in->in_body)
		r = end_header(in);
	buf_release(&text);
	return r;
}

int
sendmail_input_read(int fd, bool dots, const struct sendmail_header_job *job,
    struct sendmail_content *c, struct buf *why)
{
	struct input in = {.job = job, .content = c, .why = why};
	int r;

	buf_init(&in.header, SENDMAIL_HEADER_MAX);
	r = read_all(&in, fd, dots);
	buf_release(&in.header);
	return r;
}
