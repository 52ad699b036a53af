/*
 * test_peer: every request is answered exactly once, by the peer or by NULL, and
 * a lost connection comes back. The other side is a real service on a temporary socket.
 */
#include "common/peer.h"

#include <fcntl.h>

#include "common/log.h"
#include "common/service.h"
#include "tests/unit/sockets.h"

#define HELD 200

/* The server's side: echoes `text`, keeps requests back, or says nothing. */
struct server {
	struct service *service;
	enum { ECHO, HOLD, SILENT } manner;
	int ups, downs, messages;
	uint64_t held[HELD];
	int nheld;
	struct client *client; /* the last that came up */
	char notice[32];
	int fds;
};

/* The client's side. */
struct caller {
	int ups, downs, notices;
};

/* One request: what became of it. */
struct question {
	int answered, null;
	char text[32];
	bool returned; /* peer_call had returned when the answer came */
};

struct stage {
	struct event_base *base;
	struct sockets sockets;
	struct server server;
	struct caller caller;
	struct peer *peer;
	int answers; /* of all questions */
};

static void
answer(struct client *c, uint64_t id, struct span text)
{
	struct wire_msg m = {.id = id};
	struct wire_out w;

	client_answer_init(&w, &m);
	wire_add(&w, "text", text);
	assert_int_equal(client_send(c, &w, -1), 0);
}

static void
server_up(struct client *c, void *arg)
{
	struct server *s = arg;

	s->ups++;
	s->client = c;
}

static void
server_down(struct client *c, void *arg)
{
	struct server *s = arg;

	s->downs++;
	if (s->client == c)
		s->client = NULL;
}

static void
server_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct server *s = arg;
	struct span text = {NULL, 0};

	s->messages++;
	s->fds += (int)m->nfds;
	wire_get(m, "text", &text);
	if (m->id == 0)
		snprintf(s->notice, sizeof s->notice, "%.*s", SPAN_ARG(text));
	else if (s->manner == ECHO)
		answer(c, m->id, text);
	else if (s->manner == HOLD)
		s->held[s->nheld++] = m->id;
}

static const struct service_ops server_ops = {
    .on_up = server_up, .on_down = server_down, .on_message = server_message};

static void
caller_up(struct peer *p, void *arg)
{
	assert_true(peer_is_up(p));
	((struct caller *)arg)->ups++;
}

static void
caller_down(struct peer *p, void *arg)
{
	assert_false(peer_is_up(p));
	((struct caller *)arg)->downs++;
}

static void
caller_message(struct peer *p, struct wire_msg *m, void *arg)
{
	(void)p;
	assert_true(span_is(m->verb, "hint"));
	((struct caller *)arg)->notices++;
}

static const struct peer_ops caller_ops = {
    .on_up = caller_up, .on_down = caller_down, .on_message = caller_message};

static struct stage *stage_of_answers; /* for the callback, whose argument is the question */

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct question *q = arg;
	struct span text;

	q->answered++;
	q->null = m == NULL;
	assert_true(q->returned);
	if (m != NULL) {
		assert_int_equal(wire_get(m, "text", &text), 0);
		snprintf(q->text, sizeof q->text, "%.*s", SPAN_ARG(text));
	}
	stage_of_answers->answers++;
}

static uint64_t
ask(struct peer *p, struct question *q, const char *text, unsigned timeout_ms)
{
	uint64_t id = peer_next_id(p);
	struct wire_out w;

	*q = (struct question){0};
	wire_out_init(&w, "echo", id);
	wire_add_str(&w, "text", text);
	peer_call(p, &w, timeout_ms, on_answer, q);
	q->returned = true;
	return id;
}

static void
serve(struct stage *s)
{
	s->server.service = service_new(
	    s->base, sockets_listen(&s->sockets), "test", (uid_t)-1, &server_ops, &s->server);
}

static void
stage_init(struct stage *s)
{
	*s = (struct stage){.base = event_base_new()};
	assert_non_null(s->base);
	stage_of_answers = s;
	sockets_init(&s->sockets);
	serve(s);
	s->peer = peer_new(s->base, s->sockets.path, "tester", &caller_ops, &s->caller);
	assert_false(peer_is_up(s->peer));
}

static void
stage_release(struct stage *s)
{
	peer_free(&s->peer);
	service_free(&s->server.service);
	sockets_release(&s->sockets);
	event_base_free(s->base);
}

