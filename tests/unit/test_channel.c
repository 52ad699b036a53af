/* test_channel: frames and descriptors over a real socket pair, and what closes a channel. */
#include "common/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "tests/unit/testing.h"

/* One end of a channel and what its callbacks saw. */
struct end {
	struct channel *channel;
	int messages, closed, drained, batches;
	char why[100];
	char last[64]; /* the last message's field `text` */
	uint64_t sum;  /* over the field `n` of all messages, each times its position */
	size_t octets; /* of text and payload of the last message */
	bool keep_fds, free_in_message, pause_in_message;
	int kept[100];
	int nkept;
};

static void
on_message(struct channel *c, struct wire_msg *m, void *arg)
{
	struct end *e = arg;
	struct span text = {NULL, 0};
	uint64_t n = 0;

	assert_ptr_equal(c, e->channel);
	e->messages++;
	wire_get_u64(m, "n", UINT64_MAX, &n);
	e->sum += n * (uint64_t)e->messages;
	wire_get(m, "text", &text);
	e->octets = text.len + m->payload.len;
	snprintf(e->last, sizeof e->last, "%.*s", (int)span_first(text, 60).len, text.p);
	for (size_t i = 0; e->keep_fds && i < m->nfds; i++)
		e->kept[e->nkept++] = wire_take_fd(m, i);
	if (e->pause_in_message)
		channel_pause(c);
	if (e->free_in_message)
		channel_free(&e->channel);
}

static void
on_close(struct channel *c, const char *why, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->channel);
	e->closed++;
	snprintf(e->why, sizeof e->why, "%s", why);
	channel_free(&e->channel);
}

static void
on_drained(struct channel *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->channel);
	e->drained++;
}

static void
on_batch(struct channel *c, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->channel);
	e->batches++;
}

static const struct channel_ops ops = {.on_message = on_message,
    .on_close = on_close,
    .on_drained = on_drained,
    .on_batch = on_batch};

struct pair {
	struct event_base *base;
	struct end a, b;
};

static void
pair_init(struct pair *p)
{
	int fd[2];

	*p = (struct pair){.base = event_base_new()};
	assert_non_null(p->base);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p->a.channel = channel_new(p->base, fd[0], &ops, &p->a);
	p->b.channel = channel_new(p->base, fd[1], &ops, &p->b);
}

static void
pair_release(struct pair *p)
{
	channel_free(&p->a.channel);
	channel_free(&p->b.channel);
	event_base_free(p->base);
}

/* A channel at one side, a bare socket at the other. */
static int
half_init(struct pair *p)
{
	int fd[2];

	*p = (struct pair){.base = event_base_new()};
	assert_non_null(p->base);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p->a.channel = channel_new(p->base, fd[0], &ops, &p->a);
	return fd[1];
}

static int
send_number(struct channel *c, uint64_t n, int fd)
{
	struct wire_out w;
	int r;

	wire_out_init(&w, "number", 0);
	wire_add_u64(&w, "n", n);
	wire_addf(&w, "text", "number %d", (int)n);
	r = channel_send(c, &w, fd);
	wire_out_release(&w);
	return r;
}

static void
messages_travel_both_ways_in_order(void **state)
{
	uint64_t want = 0;
	struct pair p;

	(void)state;
	pair_init(&p);
	for (uint64_t n = 1; n <= 3000; n++) {
		assert_int_equal(send_number(p.a.channel, n, -1), 0);
		assert_int_equal(send_number(p.b.channel, n, -1), 0);
		want += n * n;
	}
	assert_true(testing_run_until(p.base, &p.a.messages, 3000));
	assert_true(testing_run_until(p.base, &p.b.messages, 3000));
	assert_true(p.a.sum == want && p.b.sum == want);
	assert_string_equal(p.b.last, "number 3000");
	assert_int_equal(p.a.closed + p.b.closed, 0);
	pair_release(&p);
}

