/*
 * spool_scan: finding the records in a segment. See spool_scan.h. Batches follow one another
 * without a gap, numbered from 1: that is how a record is missed of which nothing is left.
 */
#include "queue/spool_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/xalloc.h"

#define WINDOW_SIZE (1U << 20)

/* One scan over a segment: a window of the file in memory, and where it stands. */
struct scan {
	struct spool_segment *s;
	uint64_t instance, to;
	char *window;
	uint64_t window_at;
	size_t window_len;
	bool unreadable;     /* the last peek failed because of the disk */
	uint64_t last_batch; /* of the intact records */
	uint64_t
	    expected; /* where the record after the last intact one stands, at the earliest */
	bool seen, noted; /* it is known what came last; something not intact came since */
	uint64_t *broken; /* batches of broken records seen */
	size_t nbroken;
	unsigned earlier;
};

/* n octets at offset, from the window or read into it; NULL if the file does not have them. */
static const char *
peek(struct scan *sc, uint64_t offset, size_t n)
{
	size_t want = n > WINDOW_SIZE ? n : WINDOW_SIZE;
	ssize_t r;

	sc->unreadable = false;
	if (offset + n > sc->to)
		return NULL;
	if (sc->window != NULL && offset >= sc->window_at &&
	    offset + n <= sc->window_at + sc->window_len)
		return sc->window + (offset - sc->window_at);
	if (want > sc->to - offset)
		want = (size_t)(sc->to - offset);
	sc->window = xrealloc(sc->window, want);
	do {
		r = pread(sc->s->fd, sc->window, want, (off_t)offset);
	} while (r < 0 && errno == EINTR);
	sc->window_at = offset;
	sc->window_len = r > 0 ? (size_t)r : 0;
	/* A read that meets a bad page behind its beginning is short. */
	sc->unreadable = sc->window_len < n;
	return sc->window_len >= n ? sc->window : NULL;
}

static void
note_broken(struct scan *sc, uint64_t batch)
{
	sc->broken = xreallocarray(sc->broken, sc->nbroken + 1, sizeof *sc->broken);
	sc->broken[sc->nbroken++] = batch;
	sc->noted = true;
}

static bool
content_intact(struct scan *sc, uint64_t at, const struct spool_record *r)
{
	uint64_t left = r->content_len;
	uint32_t crc = 0;

	while (left > 0) {
		size_t n = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
		const char *p = peek(sc, at, n);

		if (p == NULL)
			return false;
		crc = crc32c(crc, p, n);
		at += n;
		left -= n;
	}
	return crc == r->content_crc;
}

/* What stands at offset; content is checked too when the scan follows a crash. */
static enum spool_found
look_at(struct scan *sc, uint64_t offset, bool check_content, struct spool_record *r,
    struct span *envelope)
{
	const char *p = peek(sc, offset, SPOOL_RECORD_SIZE);
	uint64_t body = offset + SPOOL_RECORD_SIZE;

	if (p == NULL)
		return sc->unreadable ? SPOOL_FOUND_UNREADABLE : SPOOL_FOUND_NOTHING;
	if (spool_record_parse(span_make(p, SPOOL_RECORD_SIZE), r) != 0)
		return SPOOL_FOUND_NOTHING;
	if (r->generation != sc->s->generation || r->instance != sc->instance) {
		sc->earlier++;
		return SPOOL_FOUND_NOTHING;
	}
	if (r->content_len > sc->to || body + r->envelope_len + r->content_len > sc->to)
		return SPOOL_FOUND_BROKEN;
	if (check_content && !content_intact(sc, body + r->envelope_len, r))
		return SPOOL_FOUND_BROKEN;
	p = peek(sc, body, r->envelope_len);
	if (p == NULL || crc32c(0, p, r->envelope_len) != r->envelope_crc)
		return SPOOL_FOUND_BROKEN;
	*envelope = span_make(p, r->envelope_len);
	return SPOOL_FOUND_RECORD;
}

static bool
is_zero(struct scan *sc, uint64_t from, uint64_t to)
{
	const char *p = peek(sc, from, (size_t)(to - from));

	for (size_t i = 0; p != NULL && i < to - from; i++)
		if (p[i] != '\0')
			return false;
	return p != NULL;
}

/*
 * A record stands at offset, and before it less than there should be: nothing is left of a record, not even a header.
 * What can only have been part of an earlier batch than this one is counted as that.
 */
