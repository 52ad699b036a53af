/*
 * store_history: a spool in which something has happened, what a start has to know of it, and the ways in which its
 * journal is kept from a checkpoint or put back. For the tests of damage, test_store_damage.c and test_store_segments.c.
 */
#ifndef TESTS_UNIT_STORE_HISTORY_H
#define TESTS_UNIT_STORE_HISTORY_H

#include "tests/unit/spool_files.h"

#include "queue/store_parts.h"

static inline bool
knows(const struct fixture *f, uint64_t number)
{
	return store_find(f->store, number) != NULL;
}

static inline void
block_checkpoint(struct fixture *f, unsigned number, bool block)
{
	char name[64];

	snprintf(name, sizeof name, "journal/%010u.ckpt.new", number);
	if (block)
		assert_int_equal(mkdirat(f->spoolfd, name, 0700), 0);
	else
		assert_int_equal(unlinkat(f->spoolfd, name, AT_REMOVEDIR), 0);
}

static inline void
deliver(struct fixture *f, uint64_t number)
{
	struct verdict ok = fixture_verdict(VERDICT_OK, "2.0.0", "done");

	store_deliver(f->store, message_recipient(store_find(f->store, number), 0), &ok);
	fixture_turn(f, 2);
	store_flush(f->store);
}

/* Copies the journal to or from a place beside it, as what is started on it changes it. */
static inline void
copy_journal(struct fixture *f, const char *from, const char *to)
{
	int fd = openat(f->spoolfd, from, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	struct dirent *e;

	(void)mkdirat(f->spoolfd, to, 0700);
	while ((e = readdir(d)) != NULL) {
		char path[400], block[4096];
		int in, out;
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", to, e->d_name);
		in = openat(fd, e->d_name, O_RDONLY);
		out = openat(f->spoolfd, path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		while ((n = read(in, block, sizeof block)) > 0)
			assert_int_equal(write(out, block, (size_t)n), n);
		close(in);
		close(out);
	}
	closedir(d);
}

/* Four messages: one delivered, one deferred, one failed, one untouched; all of it in a checkpoint. */
static inline void
make_history(struct fixture *f, uint64_t n[4])
{
	struct verdict later = fixture_verdict(VERDICT_TEMPORARY, "4.2.0", "later");
	struct verdict no = fixture_verdict(VERDICT_PERMANENT, "5.1.1", "no such user");

	fixture_init(f);
	fixture_add_writer(f);
	for (int i = 0; i < 4; i++)
		n[i] = fixture_send(f, "some content\n");
	message_recipient(store_find(f->store, n[1]), 0)->attempts = 3;
	store_defer(
	    f->store, message_recipient(store_find(f->store, n[1]), 0), &later, 2000000000);
	store_fail(f->store, message_recipient(store_find(f->store, n[2]), 0), &no);
	deliver(f, n[0]);
	fixture_reopen(f);
}

static inline void
check_history(struct fixture *f, const uint64_t n[4])
{
	const struct recipient *r;

	assert_false(knows(f, n[0]));
	assert_true(knows(f, n[1]) && knows(f, n[2]) && knows(f, n[3]));
	r = message_recipient(store_find(f->store, n[1]), 0);
	assert_int_equal(r->state, RECIPIENT_DEFERRED);
	assert_int_equal(r->attempts, 3);
	assert_true(r->next == 2000000000);
	r = message_recipient(store_find(f->store, n[2]), 0);
	assert_int_equal(r->state, RECIPIENT_FAILED);
	r = message_recipient(store_find(f->store, n[3]), 0);
	assert_int_equal(r->state, RECIPIENT_DUE);
}

#endif