static void
the_largest_message_travels(void **state)
{
	static char payload[WIRE_PAYLOAD_MAX], text[WIRE_TEXT_MAX - 7];
	struct wire_out w;
	struct pair p;

	(void)state;
	pair_init(&p);
	memset(text, 'x', sizeof text);
	wire_out_init(&w, "v", 0);
	wire_add(&w, "text", span_make(text, sizeof text - 1));
	w.payload = span_make(payload, sizeof payload);
	assert_int_equal(w.text.len, WIRE_TEXT_MAX);
	assert_int_equal(channel_send(p.a.channel, &w, -1), 0);
	assert_int_equal(
	    channel_backlog(p.a.channel), WIRE_HEADER_SIZE + WIRE_TEXT_MAX + WIRE_PAYLOAD_MAX);
	assert_int_equal(p.a.drained, 0);
	assert_true(testing_run_until(p.base, &p.b.messages, 1));
	assert_int_equal(p.b.octets, sizeof text - 1 + sizeof payload);
	assert_true(testing_run_until(p.base, &p.a.drained, 1));
	assert_int_equal(channel_backlog(p.a.channel), 0);

	/* One octet more is refused and changes nothing. */
	wire_out_release(&w);
	wire_out_init(&w, "v", 0);
	wire_add(&w, "text", span_make(text, sizeof text));
	assert_int_equal(channel_send(p.a.channel, &w, -1), -1);
	wire_out_release(&w);
	assert_int_equal(channel_backlog(p.a.channel), 0);
	assert_int_equal(send_number(p.a.channel, 1, -1), 0);
	assert_true(testing_run_until(p.base, &p.b.messages, 2));
	pair_release(&p);
}

/* A file that holds one number. */
static int
file_with(int n)
{
	int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &n, sizeof n, 0), sizeof n);
	return fd;
}

