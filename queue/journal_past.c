/* journal_past: what earlier lives left in journal/. See journal_past.h. */
#include "queue/journal_past.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "queue/quarantine.h"

/*
 * The newest whole checkpoint: its number, 0 if there is none. Those that are newer and damaged go to corrupt/; what was
 * read of them by then has been replayed, which is no harm: it is true, and the logs since the older one say the same.
 */
static uint64_t
replay_checkpoint(
    const struct journal_past *p, journal_replay_fn *replay, void *arg, uint64_t *size)
{
	uint64_t *numbers, found = 0;
	size_t n = journal_file_list(p->dirfd, ".ckpt", &numbers);
	char name[JOURNAL_NAME_SIZE];

	while (n > 0 && found == 0) {
		struct journal_file_result r;
		uint64_t v = numbers[--n];

		journal_file_read(
		    p->dirfd, v, JOURNAL_FILE_CHECKPOINT, p->instance, replay, arg, &r);
		*size = r.used;
		if (r.state == JOURNAL_FILE_WHOLE)
			found = v;
		else if (p->corruptfd >= 0)
			quarantine_move(p->dirfd, journal_file_name(v, ".ckpt", name),
			    p->corruptfd,
			    "this checkpoint is damaged; an older one and the logs were used");
	}
	free(numbers);
	return found;
}

uint64_t
journal_chain_expected(const struct journal_chain *c)
{
	if (c->last > 0)
		return c->last + 1;
	return c->checkpoint > 0 ? c->checkpoint : 1;
}

/*
 * Only the newest may lack its first record: it was on disk before anything else of the log was written. Not one that a checkpoint
 * has the number of, but for logs that never had a first record, nor any other: zeros. Has such a one lost what it had the next says so.
 */
enum journal_link
journal_chain_add(
    struct journal_chain *c, uint64_t number, const struct journal_file_result *r, bool newest)
{
	uint64_t expected = journal_chain_expected(c), end = c->end;
	bool counted = c->last > 0;
	bool nothing = !r->begun && r->used == 0;

	if (nothing && newest && number != c->checkpoint &&
	    (r->state == JOURNAL_FILE_WHOLE || r->state == JOURNAL_FILE_CUT))
		return JOURNAL_LINK_NOT_BEGUN;
	c->last = number;
	c->end = r->end;
	if (number != expected)
		return JOURNAL_LINK_GAP;
	if (nothing && r->state == JOURNAL_FILE_WHOLE)
		return JOURNAL_LINK_WHOLE;
	return r->begun && (!counted || end >= r->before) ? JOURNAL_LINK_WHOLE
							  : JOURNAL_LINK_SHORT;
}

static void
keep_damaged(const struct journal_past *p, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE];

	if (p->corruptfd >= 0)
		quarantine_copy(p->dirfd, journal_file_name(number, ".log", name), p->corruptfd,
		    "records in the middle of this log are damaged; the others were used, and "
		    "the segments searched for what is missing: some mail may be delivered "
		    "twice, none is lost");
}

/*
 * One log. Of one that is damaged, and has none behind it, the next is to say that more counts than there is: else it would
 * seem to be whole at another start.
 */
static void
replay_log(const struct journal_past *p, uint64_t number, bool newest,
    journal_replay_fn *replay, void *arg, struct journal_chain *chain,
    struct journal_history *h)
{
	struct journal_file_result r;
	enum journal_link link;

	journal_file_read(p->dirfd, number, JOURNAL_FILE_LOG, p->instance, replay, arg, &r);
	link = journal_chain_add(chain, number, &r, newest);
	if (link == JOURNAL_LINK_NOT_BEGUN)
		return;
	h->size += r.used;
	h->last = number;
	h->end = r.state == JOURNAL_FILE_DAMAGED ? r.size : r.end;
	if (r.state == JOURNAL_FILE_DAMAGED)
		keep_damaged(p, number);
	if (link != JOURNAL_LINK_WHOLE || r.state == JOURNAL_FILE_DAMAGED ||
	    r.state == JOURNAL_FILE_MISSING)
		h->whole = false;
}

struct journal_history
journal_past_replay(const struct journal_past *p, journal_replay_fn *replay, void *arg)
{
	struct journal_history h = {.whole = true};
	struct journal_chain chain = {0};
	uint64_t *numbers;
	size_t n;

	h.checkpoint = replay_checkpoint(p, replay, arg, &h.checkpoint_size);
	h.size = h.checkpoint_size;
	h.last = chain.checkpoint = h.checkpoint;
	n = journal_file_list(p->dirfd, ".log", &numbers);
	for (size_t i = 0; i < n; i++)
		if (numbers[i] >= h.checkpoint)
			replay_log(p, numbers[i], i + 1 == n, replay, arg, &chain, &h);
	/* A checkpoint is never alone: its log was begun before it. */
	if (h.checkpoint > 0 && chain.last == 0)
		h.whole = false;
	free(numbers);
	return h;
}

void
journal_past_replay_again(
    const struct journal_past *p, uint64_t upto, journal_replay_fn *replay, void *arg)
{
	static const char *const suffixes[] = {".ckpt", ".log"};
	struct journal_file_result r;

	for (size_t s = 0; s < 2; s++) {
		uint64_t *numbers;
		size_t n = journal_file_list(p->dirfd, suffixes[s], &numbers);

		for (size_t i = 0; i < n && numbers[i] <= upto; i++)
			journal_file_read(p->dirfd, numbers[i],
			    s == 0 ? JOURNAL_FILE_CHECKPOINT : JOURNAL_FILE_LOG, p->instance,
			    replay, arg, &r);
		free(numbers);
	}
}

void
journal_past_release_tail(const struct journal_past *p, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE], block[65536];
	int fd = openat(p->dirfd, journal_file_name(number, ".log", name),
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0, end = size;

	while (end > 0) {
		size_t want = (size_t)(end % (off_t)sizeof block);
		ssize_t n;

		want = want > 0 ? want : sizeof block;
		n = pread(fd, block, want, end - (off_t)want);
		if (n != (ssize_t)want)
			break;
		while (n > 0 && block[n - 1] == '\0')
			n--;
		end -= (off_t)want - n;
		if (n > 0)
			break;
	}
	if (fd >= 0 && end < size && ftruncate(fd, end) != 0)
		log_warn("journal: log %" PRIu64, number);
	if (fd >= 0)
		close(fd);
}

/* Removes the files with this suffix whose number is below; true if there was one. */
static bool
remove_below(const struct journal_past *p, const char *suffix, uint64_t number)
{
	uint64_t *numbers;
	size_t n = journal_file_list(p->dirfd, suffix, &numbers);
	char name[JOURNAL_NAME_SIZE];
	bool any = false;

	for (size_t i = 0; i < n && numbers[i] < number; i++)
		if (unlinkat(p->dirfd, journal_file_name(numbers[i], suffix, name), 0) == 0)
			any = true;
	free(numbers);
	return any;
}

bool
journal_past_remove_before(const struct journal_past *p, uint64_t number)
{
	bool logs = remove_below(p, ".log", number);

	return remove_below(p, ".ckpt", number) || logs;
}

void
journal_past_remove_unfinished(const struct journal_past *p)
{
	(void)remove_below(p, ".ckpt.new", UINT64_MAX);
}
