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

#define FIRST_ROOM 4096

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
	/* One octet is kept for the empty line of separate_header. */
	buf_init(&c->data, MESSAGE_INLINE_MAX - 1);
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
	c->data.max = MESSAGE_INLINE_MAX;
	buf_add_char(&c->data, '\n');
	memmove(c->data.p + c->top + 1, c->data.p + c->top, c->data.len - c->top - 1);
	c->data.p[c->top] = '\n';
	c->data.max--;
}

/* Reads the header along, in octets that have just been added. */
static void
scan(struct content *c, struct span fresh)
{
	bool undecided = c->header.first == HEADER_FIRST_UNKNOWN;

	header_scan_feed(&c->header, fresh);
	if (c->header.received > c->hop_limit || c->header.delivered > c->hop_limit)
		drop(c, CONTENT_LOOPING);
	else if (c->header.returned)
		drop(c, CONTENT_RETURNED);
	else if (c->size > c->size_limit)
		drop(c, CONTENT_TOO_BIG);
	else if (undecided && c->header.first == HEADER_FIRST_TEXT &&
		 c->where == CONTENT_MEMORY)
		separate_header(c);
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
}

static void
feed_file(struct content *c, struct span *in)
{
	buf_clear(c->scratch);
	(void)convert(c, in, c->scratch);
	examine(c, buf_span(c->scratch));
	if (c->where == CONTENT_FILE && !is_bare(c) &&
	    c->spool->large_append(c->file, buf_span(c->scratch)) != 0) {
		verdict_set(&c->verdict, VERDICT_TEMPORARY, 452, "4.3.1",
		    "The message could not be written to disk, try again later");
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
		if (c->dropped > CONTENT_DROP_MAX && !is_whole(c))
			return CONTENT_ENDLESS;
		if (!fits && c->where == CONTENT_MEMORY && !is_whole(c))
			return CONTENT_WANTS_FILE;
	}
	return is_whole(c) ? CONTENT_WHOLE : CONTENT_MORE;
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
		verdict_set(&c->verdict, VERDICT_TEMPORARY, 452, "4.3.1",
		    "The message could not be written to disk, try again later");
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
	c->ready = ready;
	c->ready_arg = arg;
	c->file = c->spool->large_open(c->spool_arg, m, declared, on_ready, c);
}

void
content_commit(struct content *c, const struct spool_message *m, spool_done_fn *done, void *arg)
{
	if (c->where == CONTENT_FILE) {
		c->spool->large_commit(&c->file, done, arg);
		return;
	}
	/* The spool has its copy now, which counts until the message is on disk. */
	c->spool->commit(c->spool_arg, m, buf_span(&c->data), done, arg);
	buf_release(&c->data);
}
