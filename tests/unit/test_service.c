/* test_service: who may connect, greetings, and that one bad client harms no other. */
#include "common/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "tests/unit/sockets.h"

struct seen {
	int ups, downs, messages;
	char role[40], verb[40];
	bool drop;
	struct client *last;
};

static void
on_up(struct client *c, void *arg)
{
	struct seen *s = arg;

	s->ups++;
	s->last = c;
	client_set_data(c, &s->drop);
	snprintf(s->role, sizeof s->role, "%s", client_role(c));
}

static void
on_down(struct client *c, void *arg)
{
	struct seen *s = arg;

	assert_ptr_equal(client_data(c), &s->drop);
	s->downs++;
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct seen *s = arg;

	s->messages++;
	snprintf(s->verb, sizeof s->verb, "%.*s", SPAN_ARG(m->verb));
	if (s->drop)
		client_drop(c, "as the test wants");
}

static const struct service_ops ops = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message};

struct stage {
	struct event_base *base;
	struct sockets sockets;
	struct service *service;
	struct seen seen;
};

static void
stage_init(struct stage *s)
{
	*s = (struct stage){.base = event_base_new()};
	assert_non_null(s->base);
	sockets_init(&s->sockets);
	s->service = service_new(
	    s->base, sockets_listen(&s->sockets), "front", (uid_t)-1, &ops, &s->seen);
}

static void
stage_release(struct stage *s)
{
	service_free(&s->service);
	sockets_release(&s->sockets);
	event_base_free(s->base);
}

/* Writes a frame with this text and no payload. */
static void
say(int fd, const char *text)
{
	uint32_t header[3] = {htonl((uint32_t)strlen(text)), 0, 0};

	assert_int_equal(send(fd, header, sizeof header, MSG_NOSIGNAL), sizeof header);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Does the other side close within a second, whatever it says before? */
static bool
is_closed(struct event_base *base, int fd)
{
	char octets[512];

	for (int i = 0; i < 100; i++) {
		ssize_t n = recv(fd, octets, sizeof octets, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		testing_run_for(base, 10);
	}
	return false;
}

static void
greets_and_hands_messages_over(void **state)
{
	static const char want[] = "\0\0\0\x10\0\0\0\0\0\0\0\0hello\nversion=1\n";
	char got[sizeof want] = {0};
	struct stage s;
	int fd;

	(void)state;
	stage_init(&s);
	fd = sockets_connect(&s.sockets);
	say(fd, "hello\nversion=1\nrole=smtpd\n");
	assert_true(testing_run_until(s.base, &s.seen.ups, 1));
	testing_run_for(s.base, 5);
	assert_string_equal(s.seen.role, "smtpd");
	assert_string_equal(client_service(s.seen.last), "front");
	assert_int_equal(client_uid(s.seen.last), geteuid());
	assert_int_equal(client_pid(s.seen.last), getpid());
	assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), sizeof want - 1);
	assert_memory_equal(got, want, sizeof want - 1);
	say(fd, "mail 1\nfrom=a@b\n");
	assert_true(testing_run_until(s.base, &s.seen.messages, 1));
	assert_string_equal(s.seen.verb, "mail");
	close(fd);
	assert_true(testing_run_until(s.base, &s.seen.downs, 1));
	stage_release(&s);
}

static void
bad_clients_are_dropped_and_harm_no_other(void **state)
{
	static const struct {
		const char *name, *text;
		int ups;
	} rows[] = {
	    {"another version", "hello\nversion=2\nrole=x\n", 0},
	    {"no version", "hello\nrole=x\n", 0},
	    {"no role", "hello\nversion=1\n", 0},
	    {"role too long", "hello\nversion=1\nrole=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 0},
	    {"no greeting", "mail 1\nfrom=a@b\n", 0},
	    {"malformed", "hello\nversion\n", 0},
	};
	struct stage s;
	int good;

	(void)state;
	stage_init(&s);
	good = sockets_connect(&s.sockets);
	say(good, "hello\nversion=1\nrole=good\n");
	assert_true(testing_run_until(s.base, &s.seen.ups, 1));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int bad = sockets_connect(&s.sockets), before = s.seen.messages;

		say(bad, rows[i].text);
		check_row(rows[i].name, is_closed(s.base, bad));
		check_row(rows[i].name, s.seen.ups == 1 + rows[i].ups && s.seen.downs == 0);
		check_row(rows[i].name, s.seen.messages == before);
		close(bad);
		say(good, "still\n");
		check_row(
		    rows[i].name, testing_run_until(s.base, &s.seen.messages, before + 1));
	}
	close(good);
	stage_release(&s);
}

