/*
 * fuzz_session: any octets as what a client writes to one session, with a policy and a spool that
 * behave as the first octet says. \xfe\xfe separates what is written after the replies to the part
 * before it have come. Invariants: replies are well-formed; there is at most one for each line or message, the
 * greeting and one farewell aside; at most one message for each 354, one for each "Queued as", and
 * none with a bare CR or LF; nothing is left behind when the client goes.
 */
#include <ctype.h>

#include "common/limits.h"
#include "common/log.h"
#include "tests/fuzz/must.h"
#include "tests/unit/smtpd_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum mode {
	MODE_UNTOLD = 1,
	MODE_FULL = 2,
	MODE_FAILING = 4,
	MODE_NO_FILE = 8,
	MODE_OCTETS = 16, /* one octet a write */
	MODE_SUBMIT = 32, /* the queue manager at the submit socket */
	MODE_FILES = 64,  /* no memory for content: everything goes to files */
	MODE_TIME = 128,  /* time passes between the parts */
};

struct tally {
	unsigned replies, go_on, queued;
	struct buf got;
};

static void
check_line(struct span line, struct tally *t)
{
	MUST(line.len >= 4 && line.len + 2 <= REPLY_LINE_MAX);
	MUST(isdigit((unsigned char)line.p[0]) && isdigit((unsigned char)line.p[1]) &&
	     isdigit((unsigned char)line.p[2]));
	MUST(line.p[0] >= '2' && line.p[0] <= '5' && (line.p[3] == ' ' || line.p[3] == '-'));
	for (size_t i = 0; i < line.len; i++)
		MUST(line.p[i] >= 0x20 && line.p[i] <= 0x7e);
	if (line.p[0] == '4' || line.p[0] == '5')
		MUST(line.len > 6 && line.p[4] == line.p[0] && line.p[5] == '.');
	t->replies += line.p[3] == ' ';
	t->go_on += span_starts_with(line, "354 ");
	t->queued += span_starts_with(line, "250 2.0.0 Queued as ");
}

static void
read_replies(int fd, struct tally *t)
{
	char block[4096];
	struct span rest;
	ssize_t n;

	while ((n = recv(fd, block, sizeof block, 0)) > 0)
		MUST(buf_add(&t->got, block, (size_t)n) == 0);
	rest = buf_span(&t->got);
	while (span_index(rest, '\n') >= 0) {
		struct span line = span_cut(&rest, '\n');

		MUST(line.len > 0 && line.p[line.len - 1] == '\r');
		check_line(span_first(line, line.len - 1), t);
	}
	buf_drop(&t->got, t->got.len - rest.len);
}

static void
write_part(struct fake *f, int fd, struct span part, bool octets, struct tally *t)
{
	while (part.len > 0) {
		struct span now = octets ? span_first(part, 1) : part;
		ssize_t n = send(fd, now.p, now.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0)
			part = span_skip(part, (size_t)n);
		fake_run(f);
		read_replies(fd, t);
	}
}

static struct span
cut_part(struct span *in)
{
	for (size_t i = 0; i + 1 < in->len; i++) {
		if ((unsigned char)in->p[i] == 0xfe && (unsigned char)in->p[i + 1] == 0xfe) {
			struct span part = span_first(*in, i);

			*in = span_skip(*in, i + 2);
			return part;
		}
	}
	struct span all = *in;

	*in = (struct span){NULL, 0};
	return all;
}

static void
set_up(struct fake *f, uint8_t mode)
{
	log_set_level(LOG_LEVEL_FATAL);
	fake_init(f);
	f->untold = (mode & MODE_UNTOLD) != 0;
	f->full = (mode & MODE_FULL) != 0;
	f->failing = (mode & MODE_FAILING) != 0;
	f->no_file = (mode & MODE_NO_FILE) != 0;
	if ((mode & MODE_FILES) != 0)
		f->server.budget.max = 1;
	f->server.settings->offers |= OFFER_DSN | OFFER_SMTPUTF8;
	f->server.settings->message_size_limit = 4096;
	f->server.settings->hop_limit = 5;
	f->server.settings->recipient_limit = 5;
	f->server.settings->command_line_limit = 512;
}

static void
check_outcome(const struct fake *f, const struct tally *t, size_t lines)
{
	MUST(t->replies <= lines + 2);
	/* Who looks where mail has gone is told the same of what was thrown away. */
	MUST(f->nmessages <= t->go_on && t->queued <= f->nmessages + f->discarded);
	for (size_t i = 0; i < f->nmessages; i++)
		MUST(memchr(f->messages[i].content, '\r', f->messages[i].content_len) == NULL);
	MUST(f->server.nsessions == 0 && f->large_open == 0 && f->server.budget.used == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_origin local = {
	    .role = LISTENER_SUBMIT, .uid = 7, .peer_uid = 7, .queue_manager = true};
	uint8_t mode = size > 0 ? data[0] : 0;
	struct span in = span_make(data + (size > 0), size - (size > 0)), all = in;
	struct tally t = {0};
	struct fake f;
	size_t lines = 0;
	int fd;

	for (size_t i = 0; i < all.len; i++)
		lines += all.p[i] == '\n';
	set_up(&f, mode);
	buf_init(&t.got, 16U << 20);
	fd = fake_connect(&f, (mode & MODE_SUBMIT) != 0 ? &local : NULL);
	fake_run(&f);
	while (in.p != NULL && f.nmessages < FAKE_MESSAGES) {
		write_part(&f, fd, cut_part(&in), (mode & MODE_OCTETS) != 0, &t);
		if ((mode & MODE_TIME) != 0)
			fake_sleep(&f, 2000);
		read_replies(fd, &t);
	}
	close(fd);
	fake_run(&f);
	fake_sleep(&f, 120000); /* what lingers has gone by now */
	fake_sleep(&f, 120000);
	check_outcome(&f, &t, lines);
	fake_release(&f);
	buf_release(&t.got);
	return 0;
}
