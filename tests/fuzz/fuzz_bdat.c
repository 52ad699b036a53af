/*
 * fuzz_bdat: any octets as chunks of a message (RFC 3030). The input is a script: an octet whose low bits
 * say how the chunk behind it is announced, two for its size, then its octets. It is played to a session
 * twice, whole and in small pieces, between two NOOPs. Invariants: both give the same replies and
 * the same message; the session is never out of step: the last NOOP is answered unless the connection has been
 * closed; there are as many replies as commands; what is stored holds no CR and is what a plain reading
 * of the chunks gives.
 */
#include "common/limits.h"
#include "common/log.h"
#include "tests/fuzz/must.h"
#include "tests/unit/smtpd_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHUNKS_MAX 8

enum how {
	HOW_LAST = 1,
	HOW_RSET = 2,	  /* RSET before it */
	HOW_MAIL = 4,	  /* a transaction before it */
	HOW_TOO_LARGE = 8 /* announces more than any message may be, and sends as much */
};

/* What the script says to the session, and what must come of it. */
struct script {
	struct buf wire, plain;
	unsigned commands;
	bool bare; /* a CR or LF stands alone somewhere */
	bool cr;
};

static void
add_plain(struct script *s, struct span chunk)
{
	for (size_t i = 0; i < chunk.len; i++) {
		char c = chunk.p[i];

		if (s->cr != (c == '\n'))
			s->bare = true;
		s->cr = c == '\r';
		if (c != '\r')
			buf_add_char(&s->plain, c);
	}
}

/* The first transaction alone is compared: it ends with the first chunk that is the last. */
static bool
write_script(struct script *s, struct span in)
{
	bool last = false, pure = true;

	buf_add_str(&s->wire, "EHLO f\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@a.test>\r\n");
	s->commands = 3;
	for (int i = 0; i < CHUNKS_MAX && in.len > 3; i++) {
		unsigned how = (unsigned char)in.p[0];
		size_t want =
		    ((size_t)(unsigned char)in.p[1] << 8 | (unsigned char)in.p[2]) % 400;
		struct span chunk = span_first(span_skip(in, 3), want);
		size_t pad = (how & HOW_TOO_LARGE) != 0 ? 513 : 0;

		in = span_skip(in, 3 + chunk.len);
		if ((how & HOW_RSET) != 0)
			buf_add_str(&s->wire, "RSET\r\n");
		if ((how & HOW_MAIL) != 0)
			buf_add_str(&s->wire, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@a.test>\r\n");
		s->commands +=
		    ((how & HOW_RSET) != 0 ? 1 : 0) + ((how & HOW_MAIL) != 0 ? 2 : 0);
		buf_addf(&s->wire, "BDAT %zu%s\r\n", chunk.len + pad,
		    (how & HOW_LAST) != 0 ? " LAST" : "");
		s->commands++;
		buf_add_span(&s->wire, chunk);
		while (pad-- > 0)
			buf_add_char(&s->wire, 'x');
		pure = pure && (how & (HOW_RSET | HOW_MAIL | HOW_TOO_LARGE)) == 0;
		if (pure && !last)
			add_plain(s, chunk);
		last = last || (how & HOW_LAST) != 0;
	}
	s->bare = s->bare || s->cr;
	buf_add_str(&s->wire, "NOOP in-step\r\n");
	s->commands++;
	return pure && last;
}

struct outcome {
	struct buf replies;
	char *content; /* of the first message, NULL if there is none */
	size_t nmessages;
};

static unsigned
count_replies(struct span rest)
{
	unsigned n = 0;

	while (span_index(rest, '\n') >= 0) {
		struct span line = span_cut(&rest, '\n');

		MUST(line.len >= 5 && line.len + 1 <= REPLY_LINE_MAX &&
		     line.p[line.len - 1] == '\r');
		n += line.p[3] == ' ';
	}
	MUST(rest.len == 0);
	return n;
}

static void
play(const struct script *s, size_t piece, bool files, struct outcome *o)
{
	struct fake f;
	struct span out = buf_span(&s->wire);
	char block[4096];
	ssize_t n;
	int fd;

	fake_init(&f);
	f.server.settings->offers |= OFFER_CHUNKING;
	f.server.settings->message_size_limit = 512;
	f.server.settings->hop_limit = 5;
	f.server.settings->error_limit = 1000;
	if (files)
		f.server.budget.max = 1;
	fd = fake_connect(&f, NULL);
	fake_run(&f);
	buf_init(&o->replies, 1U << 20);
	while (out.len > 0) {
		struct span part = span_first(out, piece);

		n = send(fd, part.p, part.len, MSG_NOSIGNAL);
		MUST(n > 0);
		out = span_skip(out, (size_t)n);
		fake_run(&f);
	}
	while ((n = recv(fd, block, sizeof block, 0)) > 0)
		MUST(buf_add(&o->replies, block, (size_t)n) == 0);
	/* Nothing in the script closes the connection: the greeting, and each command its reply. */
	MUST(count_replies(buf_span(&o->replies)) == s->commands + 1);
	o->nmessages = f.nmessages;
	for (size_t i = 0; i < f.nmessages; i++)
		MUST(memchr(f.messages[i].content, '\r', f.messages[i].content_len) == NULL);
	o->content = f.nmessages > 0 ? xstrdup(f.messages[0].content) : NULL;
	close(fd);
	fake_run(&f);
	MUST(f.server.nsessions == 0 && f.large_open == 0 && f.server.budget.used == 0);
	fake_release(&f);
}

/* What of a stored message the client sent: behind the trace field, and the empty line that may be ours. */
static bool
is_what_was_sent(const char *stored, struct span plain)
{
	const char *body = strchr(strchr(stored, ';'), '\n') + 1;

	body = strchr(body, '\n') + 1;
	return span_is(plain, body) || (body[0] == '\n' && span_is(plain, body + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.commands = 0};
	struct outcome whole = {.content = NULL}, pieces = {.content = NULL};
	unsigned how = size > 0 ? data[0] : 0;
	bool pure;

	log_set_level(LOG_LEVEL_FATAL);
	buf_init(&s.wire, 1U << 20);
	buf_init(&s.plain, 1U << 20);
	pure = write_script(&s, span_make(data + (size > 0), size - (size > 0)));
	play(&s, s.wire.len, (how & 1) != 0, &whole);
	play(&s, how / 2 % 16 + 1, (how & 1) != 0, &pieces);
	MUST(whole.nmessages == pieces.nmessages);
	/* Ids and dates differ; nothing else does. */
	MUST(whole.replies.len == pieces.replies.len);
	if (pure && s.bare)
		MUST(whole.nmessages == 0);
	/* A header may be refused (hop-limit) and a message be too large; else it is there, as it was sent. */
	if (pure && whole.nmessages > 0 && memchr(buf_str(&s.plain), '\0', s.plain.len) == NULL)
		MUST(is_what_was_sent(whole.content, buf_span(&s.plain)) &&
		     is_what_was_sent(pieces.content, buf_span(&s.plain)));
	free(whole.content);
	free(pieces.content);
	buf_release(&whole.replies);
	buf_release(&pieces.replies);
	buf_release(&s.wire);
	buf_release(&s.plain);
	return 0;
}