static void
note_gap(struct scan *sc, uint64_t offset, const struct spool_record *r)
{
	uint64_t page = spool_page_align(sc->expected);

	if (r->batch == sc->last_batch) {
		if (offset != sc->expected)
			note_broken(sc, r->batch);
	} else if (r->batch > sc->last_batch + 1) {
		note_broken(sc, sc->last_batch + 1);
	} else if (offset != page) {
		note_broken(sc, r->batch);
	} else if (!is_zero(sc, sc->expected, page)) {
		note_broken(sc, sc->last_batch);
	}
}

static void
take(struct scan *sc, uint64_t offset, const struct spool_record *r)
{
	if (sc->seen && !sc->noted)
		note_gap(sc, offset, r);
	sc->seen = true;
	sc->noted = false;
	sc->expected = offset + spool_record_extent(r);
	if (r->batch > sc->last_batch)
		sc->last_batch = r->batch;
}

static void
finish(struct scan *sc, struct spool_scan_result *result)
{
	for (size_t i = 0; i < sc->nbroken; i++) {
		if (sc->broken[i] < sc->last_batch)
			result->damaged++;
		else
			result->cut++;
	}
	result->earlier = sc->earlier;
	free(sc->broken);
	free(sc->window);
}

void
spool_segment_scan(struct spool_segment *s, uint64_t instance, uint64_t from, uint64_t to,
    bool past_gaps, spool_scan_fn *fn, void *arg, struct spool_scan_result *result)
{
	struct scan sc = {.s = s,
	    .instance = instance,
	    .to = to < s->size ? to : s->size,
	    .expected = from,
	    .seen = from == SPOOL_PAGE && !s->large};
	uint64_t at = from;

	*result = (struct spool_scan_result){.end = from};
	while (at + SPOOL_RECORD_SIZE <= sc.to) {
		struct spool_record r;
		struct span envelope;
		enum spool_found found = look_at(&sc, at, past_gaps, &r, &envelope);

		if (found == SPOOL_FOUND_RECORD) {
			fn(s, at, &r, envelope, arg);
			if (past_gaps)
				take(&sc, at, &r);
			at += spool_record_extent(&r);
			result->end = spool_page_align(at);
			continue;
		}
		if (found == SPOOL_FOUND_BROKEN)
			note_broken(&sc, r.batch);
		if (found == SPOOL_FOUND_UNREADABLE) {
			result->unreadable++;
			sc.noted = true;
		}
		if (past_gaps && found == SPOOL_FOUND_UNREADABLE)
			at = spool_page_align(at + SPOOL_RECORD_SIZE);
		else if (past_gaps)
			at += SPOOL_ALIGN;
		else if (found == SPOOL_FOUND_NOTHING && at % SPOOL_PAGE != 0)
			at = spool_page_align(at); /* the padding of a batch */
		else
			break;
	}
	finish(&sc, result);
}

enum spool_found
spool_segment_look(struct spool_segment *s, uint64_t instance, uint64_t offset,
    struct spool_record *r, struct buf *envelope)
{
	struct scan sc = {.s = s, .instance = instance, .to = s->size};
	struct span text;
	enum spool_found found = look_at(&sc, offset, true, r, &text);

	if (found == SPOOL_FOUND_BROKEN && sc.unreadable)
		found = SPOOL_FOUND_UNREADABLE;
	if (found == SPOOL_FOUND_RECORD && envelope != NULL)
		buf_add_span(envelope, text);
	free(sc.window);
	return found;
}

uint64_t
spool_scan_generation(struct spool_segment *s, uint64_t instance)
{
	struct scan sc = {.s = s, .instance = instance, .to = s->size};
	uint64_t found = 0, at = SPOOL_PAGE;

	while (at + SPOOL_RECORD_SIZE <= sc.to) {
		const char *p = peek(&sc, at, SPOOL_RECORD_SIZE);
		struct spool_record r;

		if (p != NULL && spool_record_parse(span_make(p, SPOOL_RECORD_SIZE), &r) == 0 &&
		    r.instance == instance && r.generation > found &&
		    (!s->large || r.message == s->number))
			found = r.generation;
		at = p != NULL ? at + SPOOL_ALIGN : spool_page_align(at + SPOOL_RECORD_SIZE);
	}
	free(sc.window);
	return found;
}
