/*
 * fsck_journal: the files of journal/: which are whole, which count, what is missing between them. See fsck_parts.h.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/fsck_parts.h"

static struct fsck_journal_file *
add_file(struct fsck_report *r, int journalfd, uint64_t number, enum journal_file_kind kind)
{
	struct fsck_journal_file *f;

	r->journal = xreallocarray(r->journal, r->njournal + 1, sizeof *r->journal);
	f = &r->journal[r->njournal++];
	*f = (struct fsck_journal_file){.used = kind == JOURNAL_FILE_LOG
						    ? number >= r->checkpoint
						    : number == r->checkpoint};
	journal_file_name(number, kind == JOURNAL_FILE_LOG ? ".log" : ".ckpt", f->name);
	journal_file_read(journalfd, number, kind, r->instance, NULL, NULL, &f->result);
	return f;
}

static void
judge_damage(struct fsck_report *r, const struct fsck_journal_file *f, bool newer)
{
	char file[JOURNAL_NAME_SIZE + 16];

	snprintf(file, sizeof file, "journal/%s", f->name);
	if (f->result.error != 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, file, "cannot be read in full: %s",
		    strerror(f->result.error));
	else if (f->used || newer)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, file,
		    "is damaged at octet %" PRIu64 "; %" PRIu64 " records can be read",
		    f->result.end, f->result.records);
	else
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, file,
		    "is damaged at octet %" PRIu64 ", and is not needed", f->result.end);
}

static void
examine_checkpoints(int journalfd, struct fsck_report *r)
{
	uint64_t *numbers;
	size_t n = journal_file_list(journalfd, ".ckpt", &numbers);

	for (size_t i = 0; i < n; i++) {
		const struct fsck_journal_file *f =
		    add_file(r, journalfd, numbers[i], JOURNAL_FILE_CHECKPOINT);

		if (f->result.state == JOURNAL_FILE_DAMAGED ||
		    (f->result.state == JOURNAL_FILE_MISSING && !r->running))
			judge_damage(r, f, numbers[i] > r->checkpoint);
	}
	free(numbers);
}

static bool
is_whole(const struct journal_file_result *r)
{
	return r->state == JOURNAL_FILE_WHOLE || r->state == JOURNAL_FILE_CUT;
}

/* What is missing between a log and the one before it; chain as it was before it. */
static void
judge_link(struct fsck_report *r, const struct journal_chain *chain, enum journal_link link,
    const struct fsck_journal_file *f, const struct fsck_journal_file *before)
{
	char name[JOURNAL_NAME_SIZE];

	if (link == JOURNAL_LINK_GAP)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "%s is missing, with everything that happened while it was written",
		    journal_file_name(journal_chain_expected(chain), ".log", name));
	else if (link == JOURNAL_LINK_SHORT && !f->result.begun && is_whole(&f->result))
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "the beginning of %s is missing", f->name);
	else if (link == JOURNAL_LINK_SHORT && f->result.begun && is_whole(&before->result))
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "%s ends at octet %" PRIu64 ", though %" PRIu64
		    " were on disk when the next log was begun",
		    before->name, before->result.end, f->result.before);
}

static void
examine_logs(int journalfd, struct fsck_report *r)
{
	struct journal_chain chain = {.checkpoint = r->checkpoint};
	uint64_t *numbers;
	size_t n = journal_file_list(journalfd, ".log", &numbers);

	for (size_t i = 0; i < n; i++) {
		struct fsck_journal_file *f =
		    add_file(r, journalfd, numbers[i], JOURNAL_FILE_LOG);
		struct journal_chain before = chain;
		enum journal_link link;

		if (f->result.state == JOURNAL_FILE_DAMAGED ||
		    (f->result.state == JOURNAL_FILE_MISSING && !r->running))
			judge_damage(r, f, false);
		if (!f->used)
			continue;
		link = journal_chain_add(&chain, numbers[i], &f->result, i + 1 == n);
		f->used = link != JOURNAL_LINK_NOT_BEGUN;
		if (!r->journal_whole)
			judge_link(r, &before, link, f, f - 1);
	}
	if (!r->journal_whole && r->checkpoint > 0 && chain.last == 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "the log that belongs to checkpoint %" PRIu64 " is missing", r->checkpoint);
	free(numbers);
}

void
fsck_examine_journal(struct fsck_report *r, const struct fsck_view *v)
{
	int journalfd = fsck_directory(r->spoolfd, "journal");
	struct stat st;

	if (journalfd < 0)
		return;
	examine_checkpoints(journalfd, r);
	examine_logs(journalfd, r);
	if (r->njournal == 0 && v->pool != NULL && segment_pool_next(v->pool, NULL) != NULL) {
		r->journal_whole = false;
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "is empty: what became of the mail in segments/ and large/ is not known");
	}
	if (v->replay.malformed > 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_RECOVER, "journal",
		    "%u records are not understood: written by a later version?",
		    v->replay.malformed);
	if (fstatat(journalfd, "reserve", &st, AT_SYMLINK_NOFOLLOW) == 0)
		r->reserve = (uint64_t)st.st_blocks * 512;
	if (r->reserve == 0 && r->njournal > 0)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, "journal/reserve",
		    "is missing: on a full disk what was delivered could not be written down");
	close(journalfd);
}
