/*
 * idle: opens connections, waits for the reply to EHLO on each, and holds
 * them until stdin closes, so that the memory of the server can be read. With
 * --drip each begins a message to that recipient, and sends one octet of it a
 * second. A line of JSON when all are held (or the time for it is over) and one at the
 * end. Started by tests/bench/bench.py, or by hand.
 *
 * Invariant: a connection counts as held only between the reply to its EHLO
 * (RFC 5321 section 4.1.1.1), or to its DATA, and the first sign that it was closed.
 */
#include <sys/epoll.h>
#include <stdio.h>

#include "tests/bench/cli.h"
#include "tests/bench/dial.h"
#include "tests/bench/reply.h"

enum state {
	CLOSED,	    /* not opened yet, or lost */
	CONNECTING, /* connect() under way */
	GREETING,   /* waiting for 220 */
	HELLO,	    /* EHLO sent */
	MAIL,	    /* MAIL, RCPT and DATA sent */
	HELD	    /* EHLO was answered, or with --drip DATA */
};

struct conn {
	int fd;
	enum state state;
	unsigned replies; /* of MAIL, RCPT and DATA */
	struct reply reply;
};

struct idle {
	struct sockaddr_in to;
	uint64_t conns, opening, sources, seconds;
	const char *drip; /* recipient, or NULL */
	uint64_t dripped; /* tenths of a second for which octets were sent */
	struct conn *conn;
	int ep;
	uint64_t opened, in_setup, held, lost, refused;
};

static void
idle_report(const struct idle *d, const char *event, double seconds)
{
	printf(
	    "{\"mode\":\"idle\",\"event\":\"%s\",\"wanted\":%llu,\"held\":%llu,\"lost\":%llu,"
	    "\"refused\":%llu,\"seconds\":%.3f}\n",
	    event, (unsigned long long)d->conns, (unsigned long long)d->held,
	    (unsigned long long)d->lost, (unsigned long long)d->refused, seconds);
	fflush(stdout);
}

static void
conn_close(struct idle *d, struct conn *c)
{
	if (c->state == HELD) {
		d->held--;
		d->lost++;
	} else {
		d->in_setup--;
		d->refused++;
	}
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->state = CLOSED;
}

static void
conn_open(struct idle *d, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = (uint64_t)(c - d->conn) + 1};

	d->in_setup++;
	c->state = CONNECTING;
	c->fd = dial(&d->to, d->opened++, d->sources);
	if (c->fd == -1)
		conn_close(d, c);
	else if (epoll_ctl(d->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(71, "epoll_ctl");
}

static void
conn_begin_message(struct idle *d, struct conn *c)
{
	char group[512];
	int n =
	    snprintf(group, sizeof(group), "MAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n", d->drip);

	c->state = MAIL;
	if (n < 0 || (size_t)n >= sizeof(group) || write(c->fd, group, (size_t)n) != n)
		conn_close(d, c);
}

/* One octet on each connection a second: a tenth of them each tenth of one. */
static void
idle_drip(struct idle *d, uint64_t since_us)
{
	for (; d->dripped < since_us / 100000; d->dripped++) {
		for (uint64_t i = d->dripped % 10; i < d->conns; i += 10) {
			/* a line of 60 octets a minute; what is lost is noticed by reading */
			const char *octet = "x";

			if (d->dripped / 10 % 62 >= 60)
				octet = d->dripped / 10 % 62 == 60 ? "\r" : "\n";
			if (d->conn[i].state == HELD)
				(void)!write(d->conn[i].fd, octet, 1);
		}
	}
}

static void
conn_on_reply(struct idle *d, struct conn *c)
{
	static const char ehlo[] = "EHLO client.test\r\n";

	if ((c->reply.class != '2' && c->reply.class != '3') || c->state == HELD)
		conn_close(d, c);
	else if (c->state == HELLO && d->drip != NULL)
		conn_begin_message(d, c);
	else if (c->state == HELLO || (c->state == MAIL && ++c->replies == 3)) {
		c->state = HELD;
		d->in_setup--;
		d->held++;
	} else if (c->state == MAIL) {
		return;
	} else if (write(c->fd, ehlo, sizeof(ehlo) - 1) != (ssize_t)sizeof(ehlo) - 1)
		conn_close(d, c);
	else
		c->state = HELLO;
}

static void
conn_on_readable(struct idle *d, struct conn *c)
{
	char in[4096];
	ssize_t i, n = read(c->fd, in, sizeof(in));

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		conn_close(d, c);
	for (i = 0; i < n && c->state != CLOSED; i++)
		if (reply_feed(&c->reply, in[i]))
			conn_on_reply(d, c);
}

static void
conn_on_event(struct idle *d, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)(c - d->conn) + 1};

	if (c->state != CONNECTING)
		conn_on_readable(d, c);
	else if (dial_error(c->fd) != 0)
		conn_close(d, c);
	else {
		c->state = GREETING;
		epoll_ctl(d->ep, EPOLL_CTL_MOD, c->fd, &ev);
	}
}

/* Returns when stdin closes or the time is over. */
static void
idle_run(struct idle *d)
{
	struct epoll_event ev[512];
	uint64_t start = cli_now_us(), end = start + d->seconds * 1000000;
	bool reported = false, stdin_open = true;
	char scrap[64];
	int n;

	while (stdin_open && cli_now_us() < end) {
		while (d->opened < d->conns && d->in_setup < d->opening)
			conn_open(d, &d->conn[d->opened]);
		if (!reported && d->opened == d->conns && d->in_setup == 0) {
			idle_report(d, "ready", (double)(cli_now_us() - start) / 1e6);
			reported = true;
		}
		n = epoll_wait(d->ep, ev, 512, d->drip != NULL ? 20 : 100);
		if (d->drip != NULL)
			idle_drip(d, cli_now_us() - start);
		while (n-- > 0) {
			if (ev[n].data.u64 == 0)
				stdin_open = read(STDIN_FILENO, scrap, sizeof(scrap)) > 0;
			else
				conn_on_event(d, &d->conn[ev[n].data.u64 - 1]);
		}
	}
	idle_report(d, "end", (double)(cli_now_us() - start) / 1e6);
}

int
main(int argc, char **argv)
{
	struct idle d = {.conns = 1000, .opening = 100, .seconds = 120};
	const struct cli_option options[] = {
	    {"to", CLI_ENDPOINT, &d.to, 0, 0},
	    {"connections", CLI_NUMBER, &d.conns, 1, 60000},
	    {"opening", CLI_NUMBER, &d.opening, 1, 60000},
	    {"sources", CLI_NUMBER, &d.sources, 0, 50000},
	    {"time", CLI_NUMBER, &d.seconds, 1, 86400},
	    {"drip", CLI_TEXT, &d.drip, 0, 0},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	static const char usage[] =
	    "usage: idle --to ADDRESS:PORT [--connections N] [--opening N at a time]\n"
	    "  [--sources N] [--time SECONDS] [--drip RECIPIENT]\n";
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};

	cli_parse(argc > 0 ? argv + 1 : argv, options, usage);
	if (d.to.sin_port == 0)
		errx(64, "--to is missing\n%s", usage);
	dial_raise_limit(d.conns);
	if ((d.ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(71, "epoll_create1");
	if (epoll_ctl(d.ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1)
		err(64, "stdin must be a pipe or a terminal");
	if ((d.conn = calloc(d.conns, sizeof(*d.conn))) == NULL)
		err(71, "%llu connections", (unsigned long long)d.conns);
	idle_run(&d);
	free(d.conn);
	return d.lost + d.refused > 0 ? 1 : 0;
}