static void
a_client_may_be_dropped_in_a_callback(void **state)
{
	struct stage s;
	int fd;

	(void)state;
	stage_init(&s);
	fd = sockets_connect(&s.sockets);
	say(fd, "hello\nversion=1\nrole=x\n");
	assert_true(testing_run_until(s.base, &s.seen.ups, 1));
	s.seen.drop = true;
	say(fd, "one\n");
	say(fd, "two\n");
	assert_true(testing_run_until(s.base, &s.seen.downs, 1));
	assert_true(is_closed(s.base, fd));
	assert_int_equal(s.seen.messages, 1);
	close(fd);
	stage_release(&s);
}

static void
many_clients_and_the_end_of_the_service(void **state)
{
	struct stage s;
	int fd[40];

	(void)state;
	stage_init(&s);
	for (int i = 0; i < 40; i++) {
		fd[i] = sockets_connect(&s.sockets);
		say(fd[i], "hello\nversion=1\nrole=x\n");
	}
	assert_true(testing_run_until(s.base, &s.seen.ups, 40));
	service_free(&s.service);
	assert_int_equal(s.seen.downs, 40);
	for (int i = 0; i < 40; i++) {
		assert_true(is_closed(s.base, fd[i]));
		close(fd[i]);
	}
	stage_release(&s);
}

/* In a child: becomes that user, connects, greets, and exits 0 if it is then served, 1 if closed upon. */
static void
connect_as(const struct sockets *sockets, uid_t uid)
{
	struct sockaddr_un a = sockets_address(sockets);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t header[3] = {htonl(23), 0, 0};
	char octet;

	if (setuid(uid) != 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		_exit(2);
	if (send(fd, header, sizeof header, MSG_NOSIGNAL) < 0 ||
	    send(fd, "hello\nversion=1\nrole=x\n", 23, MSG_NOSIGNAL) < 0)
		_exit(1);
	if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000) != 1)
		_exit(3);
	_exit(recv(fd, &octet, 1, 0) == 1 ? 0 : 1);
}

static void
only_known_users_may_connect(void **state)
{
	static const struct {
		const char *name;
		uid_t allowed, uid;
		int want;
	} rows[] = {
	    {"another user", (uid_t)-1, 54321, 1},
	    {"the user named", 54321, 54321, 0},
	    {"not the user named", 54321, 54322, 1},
	    {"root", 54321, 0, 0},
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;
		int status = -1;
		pid_t pid;

		stage_init(&s);
		service_free(&s.service);
		s.service = service_new(s.base, sockets_listen(&s.sockets), "front",
		    rows[i].allowed, &ops, &s.seen);
		assert_int_equal(chmod(s.sockets.directory, 0755), 0);
		assert_int_equal(chmod(s.sockets.path, 0666), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			connect_as(&s.sockets, rows[i].uid);
		while (waitpid(pid, &status, WNOHANG) == 0)
			testing_run_for(s.base, 5);
		check_row(
		    rows[i].name, WIFEXITED(status) && WEXITSTATUS(status) == rows[i].want);
		check_row(rows[i].name, s.seen.ups == (rows[i].want == 0));
		stage_release(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(greets_and_hands_messages_over),
	    cmocka_unit_test(bad_clients_are_dropped_and_harm_no_other),
	    cmocka_unit_test(a_client_may_be_dropped_in_a_callback),
	    cmocka_unit_test(many_clients_and_the_end_of_the_service),
	    cmocka_unit_test(only_known_users_may_connect),
	};

	log_init("test_service", LOG_LEVEL_FATAL);
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
