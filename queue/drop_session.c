/*
 * drop_session: one submission over the submit socket. See drop_session.h.
 * One command at a time: what is in drop/ is there because the daemon was down,
 * and nobody waits for it.
 */
#include "queue/drop_session.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/lineend.h"
#include "common/xalloc.h"

#define REPLY_TIMEOUT_SEC 120
#define CHUNK		  65536
#define OUTPUT_LOW	  65536

enum stage {
	STAGE_GREETING,	 /* wait for 220 */
	STAGE_HELLO,	 /* EHLO is said */
	STAGE_SUBMITTER, /* for whom we speak */
	STAGE_MAIL,
	STAGE_RCPT, /* one after the other */
	STAGE_DATA,
	STAGE_CONTENT, /* content is being sent, then its reply awaited */
	STAGE_OVER,
};

struct drop_session {
	struct bufferevent *bev;
	struct event *end;
	const struct drop_message *m;
	const struct drop_session_ops *ops;
	void *arg;
	enum stage stage;
	size_t rcpt;	 /* the one asked about */
	size_t accepted; /* how many were taken */
	uint64_t sent;	 /* octets of content read so far */
	struct wire_end wire;
	bool content_out; /* all of it, with the final dot, is in the output */
	struct verdict result;
};

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct drop_session *s = arg;

	(void)fd, (void)what;
	s->ops->on_done(&s->result, s->arg);
	drop_session_free(&s);
}

static void
finish(struct drop_session *s, const struct verdict *v)
{
	if (s->stage == STAGE_OVER)
		return;
	s->stage = STAGE_OVER;
	s->result = *v;
	bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	event_active(s->end, 0, 0);
}

static void
finish_lost(struct drop_session *s, const char *text)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 0, "4.4.2", "%s", text);
	finish(s, &v);
}

/* A command: what stands before its argument, the argument, and what stands behind; without its end. */
static void
start_command(struct drop_session *s, const char *before, struct span arg, const char *behind)
{
	evbuffer_add_printf(
	    bufferevent_get_output(s->bev), "%s%.*s%s", before, SPAN_ARG(arg), behind);
}

static void
end_command(struct drop_session *s)
{
	evbuffer_add(bufferevent_get_output(s->bev), "\r\n", 2);
}

static void
say(struct drop_session *s, const char *before, struct span arg)
{
	start_command(s, before, arg, "");
	end_command(s);
}

/* One of RFC 3461, if it was given; our own smtpd knows them. */
static void
add_parameter(struct drop_session *s, const char *name, struct span value)
{
	if (value.len > 0)
		evbuffer_add_printf(
		    bufferevent_get_output(s->bev), " %s=%.*s", name, SPAN_ARG(value));
}

static void
say_mail(struct drop_session *s)
{
	start_command(s, "MAIL FROM:<", s->m->from, s->m->eight_bit ? "> BODY=8BITMIME" : ">");
	if (s->m->utf8)
		evbuffer_add_printf(bufferevent_get_output(s->bev), " SMTPUTF8");
	add_parameter(s, "RET", s->m->ret);
	add_parameter(s, "ENVID", s->m->envid);
	end_command(s);
}

static void
ask_next_recipient(struct drop_session *s)
{
	struct verdict none;

	if (s->rcpt < s->m->nrecipients) {
		s->stage = STAGE_RCPT;
		start_command(s, "RCPT TO:<", s->m->recipients[s->rcpt], ">");
		add_parameter(s, "NOTIFY", s->m->notify);
		end_command(s);
	} else if (s->accepted > 0) {
		s->stage = STAGE_DATA;
		say(s, "DATA", span_str(""));
	} else {
		verdict_set(
		    &none, VERDICT_PERMANENT, 0, "5.5.0", "Every recipient was refused");
		finish(s, &none);
	}
}

/* Up to n octets of content; 0 at the end, -1 if the file does not have them. */
static ssize_t
read_content(struct drop_session *s, char *out, size_t n)
{
	const struct drop_message *m = s->m;
	uint64_t size = m->fd >= 0 ? m->size : m->content.len;

	if (n > size - s->sent)
		n = (size_t)(size - s->sent);
	if (n == 0)
		return 0;
	if (m->fd < 0) {
		memcpy(out, m->content.p + s->sent, n);
		return (ssize_t)n;
	}
	return pread(m->fd, out, n, (off_t)(m->offset + s->sent)) == (ssize_t)n ? (ssize_t)n
										: -1;
}

