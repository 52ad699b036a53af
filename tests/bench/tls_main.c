/*
 * tls: sessions with TLS, one after another on each of some connections at once:
 * greeting, EHLO, STARTTLS, handshake, EHLO, QUIT, close. Prints a line of JSON:
 * how many, how fast, how long each took. With --hold on it keeps every session
 * after its second EHLO until stdin closes, so that the memory of the server can be
 * read. Started by tests/bench/bench.py, or by hand.
 *
 * Invariant: a session counts only if each of its replies was 2xx (RFC 3207), and
 * with --resume off each handshake is a whole one.
 */
#include <sys/epoll.h>
#include <signal.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/bench/cli.h"
#include "tests/bench/dial.h"
#include "tests/bench/reply.h"
#include "tests/bench/stats.h"

enum state {
	CLOSED,
	CONNECTING,
	GREETING, /* waiting for 220 */
	HELLO,	  /* EHLO sent */
	STARTTLS, /* sent */
	HANDSHAKE,
	INSIDE, /* EHLO sent */
	HELD,
	QUIT /* sent */
};

struct conn {
	int fd;
	SSL *ssl;
	SSL_SESSION *session; /* the last ticket that came here, for the next connection */
	enum state state;
	struct reply reply;
	uint64_t began;
};

struct load {
	struct sockaddr_in to;
	uint64_t conns, at_once, sessions, sources, seconds;
	bool hold, resume;
	SSL_CTX *ctx;
	struct conn *conn;
	int ep;
	uint64_t opened, done, failed, resumed, held;
	struct series took;
};

static void
conn_close(struct load *l, struct conn *c, bool good)
{
	if (good) {
		l->done++;
		series_add(&l->took, cli_now_us() - c->began);
	} else {
		l->failed++;
	}
	if (c->state == HELD)
		l->held--;
	if (c->ssl != NULL && good)
		SSL_shutdown(
		    c->ssl); /* else its session counts as broken off, and is not taken up again */
	SSL_free(c->ssl);
	ERR_clear_error();
	close(c->fd);
	*c = (struct conn){.fd = -1, .session = c->session};
}

