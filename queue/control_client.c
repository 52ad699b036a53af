/*
 * control_client: the blocking end of a control socket. See control_client.h.
 * Invariant: one request is under way at a time, so an answer with another id, or
 * anything that is no answer, is passed over only if it is a notice.
 */
#include "queue/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/passfd.h"
#include "common/xalloc.h"
#include "queue/blocking.h"

#define BUSY_STATUS   "4.3.2"
#define BUSY_PAUSE_MS 200

struct control_client {
	int fd, stream; /* stream: of the last answer, -1 if it has none */
	uint64_t last_id;
	struct buf text, payload;
	struct wire_fields fields;
	int fds[WIRE_FDS_MAX]; /* that came with the last message and were not taken */
	size_t nfds;
	const char *name;
};

static int
explain_connect(const char *path, struct buf *why)
{
	if (errno == EACCES || errno == EPERM) {
		buf_addf(why, "%s: only root and the user that postriderd runs as may do this",
		    path);
		return EX_NOPERM;
	}
	if (errno == ENOENT || errno == ECONNREFUSED) {
		buf_addf(why, "nobody answers at %s: postriderd does not run", path);
		return EX_UNAVAILABLE;
	}
	buf_addf(why, "%s: %s", path, strerror(errno));
	return EX_UNAVAILABLE;
}

static void
close_fds(struct control_client *c)
{
	for (size_t i = 0; i < c->nfds; i++) {
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	}
	c->nfds = 0;
}

static void
close_stream(struct control_client *c)
{
	if (c->stream >= 0)
		close(c->stream);
	c->stream = -1;
}