static void
answers_come_to_their_questions(void **state)
{
	struct question q[HELD];
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	assert_string_equal(client_role(s.server.client), "tester");
	s.server.manner = HOLD;
	for (int i = 0; i < HELD; i++)
		ask(s.peer, &q[i], "?", 5000);
	assert_true(testing_run_until(s.base, &s.server.nheld, HELD));
	/* In another order than asked, one twice, one never asked. */
	for (int i = 0; i < HELD; i++) {
		int k = (i * 77 + 13) % HELD;
		char text[32];

		snprintf(text, sizeof text, "answer %d", k);
		answer(s.server.client, s.server.held[k], span_str(text));
		answer(s.server.client, s.server.held[k], span_str("again"));
		answer(s.server.client, s.server.held[k] + 1000000, span_str("stray"));
	}
	assert_true(testing_run_until(s.base, &s.answers, HELD));
	testing_run_for(s.base, 10);
	for (int i = 0; i < HELD; i++) {
		char text[32];

		snprintf(text, sizeof text, "answer %d", i);
		assert_true(q[i].answered == 1 && !q[i].null);
		assert_string_equal(q[i].text, text);
	}
	stage_release(&s);
}

static void
a_question_to_one_that_is_down_is_answered_null(void **state)
{
	struct question q;
	struct stage s;

	(void)state;
	stage_init(&s);
	ask(s.peer, &q, "too early", 5000);
	assert_int_equal(q.answered, 0);
	assert_true(testing_run_until(s.base, &s.answers, 1));
	assert_true(q.answered == 1 && q.null);
	stage_release(&s);
}

static void
when_the_peer_dies_all_are_answered_null_and_it_comes_back(void **state)
{
	struct question q[50], after;
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	s.server.manner = HOLD;
	for (int i = 0; i < 50; i++)
		ask(s.peer, &q[i], "?", 60000);
	assert_true(testing_run_until(s.base, &s.server.nheld, 50));
	service_free(&s.server.service);
	assert_true(testing_run_until(s.base, &s.answers, 50));
	for (int i = 0; i < 50; i++)
		assert_true(q[i].answered == 1 && q[i].null);
	assert_true(s.caller.downs == 1 && s.server.downs == 1);
	assert_false(peer_is_up(s.peer));
	testing_run_for(s.base, 60);
	serve(&s);
	s.server.manner = ECHO;
	assert_true(testing_run_until(s.base, &s.caller.ups, 2));
	ask(s.peer, &after, "hello again", 5000);
	assert_true(testing_run_until(s.base, &s.answers, 51));
	assert_string_equal(after.text, "hello again");
	stage_release(&s);
}

static void
silence_ends_with_null(void **state)
{
	struct question q[3];
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	s.server.manner = HOLD;
	ask(s.peer, &q[0], "?", 30000);
	ask(s.peer, &q[1], "?", 100);
	ask(s.peer, &q[2], "?", 100);
	assert_true(testing_run_until(s.base, &s.answers, 2));
	assert_true(q[0].answered == 0 && q[1].null && q[2].null);
	/* The late answer finds nobody; the connection and the first question live on. */
	answer(s.server.client, s.server.held[1], span_str("late"));
	answer(s.server.client, s.server.held[0], span_str("in time"));
	assert_true(testing_run_until(s.base, &s.answers, 3));
	testing_run_for(s.base, 10);
	assert_string_equal(q[0].text, "in time");
	assert_true(q[1].answered == 1 && s.caller.downs == 0);
	stage_release(&s);
}

static void
a_cancelled_question_is_not_answered(void **state)
{
	struct question q[2];
	struct stage s;
	uint64_t id;

	(void)state;
	stage_init(&s);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	id = ask(s.peer, &q[0], "cancelled", 5000);
	ask(s.peer, &q[1], "kept", 5000);
	peer_cancel(s.peer, id);
	peer_cancel(s.peer, id);
	peer_cancel(s.peer, id + 1000000);
	assert_true(testing_run_until(s.base, &s.answers, 1));
	testing_run_for(s.base, 10);
	assert_true(q[0].answered == 0 && q[1].answered == 1);
	assert_string_equal(q[1].text, "kept");
	service_free(&s.server.service);
	assert_true(testing_run_until(s.base, &s.caller.downs, 1));
	assert_int_equal(q[0].answered, 0);
	stage_release(&s);
}

