/*
 * sink: an SMTP server that accepts everything and keeps nothing, one thread
 * and one epoll: what a relay test sends to. Prints its port on start, and its
 * counts on SIGUSR1 and when SIGTERM, SIGINT or --time end it, each as one
 * line of JSON. Started by tests/bench/bench.py, or by hand.
 *
 * RFC 5321 with PIPELINING, 8BITMIME and SIZE. Invariant: a message is counted
 * before its 250 is written, and only CRLF.CRLF ends it.
 */
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <ctype.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

#include "tests/bench/cli.h"
#include "tests/bench/dial.h"

#define LINE_MAX_OCTETS 1024
#define OUT_MAX		65536 /* replies a client may leave unread */

static const char dot[] = "\r\n.\r\n";

struct client {
	LIST_ENTRY(client) entry;
	int fd;
	bool in_data, quit;
	unsigned matched; /* octets of `dot` seen at the end of the data so far */
	unsigned rcpts;	  /* of this transaction */
	bool mail;	  /* MAIL was given */
	uint64_t octets;  /* of this message */
	size_t line_len, out_len;
	char line[LINE_MAX_OCTETS];
	char out[OUT_MAX];
};

struct sink {
	struct sockaddr_in on;
	uint64_t seconds, backlog;
	int ep, listener, signals;
	LIST_HEAD(client_list, client) clients;
	uint64_t open, connections, messages, recipients, octets;
	double first, first_message,
	    last; /* seconds since 1970: first connection, first and last message */
};

static void
sink_report(const struct sink *s)
{
	printf("{\"messages\":%llu,\"recipients\":%llu,\"octets\":%llu,\"connections\":%llu,"
	       "\"open\":%llu,\"first\":%.6f,\"first_message\":%.6f,\"last\":%.6f,\"cpu_"
	       "seconds\":%.3f}\n",
	    (unsigned long long)s->messages, (unsigned long long)s->recipients,
	    (unsigned long long)s->octets, (unsigned long long)s->connections,
	    (unsigned long long)s->open, s->first, s->first_message, s->last, cli_cpu());
	fflush(stdout);
}

static void
client_free(struct sink *s, struct client *c)
{
	LIST_REMOVE(c, entry);
	close(c->fd);
	free(c);
	s->open--;
}

/* Queues a reply; a client that leaves too many unread is not listened to again. */
static void
client_reply(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (c->out_len + n > sizeof(c->out)) {
		c->quit = true;
		return;
	}
	memcpy(c->out + c->out_len, text, n);
	c->out_len += n;
}

static void
client_reset(struct client *c)
{
	c->mail = false;
	c->rcpts = 0;
	c->octets = 0;
}

static bool
verb_is(const char *line, const char *verb)
{
	size_t n = strlen(verb);

	return strncasecmp(line, verb, n) == 0 && !isalnum((unsigned char)line[n]);
}

static void
client_on_command(struct client *c)
{
	const char *line = c->line;

	if (verb_is(line, "EHLO"))
		client_reply(
		    c, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
	else if (verb_is(line, "HELO"))
		client_reply(c, "250 sink.test\r\n");
	else if (verb_is(line, "MAIL")) {
		client_reply(c, c->mail ? "503 5.5.1 one at a time\r\n" : "250 2.1.0 ok\r\n");
		c->mail = true;
	} else if (verb_is(line, "RCPT")) {
		client_reply(c, c->mail ? "250 2.1.5 ok\r\n" : "503 5.5.1 MAIL first\r\n");
		c->rcpts += c->mail ? 1 : 0;
	} else if (verb_is(line, "DATA") && c->rcpts == 0)
		client_reply(c, "503 5.5.1 RCPT first\r\n");
	else if (verb_is(line, "DATA")) {
		client_reply(c, "354 go on\r\n");
		c->in_data = true;
		c->matched = 2; /* the line end of DATA counts: the first line may be the dot */
	} else if (verb_is(line, "RSET")) {
		client_reset(c);
		client_reply(c, "250 2.0.0 ok\r\n");
	} else if (verb_is(line, "NOOP"))
		client_reply(c, "250 2.0.0 ok\r\n");
	else if (verb_is(line, "QUIT")) {
		client_reply(c, "221 2.0.0 bye\r\n");
		c->quit = true;
	} else
		client_reply(c, "500 5.5.2 unknown\r\n");
}

/* Takes octets up to the end of one line or of all; returns how many. */
static size_t
client_take_line(struct client *c, const char *p, size_t n)
{
	const char *nl = memchr(p, '\n', n);
	size_t take = nl == NULL ? n : (size_t)(nl - p) + 1;

	if (c->line_len + take >= sizeof(c->line)) {
		c->quit = true;
		return n;
	}
	memcpy(c->line + c->line_len, p, take);
	c->line_len += take;
	if (nl != NULL) {
		c->line[c->line_len] = '\0';
		c->line_len = 0;
		client_on_command(c);
	}
	return take;
}

/* Takes octets up to the end of the message or of all; returns how many. */
static size_t
client_take_data(struct sink *s, struct client *c, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && c->matched < sizeof(dot) - 1) {
		const char *cr;

		if (c->matched == 0) {
			cr = memchr(p + i, '\r', n - i);
			i = cr == NULL ? n : (size_t)(cr - p) + 1;
			c->matched = cr == NULL ? 0 : 1;
		} else if (p[i] == dot[c->matched]) {
			c->matched++;
			i++;
		} else
			c->matched = p[i++] == '\r' ? 1 : 0;
	}
	c->octets += i;
	if (c->matched == sizeof(dot) - 1) {
		s->messages++;
		s->recipients += c->rcpts;
		s->octets += c->octets;
		s->last = cli_wall();
		if (s->first_message == 0)
			s->first_message = s->last;
		c->in_data = false;
		client_reset(c);
		client_reply(c, "250 2.0.0 taken\r\n");
	}
	return i;
}

