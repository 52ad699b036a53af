/*
 * proxy_wait: a connection that waits for its PROXY header. See proxy_wait.h. Made by
 * the listener. What is there is looked at first and then taken as far as it is the header's.
 */
#include "smtpd/proxy_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/xalloc.h"

struct proxy_wait {
	struct event *readable, *overdue;
	int fd;
	size_t len;    /* octets taken so far */
	uint32_t skip; /* octets of a header that is known, still to take */
	bool known;
	struct proxy_header header;
	proxy_wait_fn *fn;
	void *arg;
	char seen[PROXY_HEADER_SEEN];
};

void
proxy_wait_free(struct proxy_wait **wp)
{
	struct proxy_wait *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	event_free(w->readable);
	event_free(w->overdue);
	free(w);
}

static void
end(struct proxy_wait *w, const char *why)
{
	struct proxy_header h = w->header;
	proxy_wait_fn *fn = w->fn;
	void *arg = w->arg;
	int fd = w->fd;

	proxy_wait_free(&w);
	fn(fd, why == NULL ? &h : NULL, why, arg);
}

static const char *
trouble(ssize_t n)
{
	return n == 0 ? "closed before the header was whole" : "connection lost";
}

/* Takes what is left of a header whose end is known: TLVs and padding. True if it is all there. */
static bool
skip_rest(struct proxy_wait *w, const char **why)
{
	char nowhere[1024];

	while (w->skip > 0) {
		ssize_t n = recv(
		    w->fd, nowhere, w->skip < sizeof nowhere ? w->skip : sizeof nowhere, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN)
				*why = trouble(n);
			return false;
		}
		w->skip -= (uint32_t)n;
	}
	return true;
}

/* Looks at what is there. True if the header is known now. */
static bool
look(struct proxy_wait *w, const char **why)
{
	size_t before = w->len, take = 0;
	ssize_t n = recv(w->fd, w->seen + before, sizeof w->seen - before, MSG_PEEK);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			*why = trouble(n);
		return false;
	}
	switch (proxy_header_parse(span_make(w->seen, before + (size_t)n), &w->header, why)) {
	case PROXY_HEADER_BAD:
		if (*why == NULL)
			*why = "malformed";
		return false;
	case PROXY_HEADER_MORE:
		take = (size_t)n;
		break;
	case PROXY_HEADER_WHOLE:
		w->known = true;
		take = w->header.len - before < (size_t)n ? w->header.len - before : (size_t)n;
		w->skip = (uint32_t)(w->header.len - before - take);
		break;
	}
	if (recv(w->fd, w->seen + before, take, 0) != (ssize_t)take)
		*why = trouble(-1);
	w->len += take;
	return w->known && *why == NULL;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct proxy_wait *w = arg;
	const char *why = NULL;

	(void)fd, (void)what;
	if ((w->known || look(w, &why)) && skip_rest(w, &why))
		end(w, NULL);
	else if (why != NULL)
		end(w, why);
}

static void
on_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	end(arg, "no header in time");
}

struct proxy_wait *
proxy_wait_new(struct event_base *base, int fd, uint64_t ms, proxy_wait_fn *fn, void *arg)
{
	struct proxy_wait *w = xcalloc(1, sizeof *w);
	struct timeval limit = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	w->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, w);
	w->overdue = evtimer_new(base, on_overdue, w);
	if (w->readable == NULL || w->overdue == NULL || event_add(w->readable, NULL) != 0 ||
	    event_add(w->overdue, &limit) != 0)
		fatalx("cannot watch a socket");
	return w;
}
