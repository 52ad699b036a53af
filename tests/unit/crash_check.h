/*
 * crash_check: opens the store on an image (crash_image.h) and compares what it
 * recovers with what had been promised when the power went:
 *
 *	- an acknowledged message is there, once and octet for octet, until its last recipient is settled
 *	- one that was not acknowledged is there whole or not at all
 *	- an outcome that was on disk holds; one that was recorded later may
 *	- a failure is told of by one report: none is lost, none is told of twice; so is a delay, and a success
 *	- nothing is reported as damaged, since nothing is
 *	- recovery gives the same again, also when it was itself cut short
 */
#ifndef TESTS_UNIT_CRASH_CHECK_H
#define TESTS_UNIT_CRASH_CHECK_H

#include <dirent.h>

#include "tests/unit/crash_world.h"

/* What had been said to the world at a point of the log. */
struct promises {
	bool acked[WORLD_MESSAGES];
	unsigned called, durable; /* outcomes recorded; of these on disk */
};

/* What was looked at, over all images. None is lost: that would be a failure. */
struct tally {
	uint64_t acked;	    /* acknowledged messages that had to be there, or settled */
	uint64_t delivered; /* deliveries that had been made */
	uint64_t
	    once_again; /* of these: will be made again, since the power cut took their record */
};

struct check {
	struct tally *tally;
	const struct world *w;
	const struct promises *p;
	char where[160]; /* names the image in a failure */
	char path[64];
	int spoolfd, dirs[DISK_DIRS];
	struct store_limits limits; /* of the recoveries */
	struct fixture f;
	int present[WORLD_MESSAGES]; /* index into f.seen, or -1 */
};