/* Every descriptor comes with its own message, messages without one between them. */
static void
descriptors_stay_with_their_messages(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.b.keep_fds = true;
	for (int n = 0; n < 60; n++) {
		assert_int_equal(send_number(p.a.channel, (uint64_t)n, file_with(n)), 0);
		for (int i = 0; i < n % 3; i++)
			assert_int_equal(send_number(p.a.channel, 0, -1), 0);
	}
	assert_true(testing_run_until(p.base, &p.b.messages, 120));
	assert_int_equal(p.b.nkept, 60);
	for (int n = 0; n < 60; n++) {
		int got = -1;

		assert_int_equal(pread(p.b.kept[n], &got, sizeof got, 0), sizeof got);
		assert_int_equal(got, n);
		assert_true((fcntl(p.b.kept[n], F_GETFD) & FD_CLOEXEC) != 0);
		close(p.b.kept[n]);
	}
	pair_release(&p);
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Whoever does not take a descriptor, cannot send it, or goes first: none stays open. */
static void
no_descriptor_leaks(void **state)
{
	int before = open_descriptors(), fd;
	struct wire_out w;
	struct pair p;

	(void)state;
	pair_init(&p);
	for (int n = 0; n < 20; n++)
		assert_int_equal(send_number(p.a.channel, 1, file_with(n)), 0);
	assert_true(testing_run_until(p.base, &p.b.messages, 20));
	wire_out_init(&w, "v", 0);
	wire_add(&w, "text", span_make(NULL, 0));
	w.payload.len = WIRE_PAYLOAD_MAX + 1;
	fd = file_with(1);
	assert_int_equal(channel_send(p.a.channel, &w, fd), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	wire_out_release(&w);
	for (int n = 0; n < 5; n++)
		assert_int_equal(send_number(p.a.channel, 1, file_with(n)), 0);
	pair_release(&p);
	assert_int_equal(open_descriptors(), before);

	/* In flight when the receiver goes. */
	pair_init(&p);
	p.b.pause_in_message = true;
	for (int n = 0; n < 5; n++)
		assert_int_equal(send_number(p.a.channel, 1, file_with(n)), 0);
	assert_true(testing_run_until(p.base, &p.b.messages, 1));
	pair_release(&p);
	assert_int_equal(open_descriptors(), before);
}

static void
nonsense_closes_this_channel_only(void **state)
{
	static const struct {
		const char *name;
		struct span octets;
		int messages;
	} rows[] = {
	    {"text too long", LITERAL_INIT("\x7f\0\0\0\0\0\0\0\0\0\0\0"), 0},
	    {"payload too long", LITERAL_INIT("\0\0\0\2\x7f\0\0\0\0\0\0\0v\n"), 0},
	    {"too many descriptors", LITERAL_INIT("\0\0\0\2\0\0\0\0\0\0\0\x09v\n"), 0},
	    {"no text", LITERAL_INIT("\0\0\0\0\0\0\0\0\0\0\0\0"), 0},
	    {"malformed text", LITERAL_INIT("\0\0\0\4\0\0\0\0\0\0\0\0v\na\n"), 0},
	    {"a descriptor that did not come", LITERAL_INIT("\0\0\0\2\0\0\0\0\0\0\0\1v\n"), 0},
	    {"nonsense behind a message",
		LITERAL_INIT("\0\0\0\2\0\0\0\0\0\0\0\0v\nGET / HTTP/1.1\r\n\r\n"), 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pair p, other;
		int fd = half_init(&p), fds[2], written = 0;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		other = (struct pair){.base = p.base};
		other.a.channel = channel_new(p.base, fds[0], &ops, &other.a);
		other.b.channel = channel_new(p.base, fds[1], &ops, &other.b);
		/* Octet by octet: nothing is said before there is reason to. */
		for (size_t n = 0; n < rows[i].octets.len && p.a.closed == 0; n++) {
			written += (int)send(fd, rows[i].octets.p + n, 1, MSG_NOSIGNAL);
			testing_run_for(p.base, 1);
		}
		check_row(
		    rows[i].name, written > 0 && testing_run_until(p.base, &p.a.closed, 1));
		check_row(rows[i].name, strcmp(p.a.why, "malformed message") == 0);
		check_row(rows[i].name, p.a.messages == rows[i].messages && p.a.closed == 1);
		assert_int_equal(send_number(other.a.channel, 1, -1), 0);
		check_row(rows[i].name, testing_run_until(p.base, &other.b.messages, 1));
		check_row(rows[i].name, other.a.closed == 0 && other.b.closed == 0);
		channel_free(&other.a.channel);
		channel_free(&other.b.channel);
		pair_release(&p);
		close(fd);
	}
}

static void
end_of_file_is_told_once(void **state)
{
	static const char half[] = "\0\0\0\7\0\0\0\0\0\0\0\0v\na=";
	struct pair p;
	int fd;

	(void)state;
	pair_init(&p);
	assert_int_equal(send_number(p.a.channel, 1, -1), 0);
	channel_flush(p.a.channel);
	channel_free(&p.a.channel);
	assert_true(testing_run_until(p.base, &p.b.closed, 1));
	testing_run_for(p.base, 10);
	assert_true(p.b.messages == 1 && p.b.closed == 1);
	pair_release(&p);

	fd = half_init(&p);
	assert_int_equal(write(fd, half, sizeof half - 1), sizeof half - 1);
	close(fd);
	assert_true(testing_run_until(p.base, &p.a.closed, 1));
	assert_int_equal(p.a.messages, 0);
	pair_release(&p);
}

/* What is read together is announced once; what is not whole is not announced. */
static void
a_batch_is_announced_before_its_messages(void **state)
{
	struct pair p;
	char frames[512];
	ssize_t n;
	int fd = half_init(&p), sv[2];
	struct channel *other;
	struct end end = {.messages = 0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	other = channel_new(p.base, sv[0], &ops, &end);
	end.channel = other;
	for (int i = 1; i <= 3; i++)
		assert_int_equal(send_number(other, (uint64_t)i, -1), 0);
	channel_flush(other);
	n = recv(sv[1], frames, sizeof frames, 0);
	assert_in_range(n, 60, sizeof frames - 1);
	assert_int_equal(send(fd, frames, (size_t)n - 1, 0), n - 1);
	assert_true(testing_run_until(p.base, &p.a.messages, 2));
	assert_int_equal(p.a.batches, 1);
	assert_int_equal(send(fd, frames + n - 1, 1, 0), 1);
	assert_true(testing_run_until(p.base, &p.a.messages, 3));
	assert_int_equal(p.a.batches, 2);
	assert_int_equal(send(fd, frames, 5, 0), 5);
	testing_run_for(p.base, 10);
	assert_int_equal(p.a.batches, 2);
	channel_free(&end.channel);
	close(sv[1]);
	close(fd);
	pair_release(&p);
}

static void
writing_to_one_that_is_gone_closes(void **state)
{
	struct pair p;
	int fd = half_init(&p);

	(void)state;
	channel_pause(p.a.channel);
	close(fd);
	assert_int_equal(send_number(p.a.channel, 1, -1), 0);
	assert_true(testing_run_until(p.base, &p.a.closed, 1));
	pair_release(&p);
}

static void
may_be_freed_in_a_callback(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.b.free_in_message = true;
	for (int n = 0; n < 10; n++)
		assert_int_equal(send_number(p.a.channel, 1, -1), 0);
	assert_true(testing_run_until(p.base, &p.b.messages, 1));
	assert_true(testing_run_until(p.base, &p.a.closed, 1));
	assert_int_equal(p.b.messages, 1);
	assert_int_equal(p.b.closed, 0);
	assert_null(p.b.channel);
	pair_release(&p);
}

static void
pausing_holds_messages_back(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.b.pause_in_message = true;
	for (int n = 1; n <= 3; n++)
		assert_int_equal(send_number(p.a.channel, (uint64_t)n, -1), 0);
	for (int n = 1; n <= 3; n++) {
		assert_true(testing_run_until(p.base, &p.b.messages, n));
		testing_run_for(p.base, 10);
		assert_int_equal(p.b.messages, n);
		channel_resume(p.b.channel);
	}
	testing_run_for(p.base, 10);
	assert_true(p.b.messages == 3 && p.b.sum == 1 + 4 + 9);
	pair_release(&p);
}

/* Each time it went on, more was read than handed over, until the buffer was full and the channel broke. */
static void
pausing_holds_the_sender_back(void **state)
{
	static char payload[50000];
	struct wire_out w;
	struct pair p;

	(void)state;
	pair_init(&p);
	p.b.pause_in_message = true;
	wire_out_init(&w, "v", 0);
	w.payload = span_make(payload, sizeof payload);
	for (int n = 0; n < 300; n++)
		assert_int_equal(channel_send(p.a.channel, &w, -1), 0);
	for (int n = 1; n <= 300; n++) {
		assert_true(testing_run_until(p.base, &p.b.messages, n));
		assert_int_equal(p.b.messages, n);
		channel_resume(p.b.channel);
	}
	assert_int_equal(p.b.closed, 0);
	wire_out_release(&w);
	pair_release(&p);
}

/* They were lost when the last of them came together with the end of file. */
static void
what_a_pause_held_back_comes_before_the_end(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.b.pause_in_message = true;
	for (int n = 1; n <= 3; n++)
		assert_int_equal(send_number(p.a.channel, (uint64_t)n, -1), 0);
	channel_flush(p.a.channel);
	channel_free(&p.a.channel);
	for (int n = 1; n <= 3; n++) {
		assert_true(testing_run_until(p.base, &p.b.messages, n));
		testing_run_for(p.base, 10);
		assert_int_equal(p.b.messages, n);
		assert_int_equal(p.b.closed, 0);
		channel_resume(p.b.channel);
	}
	assert_true(testing_run_until(p.base, &p.b.closed, 1));
	assert_string_equal(p.b.why, "the other side is gone");
	assert_int_equal(p.b.messages, 3);
	pair_release(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_travel_both_ways_in_order),
	    cmocka_unit_test(the_largest_message_travels),
	    cmocka_unit_test(descriptors_stay_with_their_messages),
	    cmocka_unit_test(no_descriptor_leaks),
	    cmocka_unit_test(nonsense_closes_this_channel_only),
	    cmocka_unit_test(end_of_file_is_told_once),
	    cmocka_unit_test(a_batch_is_announced_before_its_messages),
	    cmocka_unit_test(writing_to_one_that_is_gone_closes),
	    cmocka_unit_test(may_be_freed_in_a_callback),
	    cmocka_unit_test(pausing_holds_messages_back),
	    cmocka_unit_test(pausing_holds_the_sender_back),
	    cmocka_unit_test(what_a_pause_held_back_comes_before_the_end),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