/* Reads once, answers all of it with one write. May free the client. */
static void
client_on_event(struct sink *s, struct client *c, uint32_t events)
{
	static char in[65536];
	ssize_t n = 0, wrote;
	size_t i = 0;
	struct epoll_event ev = {.data.ptr = c};
	bool waited = c->out_len > 0;

	if (!waited && (n = read(c->fd, in, sizeof(in))) <= 0 && (n == 0 || errno != EAGAIN)) {
		client_free(s, c);
		return;
	}
	while (n > 0 && i < (size_t)n && !c->quit)
		i += c->in_data ? client_take_data(s, c, in + i, (size_t)n - i)
				: client_take_line(c, in + i, (size_t)n - i);
	wrote = c->out_len == 0 ? 0 : write(c->fd, c->out, c->out_len);
	if (wrote == -1 && errno == EAGAIN)
		wrote = 0;
	if (wrote == -1 || (events & EPOLLERR)) {
		client_free(s, c);
		return;
	}
	c->out_len -= (size_t)wrote;
	memmove(c->out, c->out + wrote, c->out_len);
	if (c->quit && c->out_len == 0) {
		client_free(s, c);
		return;
	}
	/* Either it reads or it writes: what is not written yet is not added to. */
	if (waited != (c->out_len > 0)) {
		ev.events = c->out_len > 0 ? EPOLLOUT : EPOLLIN;
		epoll_ctl(s->ep, EPOLL_CTL_MOD, c->fd, &ev);
	}
}

static void
sink_accept(struct sink *s)
{
	static const char greeting[] = "220 sink.test ESMTP\r\n";
	struct epoll_event ev = {.events = EPOLLIN};
	struct client *c;
	int fd, one = 1;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if ((c = malloc(sizeof(*c))) == NULL)
			err(71, "client");
		memset(c, 0, offsetof(struct client, line));
		c->fd = fd;
		LIST_INSERT_HEAD(&s->clients, c, entry);
		s->open++;
		if (s->connections++ == 0)
			s->first = cli_wall();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		ev.data.ptr = c;
		if (epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &ev) == -1 ||
		    write(fd, greeting, sizeof(greeting) - 1) != sizeof(greeting) - 1)
			client_free(s, c);
	}
}

static void
sink_listen(struct sink *s)
{
	socklen_t len = sizeof(s->on);
	struct epoll_event ev = {.events = EPOLLIN};
	sigset_t set;
	int one = 1;

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listener == -1)
		err(71, "socket");
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->listener, (struct sockaddr *)&s->on, sizeof(s->on)) == -1 ||
	    listen(s->listener, (int)s->backlog) == -1 ||
	    getsockname(s->listener, (struct sockaddr *)&s->on, &len) == -1)
		err(71, "listen");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if ((s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) == -1 ||
	    (s->ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(71, "signalfd, epoll");
	ev.data.ptr = &s->listener;
	epoll_ctl(s->ep, EPOLL_CTL_ADD, s->listener, &ev);
	ev.data.ptr = &s->signals;
	epoll_ctl(s->ep, EPOLL_CTL_ADD, s->signals, &ev);
	printf("{\"port\":%u,\"pid\":%d}\n", ntohs(s->on.sin_port), (int)getpid());
	fflush(stdout);
}

/* False when a signal asks it to end. */
static bool
sink_on_signal(const struct sink *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGUSR1)
			return false;
		sink_report(s);
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct sink s = {.seconds = 3600, .backlog = 4096};
	const struct cli_option options[] = {
	    {"listen", CLI_ENDPOINT, &s.on, 0, 0},
	    {"backlog", CLI_NUMBER, &s.backlog, 1, 65535},
	    {"time", CLI_NUMBER, &s.seconds, 1, 86400},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	struct epoll_event ev[512];
	struct client *c, *next;
	uint64_t end;
	bool running = true;
	int i, n;

	cli_endpoint("listen", "127.0.0.1:0", &s.on);
	cli_parse(argc > 0 ? argv + 1 : argv, options,
	    "usage: sink [--listen ADDRESS:PORT] [--backlog N] [--time SECONDS]\n");
	dial_raise_limit(256);
	sink_listen(&s);
	end = cli_now_us() + s.seconds * 1000000;
	while (running && cli_now_us() < end) {
		n = epoll_wait(s.ep, ev, 512, 1000);
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr == &s.listener)
				sink_accept(&s);
			else if (ev[i].data.ptr == &s.signals)
				running = sink_on_signal(&s) && running;
			else
				client_on_event(&s, ev[i].data.ptr, ev[i].events);
		}
	}
	for (c = LIST_FIRST(&s.clients); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		client_free(&s, c);
	}
	sink_report(&s);
	return 0;
}