#define must(c, condition)                                                                     \
	do {                                                                                   \
		if (!(condition))                                                              \
			fail_msg("%s: %s", (c)->where, #condition);                            \
	} while (0)

static inline void
promises_note(struct promises *p, const struct disk_op *op)
{
	if (op->note[0] == NOTE_ACK)
		p->acked[op->note[1]] = true;
	else if (op->note[0] == NOTE_OUTCOME)
		p->called = (unsigned)op->note[1] + 1;
	else
		p->durable = (unsigned)op->note[1];
}

/* State of an entry as the first outcomes make it, and recovery shows it. */
struct entry_state {
	enum recipient_state state;
	enum recipient_kind kind;
	unsigned attempts;
	int64_t next;
	bool held, warned;
};

static inline void
entry_hold(struct entry_state *s)
{
	s->held = true;
	if (s->state == RECIPIENT_DUE)
		s->next = 0;
	if (s->state == RECIPIENT_DUE || s->state == RECIPIENT_DEFERRED)
		s->state = RECIPIENT_HELD;
}

/* To be tried again at once: as deferred until long ago if it was tried before. */
static inline void
entry_wake(struct entry_state *s)
{
	if (!s->held)
		s->state = s->attempts > 0 ? RECIPIENT_DEFERRED : RECIPIENT_DUE;
	s->next = 0;
}

static inline void
entries_apply(struct entry_state e[WORLD_ENTRIES], uint32_t *n, const struct world_outcome *o)
{
	struct entry_state *s = &e[o->entry];

	switch (o->kind) {
	case 'H':
		entry_hold(s);
		return;
	case 'U':
		s->held = false;
		if (s->state == RECIPIENT_HELD)
			entry_wake(s);
		return;
	case 'Q':
		s->attempts = 0;
		s->kind = RECIPIENT_GIVEN;
		entry_wake(s);
		return;
	case 'W':
		s->warned = true;
		return;
	case 'T':
		s->attempts = o->attempts;
		s->next = o->next;
		s->state = s->held ? RECIPIENT_HELD : RECIPIENT_DEFERRED;
		return;
	case 'F':
	case 'S':
		s->attempts = o->attempts;
		s->state = o->kind == 'F' ? RECIPIENT_FAILED : RECIPIENT_TELL;
		return;
	default:
		s->state = RECIPIENT_SETTLED;
	}
	for (int i = 0; o->kind == 'X' && i < 2; i++)
		e[(*n)++] =
		    (struct entry_state){.kind = i == 0 ? RECIPIENT_MAILBOX : RECIPIENT_REMOTE,
			.state = RECIPIENT_DUE};
}

static inline bool
entry_agrees(const struct entry_state *e, const struct recipient *r)
{
	bool waits = e->state == RECIPIENT_DEFERRED || e->state == RECIPIENT_HELD;

	if (r->state != e->state)
		return false;
	return e->state == RECIPIENT_SETTLED ||
	       (r->kind == e->kind && r->attempts == e->attempts && r->held == e->held &&
		   r->warned == e->warned && (!waits || r->next == e->next));
}

/* Does what was recovered of a message agree with this state of its entries? m NULL: nothing was. */
static inline bool
entries_agree(const struct entry_state e[WORLD_ENTRIES], uint32_t n, const struct message *m)
{
	if (m != NULL && m->nrecipients != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (m == NULL && e[i].state != RECIPIENT_SETTLED)
			return false;
		if (m != NULL && !entry_agrees(&e[i], message_recipient(m, i)))
			return false;
	}
	return true;
}

/* Reports that are there settle what they name, or have warned of it. */
static inline void
apply_reports(const struct check *c, int index, struct entry_state e[WORLD_ENTRIES])
{
	for (unsigned i = 0; i < c->w->nmessages; i++) {
		const struct world_message *report = &c->w->messages[i];

		if (report->report_of != index || c->present[i] < 0)
			continue;
		for (uint32_t k = 0; k < report->ntold; k++) {
			if (report->delayed)
				e[report->told[k]].warned = true;
			else
				e[report->told[k]].state = RECIPIENT_SETTLED;
		}
	}
}

/* Is there a number of outcomes that explains what is paused? */
static inline bool
pauses_are_explained(const struct check *c)
{
	const struct pauses *p = store_pauses(c->f.store);
	unsigned got = 0, now = 0;

	for (unsigned i = 0; i < 32; i++) {
		char text[32];

		snprintf(text, sizeof text, "d%u.test", i);
		got |= pauses_has(p, i % 2, span_str(text)) ? 1U << i : 0;
	}
	for (unsigned k = 0;; k++) {
		const struct world_outcome *o = &c->w->outcomes[k];

		if (k >= c->p->durable && now == got)
			return true;
		if (k >= c->p->called)
			return false;
		if (o->message == -1)
			now = o->kind == 'P' ? now | 1U << o->entry : now & ~(1U << o->entry);
	}
}

/* Is there a number of outcomes, not fewer than are on disk, that explains what was recovered? */
static inline bool
is_explained(const struct check *c, int index, const struct message *m)
{
	const struct world_message *w = &c->w->messages[index];
	struct entry_state now[WORLD_ENTRIES] = {0}, then[WORLD_ENTRIES];
	uint32_t n = w->given;

	for (uint32_t i = 0; i < n; i++)
		now[i] = (struct entry_state){.kind = RECIPIENT_GIVEN, .state = RECIPIENT_DUE};
	for (unsigned k = 0;; k++) {
		if (k >= c->p->durable) {
			memcpy(then, now, sizeof then);
			apply_reports(c, index, then);
			if (entries_agree(then, n, m))
				return true;
		}
		if (k >= c->p->called)
			return false;
		if (c->w->outcomes[k].message == index)
			entries_apply(now, &n, &c->w->outcomes[k]);
	}
}

static inline void
check_content(struct check *c, const struct world_message *w, struct message *m)
{
	struct buf want, got;
	char address[64];

	must(c, strcmp(m->from, w->report_of >= 0 ? "" : "sender@domain.test") == 0);
	must(c, m->nrecipients >= w->given);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		world_address(w->number, i, address);
		must(c, strcmp(message_recipient(m, i)->address, address) == 0);
	}
	world_content(w->number, w->size, &want);
	buf_init(&got, want.len + 65536);
	must(c, store_read_content(c->f.store, m, &got) == 0);
	must(c, got.len == want.len && memcmp(got.p, want.p, want.len) == 0);
	buf_release(&got);
	buf_release(&want);
}

/* A report that was acknowledged, and is gone since it was delivered, has settled what it told of. */
static inline void
check_reported(struct check *c, const struct world_message *report)
{
	const struct message *of;

	if (c->present[report->report_of] < 0)
		return;
	of = c->f.seen[c->present[report->report_of]];
	for (uint32_t i = 0; i < report->ntold; i++) {
		const struct recipient *r = message_recipient(of, report->told[i]);

		must(c, r->state == RECIPIENT_SETTLED || (report->delayed && r->warned));
	}
}

static inline void
check_store(struct check *c)
{
	const struct world *w = c->w;

	for (unsigned i = 0; i < w->nmessages; i++)
		c->present[i] = -1;
	for (size_t k = 0; k < c->f.nseen; k++) {
		unsigned i = 0;

		while (i < w->nmessages && w->messages[i].number != c->f.seen[k]->number)
			i++;
		must(c, i < w->nmessages);    /* nothing that nobody sent */
		must(c, c->present[i] == -1); /* nothing twice */
		c->present[i] = (int)k;
	}
	for (unsigned i = 0; i < w->nmessages; i++) {
		struct message *m = c->present[i] >= 0 ? c->f.seen[c->present[i]] : NULL;

		if (m != NULL)
			check_content(c, &w->messages[i], m);
		if (m != NULL || c->p->acked[i])
			must(c, is_explained(c, (int)i, m));
		if (w->messages[i].report_of >= 0 && (m != NULL || c->p->acked[i]))
			check_reported(c, &w->messages[i]);
	}
	must(c, pauses_are_explained(c));
	must(c, store_counts(c->f.store)->damaged == 0);
}