/* Reads exactly n octets. -1 and errno (0: the other side closed). */
static int
read_exactly(struct control_client *c, int fd, void *to, size_t n)
{
	char *p = to;

	while (n > 0) {
		union passfd_control control;
		struct iovec iov = {p, n};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t got;

		passfd_expect(&mh, &control);
		got = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = 0;
		if (got <= 0)
			return -1;
		/* One too many is seen by their number. */
		(void)passfd_take(&mh, c->fds, &c->nfds, WIRE_FDS_MAX);
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int
read_into(struct control_client *c, int fd, struct buf *b, size_t n)
{
	buf_clear(b);
	if (buf_reserve(b, n) != 0 || read_exactly(c, fd, b->p, n) != 0)
		return -1;
	b->len = n;
	b->p[n] = '\0';
	return 0;
}

static int
read_message(struct control_client *c, int fd, struct wire_msg *m)
{
	unsigned char header[WIRE_HEADER_SIZE];
	size_t text_len, payload_len, nfds;

	close_fds(c);
	if (read_exactly(c, fd, header, sizeof header) != 0)
		return -1;
	errno = EPROTO;
	if (wire_header_parse(header, &text_len, &payload_len, &nfds) != 0 ||
	    read_into(c, fd, &c->text, text_len) != 0 ||
	    read_into(c, fd, &c->payload, payload_len) != 0)
		return -1;
	errno = EPROTO;
	if (nfds != c->nfds || wire_parse(c->text.p, c->text.len, &c->fields, m) != 0)
		return -1;
	m->payload = buf_span(&c->payload);
	return 0; /* descriptors stay with the client: control_client_take_fd */
}

static int
send_message(struct control_client *c, const struct wire_out *w)
{
	unsigned char header[WIRE_HEADER_SIZE];

	errno = EMSGSIZE;
	if (wire_header(w, 0, header) != 0)
		return -1;
	if (blocking_write(c->fd, span_make(header, sizeof header)) != 0)
		return -1;
	return blocking_write(c->fd, buf_span(&w->text));
}

/* What went wrong on a connection that stood. */
static int
explain_broken(const struct control_client *c, struct buf *why)
{
	if (errno == 0 || errno == ECONNRESET || errno == EPIPE) {
		buf_addf(why,
		    "control/%s: the connection was closed; postriderd's log says why",
		    c->name);
		return EX_UNAVAILABLE;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		buf_addf(
		    why, "control/%s: no answer within %d seconds", c->name, CONTROL_TIMEOUT);
		return EX_UNAVAILABLE;
	}
	buf_addf(why, "control/%s: %s", c->name, strerror(errno));
	return EX_PROTOCOL;
}

static int
greet(struct control_client *c, struct buf *why)
{
	struct wire_out w;
	struct wire_msg m;
	uint64_t version;
	int r;

	wire_out_init(&w, "hello", 0);
	wire_add_u64(&w, "version", WIRE_VERSION);
	wire_add_str(&w, "role", "control");
	r = send_message(c, &w);
	wire_out_release(&w);
	if (r != 0 || read_message(c, c->fd, &m) != 0)
		return explain_broken(c, why);
	if (!span_is(m.verb, "hello") ||
	    wire_get_u64(&m, "version", UINT32_MAX, &version) != 0 || version != WIRE_VERSION) {
		buf_addf(why,
		    "control/%s speaks another version: are postrider and postriderd of one "
		    "release?",
		    c->name);
		return EX_PROTOCOL;
	}
	return 0;
}

struct control_client *
control_client_open(const char *spool, const char *name, int *status, struct buf *why)
{
	char *path = xasprintf("%s/sockets/control/%s", spool, name);
	struct control_client *c = xcalloc(1, sizeof *c);

	c->name = name;
	c->stream = -1;
	buf_init(&c->text, WIRE_TEXT_MAX);
	buf_init(&c->payload, WIRE_PAYLOAD_MAX);
	c->fd = blocking_connect(path, CONTROL_TIMEOUT);
	if (c->fd >= 0)
		blocking_set_receive_timeout(c->fd, CONTROL_TIMEOUT);
	*status = c->fd < 0 ? explain_connect(path, why) : greet(c, why);
	free(path);
	if (*status != 0)
		control_client_close(&c);
	return c;
}

void
control_client_close(struct control_client **cp)
{
	struct control_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	close_fds(c);
	close_stream(c);
	if (c->fd >= 0)
		close(c->fd);
	buf_release(&c->text);
	buf_release(&c->payload);
	wire_fields_release(&c->fields);
	free(c);
}

uint64_t
control_client_next_id(struct control_client *c)
{
	return ++c->last_id;
}

/* Sends what w holds and waits for the answer. 0, or -1 and errno. */
static int
exchange(struct control_client *c, const struct wire_out *w, struct wire_msg *answer)
{
	if (send_message(c, w) != 0)
		return -1;
	do {
		if (read_message(c, c->fd, answer) != 0)
			return -1;
	} while (!span_is(answer->verb, "answer") || answer->id != c->last_id);
	return 0;
}

static bool
is_busy(const struct wire_msg *answer)
{
	struct verdict v;

	return wire_get_verdict(answer, &v) == 0 && v.kind == VERDICT_TEMPORARY &&
	       strcmp(v.status, BUSY_STATUS) == 0;
}

int
control_client_call(
    struct control_client *c, struct wire_out *w, struct wire_msg *answer, struct buf *why)
{
	uint64_t until = clock_mono_ms() + CONTROL_TIMEOUT * 1000;
	int r;

	close_stream(c);
	while ((r = exchange(c, w, answer)) == 0 && is_busy(answer) && clock_mono_ms() < until)
		nanosleep(&(struct timespec){0, BUSY_PAUSE_MS * 1000000L}, NULL);
	if (r != 0)
		r = explain_broken(c, why);
	wire_out_release(w);
	return r;
}

int
control_client_next(struct control_client *c, struct wire_msg *m, struct buf *why)
{
	if (c->stream < 0) {
		c->stream = control_client_take_fd(c);
		if (c->stream >= 0)
			blocking_set_receive_timeout(c->stream, CONTROL_TIMEOUT);
	}
	if (c->stream < 0) {
		buf_addf(why, "control/%s: the answer has no stream", c->name);
		return EX_PROTOCOL;
	}
	if (read_message(c, c->stream, m) == 0)
		return 0;
	if (errno == 0) {
		buf_addf(why,
		    "control/%s: the answer was cut: the reader was too slow, or the process "
		    "ended; its log says why",
		    c->name);
		return EX_UNAVAILABLE;
	}
	return explain_broken(c, why);
}

int
control_client_take_fd(struct control_client *c)
{
	int fd = c->nfds > 0 ? c->fds[0] : -1;

	if (fd >= 0)
		c->fds[0] = -1;
	return fd;
}

int
control_client_read_status(const char *spool, struct buf *out, struct buf *why)
{
	char *path = xasprintf("%s/sockets/control/status", spool);
	int fd = blocking_connect(path, CONTROL_TIMEOUT);
	int status = fd < 0 ? explain_connect(path, why) : 0;

	if (fd >= 0)
		blocking_set_receive_timeout(fd, CONTROL_TIMEOUT);
	while (status == 0) {
		char piece[4096];
		ssize_t n = recv(fd, piece, sizeof piece, 0);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || buf_add(out, piece, (size_t)n) != 0) {
			buf_addf(why, "%s: %s", path, n < 0 ? strerror(errno) : "too long");
			status = EX_UNAVAILABLE;
		}
	}
	free(path);
	if (fd >= 0)
		close(fd);
	return status;
}
