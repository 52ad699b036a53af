/*
 * load: an SMTP load generator, one thread and one epoll. It sends messages
 * over many connections at once and prints rate, latencies and failures as
 * one line of JSON. Started by tests/bench/bench.py, or by hand.
 *
 * SMTP as in RFC 5321, groups of commands as in RFC 2920 where the server
 * offers them. Invariant: a message that was begun ends exactly once, as
 * accepted or under the code that refused it, whatever the server does.
 */
#include <sys/epoll.h>
#include <sys/uio.h>
#include <stdarg.h>
#include <stdbool.h>

#include "tests/bench/cli.h"
#include "tests/bench/dial.h"
#include "tests/bench/stats.h"
#include "tests/bench/text.h"

/* The other side's end is told together with what it has said last. */
#define WANTED (EPOLLIN | EPOLLRDHUP)

enum state {
	CLOSED,	    /* no socket; the main loop opens it again */
	CONNECTING, /* connect() under way */
	GREETING,   /* waiting for 220 */
	HELLO,	    /* EHLO sent */
	ENVELOPE,   /* MAIL, RCPT, DATA: `step` tells which reply is next */
	BODY,	    /* text and dot sent, and QUIT if `last` */
	RESET,	    /* RSET sent after a refused message */
	QUITTING    /* QUIT sent; the server closes first, so its side keeps TIME_WAIT */
};

struct conn {
	int fd;
	enum state state;
	bool grouped;	 /* PIPELINING is offered and wanted */
	bool begun;	 /* a message was begun and has not ended */
	bool last;	 /* QUIT follows the dot of this message in one group */
	bool writing;	 /* EPOLLOUT is armed */
	unsigned sent;	 /* messages begun on this connection */
	unsigned step;	 /* the reply due: 0 MAIL, 1..R RCPT, R+1 DATA */
	unsigned rcpts;	 /* recipients accepted in this message */
	int refused;	 /* first code that refused part of the envelope, or 0 */
	uint64_t number; /* of this message, from 0 */
	uint64_t t_open, t_data, t_dot, t_heard;
	char *out; /* to be written, and after it body bytes from body_off on */
	size_t out_len, out_off, body_off, body_end, quit_left, in_len;
	char in[1024];
};

struct load {
	struct sockaddr_in to;
	bool pipelining;
	uint64_t conns, messages, per_conn, size, rcpts, seconds, stall, sources;
	const char *helo;
	struct text text;
	struct stats st;
	struct conn *conn;
	size_t out_max;
	int ep;
	uint64_t open;
	uint64_t t_first, t_last, deadline; /* first connect, last 250, when to begin no more */
	double wall_first, wall_last;
};

static bool
load_has_more(const struct load *l)
{
	return l->st.started < l->messages && cli_now_us() < l->deadline;
}

static void
conn_begin_message(struct load *l, struct conn *c)
{
	c->begun = true;
	c->sent++;
	c->number = l->st.started++;
}

/* `code` is what refused it, or 0. */
static void
conn_end_message(struct load *l, struct conn *c, int code)
{
	uint64_t now = cli_now_us();

	c->begun = false;
	if (code != 0) {
		l->st.failed++;
		l->st.ends[code]++;
		return;
	}
	l->st.accepted++;
	l->st.rcpt_accepted += c->rcpts;
	l->t_last = now;
	l->wall_last = cli_wall();
	if (c->sent == 1)
		series_add(&l->st.connect_250, now - c->t_open);
	series_add(&l->st.data_250, now - c->t_data);
	series_add(&l->st.dot_250, now - c->t_dot);
}

/* The connection is of no more use: its message, if any, ends as `code`. */
static void
conn_close(struct load *l, struct conn *c, int code)
{
	if (c->begun)
		conn_end_message(l, c, code);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->state = CLOSED;
	l->open--;
}

/* Takes the `done` octets that were written from what waits: commands, then body, then QUIT. */
static void
conn_written(struct conn *c, size_t done)
{
	size_t out = c->out_len - c->out_off, body = c->body_end - c->body_off;
	size_t of_out = done < out ? done : out;
	size_t of_body = done - of_out < body ? done - of_out : body;

	c->out_off += of_out;
	c->body_off += of_body;
	c->quit_left -= done - of_out - of_body;
	if (c->out_off == c->out_len)
		c->out_off = c->out_len = 0;
}

