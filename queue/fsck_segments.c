/*
 * fsck_segments: every segment is read from end to end, and every message of the queue looked for in it. See
 * fsck_parts.h. A record that the journal knows counts if its content is what the journal says; one that nobody
 * needs any more may rot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/xalloc.h"
#include "queue/fsck_parts.h"
#include "queue/store.h"

#define PIECE	  65536
#define NAMED_MAX 3
#define FILE_SIZE (SPOOL_NAME_SIZE + 16)

struct walk {
	struct fsck_view *view;
	struct fsck_report *report;
	struct fsck_segment *segment;
};

static const char *
file_of(bool large, const char *name, char out[FILE_SIZE])
{
	snprintf(out, FILE_SIZE, "%s/%s", large ? "large" : "segments", name);
	return out;
}

static const char *
file_of_segment(const struct spool_segment *s, char out[FILE_SIZE])
{
	char name[SPOOL_NAME_SIZE];

	return file_of(s->large, spool_segment_name(s->number, s->large, name), out);
}

int
fsck_check_content(const struct message *m)
{
	uint64_t at = store_content_offset(m), left = m->content_len;
	uint32_t crc = 0;
	char piece[PIECE];

	while (left > 0) {
		size_t n = left < sizeof piece ? (size_t)left : sizeof piece;

		if (at + n > m->segment->size)
			return EBADMSG;
		if (spool_segment_read(m->segment, at, piece, n) != 0)
			return errno;
		crc = crc32c(crc, piece, n);
		at += n;
		left -= n;
	}
	return crc == m->content_crc ? 0 : EBADMSG;
}

static void
count_message(struct walk *w, const struct message *m)
{
	w->report->messages++;
	w->report->recipients += m->unsettled;
	w->report->octets += m->content_len;
}

/* An intact record: of a message of the queue, which is done with then; of one the journal does not know; or nobody's. */
static void
on_record(struct spool_segment *s, uint64_t offset, const struct spool_record *rec,
    struct span envelope, void *arg)
{
	struct walk *w = arg;
	struct message *m = message_map_find(&w->view->messages, rec->message);

	(void)envelope;
	w->segment->records++;
	if (m != NULL && m->segment == s && m->offset == offset &&
	    m->content_len == rec->content_len && m->content_crc == rec->content_crc) {
		w->segment->live++;
		w->segment->live_octets += spool_record_extent(rec);
		count_message(w, m);
		(void)message_map_remove(&w->view->messages, m->number);
		message_free(&m);
	} else if (m == NULL && offset >= s->accounted && !s->complete &&
		   rec->kind == SPOOL_MESSAGE) {
		w->segment->unknown++;
		w->report->unknown++;
	}
}

static void
judge_segment(struct fsck_report *r, const struct fsck_segment *f,
    const struct spool_scan_result *before, const struct spool_scan_result *behind)
{
	char file[FILE_SIZE];

	file_of(f->large, f->name, file);
	if (f->headless)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_HEADER, file,
		    "its header page is damaged; by its records it has generation %" PRIu64,
		    f->generation);
	if (behind->damaged > 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, file,
		    "records that were on disk once and that the journal does not know are "
		    "damaged: %u",
		    behind->damaged);
	if (behind->unreadable > 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, file,
		    "pages that the journal knows nothing of cannot be read: %u",
		    behind->unreadable);
	if (behind->cut > 0 && !r->running)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, file,
		    "its last batch is cut: no client was told that it had been taken");
	if (before->damaged > 0)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_NONE, file,
		    "damaged records: %u; those of mail in the queue are named by themselves",
		    before->damaged);
	if (before->unreadable > 0)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_NONE, file,
		    "pages that cannot be read: %u: the disk is failing", before->unreadable);
}

static void
add_results(struct spool_scan_result *sum, const struct spool_scan_result *r)
{
	sum->end = r->end > sum->end ? r->end : sum->end;
	sum->damaged += r->damaged;
	sum->cut += r->cut;
	sum->unreadable += r->unreadable;
	sum->earlier += r->earlier;
}

/* Of a running instance: it may have begun a new life meanwhile, and what was found then means nothing. */
static bool
lives_on(int dirfd, const struct spool_segment *s, uint64_t instance)
{
	char name[SPOOL_NAME_SIZE];
	const char *why = NULL;
	struct spool_segment *again = spool_segment_open(
	    dirfd, spool_segment_name(s->number, s->large, name), s->large, instance, &why);
	bool same = again != NULL && again->generation == s->generation;

	spool_segment_free(&again);
	return same;
}

static void
examine_segment(struct fsck_view *v, struct spool_segment *s, struct fsck_report *r)
{
	struct spool_scan_result before = {.end = 0}, behind = {.end = 0};
	struct walk w = {.view = v, .report = r};
	struct fsck_segment *f;
	uint64_t known;

	r->segments = xreallocarray(r->segments, r->nsegments + 1, sizeof *r->segments);
	f = w.segment = &r->segments[r->nsegments++];
	*f = (struct fsck_segment){.large = s->large,
	    .own = s->own,
	    .headless = s->headless,
	    .generation = s->generation,
	    .size = s->size};
	spool_segment_name(s->number, s->large, f->name);
	if (!r->journal_whole) {
		s->accounted = SPOOL_PAGE;
		s->complete = false;
	}
	f->accounted = s->accounted;
	f->complete = s->complete;
	known = s->complete ? s->size : s->accounted;
	spool_segment_scan(s, r->instance, SPOOL_PAGE, known, true, on_record, &w, &before);
	before.damaged += before.cut; /* all of it was on disk: the journal says so */
	before.cut = 0;
	spool_segment_scan(s, r->instance, known, s->size, true, on_record, &w, &behind);
	if (r->running && !lives_on(segment_pool_dirfd(v->pool, s), s, r->instance))
		return;
	judge_segment(r, f, &before, &behind);
	add_results(&f->scan, &before);
	add_results(&f->scan, &behind);
}

