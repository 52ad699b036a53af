/* test_notify: what a service manager receives, at a path and at an abstract name. */
#include "common/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/testing.h"

/* A manager's socket of this name ("@…" is abstract), which does not wait. */
static int
manager(const char *name)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, name, len);
	if (name[0] == '@')
		sun.sun_path[0] = '\0';
	else
		len++;
	assert_int_equal(bind(fd, (struct sockaddr *)&sun,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	return fd;
}

static void
expect(int fd, const char *want)
{
	char got[1024];
	ssize_t n = recv(fd, got, sizeof got - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
check_all_states(const char *name)
{
	int fd = manager(name);
	struct notify *n = notify_new(name);
	char got[1024];
	const char *usec;
	ssize_t len;

	notify_ready(n, "serving");
	expect(fd, "READY=1\nSTATUS=serving\n");
	notify_stopping(n, "stopping");
	expect(fd, "STOPPING=1\nSTATUS=stopping\n");
	notify_reloading(n, "reading");
	len = recv(fd, got, sizeof got - 1, 0);
	assert_true(len > 0);
	got[len] = '\0';
	assert_int_equal(strncmp(got, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	usec = got + 27;
	assert_true(strtoull(usec, NULL, 10) > 0);
	assert_string_equal(strchr(usec, '\n'), "\nSTATUS=reading\n");
	notify_free(&n);
	assert_null(n);
	close(fd);
}

static void
tells_a_path(void **state)
{
	char dir[] = "/tmp/prt-notify-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/socket", dir);
	check_all_states(path);
	unlink(path);
	rmdir(dir);
}

static void
tells_an_abstract_name(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "@prt-notify-%d", (int)getpid());
	check_all_states(name);
}

static void
is_silent_without_a_manager(void **state)
{
	static const char *const names[] = {NULL, "", "relative", "/no/such/socket"};
	char long_name[200];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct notify *n = notify_new(names[i]);

		assert_non_null(n);
		notify_ready(n, "serving");
		notify_free(&n);
	}
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[0] = '/';
	long_name[sizeof long_name - 1] = '\0';
	for (struct notify *n = notify_new(long_name); n != NULL; notify_free(&n))
		notify_ready(n, "serving");
}

/* A manager that does not read must not stop us: this test ends, or the time limit ends it. */
static void
never_waits(void **state)
{
	char name[64];
	int fd, got = 0;
	struct notify *n;
	char buf[256];

	(void)state;
	snprintf(name, sizeof name, "@prt-notify-full-%d", (int)getpid());
	fd = manager(name);
	n = notify_new(name);
	for (int i = 0; i < 5000; i++)
		notify_ready(n, "again");
	while (recv(fd, buf, sizeof buf, 0) > 0)
		got++;
	assert_in_range(got, 1, 4999);
	notify_free(&n);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells_a_path),
	    cmocka_unit_test(tells_an_abstract_name),
	    cmocka_unit_test(is_silent_without_a_manager),
	    cmocka_unit_test(never_waits),
	};

	log_init("test_notify", LOG_LEVEL_FATAL); /* thousands of warnings */
	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
