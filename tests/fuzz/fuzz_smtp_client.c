/*
 * fuzz_smtp_client: a whole client session against a server that says anything.
 * The first octet chooses recipients and content; the rest is what the server says, a
 * zero octet parting what it says before from what it says after the client spoke again.
 * Whatever it says: the session ends, every recipient gets a verdict, none is
 * delivered without two 2xx replies, and what we send is commands and stuffed lines.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "deliver/smtp_client.h"
#include "tests/fuzz/must.h"

#define RECIPIENTS_MAX 3

struct session {
	struct smtp_client *client;
	struct smtp_transaction t;
	struct smtp_recipient recipients[RECIPIENTS_MAX];
	int done, closed, ready;
};

static ssize_t
read_content(void *content, uint64_t at, void *out, size_t n)
{
	size_t len = strlen(content);

	if (at >= len)
		return 0;
	n = n < len - at ? n : len - at;
	memcpy(out, (char *)content + at, n);
	return (ssize_t)n;
}

static void
on_ready(struct smtp_client *c, void *arg)
{
	struct session *s = arg;

	MUST(s->closed == 0);
	if (s->ready++ == 0)
		smtp_client_send(c, &s->t);
}

static void
on_done(struct smtp_client *c, struct smtp_transaction *t, enum smtp_outcome outcome, void *arg)
{
	struct session *s = arg;

	MUST(t == &s->t && s->done++ == 0 && s->closed == 0);
	MUST(outcome != SMTP_PARTIAL || smtp_client_is_spent(c));
	for (size_t i = 0; i < t->nrecipients; i++) {
		MUST(t->recipients[i].decided || outcome == SMTP_PARTIAL);
		MUST(!t->recipients[i].decided || t->recipients[i].verdict.kind != VERDICT_OK ||
		     t->recipients[i].accepted);
	}
}

static void
on_closed(struct smtp_client *c, enum smtp_stage stage, const struct verdict *v, void *arg)
{
	struct session *s = arg;

	(void)stage;
	MUST(c == s->client && s->closed++ == 0 && v->kind != VERDICT_OK);
	MUST(s->ready == 0 || s->done == 1);
	smtp_client_free(&s->client);
}

static const struct smtp_client_ops ops = {
    .on_ready = on_ready, .on_done = on_done, .on_closed = on_closed};

/* No CR without LF, no LF without CR in what the client says. */
static void
drain(int fd, char *last)
{
	char got[65536];
	ssize_t n;

	while ((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			MUST((*last == '\r') == (got[i] == '\n'));
			*last = got[i];
		}
	}
}

static void
talk(struct event_base *base, struct session *s, int fd, const uint8_t *data, size_t size)
{
	char last = '\0';

	while (size > 0 && s->client != NULL) {
		const uint8_t *end = memchr(data, 0, size);
		size_t n = end != NULL ? (size_t)(end - data) : size;

		if (n > 0)
			(void)send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		for (int i = 0; i < 3; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		drain(fd, &last);
		data += end != NULL ? n + 1 : n;
		size -= end != NULL ? n + 1 : n;
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; s->client != NULL && i < 100; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(fd, &last);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const contents[] = {
	    "x\n", "", ".\n..\n", "no end", "a\rb\n", "\n\n"};
	static const struct smtp_options options = {.helo = "me.test",
	    .connect_timeout_ms = 1000,
	    .reply_timeout_ms = 1000,
	    .final_timeout_ms = 1000};
	struct event_base *base = event_base_new();
	struct session s = {0};
	int sv[2];

	log_init("fuzz", LOG_LEVEL_FATAL);
	if (size > 0) {
		s.t = (struct smtp_transaction){.from = "s@x.test",
		    .envid = "id",
		    .ret = "FULL",
		    .eight_bit = (data[0] & 0x80) != 0,
		    .utf8 = data[0] == 0x7f,
		    .utf8_given = (data[0] & 0x40) != 0,
		    .size = 10,
		    .wire_size = 10,
		    .read = read_content,
		    .content = (void *)(uintptr_t)contents[data[0] % 6],
		    .recipients = s.recipients,
		    .nrecipients = 1 + data[0] / 6 % RECIPIENTS_MAX};
		for (size_t i = 0; i < RECIPIENTS_MAX; i++)
			s.recipients[i] = (struct smtp_recipient){
			    .address = i == 2 ? "\xc3\xbc@d.test" : "r@d.test",
			    .notify = "SUCCESS",
			    .orcpt = "rfc822;r"};
		MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
		MUST(fcntl(sv[0], F_SETFL, O_NONBLOCK) == 0);
		s.client = smtp_client_new(base, sv[0], &options, &ops, &s);
		talk(base, &s, sv[1], data + 1, size - 1);
		MUST(s.client == NULL && s.closed == 1);
		close(sv[1]);
	}
	event_base_free(base);
	return 0;
}
