/* test_spool_client: the conversation with the queue manager, played by this test over its socket. */
#include "smtpd/spool_client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/service.h"
#include "queue/spool_record.h"

#define SEGMENT_SIZE 65536

struct bench {
	struct event_base *base;
	char directory[64], path[100];
	struct service *service; /* the queue manager; NULL: it is down */
	struct client *worker;
	char said[4096]; /* what the worker said, one line a message */
	uint64_t next_segment;
	bool refuse_large, silent;
	uint64_t pending_id; /* of a large request not answered, while silent */
	struct spool_client *client;
	int ready, done;
	struct verdict ready_verdict, verdict;
	bool stopped;
};

static int
make_file(struct bench *b, const char *name, off_t size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/%s", b->directory, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static off_t
file_size(struct bench *b, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", b->directory, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
hand_out_segment(struct bench *b)
{
	struct wire_out w;
	char name[32];
	uint64_t n = b->next_segment++;

	snprintf(name, sizeof name, "%" PRIu64 ".seg", n);
	wire_out_init(&w, "segment", 0);
	wire_add_u64(&w, "number", n);
	wire_add_u64(&w, "generation", 100 + n);
	wire_add_u64(&w, "instance", 9);
	wire_add_u64(&w, "size", SEGMENT_SIZE);
	wire_add_u64(&w, "start", SPOOL_PAGE);
	client_send(b->worker, &w, make_file(b, name, SEGMENT_SIZE));
}

static void
answer_large(struct bench *b, uint64_t id)
{
	struct wire_msg m = {.id = id};
	struct verdict v;
	struct wire_out w;

	client_answer_init(&w, &m);
	verdict_set(&v, b->refuse_large ? VERDICT_TEMPORARY : VERDICT_OK,
	    b->refuse_large ? 452 : 250, b->refuse_large ? "4.3.1" : "2.0.0", "said");
	wire_add_verdict(&w, &v);
	wire_add_u64(&w, "generation", 77);
	wire_add_u64(&w, "instance", 9);
	client_send(b->worker, &w, b->refuse_large ? -1 : make_file(b, "large", 0));
}

static void
on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct bench *b = arg;
	size_t at = strlen(b->said);

	(void)c;
	at += (size_t)snprintf(b->said + at, sizeof b->said - at, "%.*s", SPAN_ARG(m->verb));
	for (size_t i = 0; i < m->nfields; i++)
		at += (size_t)snprintf(
		    b->said + at, sizeof b->said - at, " %.*s", SPAN_ARG(m->fields[i].value));
	snprintf(b->said + at, sizeof b->said - at, "\n");
	if (!span_is(m->verb, "large"))
		return;
	if (b->silent)
		b->pending_id = m->id;
	else
		answer_large(b, m->id);
}

static void
on_up(struct client *c, void *arg)
{
	((struct bench *)arg)->worker = c;
}

static void
on_down(struct client *c, void *arg)
{
	(void)c;
	((struct bench *)arg)->worker = NULL;
}

static void
start_queue(struct bench *b)
{
	static const struct service_ops ops = {
	    .on_up = on_up, .on_down = on_down, .on_message = on_message};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", b->path);
	(void)unlink(b->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 5), 0);
	b->service = service_new(b->base, fd, "queue", (uid_t)-1, &ops, b);
}

static bool
is_up(const struct bench *b)
{
	return b->worker != NULL;
}

static bool
is_done(const struct bench *b)
{
	return b->done > 0;
}

static bool
is_ready(const struct bench *b)
{
	return b->ready > 0;
}

static bool
has_segment(const struct bench *b)
{
	return spool_client_ops.has_room(b->client);
}

static bool
has_stopped(const struct bench *b)
{
	return b->stopped;
}

