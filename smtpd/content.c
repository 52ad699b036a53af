/*
 * content: one message on its way from the wire to the spool. See content.h.
 * Called by session_content. Invariant: an octet is in memory, in the file or
 * deliberately dropped because of a fault that will be answered; and of a faulty
 * message nothing reaches the spool.
 */
#include "smtpd/content.h"

#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/xalloc.h"
#include "queue/spool_envelope.h"

#define FIRST_ROOM 4096

/* What a changed envelope (why it is held, another recipient) and fields on top may need in a file. */
#define ENVELOPE_SPARE (2 * HEADER_PREPEND_MAX)

/* Keeps the worker's account of what this message holds. */
static void
charge(struct content *c)
{
	c->budget->used += c->data.cap - c->charged;
	c->charged = c->data.cap;
}

struct content *
content_new(const struct content_setup *setup, struct span top)
{
	struct content *c = xcalloc(1, sizeof *c);

	c->spool = setup->spool;
	c->spool_arg = setup->spool_arg;
	c->budget = setup->budget;
	c->scratch = setup->scratch;
	c->size_limit = setup->size_limit;
	c->hop_limit = setup->hop_limit;
	c->chunked = setup->chunked;
	eod_init(&c->eod);
	chunk_init(&c->chunk);
	header_scan_init(&c->header, setup->recipients);
	c->check = setup->check;
	c->author = setup->author;
	/* One octet is kept for the empty line of separate_header, and room for fields that rules may put on top. */
	buf_init(
	    &c->data, MESSAGE_INLINE_MAX - 1 - (c->check != NULL ? HEADER_PREPEND_MAX : 0));
	if (buf_reserve(&c->data, FIRST_ROOM) != 0)
		abort();
	buf_add_span(&c->data, top);
	c->top = c->data.len;
	charge(c);
	return c;
}

void
content_free(struct content **cp)
{
	struct content *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	c->spool->large_abort(&c->file);
	buf_release(&c->data);
	header_check_free(&c->check);
	author_scan_free(&c->author);
	c->budget->used -= c->charged;
	free(c);
}

/* Nothing of this message is kept any more. The first fault stands, but for the one that also closes. */
static void
drop(struct content *c, enum content_fault fault)
{
	if (c->fault == CONTENT_GOOD || fault == CONTENT_BARE)
		c->fault = fault;
	c->where = CONTENT_NOWHERE;
	c->spool->large_abort(&c->file);
	buf_release(&c->data);
	charge(c);
}

static void
set_unwritten(struct content *c)
{
	verdict_set(&c->verdict, VERDICT_TEMPORARY, 452, "4.3.1",
	    "The message could not be written to disk, try again later");
}

/* Counts line ends and looks for octets above 127, eight at a time. */
static void
measure(struct content *c, struct span s)
{
	uint64_t word, any = 0;
	const char *end = s.p + s.len;
	size_t i = 0;

	c->size += s.len;
	for (const char *p = s.p; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL;
	     p++)
		c->size++;
	for (; i + sizeof word <= s.len; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		any |= word;
	}
	for (; i < s.len; i++)
		any |= (unsigned char)s.p[i];
	if ((any & UINT64_C(0x8080808080808080)) != 0)
		c->eight_bit = true;
}

/*
 * Content without a header section of its own gets an empty line before it:
 * otherwise a first line that begins with white space would become part of our
 * trace field, and any other the end of the reader's patience.
 */
static void
separate_header(struct content *c)
{
	c->data.max++;
	buf_add_char(&c->data, '\n');
	memmove(c->data.p + c->top + 1, c->data.p + c->top, c->data.len - c->top - 1);
	c->data.p[c->top] = '\n';
	c->data.max--;
}

/* What header checks have decided so far. */
static void
heed_check(struct content *c)
{
	if (c->check->fate == HEADER_REJECTED)
		drop(c, CONTENT_REFUSED);
	else if (c->check->fate == HEADER_DISCARDED)
		drop(c, CONTENT_DISCARDED);
}

