/* test_watch: inotify on directories. */
#include "conf/watch.h"

#include <sys/inotify.h>

#include "tests/unit/conf_fixture.h"

static struct files files;
static unsigned events;

static void
count_event(void *object, struct span name, uint32_t mask, void *arg)
{
	(void)name, (void)arg;
	assert_ptr_equal(object, &files);
	events += (mask & IN_IGNORED) == 0;
}

static void
watches_until_told_otherwise(void **state)
{
	struct watch *w = watch_new(10, count_event, NULL);
	int fd, n;

	(void)state;
	files_init(&files);
	files_mkdir(&files, "d");
	fd = open(files_path(&files, "d"), O_PATH | O_DIRECTORY);
	n = watch_add(w, fd, files_path(&files, "d"), &files);
	assert_true(n >= 0);
	assert_int_equal(
	    watch_add(w, fd, files_path(&files, "d"), &events), -1); /* is watched already */
	watch_drain(w);
	assert_int_equal(events, 0);
	files_write(&files, "d/file", span_str("x"));
	watch_drain(w);
	assert_true(events > 0);
	events = 0;
	files_write(&files, "d/file", span_str("y"));
	watch_remove(w, n);
	watch_drain(w);
	assert_int_equal(events, 0);
	close(fd);
	watch_free(&w);
	files_release(&files);
}

static void
does_without(void **state)
{
	struct watch *w = watch_new(0, count_event, NULL);
	int fd;

	(void)state;
	files_init(&files);
	fd = open(files.root, O_PATH | O_DIRECTORY);
	assert_int_equal(watch_add(w, fd, files.root, &files), -1);
	assert_int_equal(errno, ENOSPC);
	watch_remove(w, -1);
	watch_drain(w);
	close(fd);
	watch_free(&w);
	watch_free(&w);
	files_release(&files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(watches_until_told_otherwise),
	    cmocka_unit_test(does_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