static void
add_bad(struct fsck_report *r, const struct message *m, enum fsck_message_state state,
    const char *file)
{
	struct fsck_message *b;

	r->bad = xreallocarray(r->bad, r->nbad + 1, sizeof *r->bad);
	b = &r->bad[r->nbad++];
	*b = (struct fsck_message){.number = m->number,
	    .state = state,
	    .offset = m->offset,
	    .recipients = m->unsettled};
	b->file = xstrdup(file);
	b->sender = xstrdup(m->from);
}

/* Is it still to be delivered to somebody, or are only reports on it to be written? */
static bool
is_needed(const struct message *m)
{
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		if (r->state != RECIPIENT_SETTLED && r->state != RECIPIENT_FAILED &&
		    r->state != RECIPIENT_TELL)
			return true;
	}
	return false;
}

/* A message whose record was not found intact: what matters is its content, the rest is in the journal. */
static void
judge_message(struct walk *w, const struct message *m)
{
	const struct replay_place *p = idmap_find(&w->view->replay.places, m->number);
	char name[SPOOL_NAME_SIZE], file[FILE_SIZE], id[SPOOL_ID_SIZE];
	int error;

	if (m->segment == NULL && !w->report->journal_whole) {
		w->report->presumed++;
		return;
	}
	count_message(w, m);
	if (!is_needed(m)) {
		fsck_add(w->report, FSCK_NOTE, FSCK_CURE_NONE, "",
		    "message %s is damaged and was given up; its sender is to be told",
		    spool_id_format(m->number, id));
		return;
	}
	if (m->segment == NULL) {
		spool_segment_name(p != NULL ? p->segment : 0, p != NULL && p->large, name);
		add_bad(w->report, m, FSCK_MESSAGE_MISSING,
		    file_of(p != NULL && p->large, name, file));
		return;
	}
	file_of_segment(m->segment, file);
	error = fsck_check_content(m);
	if (error == EBADMSG)
		add_bad(w->report, m, FSCK_MESSAGE_DAMAGED, file);
	else if (error != 0)
		add_bad(w->report, m, FSCK_MESSAGE_UNREADABLE, file);
	else if (!w->report->running)
		fsck_add(w->report, FSCK_NOTE, FSCK_CURE_NONE, file,
		    "the record of message %s is damaged, but its content is not: it can be "
		    "delivered",
		    spool_id_format(m->number, id));
}

static int
by_file(const void *a, const void *b)
{
	const struct fsck_message *x = a, *y = b;
	int r = strcmp(x->file, y->file);

	return r != 0 ? r : x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
by_name(const void *a, const void *b)
{
	const struct fsck_segment *x = a, *y = b;

	return x->large != y->large ? x->large - y->large : strcmp(x->name, y->name);
}

void
fsck_examine_segments(struct fsck_report *r, struct fsck_view *v)
{
	struct walk w = {.view = v, .report = r};
	const struct message *m;
	size_t at = 0;

	for (struct spool_segment *s = NULL; (s = segment_pool_next(v->pool, s)) != NULL;)
		examine_segment(v, s, r);
	if (r->nsegments > 0)
		qsort(r->segments, r->nsegments, sizeof *r->segments, by_name);
	while ((m = message_map_next(&v->messages, &at)) != NULL)
		judge_message(&w, m);
	if (r->presumed > 0)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, "journal",
		    "messages whose file is gone, and which are taken for settled: %" PRIu64,
		    r->presumed);
	if (r->nbad > 0)
		qsort(r->bad, r->nbad, sizeof *r->bad, by_file);
}

void
fsck_confirm_messages(struct fsck_report *r)
{
	struct fsck_view v;
	size_t kept = 0;

	fsck_view_open(&v, r);
	for (size_t i = 0; i < r->nbad; i++) {
		const struct message *m = message_map_find(&v.messages, r->bad[i].number);

		if (m != NULL && (m->segment == NULL || fsck_check_content(m) != 0)) {
			r->bad[kept++] = r->bad[i];
			continue;
		}
		free(r->bad[i].file);
		free(r->bad[i].sender);
	}
	r->nbad = kept;
	fsck_view_close(&v);
}

/* Messages [from, to) are of one file and in one state. */
static void
sum_up(struct fsck_report *r, size_t from, size_t to)
{
	static const char *const what[] = {
	    "it is gone, and with it", "damaged:", "the disk does not give back"};
	char id[SPOOL_ID_SIZE];
	struct buf ids;

	buf_init(&ids, 256);
	for (size_t i = from; i < to && i < from + NAMED_MAX; i++)
		buf_addf(
		    &ids, "%s%s", i > from ? ", " : "", spool_id_format(r->bad[i].number, id));
	fsck_add(r, FSCK_PROBLEM, FSCK_CURE_FAIL, r->bad[from].file,
	    "%s %zu message%s of the queue (%s%s)", what[r->bad[from].state], to - from,
	    to - from == 1 ? "" : "s", buf_str(&ids), to - from > NAMED_MAX ? ", ..." : "");
	buf_release(&ids);
}

void
fsck_sum_up_messages(struct fsck_report *r)
{
	for (size_t i = 0, end; i < r->nbad; i = end) {
		for (end = i + 1; end < r->nbad; end++)
			if (r->bad[end].state != r->bad[i].state ||
			    strcmp(r->bad[end].file, r->bad[i].file) != 0)
				break;
		sum_up(r, i, end);
	}
}
