/*
 * test_control_client: the blocking client against a scripted server: greetings,
 * answers, descriptors, and what it makes of a peer that is gone or talks nonsense.
 */
#include "queue/control_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

/* What the server sends at once: a frame for each text, the last with a descriptor if fd >= 0; `=text` goes as it is. */
struct server {
	const char *const *frames;
	int fd, listener;
	pthread_t thread;
	char spool[64], path[108];
};

static void
send_frame(int to, const char *text, int fd)
{
	struct wire_out w = {.payload = {NULL, 0}};
	unsigned char header[WIRE_HEADER_SIZE];
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov[2];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	buf_init(&w.text, 65536);
	buf_add_str(&w.text, text);
	wire_header(&w, fd >= 0, header);
	iov[0] = (struct iovec){header, text[0] == '=' ? 0 : sizeof header};
	iov[1] = (struct iovec){w.text.p + (text[0] == '='), w.text.len - (text[0] == '=')};
	if (fd >= 0) {
		struct cmsghdr *cm;

		mh.msg_control = &control;
		mh.msg_controllen = sizeof control;
		cm = CMSG_FIRSTHDR(&mh);
		*cm = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		    .cmsg_type = SCM_RIGHTS,
		    .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(cm), &fd, sizeof fd);
	}
	sendmsg(to, &mh, MSG_NOSIGNAL);
	buf_release(&w.text);
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->listener, NULL, NULL);
	char sink[4096];

	for (const char *const *f = s->frames; *f != NULL; f++)
		send_frame(fd, *f, f[1] == NULL ? s->fd : -1);
	shutdown(fd, SHUT_WR);
	while (read(fd, sink, sizeof sink) > 0)
		;
	close(fd);
	return NULL;
}

static void
server_start(struct server *s, const char *name, const char *const *frames, int fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	*s = (struct server){.frames = frames, .fd = fd};
	snprintf(s->spool, sizeof s->spool, "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(s->spool));
	snprintf(s->path, sizeof s->path, "%s/sockets", s->spool);
	assert_int_equal(mkdir(s->path, 0700), 0);
	snprintf(s->path, sizeof s->path, "%s/sockets/control", s->spool);
	assert_int_equal(mkdir(s->path, 0700), 0);
	snprintf(s->path, sizeof s->path, "%s/sockets/control/%s", s->spool, name);
	memcpy(sun.sun_path, s->path, strlen(s->path) + 1);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(s->listener, 5), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	for (int i = 0; i < 3; i++) {
		*strrchr(s->path, '/') = '\0';
		rmdir(s->path);
	}
}

#define HELLO "hello\nversion=1\n"

static int
ask(struct control_client *c, struct wire_msg *answer, struct buf *why)
{
	struct wire_out w;

	wire_out_init(&w, "status", control_client_next_id(c));
	return control_client_call(c, &w, answer, why);
}

static void
gets_answers(void **state)
{
	static const char *const frames[] = {
	    HELLO, "notice\nx=y\n", "answer 7\nx=old\n", "answer 1\nx=a\\nb\n", NULL};
	struct control_client *c;
	struct wire_msg answer;
	struct server s;
	struct span x;
	struct buf why;
	int status, fd, zero = open("/dev/zero", O_RDONLY);
	char octet = 'x';

	(void)state;
	buf_init(&why, 4096);
	server_start(&s, "queue", frames, zero);
	c = control_client_open(s.spool, "queue", &status, &why);
	assert_non_null(c);
	assert_int_equal(status, 0);
	assert_int_equal(ask(c, &answer, &why), 0);
	assert_int_equal(wire_get(&answer, "x", &x), 0);
	assert_true(span_is(x, "a\nb"));
	fd = control_client_take_fd(c);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &octet, 1), 1);
	assert_int_equal(octet, 0);
	assert_int_equal(control_client_take_fd(c), -1);
	close(fd);
	control_client_close(&c);
	assert_null(c);
	server_stop(&s);
	close(zero);
	buf_release(&why);
}

static void
says_what_is_wrong(void **state)
{
	static const struct {
		const char *name;
		const char *const frames[4];
		bool opens;
		int want;
	} rows[] = {
	    {"closes at once", {NULL}, false, EX_UNAVAILABLE},
	    {"another version", {"hello\nversion=2\n", NULL}, false, EX_PROTOCOL},
	    {"no greeting", {"answer 1\n", NULL}, false, EX_PROTOCOL},
	    {"malformed greeting", {"hello\nversion\n", NULL}, false, EX_PROTOCOL},
	    {"no answer", {HELLO, NULL}, true, EX_UNAVAILABLE},
	    {"malformed answer", {HELLO, "answer one\n", NULL}, true, EX_PROTOCOL},
	    {"answer", {HELLO, "answer 1\nx=y\n", NULL}, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct control_client *c;
		struct wire_msg answer;
		struct server s;
		struct buf why;
		int status;

		buf_init(&why, 4096);
		server_start(&s, "queue", rows[i].frames, -1);
		c = control_client_open(s.spool, "queue", &status, &why);
		if ((c != NULL) != rows[i].opens)
			fail_msg("%s: %s", rows[i].name, buf_str(&why));
		if (c != NULL)
			status = ask(c, &answer, &why);
		if (status != rows[i].want || (status != 0) != (why.len > 0))
			fail_msg("%s: %d, want %d: %s", rows[i].name, status, rows[i].want,
			    buf_str(&why));
		control_client_close(&c);
		server_stop(&s);
		buf_release(&why);
	}
}

static void
reads_the_status_text(void **state)
{
	static const char *const texts[] = {"=version=1\n", "=state=ready\n", NULL};
	struct buf out, why;
	struct server s;

	(void)state;
	buf_init(&out, 65536);
	buf_init(&why, 4096);
	server_start(&s, "status", texts, -1);
	assert_int_equal(control_client_read_status(s.spool, &out, &why), 0);
	assert_string_equal(buf_str(&out), "version=1\nstate=ready\n");
	server_stop(&s);
	assert_int_equal(control_client_read_status(s.spool, &out, &why), EX_UNAVAILABLE);
	assert_true(why.len > 0);
	buf_release(&out);
	buf_release(&why);
}

static void
says_that_nobody_answers(void **state)
{
	struct control_client *c;
	struct buf why;
	int status;

	(void)state;
	buf_init(&why, 4096);
	c = control_client_open("/nonexistent", "queue", &status, &why);
	assert_null(c);
	assert_int_equal(status, EX_UNAVAILABLE);
	assert_non_null(strstr(buf_str(&why), "does not run"));
	buf_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gets_answers),
	    cmocka_unit_test(says_what_is_wrong),
	    cmocka_unit_test(reads_the_status_text),
	    cmocka_unit_test(says_that_nobody_answers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
