/* test_sendmail_drop: what is left in drop/ is whole, readable by the directory's group, and can be parsed. */
#include "queue/sendmail_drop.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/xalloc.h"
#include "queue/drop_file.h"

struct place {
	char directory[64], file[128];
};

static void
place_init(struct place *p)
{
	snprintf(p->directory, sizeof p->directory, "/tmp/test_drop.XXXXXX");
	assert_non_null(mkdtemp(p->directory));
}

/* How many entries there are; the last one's path in p->file. */
static unsigned
count_files(struct place *p)
{
	DIR *d = opendir(p->directory);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		assert_true(drop_file_name_valid(span_str(e->d_name)));
		snprintf(p->file, sizeof p->file, "%s/%.40s", p->directory, e->d_name);
	}
	closedir(d);
	return n;
}

static void
envelope_init(struct sendmail_envelope *e, struct sendmail_content *c)
{
	const char *why;

	*e = (struct sendmail_envelope){.hostname = "mx.test", .notify = "NEVER"};
	sendmail_recipients_init(&e->recipients);
	assert_int_equal(sendmail_envelope_set_sender(e, "alice@a.test", "mx.test", &why), 0);
	assert_int_equal(sendmail_recipients_add_list(&e->recipients,
			     span_str("one@b.test,two@b.test,three"), "mx.test", &why),
	    0);
	sendmail_recipients_decide_all(
	    &e->recipients, SENDMAIL_RECIPIENT_PENDING, SENDMAIL_RECIPIENT_DEFERRED, NULL);
	sendmail_content_init(c, 1U << 20);
	assert_int_equal(sendmail_content_add(c, span_str("Subject: x\n\nb\xc3\xa9\n")), 0);
}

static void
leaves_a_whole_file(void **state)
{
	struct sendmail_envelope e;
	struct sendmail_content c;
	struct place p;
	struct drop_file d;
	struct stat st;
	struct buf why;
	char text[4096];
	const char *reason;
	size_t head;
	ssize_t n;
	int fd;

	(void)state;
	place_init(&p);
	envelope_init(&e, &c);
	buf_init(&why, 4096);
	e.recipients.v[1]->state = SENDMAIL_RECIPIENT_SENT;
	umask(077);
	assert_int_equal(sendmail_drop(p.directory, &e, &c, &why), 0);
	assert_int_equal(count_files(&p), 1);
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 1);
	fd = open(p.file, O_RDONLY);
	n = read(fd, text, sizeof text);
	close(fd);
	assert_int_equal(
	    drop_file_parse(span_make(text, (size_t)n), &d, &head, &reason), DROP_OK);
	assert_true(span_is(d.from, "alice@a.test"));
	assert_int_equal(d.nrecipients, 2);
	assert_true(span_is(d.recipients[0], "one@b.test"));
	assert_true(span_is(d.recipients[1], "three@mx.test"));
	assert_true(span_is(d.notify, "NEVER"));
	assert_true(d.eight_bit);
	assert_int_equal(d.size, (size_t)n - head);
	assert_memory_equal(text + head, "Subject: x\n\nb\xc3\xa9\n", d.size);
	drop_file_release(&d);
	unlink(p.file);
	rmdir(p.directory);
	sendmail_recipients_release(&e.recipients);
	sendmail_content_release(&c);
	buf_release(&why);
}

/* A file holds what goes in one transaction: for more there are more files, each with all of the content. */
static void
splits_many_recipients(void **state)
{
	struct sendmail_envelope e;
	struct sendmail_content c;
	struct place p;
	struct buf why;
	const char *reason;

	(void)state;
	place_init(&p);
	envelope_init(&e, &c);
	buf_init(&why, 4096);
	for (unsigned i = 3; i < 2 * DROP_RECIPIENTS_MAX + 1; i++) {
		char *address = xasprintf("u%u@b.test", i);

		assert_int_equal(sendmail_recipients_add(&e.recipients, span_str(address), true,
				     "mx.test", &reason),
		    0);
		free(address);
	}
	sendmail_recipients_decide_all(
	    &e.recipients, SENDMAIL_RECIPIENT_PENDING, SENDMAIL_RECIPIENT_DEFERRED, NULL);
	assert_int_equal(sendmail_drop(p.directory, &e, &c, &why), 0);
	assert_int_equal(sendmail_recipients_count(&e.recipients, SENDMAIL_RECIPIENT_SENT),
	    2 * DROP_RECIPIENTS_MAX + 1);
	for (unsigned left = 3; left > 0; left--) {
		assert_int_equal(count_files(&p), left);
		unlink(p.file);
	}
	rmdir(p.directory);
	sendmail_recipients_release(&e.recipients);
	sendmail_content_release(&c);
	buf_release(&why);
}

/* A disk that takes only the beginning: no file, whole or not, is left. */
static void
leaves_nothing_when_it_fails(void **state)
{
	struct rlimit before, small = {.rlim_cur = 50};
	struct sendmail_envelope e;
	struct sendmail_content c;
	struct place p;
	struct buf why;

	(void)state;
	place_init(&p);
	envelope_init(&e, &c);
	buf_init(&why, 4096);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(sendmail_drop(p.directory, &e, &c, &why), EX_TEMPFAIL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(why.len > 0);
	assert_int_equal(count_files(&p), 0);
	rmdir(p.directory);
	assert_int_equal(sendmail_drop(p.directory, &e, &c, &why), EX_TEMPFAIL);
	sendmail_recipients_release(&e.recipients);
	sendmail_content_release(&c);
	buf_release(&why);
}

/* drop/ as the daemon makes it, seen by a stranger: cannot be listed, can be written to. */
static void
works_for_a_stranger(void **state)
{
	struct sendmail_envelope e;
	struct sendmail_content c;
	struct place p;
	struct stat st;
	struct buf why;

	(void)state;
	if (geteuid() != 0)
		skip();
	place_init(&p);
	envelope_init(&e, &c);
	buf_init(&why, 4096);
	assert_int_equal(chown(p.directory, 64003, 64003), 0);
	assert_int_equal(chmod(p.directory, 03733), 0);
	assert_int_equal(setegid(65534), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(open(p.directory, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(sendmail_drop(p.directory, &e, &c, &why), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(count_files(&p), 1);
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 64003);
	assert_int_equal(st.st_mode & 07777, 0640);
	unlink(p.file);
	rmdir(p.directory);
	sendmail_recipients_release(&e.recipients);
	sendmail_content_release(&c);
	buf_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves_a_whole_file),
	    cmocka_unit_test(splits_many_recipients),
	    cmocka_unit_test(leaves_nothing_when_it_fails),
	    cmocka_unit_test(works_for_a_stranger),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