/* Runs the loop until it is so, for at most five seconds; NULL: a little while. */
static void
run_until(struct bench *b, bool (*so)(const struct bench *))
{
	for (int i = 0; i < (so != NULL ? 5000 : 30); i++) {
		if (so != NULL && so(b))
			return;
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	if (so != NULL)
		fail_msg("waited in vain");
}

static void
bench_init(struct bench *b)
{
	memset(b, 0, sizeof *b);
	b->base = event_base_new();
	b->next_segment = 1;
	snprintf(b->directory, sizeof b->directory, "/tmp/test_spool_client.XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	snprintf(b->path, sizeof b->path, "%s/queue", b->directory);
	start_queue(b);
	b->client = spool_client_new(b->base, b->path);
	run_until(b, is_up);
}

static void
bench_release(struct bench *b)
{
	static const char *const names[] = {"queue", "large", "1.seg", "2.seg"};
	char path[256];

	spool_client_free(&b->client);
	service_free(&b->service);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", b->directory, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(b->directory), 0);
	event_base_free(b->base);
}

static void
on_done(const struct verdict *v, void *arg)
{
	struct bench *b = arg;

	b->done++;
	b->verdict = *v;
}

static void
on_ready(const struct verdict *v, void *arg)
{
	struct bench *b = arg;

	b->ready++;
	b->ready_verdict = *v;
}

static uint64_t
commit(struct bench *b, const char *content)
{
	struct spool_message m = {.number = spool_client_ops.next_message(b->client),
	    .received_ms = 5,
	    .envelope = span_str("envelope\n")};

	b->done = 0;
	spool_client_ops.commit(b->client, &m, span_str(content), on_done, b);
	assert_int_equal(b->done, 0);
	return m.number;
}

static void
segments_come_and_go(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_false(has_segment(&b));
	assert_int_equal(spool_client_ops.next_message(b.client), 0);
	hand_out_segment(&b);
	run_until(&b, has_segment);
	assert_int_equal(commit(&b, "content\n"), UINT64_C(101) << SPOOL_COUNT_BITS | 1);
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	run_until(&b, NULL);
	assert_string_equal(b.said, "durable 1 101 8192\n");
	spool_client_count(b.client, 3, 2, 1);
	run_until(&b, NULL);
	assert_string_equal(b.said, "durable 1 101 8192\ncount 3 2 1\n");
	bench_release(&b);
}

static void
room_is_what_the_queue_says(void **state)
{
	struct bench b;
	struct wire_out w;

	(void)state;
	bench_init(&b);
	hand_out_segment(&b);
	run_until(&b, has_segment);
	for (int yes = 0; yes < 2; yes++) {
		wire_out_init(&w, "space", 0);
		wire_add_str(&w, "room", yes != 0 ? "yes" : "no");
		client_send(b.worker, &w, -1);
		run_until(&b, NULL);
		assert_int_equal(has_segment(&b), yes != 0);
	}
	bench_release(&b);
}

/* Two messages that one segment has no room for, with the first committed: the second is under way. */
static void
fill_segment(struct bench *b)
{
	static char content[40000];

	memset(content, 'x', sizeof content - 1);
	bench_init(b);
	hand_out_segment(b);
	run_until(b, has_segment);
	commit(b, content);
	run_until(b, is_done);
	assert_int_equal(b->verdict.kind, VERDICT_OK);
	commit(b, content);
	run_until(b, NULL);
}

/* All in hand is full, and the queue manager is about to hand out more: mail waits, and no number is given twice. */
static void
the_next_segment_is_awaited(void **state)
{
	struct bench b;

	(void)state;
	fill_segment(&b);
	assert_int_equal(b.done, 0);
	assert_true(has_segment(&b));
	assert_int_equal(
	    spool_client_ops.next_message(b.client), UINT64_C(101) << SPOOL_COUNT_BITS | 3);
	hand_out_segment(&b);
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	assert_int_equal(
	    spool_client_ops.next_message(b.client), UINT64_C(102) << SPOOL_COUNT_BITS | 1);
	bench_release(&b);
}

/* One that is larger than any segment is refused alone: nothing is sealed for it, and others come in. */
static void
larger_than_a_segment(void **state)
{
	static char content[SEGMENT_SIZE];
	struct bench b;

	(void)state;
	memset(content, 'x', sizeof content - 1);
	bench_init(&b);
	hand_out_segment(&b);
	run_until(&b, has_segment);
	commit(&b, content);
	run_until(&b, is_done);
	assert_int_equal(b.verdict.code, 452);
	commit(&b, "content\n");
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	run_until(&b, NULL);
	assert_string_equal(b.said, "durable 1 101 8192\n");
	bench_release(&b);
}

/* Not if it has said that there is no room, and not for ever. */
static void
the_next_segment_may_not_come(void **state)
{
	struct bench b;
	struct wire_out w;

	(void)state;
	for (int told = 0; told < 2; told++) {
		fill_segment(&b);
		assert_int_equal(b.done, 0);
		if (told != 0) {
			wire_out_init(&w, "space", 0);
			wire_add_str(&w, "room", "no");
			client_send(b.worker, &w, -1);
			run_until(&b, NULL);
			assert_int_equal(b.done, 1);
		}
		run_until(&b, is_done);
		assert_int_equal(b.verdict.code, 452);
		assert_false(has_segment(&b));
		assert_int_equal(spool_client_ops.next_message(b.client), 0);
		bench_release(&b);
	}
}

/* Without its queue manager the worker goes on; to the next one it first says what it holds. */
static void
it_goes_on_alone(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	hand_out_segment(&b);
	run_until(&b, has_segment);
	service_free(&b.service);
	assert_false(is_up(&b));
	commit(&b, "content\n");
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	assert_string_equal(b.said, "");
	start_queue(&b);
	run_until(&b, is_up);
	run_until(&b, NULL);
	assert_string_equal(b.said, "holding 1 101 8192\n");
	bench_release(&b);
}

static void
on_stopped(void *arg)
{
	((struct bench *)arg)->stopped = true;
}

static void
stop_gives_everything_back(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	hand_out_segment(&b);
	hand_out_segment(&b);
	run_until(&b, has_segment);
	commit(&b, "content\n");
	run_until(&b, is_done);
	spool_client_stop(b.client, on_stopped, &b);
	assert_false(b.stopped);
	run_until(&b, has_stopped);
	assert_int_equal(spool_client_pending(b.client), 0);
	run_until(&b, NULL);
	assert_string_equal(
	    b.said, "durable 1 101 8192\nsealed 1 101 8192 stop\nsealed 2 102 4096 stop\n");
	bench_release(&b);
}

static struct large *
open_large(struct bench *b)
{
	struct spool_message m = {
	    .number = 0xabc, .received_ms = 5, .envelope = span_str("envelope\n")};
	struct large *l = spool_client_ops.large_open(b->client, &m, 1000, on_ready, b);

	assert_int_equal(b->ready, 0);
	return l;
}

static void
a_large_message(void **state)
{
	struct bench b;
	struct large *l;

	(void)state;
	bench_init(&b);
	l = open_large(&b);
	run_until(&b, is_ready);
	assert_int_equal(b.ready_verdict.kind, VERDICT_OK);
	assert_int_equal(spool_client_ops.large_append(l, span_str("content\n")), 0);
	spool_client_ops.large_commit(&l, on_done, &b);
	assert_null(l);
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	run_until(&b, NULL);
	assert_string_equal(
	    b.said, "large 0000000000000abc 1000\nlarge-durable 0000000000000abc\n");
	assert_int_equal(file_size(&b, "large"), SPOOL_PAGE + SPOOL_RECORD_SIZE + 9 + 8);
	bench_release(&b);
}

static void
a_large_message_is_given_up(void **state)
{
	struct bench b;
	struct large *l;

	(void)state;
	bench_init(&b);
	l = open_large(&b);
	run_until(&b, is_ready);
	spool_client_ops.large_abort(&l);
	run_until(&b, NULL);
	assert_string_equal(
	    b.said, "large 0000000000000abc 1000\nlarge-drop 0000000000000abc\n");
	bench_release(&b);
}

/* The client went before the file came: the file is given back when it comes. */
static void
given_up_before_the_answer(void **state)
{
	struct bench b;
	struct large *l;

	(void)state;
	bench_init(&b);
	b.silent = true;
	l = open_large(&b);
	run_until(&b, NULL);
	spool_client_ops.large_abort(&l);
	assert_null(l);
	answer_large(&b, b.pending_id);
	run_until(&b, NULL);
	assert_int_equal(b.ready, 0);
	assert_string_equal(
	    b.said, "large 0000000000000abc 1000\nlarge-drop 0000000000000abc\n");
	bench_release(&b);
}

static void
no_file_for_a_large_message(void **state)
{
	struct bench b;
	struct large *l;

	(void)state;
	bench_init(&b);
	b.refuse_large = true;
	l = open_large(&b);
	run_until(&b, is_ready);
	assert_int_equal(b.ready_verdict.code, 452);
	spool_client_ops.large_abort(&l);
	service_free(&b.service);
	b.ready = 0;
	l = open_large(&b);
	run_until(&b, is_ready);
	assert_int_equal(b.ready_verdict.kind, VERDICT_TEMPORARY);
	spool_client_ops.large_abort(&l);
	run_until(&b, NULL);
	assert_string_equal(b.said, "large 0000000000000abc 1000\n");
	bench_release(&b);
}

/* A new queue manager knows nothing of this file but that we hold it: it hears no notice about it. */
static void
the_queue_manager_changes(void **state)
{
	struct bench b;
	struct large *l;

	(void)state;
	bench_init(&b);
	l = open_large(&b);
	run_until(&b, is_ready);
	service_free(&b.service);
	run_until(&b, NULL);
	start_queue(&b);
	run_until(&b, is_up);
	b.said[0] = '\0';
	assert_int_equal(spool_client_ops.large_append(l, span_str("content\n")), 0);
	spool_client_ops.large_commit(&l, on_done, &b);
	run_until(&b, is_done);
	assert_int_equal(b.verdict.kind, VERDICT_OK);
	run_until(&b, NULL);
	assert_string_equal(b.said, "");
	bench_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(segments_come_and_go),
	    cmocka_unit_test(room_is_what_the_queue_says),
	    cmocka_unit_test(the_next_segment_is_awaited),
	    cmocka_unit_test(the_next_segment_may_not_come),
	    cmocka_unit_test(larger_than_a_segment),
	    cmocka_unit_test(it_goes_on_alone),
	    cmocka_unit_test(stop_gives_everything_back),
	    cmocka_unit_test(a_large_message),
	    cmocka_unit_test(a_large_message_is_given_up),
	    cmocka_unit_test(given_up_before_the_answer),
	    cmocka_unit_test(no_file_for_a_large_message),
	    cmocka_unit_test(the_queue_manager_changes),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
