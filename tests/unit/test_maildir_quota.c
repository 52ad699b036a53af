/*
 * test_maildir_quota: mailboxes with a quota: who gets in, what maildirsize says afterwards, and when it is
 * counted afresh; and what can be told of it from outside.
 */
#include "deliver/maildir_quota.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/mailbox_usage.h"
#include "deliver/maildir.h"
#include "tests/unit/conf_fixture.h"

#define BOX "home/bob/Maildir"

static struct files files;

static int
setup(void **state)
{
	(void)state;
	files_init(&files);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	files_release(&files);
	return 0;
}

/* A file with so many octets, which no block need hold. */
static void
put(const char *name, off_t octets)
{
	int fd = open(files_path(&files, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, octets), 0);
	close(fd);
}

static void
put_text(const char *name, const char *text)
{
	int fd = open(files_path(&files, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static const char *
size_file(void)
{
	static char text[8192];
	int fd = open(files_path(&files, BOX "/maildirsize"), O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* As if it had been written so long ago. */
static void
age(const char *name, int seconds)
{
	struct timespec t[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};

	assert_int_equal(utimensat(AT_FDCWD, files_path(&files, name), t, 0), 0);
}

/* Delivers a message whose file has 100 octets and more, so many times in one batch; the last one's status. */
static const char *
deliver(uint64_t quota, size_t times, bool again)
{
	static char content[200];
	static unsigned number;
	static struct maildir_item items[MAILDIR_BATCH_MAX];
	struct volume_memory memory = {0};
	char message[MAILDIR_BATCH_MAX][48];
	/* Return-Path and Delivered-To are 54 octets */
	size_t len = 100 - 54;

	memset(content, 'x', sizeof content);
	number += !again;
	for (size_t i = 0; i < times; i++) {
		snprintf(message[i], sizeof message[i], "M%uX%zu", number, i);
		items[i] = (struct maildir_item){.directory = files.root,
		    .home = "home/bob",
		    .maildir = "Maildir",
		    .quota = quota,
		    .message = message[i],
		    .received = 1700000000,
		    .host = "mx.test",
		    .from = "sender@x.test",
		    .address = "bob@d.test",
		    .content = span_make(content, len),
		    .again = again,
		    .fd = -1};
	}
	maildir_deliver(&memory, items, times);
	return items[times - 1].verdict.status;
}

static void
keeps_the_file(void **state)
{
	(void)state;
	assert_string_equal(deliver(1000, 1, false), "2.0.0");
	assert_string_equal(
	    size_file(), "1000S\n           0            0\n         100            1\n");
	/* one line for a batch */
	assert_string_equal(deliver(1000, 3, false), "2.0.0");
	assert_string_equal(size_file(),
	    "1000S\n           0            0\n         100            1\n"
	    "         300            3\n");
	/* what was there already is not added again */
	assert_string_equal(deliver(1000, 3, true), "2.0.0");
	assert_string_equal(size_file(),
	    "1000S\n           0            0\n         100            1\n"
	    "         300            3\n");
	/* up to the last octet, and within a batch too */
	assert_string_equal(deliver(1000, 7, false), "4.2.2");
	assert_string_equal(deliver(1000, 1, false), "4.2.2");
	/* counted afresh when it said that the mailbox is full: one line */
	assert_string_equal(size_file(), "1000S\n        1000           10\n");
	assert_string_equal(deliver(1100, 1, false), "2.0.0");
	assert_string_equal(
	    size_file(), "1100S\n        1000           10\n         100            1\n");
}

static void
leaves_others_files_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_string_equal(deliver(0, 1, false), "2.0.0");
	assert_string_equal(size_file(), "");
	put_text(BOX "/maildirsize", "5S,3C\n 1 1\n");
	assert_string_equal(deliver(0, 1, false), "2.0.0");
	assert_string_equal(size_file(), "5S,3C\n 1 1\n         100            1\n");
	/* nor is a link followed, or a FIFO waited for */
	assert_int_equal(unlink(files_path(&files, BOX "/maildirsize")), 0);
	put_text("victim", "keep");
	assert_int_equal(symlink("../../../victim", files_path(&files, BOX "/maildirsize")), 0);
	assert_string_equal(deliver(0, 1, false), "2.0.0");
	assert_string_equal(deliver(5000, 1, false), "2.0.0");
	assert_int_equal(unlink(files_path(&files, BOX "/maildirsize")), 0);
	assert_int_equal(mkfifo(files_path(&files, BOX "/maildirsize"), 0600), 0);
	assert_string_equal(deliver(5000, 1, false), "2.0.0");
	assert_int_equal(stat(files_path(&files, "victim"), &st), 0);
	assert_int_equal(st.st_size, 4);
}

static void
counts_afresh(void **state)
{
	(void)state;
	assert_string_equal(deliver(100000, 1, false), "2.0.0");
	/* folders count, and names that do not say a size; what is no message does not */
	files_mkdir(&files, BOX "/.Sent");
	files_mkdir(&files, BOX "/.Sent/cur");
	put(BOX "/.Sent/cur/1.x,S=5000:2,S", 1);
	put(BOX "/cur/2.x:2,", 700);
	put(BOX "/cur/.hidden", 100000);
	put(BOX "/tmp/3.x,S=90000", 90000);
	put_text(BOX "/maildirsize", "nonsense");
	assert_string_equal(deliver(100000, 1, false), "2.0.0");
	assert_string_equal(
	    size_file(), "100000S\n        5800            3\n         100            1\n");
	/* a fresh file of one who counted is believed when it says full, an old one is not */
	put_text(BOX "/maildirsize", "100000S\n 99999 1\n");
	assert_string_equal(deliver(100000, 1, false), "4.2.2");
	age(BOX "/maildirsize", 1000);
	assert_string_equal(deliver(100000, 1, false), "2.0.0");
	assert_string_equal(
	    size_file(), "100000S\n        5900            4\n         100            1\n");
	/* one that has grown too long */
	{
		struct buf b;

		buf_init(&b, 8192);
		buf_add_str(&b, "100000S\n");
		while (b.len < 5200)
			buf_add_str(&b, " 1 1\n");
		put_text(BOX "/maildirsize", buf_str(&b));
		buf_release(&b);
	}
	assert_string_equal(deliver(100000, 1, false), "2.0.0");
	assert_string_equal(
	    size_file(), "100000S\n        6000            5\n         100            1\n");
}

static void
refuses_for_good(void **state)
{
	struct maildir_quota q = {.limit = 100, .refuses = true};
	struct mailbox_dirs d;
	struct verdict v;

	(void)state;
	assert_int_equal(mailbox_dirs_open(&d, files.root, "home/bob", "Maildir", &v), 0);
	assert_int_equal(maildir_quota_admit(&q, &d, 60, "bob@d.test", &v), 0);
	assert_int_equal(maildir_quota_admit(&q, &d, 60, "bob@d.test", &v), -1);
	assert_int_equal(v.kind, VERDICT_PERMANENT);
	assert_int_equal(v.code, 552);
	assert_string_equal(v.status, "5.2.2");
	mailbox_dirs_close(&d);
}

static struct mailbox_usage
usage(uint64_t need)
{
	struct mailbox_usage u;

	mailbox_usage_read(files.root, span_str("home/bob"), "Maildir", need, time(NULL), &u);
	return u;
}

static void
is_seen_from_outside(void **state)
{
	struct mailbox_usage u;

	(void)state;
	u = usage(1000); /* there is none yet */
	assert_true(!u.at_least && u.octets == 0);
	assert_string_equal(deliver(1000, 2, false), "2.0.0");
	u = usage(1000);
	assert_true(!u.at_least && !u.counted && u.octets == 200 && u.messages == 2);
	/* without it names are counted, as far as matters */
	assert_int_equal(unlink(files_path(&files, BOX "/maildirsize")), 0);
	put(BOX "/cur/1.big,S=2147483648:2,S", 1);
	u = usage(UINT64_C(1) << 40);
	assert_true(!u.at_least && u.counted && u.octets == 2147483848 && u.messages == 3);
	u = usage(1 << 30);
	assert_true(u.octets > 1 << 30);
	/* an old file that says full is not believed, one that says there is room is */
	put_text(BOX "/maildirsize", "1000S\n 5000000000 1\n");
	assert_int_equal(usage(3000000000).octets, 5000000000);
	age(BOX "/maildirsize", 1000);
	assert_int_equal(usage(3000000000).octets, 2147483848);
	assert_int_equal(usage(6000000000).octets, 5000000000);
	/* nor a link, and nothing is waited for */
	assert_int_equal(unlink(files_path(&files, BOX "/maildirsize")), 0);
	assert_int_equal(mkfifo(files_path(&files, BOX "/maildirsize"), 0600), 0);
	assert_true(usage(3000000000).counted);
	assert_int_equal(unlink(files_path(&files, BOX "/maildirsize")), 0);
	put_text("elsewhere", "1S\n 7 7\n");
	assert_int_equal(
	    symlink("../../../elsewhere", files_path(&files, BOX "/maildirsize")), 0);
	assert_true(usage(3000000000).counted);
	/* what cannot be looked at has at least nothing */
	assert_int_equal(rename(files_path(&files, "home"), files_path(&files, "gone")), 0);
	assert_int_equal(symlink("gone", files_path(&files, "home")), 0);
	u = usage(1000);
	assert_true(u.at_least && u.octets == 0);
}

static void
looks_at_so_many_names(void **state)
{
	struct mailbox_usage u;
	char name[64];

	(void)state;
	assert_string_equal(deliver(0, 1, false), "2.0.0");
	for (int i = 0; i < MAILBOX_USAGE_NAMES + 100; i++) {
		snprintf(name, sizeof name, BOX "/cur/%d.x,S=10:2,S", i);
		put(name, 0);
	}
	u = usage(UINT64_MAX / 2);
	assert_true(u.at_least);
	/* "." and ".." are names, too */
	assert_in_range(u.messages, MAILBOX_USAGE_NAMES - 4, MAILBOX_USAGE_NAMES);
	assert_true(u.octets >= 10 * (MAILBOX_USAGE_NAMES - 5));
}

/* Names that are no messages are looked at all the same: an owner could make millions of them. */
static void
looks_at_so_many_other_names(void **state)
{
	char name[64];

	(void)state;
	assert_string_equal(deliver(0, 1, false), "2.0.0");
	assert_false(usage(UINT64_MAX / 2).at_least);
	for (int i = 0; i < MAILBOX_USAGE_NAMES; i++) {
		snprintf(name, sizeof name, BOX "/cur/.%d", i);
		put(name, 0);
	}
	assert_true(usage(UINT64_MAX / 2).at_least);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(keeps_the_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(leaves_others_files_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(counts_afresh, setup, teardown),
	    cmocka_unit_test_setup_teardown(refuses_for_good, setup, teardown),
	    cmocka_unit_test_setup_teardown(is_seen_from_outside, setup, teardown),
	    cmocka_unit_test_setup_teardown(looks_at_so_many_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(looks_at_so_many_other_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