/* One question stays open while many come and go, so that the ring has to grow around it. */
static void
old_and_new_questions_share_the_ring(void **state)
{
	struct question first, q;
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	s.server.manner = HOLD;
	ask(s.peer, &first, "?", 60000);
	assert_true(testing_run_until(s.base, &s.server.nheld, 1));
	s.server.manner = ECHO;
	for (int i = 0; i < 500; i++) {
		char text[32];

		snprintf(text, sizeof text, "%d", i);
		ask(s.peer, &q, text, 5000);
		assert_true(testing_run_until(s.base, &s.answers, i + 1));
		assert_string_equal(q.text, text);
	}
	assert_int_equal(first.answered, 0);
	answer(s.server.client, s.server.held[0], span_str("at last"));
	assert_true(testing_run_until(s.base, &s.answers, 501));
	assert_string_equal(first.text, "at last");
	stage_release(&s);
}

static int
notify(struct peer *p, const char *text, int fd)
{
	struct wire_out w;

	wire_out_init(&w, "note", 0);
	wire_add_str(&w, "text", text);
	return peer_notify(p, &w, fd);
}

static void
notices_go_both_ways(void **state)
{
	struct wire_out w;
	struct stage s;
	int fd;

	(void)state;
	stage_init(&s);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(notify(s.peer, "too early", fd), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(testing_run_until(s.base, &s.caller.ups, 1));
	assert_int_equal(notify(s.peer, "news", open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
	assert_true(peer_backlog(s.peer) > 0);
	peer_flush(s.peer);
	assert_int_equal(peer_backlog(s.peer), 0);
	assert_true(testing_run_until(s.base, &s.server.messages, 1));
	assert_string_equal(s.server.notice, "news");
	assert_int_equal(s.server.fds, 1);
	wire_out_init(&w, "hint", 0);
	assert_int_equal(client_send(s.server.client, &w, -1), 0);
	assert_true(testing_run_until(s.base, &s.caller.notices, 1));
	stage_release(&s);
}

/* A server that speaks another version, or no greeting at all, never counts as up. */
static void
wrong_greetings_do_not_count(void **state)
{
	static const struct {
		const char *name;
		struct span octets;
	} rows[] = {
	    {"another version", LITERAL_INIT("\0\0\0\x10\0\0\0\0\0\0\0\0hello\nversion=2\n")},
	    {"no version", LITERAL_INIT("\0\0\0\x06\0\0\0\0\0\0\0\0hello\n")},
	    {"no greeting", LITERAL_INIT("\0\0\0\x09\0\0\0\0\0\0\0\0answer 1\n")},
	    {"nonsense", LITERAL_INIT("220 mx.test ESMTP\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct question q;
		struct stage s;
		int lfd, fd, closed = 0;
		char octet[200];

		stage_init(&s);
		service_free(&s.server.service);
		lfd = sockets_listen(&s.sockets);
		ask(s.peer, &q, "?", 5000);
		testing_run_for(s.base, 20);
		fd = accept(lfd, NULL, NULL);
		assert_true(fd >= 0);
		assert_int_equal(
		    write(fd, rows[i].octets.p, rows[i].octets.len), rows[i].octets.len);
		testing_run_for(s.base, 20);
		while (recv(fd, octet, sizeof octet, MSG_DONTWAIT) > 0)
			;
		closed = recv(fd, octet, sizeof octet, MSG_DONTWAIT) == 0;
		check_row(rows[i].name, closed && !peer_is_up(s.peer) && s.caller.ups == 0);
		check_row(rows[i].name, q.answered == 1 && q.null);
		close(fd);
		close(lfd);
		stage_release(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_come_to_their_questions),
	    cmocka_unit_test(a_question_to_one_that_is_down_is_answered_null),
	    cmocka_unit_test(when_the_peer_dies_all_are_answered_null_and_it_comes_back),
	    cmocka_unit_test(silence_ends_with_null),
	    cmocka_unit_test(a_cancelled_question_is_not_answered),
	    cmocka_unit_test(old_and_new_questions_share_the_ring),
	    cmocka_unit_test(notices_go_both_ways),
	    cmocka_unit_test(wrong_greetings_do_not_count),
	};

	log_init("test_peer", LOG_LEVEL_FATAL);
	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
