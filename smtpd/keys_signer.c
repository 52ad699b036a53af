/*
 * keys_signer: signatures from the process keys. See keys_signer.h. A connection
 * that was lost since the last time, because keys was restarted, is made anew once.
 */
#include "smtpd/keys_signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/wire.h"
#include "common/xalloc.h"
#include "conf/keys.h"

/* Answers are small: a verdict and a signature. */
#define FRAME_MAX 8192

struct keys_signer {
	char *path;
	int fd; /* -1: not connected */
	uint64_t next_id;
	struct wire_fields fields;
	struct buf frame;
};

struct keys_signer *
keys_signer_new(const char *path)
{
	struct keys_signer *s = xcalloc(1, sizeof *s);

	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		fatalx("socket path too long: %s", path);
	s->path = xstrdup(path);
	s->fd = -1;
	buf_init(&s->frame, FRAME_MAX);
	return s;
}

static void
disconnect(struct keys_signer *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
keys_signer_free(struct keys_signer **sp)
{
	struct keys_signer *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	disconnect(s);
	wire_fields_release(&s->fields);
	buf_release(&s->frame);
	free(s->path);
	free(s);
}

/* Sends the frame; releases it. */
static int
send_frame(struct keys_signer *s, struct wire_out *w)
{
	unsigned char header[WIRE_HEADER_SIZE];
	int r = wire_header(w, 0, header);

	buf_clear(&s->frame);
	if (r == 0 && (buf_add(&s->frame, header, sizeof header) != 0 ||
			  buf_add_span(&s->frame, buf_span(&w->text)) != 0 ||
			  buf_add_span(&s->frame, w->payload) != 0))
		r = -1;
	wire_out_release(w);
	for (size_t sent = 0; r == 0 && sent < s->frame.len;) {
		ssize_t n = send(s->fd, s->frame.p + sent, s->frame.len - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = -1;
	}
	return r;
}

/* Reads n octets behind what is in the frame. */
static int
read_octets(struct keys_signer *s, size_t n)
{
	if (buf_reserve(&s->frame, n) != 0)
		return -1;
	while (n > 0) {
		ssize_t got = recv(s->fd, s->frame.p + s->frame.len, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		s->frame.len += (size_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* One frame; it lies in s->frame until the next. */
static int
read_frame(struct keys_signer *s, struct wire_msg *m)
{
	size_t text, payload, fds;

	buf_clear(&s->frame);
	if (read_octets(s, WIRE_HEADER_SIZE) != 0 ||
	    wire_header_parse((unsigned char *)s->frame.p, &text, &payload, &fds) != 0 ||
	    fds != 0 || text > FRAME_MAX || payload > FRAME_MAX)
		return -1;
	buf_clear(&s->frame);
	if (read_octets(s, text + payload) != 0 ||
	    wire_parse(s->frame.p, text, &s->fields, m) != 0)
		return -1;
	m->payload = span_make(s->frame.p + text, payload);
	return 0;
}

static int
make_connection(struct keys_signer *s)
{
	struct timeval wait = {KEYS_SIGNER_WAIT_SEC, 0};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct wire_out w;
	struct wire_msg m;
	uint64_t version;

	memcpy(a.sun_path, s->path, strlen(s->path) + 1);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
	    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
	    connect(s->fd, (struct sockaddr *)&a, sizeof a) != 0)
		return -1;
	wire_out_init(&w, "hello", 0);
	wire_add_u64(&w, "version", WIRE_VERSION);
	wire_add_str(&w, "role", KEYS_ROLE_SIGNER);
	if (send_frame(s, &w) != 0 || read_frame(s, &m) != 0 || !span_is(m.verb, "hello") ||
	    wire_get_u64(&m, "version", UINT32_MAX, &version) != 0 || version != WIRE_VERSION)
		return -1;
	return 0;
}

/* 0, 1 if keys has said that it cannot, -1 if it could not be asked. */
static int
ask(struct keys_signer *s, const struct tls_sign *what, unsigned char out[TLS_SIGN_MAX],
    size_t *len)
{
	uint64_t id = ++s->next_id;
	struct wire_out w;
	struct wire_msg m;
	struct verdict v;

	wire_out_init(&w, "sign", id);
	wire_add_str(&w, "id", what->id);
	wire_add_str(&w, "digest", what->digest);
	wire_add_str(&w, "padding", what->pss ? "pss" : "none");
	w.payload = what->message;
	if (send_frame(s, &w) != 0)
		return -1;
	do {
		if (read_frame(s, &m) != 0)
			return -1;
	} while (!span_is(m.verb, "answer") || m.id != id);
	if (wire_get_verdict(&m, &v) != 0)
		return -1;
	if (v.kind != VERDICT_OK || m.payload.len == 0 || m.payload.len > TLS_SIGN_MAX)
		return 1;
	memcpy(out, m.payload.p, m.payload.len);
	*len = m.payload.len;
	return 0;
}

int
keys_signer_sign(struct keys_signer *s, const struct tls_sign *what,
    unsigned char out[TLS_SIGN_MAX], size_t *len)
{
	bool reused = s->fd >= 0;
	int r = reused ? ask(s, what, out, len) : -1;

	if (r < 0) {
		disconnect(s);
		r = make_connection(s) == 0 ? ask(s, what, out, len) : -1;
	}
	if (r < 0) {
		log_warnx("peer=%s gives no signature: TLS is not available", s->path);
		disconnect(s);
	}
	return r == 0 ? 0 : -1;
}