/* Writes what there is; waits for room in the socket only if it must. May close. */
static void
conn_flush(struct load *l, struct conn *c)
{
	static char quit[] = "QUIT\r\n";
	struct iovec v[3];
	size_t waiting;
	ssize_t n;

	for (;;) {
		v[0].iov_base = c->out + c->out_off;
		v[0].iov_len = c->out_len - c->out_off;
		v[1].iov_base = l->text.body + c->body_off;
		v[1].iov_len = c->body_end - c->body_off;
		v[2].iov_base = quit + strlen(quit) - c->quit_left;
		v[2].iov_len = c->quit_left;
		waiting = v[0].iov_len + v[1].iov_len + v[2].iov_len;
		if (waiting == 0)
			break;
		n = writev(c->fd, v, 3);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1) {
			conn_close(l, c, STATS_CLOSED);
			return;
		}
		conn_written(c, (size_t)n);
	}
	if ((waiting > 0) != c->writing) {
		struct epoll_event ev = {.data.u32 = (uint32_t)(c - l->conn)};

		c->writing = waiting > 0;
		ev.events = c->writing ? WANTED | EPOLLOUT : WANTED;
		epoll_ctl(l->ep, EPOLL_CTL_MOD, c->fd, &ev);
	}
}

__attribute__((format(printf, 3, 4))) static void
conn_put(struct load *l, struct conn *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(c->out + c->out_len, l->out_max - c->out_len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= l->out_max - c->out_len)
		errx(70, "a command does not fit its buffer");
	c->out_len += (size_t)n;
}

/* Sends the command of c->step, and in a group all after it. */
static void
conn_send_envelope(struct load *l, struct conn *c)
{
	unsigned s, last = c->grouped ? (unsigned)l->rcpts + 1 : c->step;
	char rcpt[320];

	for (s = c->step; s <= last; s++) {
		if (s == 0)
			conn_put(l, c, "MAIL FROM:<%s>\r\n", l->text.from);
		else if (s <= l->rcpts) {
			text_rcpt(&l->text, rcpt, sizeof(rcpt), c->number * l->rcpts + s - 1);
			conn_put(l, c, "RCPT TO:<%s>\r\n", rcpt);
		} else {
			conn_put(l, c, "DATA\r\n");
			c->t_data = cli_now_us();
		}
	}
	conn_flush(l, c);
}

/* The server is ready for a transaction: the message begun, a new one, or QUIT. */
static void
conn_next(struct load *l, struct conn *c)
{
	if (c->last) { /* QUIT is sent */
		c->state = QUITTING;
		return;
	}
	if (!c->begun && c->sent < l->per_conn && load_has_more(l))
		conn_begin_message(l, c);
	if (!c->begun) {
		c->state = QUITTING;
		conn_put(l, c, "QUIT\r\n");
		conn_flush(l, c);
		return;
	}
	c->state = ENVELOPE;
	c->step = 0;
	c->rcpts = 0;
	c->refused = 0;
	conn_send_envelope(l, c);
}

/* The server refused the message begun: it ends as `code`, and RSET clears the table. */
static void
conn_refuse(struct load *l, struct conn *c, int code)
{
	conn_end_message(l, c, code);
	c->state = RESET;
	conn_put(l, c, "RSET\r\n");
	conn_flush(l, c);
}

static void
conn_on_envelope(struct load *l, struct conn *c, int code)
{
	bool good = code / 100 == 2;
	unsigned step = c->step++;

	if (step >= 1 && step <= l->rcpts && good)
		c->rcpts++;
	else if (step >= 1 && step <= l->rcpts)
		l->st.rcpt_ends[code]++;
	if (step <= l->rcpts && !good && c->refused == 0)
		c->refused = code;

	if (step <= l->rcpts && c->grouped)
		return; /* all is sent, and the replies are on their way */
	if (step == 0 ? !good : step == l->rcpts && c->rcpts == 0)
		conn_refuse(l, c, c->refused);
	else if (step <= l->rcpts)
		conn_send_envelope(l, c);
	else if (code != 354)
		conn_refuse(l, c, c->refused != 0 ? c->refused : code);
	else {
		/* 354 though nobody was accepted: only the dot (RFC 2920 section 3.1). */
		c->body_end = l->text.body_len;
		c->body_off = c->rcpts == 0 ? c->body_end - 3 : 0;
		if (c->rcpts > 0)
			c->out_len += text_header(
			    &l->text, c->out + c->out_len, l->out_max - c->out_len, c->number);
		c->last = c->grouped && (c->sent == l->per_conn || !load_has_more(l));
		c->quit_left = c->last ? strlen("QUIT\r\n") : 0;
		c->state = BODY;
		c->t_dot = cli_now_us();
		conn_flush(l, c);
	}
}