static void
send_content(struct drop_session *s)
{
	struct evbuffer *out = bufferevent_get_output(s->bev);
	char block[CHUNK];
	struct buf wire;

	buf_init(&wire, CHUNK * 3);
	while (!s->content_out && evbuffer_get_length(out) < OUTPUT_LOW) {
		ssize_t n = read_content(s, block, sizeof block);
		struct span in = span_make(block, n > 0 ? (size_t)n : 0);

		if (n < 0) {
			finish_lost(s, "the file in drop/ cannot be read to its end");
			break;
		}
		buf_clear(&wire);
		s->sent += (uint64_t)n;
		if (n == 0) {
			wire_end_finish(&s->wire, &wire);
			s->content_out = true;
		} else if (!wire_end_feed(&s->wire, &in, &wire)) {
			finish_lost(s, "a block of content does not fit");
			break;
		}
		evbuffer_add(out, wire.p, wire.len);
	}
	buf_release(&wire);
}

static void
on_positive(struct drop_session *s, int code)
{
	char uid[24];
	struct verdict v;

	switch (s->stage) {
	case STAGE_GREETING:
		s->stage = STAGE_HELLO;
		say(s, "EHLO ", span_str("localhost"));
		break;
	case STAGE_HELLO:
		s->stage = STAGE_SUBMITTER;
		snprintf(uid, sizeof uid, "%lu", (unsigned long)s->m->submitter);
		say(s, "XSUBMITTER ", span_str(uid));
		break;
	case STAGE_SUBMITTER:
		s->stage = STAGE_MAIL;
		say_mail(s);
		break;
	case STAGE_RCPT:
		s->accepted++;
		s->rcpt++;
		ask_next_recipient(s);
		break;
	case STAGE_MAIL:
		ask_next_recipient(s);
		break;
	case STAGE_DATA:
		s->stage = STAGE_CONTENT;
		wire_end_init(&s->wire);
		send_content(s);
		break;
	case STAGE_CONTENT:
		verdict_set_text(&v, VERDICT_OK, code, "2.0.0", "Accepted");
		finish(s, &v);
		break;
	case STAGE_OVER:
		break;
	}
}

static void
on_reply(struct drop_session *s, int code, struct span text)
{
	struct span status = span_cut(&text, ' ');
	struct verdict v;

	if (code / 100 == 2 || (code == 354 && s->stage == STAGE_DATA)) {
		on_positive(s, code);
		return;
	}
	verdict_set_parts(
	    &v, code / 100 == 5 ? VERDICT_PERMANENT : VERDICT_TEMPORARY, code, status, text);
	if (s->stage == STAGE_RCPT && v.kind == VERDICT_PERMANENT) {
		s->ops->on_refused(s->rcpt++, &v, s->arg);
		ask_next_recipient(s);
		return;
	}
	/* Our own smtpd never refuses these for good: something is wrong for now. */
	if (s->stage < STAGE_MAIL)
		v.kind = VERDICT_TEMPORARY;
	finish(s, &v);
}

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct drop_session *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len;
	char *line;

	while (s->stage != STAGE_OVER &&
	       (line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF_STRICT)) != NULL) {
		uint64_t code = 0;

		if (len < 3 || span_to_u64(span_make(line, 3), 599, &code) != 0)
			finish_lost(s, "a reply that is not understood");
		else if (len == 3 || line[3] != '-')
			on_reply(s, (int)code, span_skip(span_make(line, len), 4));
		free(line);
	}
	if (evbuffer_get_length(in) > REPLY_LINE_MAX * 4)
		finish_lost(s, "a reply line without end");
}

static void
on_writable(struct bufferevent *bev, void *arg)
{
	struct drop_session *s = arg;

	(void)bev;
	if (s->stage == STAGE_CONTENT && !s->content_out)
		send_content(s);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) == 0)
		finish_lost(arg, (what & BEV_EVENT_TIMEOUT) != 0
				     ? "no reply in time"
				     : "the submit socket is closed");
}

struct drop_session *
drop_session_new(struct event_base *base, const char *path, const struct drop_message *m,
    const struct drop_session_ops *ops, void *arg)
{
	struct drop_session *s = xcalloc(1, sizeof *s);
	struct timeval limit = {REPLY_TIMEOUT_SEC, 0};
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	s->m = m;
	s->ops = ops;
	s->arg = arg;
	s->end = event_new(base, -1, 0, on_end, s);
	s->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(s->bev, on_readable, on_writable, on_event, s);
	bufferevent_setwatermark(s->bev, EV_WRITE, OUTPUT_LOW / 2, 0);
	bufferevent_set_timeouts(s->bev, &limit, &limit);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	if (strlen(path) >= sizeof a.sun_path) {
		finish_lost(s, "the path of the submit socket is too long");
		return s;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (bufferevent_socket_connect(s->bev, (struct sockaddr *)&a, sizeof a) != 0)
		finish_lost(s, "nobody answers at the submit socket");
	return s;
}

void
drop_session_free(struct drop_session **sp)
{
	struct drop_session *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	bufferevent_free(s->bev);
	event_free(s->end);
	free(s);
}
