/* fsck_show: a report of queue/fsck.h as text. See fsck_show.h. */
#include "queue/fsck_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "queue/cmd_table.h"

static const char *
size_of(uint64_t octets, char out[CMD_SIZE_SIZE])
{
	return cmd_format_size(octets, out);
}

/* What a journal file is like, in a word or two. */
static void
add_state(struct cmd_table *t, const struct fsck_journal_file *f)
{
	static const char *const states[] = {
	    "whole", "whole, last write cut", "damaged", "missing"};

	cmd_table_addf(
	    t, "%s%s", states[f->result.state], f->used ? "" : ", replaced by a newer one");
}

static void
show_journal(const struct fsck_report *r)
{
	struct cmd_table *t = cmd_table_new("JOURNAL|>RECORDS|>SIZE|STATE");
	char size[CMD_SIZE_SIZE];

	for (size_t i = 0; i < r->njournal; i++) {
		const struct fsck_journal_file *f = &r->journal[i];

		cmd_table_add(t, span_str(f->name));
		cmd_table_addf(t, "%" PRIu64, f->result.records);
		cmd_table_add(t, span_str(size_of(f->result.size, size)));
		add_state(t, f);
	}
	if (r->reserve > 0) {
		cmd_table_add(t, span_str("reserve"));
		cmd_table_add(t, span_str(""));
		cmd_table_add(t, span_str(size_of(r->reserve, size)));
		cmd_table_add(t, span_str("for a full disk"));
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
	if (r->njournal > 0)
		putchar('\n');
}

static void
add_segment_state(struct cmd_table *t, const struct fsck_segment *s)
{
	struct buf b;

	buf_init(&b, 200);
	if (s->headless)
		buf_add_str(&b, "header damaged, ");
	if (s->scan.damaged > 0)
		buf_addf(&b, "%u damaged, ", s->scan.damaged);
	if (s->scan.unreadable > 0)
		buf_addf(&b, "%u pages unreadable, ", s->scan.unreadable);
	if (s->scan.cut > 0)
		buf_add_str(&b, "last batch cut, ");
	if (s->unknown > 0)
		buf_addf(&b, "%" PRIu64 " not in the journal yet, ", s->unknown);
	if (s->scan.earlier > 0)
		buf_addf(&b, "%u of earlier lives, ", s->scan.earlier);
	if (s->own)
		buf_add_str(&b, "the queue manager's own, ");
	cmd_table_add(t, b.len > 2 ? span_first(buf_span(&b), b.len - 2) : span_str("good"));
	buf_release(&b);
}

static void
show_segments(const struct fsck_report *r)
{
	struct cmd_table *t =
	    cmd_table_new("SEGMENT|>LIFE|>SIZE|>RECORDS|>IN QUEUE|>LIVE|STATE");
	char size[CMD_SIZE_SIZE];

	for (size_t i = 0; i < r->nsegments; i++) {
		const struct fsck_segment *s = &r->segments[i];

		cmd_table_addf(t, "%s%s", s->large ? "large/" : "", s->name);
		cmd_table_addf(t, "%" PRIu64, s->generation);
		cmd_table_add(t, span_str(size_of(s->size, size)));
		cmd_table_addf(t, "%" PRIu64, s->records);
		cmd_table_addf(t, "%" PRIu64, s->live);
		cmd_table_add(t, span_str(size_of(s->live_octets, size)));
		add_segment_state(t, s);
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
	if (r->nsegments > 0)
		putchar('\n');
}

static void
show_bad(const struct fsck_report *r)
{
	static const char *const states[] = {"its file is gone", "damaged", "unreadable"};
	struct cmd_table *t = cmd_table_new("LOST|FILE|>OFFSET|>RECIPIENTS|SENDER|STATE");
	char id[SPOOL_ID_SIZE];

	for (size_t i = 0; i < r->nbad; i++) {
		const struct fsck_message *b = &r->bad[i];

		cmd_table_add(t, span_str(spool_id_format(b->number, id)));
		cmd_table_add(t, span_str(b->file));
		cmd_table_addf(t, "%" PRIu64, b->offset);
		cmd_table_addf(t, "%" PRIu32, b->recipients);
		cmd_table_addf(t, "<%s>", b->sender);
		cmd_table_add(t, span_str(states[b->state]));
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
	if (r->nbad > 0)
		putchar('\n');
}

static void
show_kept(const struct fsck_report *r)
{
	struct cmd_table *t = cmd_table_new("SET ASIDE IN corrupt/|>SIZE|WHY");
	char size[CMD_SIZE_SIZE];

	for (size_t i = 0; i < r->nkept; i++) {
		cmd_table_add(t, span_str(r->kept[i].name));
		cmd_table_add(t, span_str(size_of(r->kept[i].size, size)));
		cmd_table_add(
		    t, span_str(r->kept[i].reason != NULL ? r->kept[i].reason
							  : "(no .reason beside it)"));
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
	if (r->nkept > 0)
		putchar('\n');
}

static void
show_findings(const struct fsck_report *r, bool repair)
{
	size_t problems = 0, cured = 0, notes = 0;

	for (size_t i = 0; i < r->nfindings; i++) {
		const struct fsck_finding *f = &r->findings[i];

		problems += f->severity == FSCK_PROBLEM;
		notes += f->severity == FSCK_NOTE;
		cured += f->severity == FSCK_PROBLEM && f->cured;
		printf("%s: ", f->cured			     ? "repaired"
			       : f->severity == FSCK_PROBLEM ? "PROBLEM"
							     : "note");
		if (f->file[0] != '\0') {
			cmd_print_span(span_str(f->file));
			printf(": ");
		}
		cmd_print_span(span_str(f->text));
		putchar('\n');
	}
	if (problems == 0)
		printf("no problems, %zu note%s\n", notes, notes == 1 ? "" : "s");
	else
		printf("%zu problem%s, %zu repaired, %zu note%s\n", problems,
		    problems == 1 ? "" : "s", cured, notes, notes == 1 ? "" : "s");
	if (problems > 0 && !repair)
		printf("With the daemon stopped, --repair mends what can be mended.\n");
}

void
fsck_show_text(const struct fsck_report *r, const char *spool, bool repair)
{
	char octets[CMD_SIZE_SIZE], room[CMD_SIZE_SIZE], size[CMD_SIZE_SIZE];

	printf("spool %s, instance %016" PRIx64 "%s\n", spool, r->instance,
	    r->running ? ", in use: what is being written at this moment is not judged" : "");
	printf("%" PRIu64 " messages for %" PRIu64 " recipients, %s", r->messages,
	    r->recipients, size_of(r->octets, octets));
	if (r->unknown > 0)
		printf("; %" PRIu64 " more that the journal does not know yet", r->unknown);
	printf("\n%s of %s free, %" PRIu64 " inodes\n\n", size_of(r->room, room),
	    size_of(r->size, size), r->inodes);
	show_journal(r);
	show_segments(r);
	show_bad(r);
	show_kept(r);
	show_findings(r, repair);
}
