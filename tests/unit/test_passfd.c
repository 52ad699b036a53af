/* test_passfd: descriptors that travel beside octets; none is lost, none is kept that has no place. */
#include "common/passfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/testing.h"

#define MORE (WIRE_FDS_MAX + 2)

static int pair[2];

static int
setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static int
teardown(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* The descriptors that this process has open. */
static unsigned
count_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* So many copies of descriptor 0 in one message, as no function of passfd sends them. */
static void
send_many(unsigned n)
{
	union {
		char octets[CMSG_SPACE(MORE * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {(char *)(uintptr_t) "x", 1};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memset(CMSG_DATA(c), 0, n * sizeof(int));
	assert_int_equal(sendmsg(pair[0], &h, 0), 1);
}

static int
receive(int *fds, size_t *n, size_t max)
{
	union passfd_control control;
	char octet;
	struct iovec iov = {&octet, 1};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	passfd_expect(&h, &control);
	assert_int_equal(recvmsg(pair[1], &h, MSG_CMSG_CLOEXEC), 1);
	return passfd_take(&h, fds, n, max);
}

static void
brings_the_same_file(void **state)
{
	union passfd_control control;
	struct iovec iov = {(char *)(uintptr_t) "x", 1};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	int p[2], fds[2] = {-1, -1};
	size_t n = 1;
	char got[3] = "";

	(void)state;
	assert_int_equal(pipe(p), 0);
	passfd_attach(&h, &control, p[1]);
	assert_int_equal(sendmsg(pair[0], &h, 0), 1);
	close(p[1]);
	assert_int_equal(receive(fds, &n, 2), 0);
	assert_int_equal(n, 2);
	assert_int_equal(fds[0], -1);
	assert_true((fcntl(fds[1], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(fds[1], "ok", 2), 2);
	assert_int_equal(read(p[0], got, 2), 2);
	assert_string_equal(got, "ok");
	close(fds[1]);
	close(p[0]);
}

static void
closes_what_has_no_place(void **state)
{
	static const struct {
		const char *name;
		unsigned sent;
		size_t max, kept;
		int result;
	} rows[] = {
	    {"none", 0, 2, 0, 0},
	    {"as many as there may be", 2, 2, 2, 0},
	    {"one more", 3, 2, 2, -1},
	    {"as many as the room is for", WIRE_FDS_MAX, WIRE_FDS_MAX, WIRE_FDS_MAX, 0},
	    {"more than the room is for", MORE, WIRE_FDS_MAX, WIRE_FDS_MAX, -1},
	    {"more than the room is for, and no place", MORE, 0, 0, -1},
	};
	int fds[WIRE_FDS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned before = count_open();
		size_t n = 0;

		if (rows[i].sent > 0)
			send_many(rows[i].sent);
		else
			assert_int_equal(send(pair[0], "x", 1, 0), 1);
		check_row(rows[i].name, receive(fds, &n, rows[i].max) == rows[i].result);
		check_row(rows[i].name, n == rows[i].kept);
		check_row(rows[i].name, count_open() == before + rows[i].kept);
		while (n > 0)
			close(fds[--n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(brings_the_same_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(closes_what_has_no_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