static void
conn_want(struct load *l, struct conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (epoll_ctl(l->ep, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		err(71, "epoll_ctl");
}

static void
conn_open(struct load *l, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = c};

	*c = (struct conn){.fd = dial(&l->to, l->opened++, l->sources),
	    .session = c->session,
	    .state = CONNECTING,
	    .began = cli_now_us()};
	if (c->fd == -1)
		conn_close(l, c, false);
	else if (epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(71, "epoll_ctl");
}

static void
conn_say(struct load *l, struct conn *c, const char *text, enum state next)
{
	int n = (int)strlen(text);

	if ((c->ssl != NULL ? SSL_write(c->ssl, text, n)
			    : (int)write(c->fd, text, (size_t)n)) != n)
		conn_close(l, c, false);
	else
		c->state = next;
}

static void
conn_shake(struct load *l, struct conn *c)
{
	int r = SSL_do_handshake(c->ssl), error = SSL_get_error(c->ssl, r);

	if (r == 1) {
		l->resumed += SSL_session_reused(c->ssl) == 1;
		conn_say(l, c, "EHLO client.test\r\n", INSIDE);
		if (c->state != CLOSED)
			conn_want(l, c, EPOLLIN);
	} else if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		conn_want(l, c, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
	} else {
		conn_close(l, c, false);
	}
}

static void
conn_begin_tls(struct load *l, struct conn *c)
{
	if ((c->ssl = SSL_new(l->ctx)) == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		errx(71, "OpenSSL");
	SSL_set_app_data(c->ssl, c);
	if (l->resume && c->session != NULL)
		SSL_set_session(c->ssl, c->session);
	SSL_set_connect_state(c->ssl);
	c->state = HANDSHAKE;
	conn_shake(l, c);
}

static void
conn_on_reply(struct load *l, struct conn *c)
{
	if (c->reply.class != '2')
		conn_close(l, c, false);
	else if (c->state == GREETING)
		conn_say(l, c, "EHLO client.test\r\n", HELLO);
	else if (c->state == HELLO)
		conn_say(l, c, "STARTTLS\r\n", STARTTLS);
	else if (c->state == STARTTLS)
		conn_begin_tls(l, c);
	else if (c->state == INSIDE && l->hold) {
		c->state = HELD;
		l->held++;
	} else if (c->state == INSIDE)
		conn_say(l, c, "QUIT\r\n", QUIT);
	else
		conn_close(l, c, c->state == QUIT);
}

static void
conn_on_octets(struct load *l, struct conn *c, const char *in, int n)
{
	for (int i = 0; i < n && c->state != CLOSED; i++)
		if (reply_feed(&c->reply, in[i]))
			conn_on_reply(l, c);
}

static void
conn_on_readable(struct load *l, struct conn *c)
{
	char in[4096];
	int n = c->ssl != NULL ? SSL_read(c->ssl, in, sizeof(in))
			       : (int)read(c->fd, in, sizeof(in));

	if (n > 0)
		conn_on_octets(l, c, in, n);
	else if (c->ssl != NULL ? SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ
				: n == 0 || errno != EAGAIN)
		conn_close(l, c, false);
}

static void
conn_on_event(struct load *l, struct conn *c)
{
	if (c->state == HANDSHAKE)
		conn_shake(l, c);
	else if (c->state != CONNECTING)
		conn_on_readable(l, c);
	else if (dial_error(c->fd) != 0)
		conn_close(l, c, false);
	else {
		c->state = GREETING;
		conn_want(l, c, EPOLLIN);
	}
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct conn *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static void
report(struct load *l, const char *event, uint64_t start)
{
	double seconds = (double)(cli_now_us() - start) / 1e6;

	printf(
	    "{\"mode\":\"tls\",\"event\":\"%s\",\"done\":%llu,\"failed\":%llu,\"resumed\":%llu,"
	    "\"held\":%llu,\"seconds\":%.3f,\"rate\":%.1f,\"cpu_seconds\":%.3f,",
	    event, (unsigned long long)l->done, (unsigned long long)l->failed,
	    (unsigned long long)l->resumed, (unsigned long long)l->held, seconds,
	    (double)l->done / seconds, cli_cpu());
	series_print(&l->took, "session_ms");
	printf("}\n");
	fflush(stdout);
}

static void
run(struct load *l)
{
	struct epoll_event ev[256];
	uint64_t start = cli_now_us(), end = start + l->seconds * 1000000;
	bool reported = false;
	char scrap[64];

	while (l->done + l->failed < l->sessions && cli_now_us() < end) {
		int n;

		/* No more at once than this process can keep up with: a server drops slow ones. */
		for (uint64_t i = 0; i < l->conns && l->opened < l->sessions &&
				     l->opened - l->done - l->failed - l->held < l->at_once;
		     i++)
			if (l->conn[i].state == CLOSED)
				conn_open(l, &l->conn[i]);
		if (l->hold && !reported && l->held + l->failed == l->sessions) {
			report(l, "ready", start);
			reported = true;
		}
		n = epoll_wait(l->ep, ev, 256, 100);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr != NULL)
				conn_on_event(l, ev[i].data.ptr);
			else if (read(STDIN_FILENO, scrap, sizeof(scrap)) <= 0)
				end = 0;
		}
	}
	report(l, "end", start);
}

int
main(int argc, char **argv)
{
	struct load l = {.conns = 20, .sessions = 1000, .seconds = 120};
	const struct cli_option options[] = {
	    {"to", CLI_ENDPOINT, &l.to, 0, 0},
	    {"connections", CLI_NUMBER, &l.conns, 1, 60000},
	    {"sessions", CLI_NUMBER, &l.sessions, 1, 10000000},
	    {"sources", CLI_NUMBER, &l.sources, 0, 50000},
	    {"hold", CLI_SWITCH, &l.hold, 0, 0},
	    {"resume", CLI_SWITCH, &l.resume, 0, 0},
	    {"time", CLI_NUMBER, &l.seconds, 1, 86400},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	static const char usage[] =
	    "usage: tls --to ADDRESS:PORT [--connections N, begun at once] [--sessions N]\n"
	    "  [--sources N] [--hold on|off] [--resume on|off] [--time SECONDS]\n";
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	cli_parse(argc > 0 ? argv + 1 : argv, options, usage);
	if (l.to.sin_port == 0)
		errx(64, "--to is missing\n%s", usage);
	l.at_once = l.conns;
	if (l.hold)
		l.conns = l.sessions;
	signal(SIGPIPE, SIG_IGN);
	dial_raise_limit(l.conns);
	if ((l.ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(71, "epoll_create1");
	if (l.hold && epoll_ctl(l.ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1)
		err(64, "stdin must be a pipe or a terminal");
	if ((l.conn = calloc(l.conns, sizeof(*l.conn))) == NULL ||
	    (l.ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		err(71, "%llu connections", (unsigned long long)l.conns);
	SSL_CTX_set_mode(l.ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(l.ctx,
	    l.resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(l.ctx, on_session);
	series_init(&l.took, l.sessions);
	run(&l);
	return l.failed > 0 ? 1 : 0;
}