/* Reads the header along, in octets that have just been added. */
static void
scan(struct content *c, struct span fresh)
{
	bool undecided = c->header.first == HEADER_FIRST_UNKNOWN;

	header_scan_feed(&c->header, fresh);
	if (c->check != NULL)
		header_check_feed(c->check, fresh);
	if (c->author != NULL)
		author_scan_feed(c->author, fresh);
	if (c->header.received > c->hop_limit || c->header.delivered > c->hop_limit)
		drop(c, CONTENT_LOOPING);
	else if (c->header.returned)
		drop(c, CONTENT_RETURNED);
	else if (c->size > c->size_limit)
		drop(c, CONTENT_TOO_BIG);
	else if (undecided && c->header.first == HEADER_FIRST_TEXT &&
		 c->where == CONTENT_MEMORY)
		separate_header(c);
	if (c->check != NULL && c->fault == CONTENT_GOOD)
		heed_check(c);
}

/* Content is whole. */
static void
finish_check(struct content *c)
{
	if (c->author != NULL)
		author_scan_finish(c->author);
	if (c->check == NULL || c->fault != CONTENT_GOOD)
		return;
	header_check_finish(c->check);
	heed_check(c);
}

/* Looks at octets that have just been added. */
static void
examine(struct content *c, struct span fresh)
{
	measure(c, fresh);
	scan(c, fresh);
}

/* From the wire to content, whichever way it comes. False if out is full. */
static bool
convert(struct content *c, struct span *in, struct buf *out)
{
	return c->chunked ? chunk_feed(&c->chunk, in, out) : eod_feed(&c->eod, in, out);
}

static bool
is_bare(const struct content *c)
{
	return c->chunked ? c->chunk.bare : c->eod.bare;
}

/* Of chunks nobody knows here which is the last. */
static bool
is_whole(const struct content *c)
{
	return !c->chunked && c->eod.state == EOD_DONE;
}

static void
feed_nowhere(struct content *c, struct span *in)
{
	size_t before = in->len;

	buf_clear(c->scratch);
	(void)convert(c, in, c->scratch);
	c->dropped += before - in->len;
	if (c->fault == CONTENT_DISCARDED && c->size + c->dropped > c->size_limit)
		c->fault = CONTENT_TOO_BIG;
}

static void
feed_file(struct content *c, struct span *in)
{
	buf_clear(c->scratch);
	(void)convert(c, in, c->scratch);
	examine(c, buf_span(c->scratch));
	if (c->where == CONTENT_FILE && !is_bare(c) &&
	    c->spool->large_append(c->file, buf_span(c->scratch)) != 0) {
		set_unwritten(c);
		drop(c, CONTENT_UNSTORED);
	}
}

/* False if memory, ours or the worker's, is used up. */
static bool
feed_memory(struct content *c, struct span *in)
{
	size_t before = c->data.len;
	bool fits = convert(c, in, &c->data);

	charge(c);
	examine(c, span_skip(buf_span(&c->data), before));
	/* What the first line is must be known while the separator can still be put in. */
	return fits &&
	       (c->budget->used <= c->budget->max || c->header.first == HEADER_FIRST_UNKNOWN);
}

enum content_result
content_feed(struct content *c, struct span *in)
{
	while (in->len > 0 && !is_whole(c)) {
		bool fits = true;

		if (c->where == CONTENT_MEMORY)
			fits = feed_memory(c, in);
		else if (c->where == CONTENT_FILE)
			feed_file(c, in);
		else
			feed_nowhere(c, in);
		if (is_bare(c) && c->fault != CONTENT_BARE)
			drop(c, CONTENT_BARE);
		if (c->dropped > CONTENT_DROP_MAX && c->fault != CONTENT_DISCARDED &&
		    !is_whole(c))
			return CONTENT_ENDLESS;
		if (!fits && c->where == CONTENT_MEMORY && !is_whole(c))
			return CONTENT_WANTS_FILE;
	}
	if (!is_whole(c))
		return CONTENT_MORE;
	finish_check(c);
	return CONTENT_WHOLE;
}