/* Counts what was promised, and the deliveries whose record was not on disk yet, and is gone. */
static inline void
check_count(struct check *c)
{
	for (unsigned i = 0; i < c->w->nmessages; i++)
		c->tally->acked += c->p->acked[i];
	for (unsigned k = 0; k < c->p->called; k++) {
		const struct world_outcome *o = &c->w->outcomes[k];
		const struct message *m;
		bool again;

		if (o->kind != 'D')
			continue;
		m = c->present[o->message] >= 0 ? c->f.seen[c->present[o->message]] : NULL;
		again = m != NULL &&
			(o->entry >= m->nrecipients ||
			    message_recipient(m, o->entry)->state != RECIPIENT_SETTLED);
		must(c, !again || k >= c->p->durable);
		c->tally->delivered++;
		c->tally->once_again += again;
	}
}

static inline unsigned
count_entries(int dirfd)
{
	DIR *d = fdopendir(dup(dirfd));
	struct dirent *e;
	unsigned n = 0;

	rewinddir(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* A short line for each recipient that is not settled: what two recoveries must agree in. */
static inline void
describe(const struct check *c, struct buf *out)
{
	buf_init(out, 4U << 20);
	for (unsigned i = 0; i < c->w->nmessages; i++) {
		const struct message *m = c->present[i] >= 0 ? c->f.seen[c->present[i]] : NULL;

		for (uint32_t k = 0; m != NULL && k < m->nrecipients; k++) {
			const struct recipient *r = message_recipient(m, k);

			bool waits =
			    r->state == RECIPIENT_DEFERRED || r->state == RECIPIENT_HELD;

			if (r->state != RECIPIENT_SETTLED)
				buf_addf(out, "%u.%u %d%s%s %u %" PRIi64 " %s\n", i, k,
				    r->state, r->held ? " held" : "",
				    r->warned ? " warned" : "", r->attempts,
				    waits ? r->next : 0, r->reason != NULL ? r->reason : "");
		}
	}
}

static inline bool
check_open(struct check *c)
{
	c->f.nseen = 0;
	c->f.store = store_open_limited(
	    c->f.base, c->spoolfd, c->w->segment_size, &c->limits, &fixture_store_ops, &c->f);
	return c->f.store != NULL;
}

static inline void
check_begin(struct check *c)
{
	static const char *const dirs[] = {"segments", "large", "journal", "corrupt", "drop"};

	snprintf(c->path, sizeof c->path, "/dev/shm/postrider-test.XXXXXX");
	if (mkdtemp(c->path) == NULL) {
		snprintf(c->path, sizeof c->path, "/tmp/postrider-test.XXXXXX");
		assert_non_null(mkdtemp(c->path));
	}
	c->spoolfd = c->dirs[0] = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		assert_int_equal(mkdirat(c->spoolfd, dirs[i], 0700), 0);
		c->dirs[i + 1] =
		    openat(c->spoolfd, dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	c->f.base = event_base_new();
}

static inline void
check_end(struct check *c)
{
	event_base_free(c->f.base);
	for (size_t i = 0; i < 6; i++)
		close(c->dirs[i]);
	nftw(c->path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/*
 * Writes one image and checks it. short_after: before, recovery is tried three times in a row with a disk
 * that takes about so many changes and then no more (0: not tried).
 */
static inline void
check_image(
    struct check *c, const struct image *im, struct image_pick pick, unsigned short_after)
{
	struct buf first, second;

	check_begin(c);
	image_write(im, c->dirs, &pick);
	for (unsigned try = 0; short_after > 0 && try < 3; try++) {
		disk_stop_after(1 + (short_after + 5 * try) % 14);
		if (check_open(c))
			store_close(&c->f.store);
		disk_stop_after(0);
	}
	must(c, check_open(c));
	check_store(c);
	check_count(c);
	describe(c, &first);
	store_close(&c->f.store);
	must(c, check_open(c));
	check_store(c);
	describe(c, &second);
	if (!span_eq(buf_span(&first), buf_span(&second)))
		fail_msg("%s: recovered first\n%.3000s\nthen\n%.3000s", c->where,
		    first.len > 0 ? first.p : "", second.len > 0 ? second.p : "");
	must(c, count_entries(c->dirs[4]) == 0);
	store_close(&c->f.store);
	buf_release(&first);
	buf_release(&second);
	check_end(c);
}

#endif