static void
conn_on_reply(struct load *l, struct conn *c, int code)
{
	if (code == 421 || ((c->state == GREETING || c->state == HELLO) && code / 100 != 2)) {
		conn_close(l, c, code);
		return;
	}
	switch (c->state) {
	case GREETING:
		c->state = HELLO;
		conn_put(l, c, "EHLO %s\r\n", l->helo);
		conn_flush(l, c);
		break;
	case ENVELOPE:
		conn_on_envelope(l, c, code);
		break;
	case BODY:
		if (code / 100 == 2 && c->rcpts > 0)
			conn_end_message(l, c, 0);
		else
			conn_end_message(l, c, c->rcpts > 0 ? code : c->refused);
		conn_next(l, c);
		break;
	case HELLO:
	case RESET:
		conn_next(l, c);
		break;
	case QUITTING:
		break; /* the end of the connection follows */
	case CLOSED:
	case CONNECTING:
		conn_close(l, c, STATS_GARBLED);
		break;
	}
}

/* One line without its line end. A reply is complete with "250 ", not with "250-". */
static void
conn_on_line(struct load *l, struct conn *c, const char *line, size_t len)
{
	int code = 0;

	for (size_t i = 0; i < 3 && i < len; i++)
		code = line[i] < '0' || line[i] > '9' ? -1000 : code * 10 + line[i] - '0';
	if (len < 3 || code < 200 || code > 599) {
		conn_close(l, c, STATS_GARBLED);
		return;
	}
	if (c->state == HELLO && len == 14 && memcmp(line + 4, "PIPELINING", 10) == 0)
		c->grouped = l->pipelining;
	if (len == 3 || line[3] == ' ')
		conn_on_reply(l, c, code);
}

/* ended: what can be read is all there will be. */
static void
conn_on_readable(struct load *l, struct conn *c, bool ended)
{
	size_t space = sizeof(c->in) - c->in_len;
	ssize_t n = read(c->fd, c->in + c->in_len, space);
	char *p = c->in, *nl;

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_close(l, c, STATS_CLOSED);
		return;
	}
	c->t_heard = cli_now_us();
	c->in_len += (size_t)n;
	while (c->fd != -1 && (nl = memchr(p, '\n', c->in_len - (size_t)(p - c->in))) != NULL) {
		size_t len = (size_t)(nl - p);

		conn_on_line(l, c, p, len > 0 && p[len - 1] == '\r' ? len - 1 : len);
		p = nl + 1;
	}
	c->in_len -= (size_t)(p - c->in);
	memmove(c->in, p, c->in_len);
	if (c->fd != -1 && c->in_len == sizeof(c->in))
		conn_close(l, c, STATS_GARBLED);
	else if (c->fd != -1 && ended && (size_t)n < space)
		conn_close(l, c, STATS_CLOSED);
}