void
content_finish(struct content *c)
{
	chunk_finish(&c->chunk);
	if (is_bare(c) && c->fault != CONTENT_BARE)
		drop(c, CONTENT_BARE);
	/* A line end completes what the last line is; the scan alone sees it, the message does not have it. */
	if (c->fault == CONTENT_GOOD)
		scan(c, span_str("\n"));
	finish_check(c);
}

/* The file is there: what was gathered goes first. Or it is not, and the message has no place. */
static void
on_ready(const struct verdict *v, void *arg)
{
	struct content *c = arg;

	if (v->kind != VERDICT_OK) {
		c->verdict = *v;
		drop(c, CONTENT_UNSTORED);
	} else if (c->spool->large_append(c->file, buf_span(&c->data)) != 0) {
		set_unwritten(c);
		drop(c, CONTENT_UNSTORED);
	} else {
		c->where = CONTENT_FILE;
		buf_release(&c->data);
		charge(c);
	}
	c->ready(v, c->ready_arg);
}

void
content_open_file(struct content *c, const struct spool_message *m, uint64_t declared,
    large_ready_fn *ready, void *arg)
{
	struct spool_message padded = *m;
	struct buf envelope;

	c->ready = ready;
	c->ready_arg = arg;
	buf_init(&envelope, m->envelope.len + ENVELOPE_SPARE);
	if (c->check != NULL && header_set_changes(c->check->set)) {
		c->reserved = m->envelope.len + ENVELOPE_SPARE;
		(void)buf_add_span(&envelope, m->envelope);
		envelope_pad(&envelope, c->reserved);
		padded.envelope = buf_span(&envelope);
	}
	c->file = c->spool->large_open(c->spool_arg, &padded, declared, on_ready, c);
	buf_release(&envelope);
}

/* In front of what was gathered; room was kept. */
static void
put_on_top(struct content *c, struct span top)
{
	size_t len = c->data.len;

	c->data.max += HEADER_PREPEND_MAX;
	(void)buf_add_span(&c->data, top);
	memmove(c->data.p + top.len, c->data.p, len);
	memcpy(c->data.p, top.p, top.len);
}

/* The file's envelope is written anew, and what goes on top of content takes room from its padding. */
static int
amend(struct content *c, const struct spool_message *m, struct span top)
{
	struct buf envelope;
	int r;

	buf_init(&envelope, c->reserved);
	(void)buf_add_span(&envelope, m->envelope);
	envelope_pad(&envelope, c->reserved - top.len);
	r = c->spool->large_amend(c->file, buf_span(&envelope), top);
	buf_release(&envelope);
	return r;
}

/* Header checks that change what is stored have a say. -1: it cannot be stored. */
static int
change(struct content *c, const struct spool_message *m)
{
	const struct header_check *k = c->check;

	if (k == NULL || (k->hold == NULL && k->redirect == NULL && k->prepend.len == 0))
		return 0;
	if (c->where == CONTENT_FILE)
		return amend(c, m, buf_span(&k->prepend));
	put_on_top(c, buf_span(&k->prepend));
	return 0;
}

int
content_commit(struct content *c, const struct spool_message *m, spool_done_fn *done, void *arg)
{
	if (change(c, m) != 0) {
		drop(c, CONTENT_UNSTORED);
		set_unwritten(c);
		return -1;
	}
	if (c->where == CONTENT_FILE) {
		c->spool->large_commit(&c->file, done, arg);
		return 0;
	}
	/* The spool has its copy now, which counts until the message is on disk. */
	c->spool->commit(c->spool_arg, m, buf_span(&c->data), done, arg);
	buf_release(&c->data);
	return 0;
}