static void
conn_open(struct load *l, struct conn *c)
{
	struct epoll_event ev = {.events = WANTED}; /* the server speaks first */

	*c = (struct conn){.out = c->out, .state = CONNECTING};
	c->t_open = c->t_heard = cli_now_us();
	l->open++;
	conn_begin_message(l, c);
	c->fd = dial(&l->to, (uint64_t)(c - l->conn), l->sources);
	ev.data.u32 = (uint32_t)(c - l->conn);
	if (c->fd == -1)
		conn_close(l, c, STATS_CONNECT);
	else if (epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(71, "epoll_ctl");
}

static void
conn_on_event(struct load *l, struct conn *c, uint32_t events)
{
	if (c->state == CONNECTING) {
		if ((events & (EPOLLHUP | EPOLLERR)) != 0 && dial_error(c->fd) != 0) {
			conn_close(l, c, STATS_CONNECT);
			return;
		}
		c->state = GREETING;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		conn_on_readable(l, c, (events & EPOLLRDHUP) != 0);
	else
		conn_flush(l, c);
}

/* Gives up what has been silent for too long. */
static void
load_check_silence(struct load *l)
{
	uint64_t i, now = cli_now_us();

	for (i = 0; i < l->conns; i++)
		if (l->conn[i].fd != -1 && now - l->conn[i].t_heard > l->stall * 1000000)
			conn_close(l, &l->conn[i], STATS_SILENT);
}

static void
load_run(struct load *l)
{
	struct epoll_event ev[512];
	uint64_t i, checked = cli_now_us();
	int n;

	l->t_first = l->t_last = checked;
	l->wall_first = l->wall_last = cli_wall();
	l->deadline = checked + l->seconds * 1000000;
	while (l->open > 0 || load_has_more(l)) {
		for (i = 0; l->open < l->conns && i < l->conns && load_has_more(l); i++)
			if (l->conn[i].fd == -1)
				conn_open(l, &l->conn[i]);
		n = epoll_wait(l->ep, ev, 512, 100);
		while (n-- > 0)
			conn_on_event(l, &l->conn[ev[n].data.u32], ev[n].events);
		if (cli_now_us() - checked > 1000000) {
			load_check_silence(l);
			checked = cli_now_us();
		}
	}
}

static void
load_report(struct load *l)
{
	double seconds = (double)(l->t_last - l->t_first) / 1e6;

	printf("{\"mode\":\"send\",\"messages\":%llu,\"pipelining\":%s,",
	    (unsigned long long)l->messages, l->pipelining ? "true" : "false");
	printf("\"start\":%.6f,\"end\":%.6f,\"seconds\":%.6f,", l->wall_first, l->wall_last,
	    seconds);
	printf("\"rate\":%.1f,\"cpu_seconds\":%.3f,\"stopped\":\"%s\",",
	    seconds > 0 ? (double)l->st.accepted / seconds : 0.0, cli_cpu(),
	    l->st.started < l->messages ? "time" : "done");
	stats_print(&l->st);
	printf("}\n");
}

static const char usage[] =
    "usage: load --to ADDRESS:PORT [--connections N] [--messages N] [--per-connection N]\n"
    "  [--size OCTETS] [--recipients N] [--pattern user%u@dom%d.test] [--domains N] [--users "
    "N]\n"
    "  [--from ADDRESS] [--helo NAME] [--pipelining on|off] [--sources N]\n"
    "  [--time SECONDS] [--stall SECONDS]\n";

static void
load_init(struct load *l)
{
	char sample[320];
	uint64_t i;

	text_rcpt(&l->text, sample, sizeof(sample), l->text.domains * l->text.users - 1);
	if (strlen(l->text.from) > 255 || strlen(l->helo) > 255 || strlen(sample) > 255)
		errx(64, "an address or name of more than 255 octets");
	dial_raise_limit(l->conns);
	text_init(&l->text, l->size);
	stats_init(&l->st, l->messages);
	if ((l->ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(71, "epoll_create1");
	if ((l->conn = calloc(l->conns, sizeof(*l->conn))) == NULL)
		err(71, "%llu connections", (unsigned long long)l->conns);
	/* At most a whole envelope is waiting, or a header. */
	l->out_max = 1024 + 272 * (l->rcpts + 2);
	for (i = 0; i < l->conns; i++) {
		l->conn[i].fd = -1;
		if ((l->conn[i].out = malloc(l->out_max)) == NULL)
			err(71, "%llu connections", (unsigned long long)l->conns);
	}
}

static void
load_release(struct load *l)
{
	uint64_t i;

	for (i = 0; i < l->conns; i++)
		free(l->conn[i].out);
	free(l->conn);
	free(l->text.body);
	stats_release(&l->st);
	close(l->ep);
}

int
main(int argc, char **argv)
{
	struct load l = {.conns = 20,
	    .messages = 1000,
	    .per_conn = 1,
	    .size = 4096,
	    .rcpts = 1,
	    .pipelining = true,
	    .seconds = 60,
	    .stall = 30,
	    .helo = "client.test"};
	const struct cli_option options[] = {
	    {"to", CLI_ENDPOINT, &l.to, 0, 0},
	    {"connections", CLI_NUMBER, &l.conns, 1, 60000},
	    {"messages", CLI_NUMBER, &l.messages, 1, 10000000},
	    {"per-connection", CLI_NUMBER, &l.per_conn, 1, 1000000},
	    {"size", CLI_NUMBER, &l.size, 1, 1 << 30},
	    {"recipients", CLI_NUMBER, &l.rcpts, 1, 10000},
	    {"pattern", CLI_TEXT, &l.text.pattern, 0, 0},
	    {"domains", CLI_NUMBER, &l.text.domains, 1, 1000000000},
	    {"users", CLI_NUMBER, &l.text.users, 1, 1000000000},
	    {"from", CLI_TEXT, &l.text.from, 0, 0},
	    {"helo", CLI_TEXT, &l.helo, 0, 0},
	    {"pipelining", CLI_SWITCH, &l.pipelining, 0, 0},
	    {"sources", CLI_NUMBER, &l.sources, 0, 50000},
	    {"time", CLI_NUMBER, &l.seconds, 1, 86400},
	    {"stall", CLI_NUMBER, &l.stall, 1, 86400},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};

	l.text = (struct text){.from = "sender@client.test",
	    .pattern = "user%u@dom%d.test",
	    .domains = 1,
	    .users = 1};
	cli_parse(argc > 0 ? argv + 1 : argv, options, usage);
	if (l.to.sin_port == 0)
		errx(64, "--to is missing\n%s", usage);
	load_init(&l);
	load_run(&l);
	load_report(&l);
	load_release(&l);
	return l.st.failed > 0 ? 1 : 0;
}
