/*
 * test_sendmail_submit: the SMTP client against a scripted server on a Unix socket:
 * what it says, what becomes of each recipient, what it makes of silence and lies.
 */
#include "queue/sendmail_submit.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define EHLO_ALL                                                                               \
	"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 DSN\r\n"

/* The server answers each command line with the next reply; within DATA, the dot. "" hangs up. */
struct server {
	const char *const *replies;
	int listener;
	char heard[65536]; /* all command lines and the content as it came */
	pthread_t thread;
	char directory[64], path[108];
};

static bool
say(int fd, const char *text)
{
	return text != NULL && text[0] != '\0' && write(fd, text, strlen(text)) > 0;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->listener, NULL, NULL);
	FILE *f = fdopen(fd, "r");
	const char *const *reply = s->replies;
	size_t used = 0;
	bool data = false;
	char line[4096];

	if (say(fd, *reply++)) {
		while (fgets(line, sizeof line, f) != NULL) {
			size_t n = strlen(line);

			if (used + n < sizeof s->heard) {
				memcpy(s->heard + used, line, n + 1);
				used += n;
			}
			if (data && strcmp(line, ".\r\n") != 0)
				continue;
			data = *reply != NULL && strncmp(*reply, "354", 3) == 0;
			if (!say(fd, *reply))
				break;
			reply++;
		}
	}
	fclose(f);
	return NULL;
}

static void
server_start(struct server *s, const char *const *replies)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	*s = (struct server){.replies = replies};
	snprintf(s->directory, sizeof s->directory, "/tmp/test_submit.XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof s->path, "%s/smtp", s->directory);
	memcpy(sun.sun_path, s->path, strlen(s->path) + 1);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sun, sizeof sun), 0);
	assert_int_equal(listen(s->listener, 5), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->directory);
}

struct client {
	struct sendmail_envelope e;
	struct sendmail_content c;
};

static void
client_init(struct client *c, const char *from, const char *to, const char *content)
{
	const char *why;

	*c = (struct client){.e = {.hostname = "here.test"}};
	sendmail_recipients_init(&c->e.recipients);
	assert_int_equal(sendmail_envelope_set_sender(&c->e, from, "here.test", &why), 0);
	assert_int_equal(
	    sendmail_recipients_add_list(&c->e.recipients, span_str(to), "here.test", &why), 0);
	sendmail_content_init(&c->c, 1U << 20);
	assert_int_equal(sendmail_content_add(&c->c, span_str(content)), 0);
}

static void
client_release(struct client *c)
{
	sendmail_recipients_release(&c->e.recipients);
	sendmail_content_release(&c->c);
}

/* The states of the recipients as letters. */
static const char *
states(const struct client *c, char out[64])
{
	static const char letters[] = {[SENDMAIL_RECIPIENT_PENDING] = 'p',
	    [SENDMAIL_RECIPIENT_ACCEPTED] = 'a',
	    [SENDMAIL_RECIPIENT_SENT] = 's',
	    [SENDMAIL_RECIPIENT_DEFERRED] = 'd',
	    [SENDMAIL_RECIPIENT_REFUSED] = 'r'};
	size_t i;

	for (i = 0; i < c->e.recipients.n; i++) {
		const struct sendmail_recipient *r = c->e.recipients.v[i];

		out[i] = letters[r->state];
		assert_int_equal(r->verdict != NULL, out[i] == 'd' || out[i] == 'r');
	}
	out[i] = '\0';
	return out;
}

static void
submits(void **state)
{
	static const char *const replies[] = {"220 mx.test ESMTP\r\n", EHLO_ALL,
	    "250 2.1.0 ok\r\n", "250 2.1.5 ok\r\n", "250 2.1.5 ok\r\n", "354 go on\r\n",
	    "250 2.0.0 Id\r\n", "221 2.0.0 bye\r\n", NULL};
	struct server s;
	struct client c;
	char got[64];

	(void)state;
	server_start(&s, replies);
	client_init(
	    &c, "alice@a.test", "bob,carol@b.test", "Subject: x\n\n.\n..a\nb\xc3\xa9\n");
	c.e.ret = "HDRS";
	c.e.envid = "Q1";
	c.e.notify = "never";
	sendmail_submit(s.path, &c.e, &c.c, false);
	server_stop(&s);
	assert_string_equal(states(&c, got), "ss");
	assert_string_equal(s.heard,
	    "EHLO here.test\r\n"
	    "MAIL FROM:<alice@a.test> SIZE=27 BODY=8BITMIME RET=HDRS ENVID=Q1\r\n"
	    "RCPT TO:<bob@here.test> NOTIFY=never\r\nRCPT TO:<carol@b.test> NOTIFY=never\r\n"
	    "DATA\r\nSubject: x\r\n\r\n..\r\n...a\r\nb\xc3\xa9\r\n.\r\nQUIT\r\n");
	client_release(&c);
}

static void
says_nothing_that_was_not_offered(void **state)
{
	static const char *const replies[] = {"220 x\r\n", "250 mx.test\r\n", "250 ok\r\n",
	    "250 ok\r\n", "354 ok\r\n", "250 ok\r\n", "221 ok\r\n", NULL};
	struct server s;
	struct client c;
	char got[64];

	(void)state;
	server_start(&s, replies);
	client_init(&c, "", "bob@b.test", "\n\xff\n");
	c.e.ret = "HDRS";
	sendmail_submit(s.path, &c.e, &c.c, false);
	server_stop(&s);
	assert_string_equal(states(&c, got), "s");
	assert_non_null(
	    strstr(s.heard, "\r\nMAIL FROM:<>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\n"));
	client_release(&c);
}

static void
refuses_utf8_that_is_not_offered(void **state)
{
	static const char *const replies[] = {"220 x\r\n", EHLO_ALL, NULL};
	struct server s;
	struct client c;
	char got[64];

	(void)state;
	server_start(&s, replies);
	client_init(&c, "a@b.test",
	    "b\xc3\xb6"
	    "b@b.test",
	    "\nx\n");
	sendmail_submit(s.path, &c.e, &c.c, false);
	server_stop(&s);
	assert_string_equal(states(&c, got), "r");
	assert_null(strstr(s.heard, "MAIL"));
	client_release(&c);
}

/* What becomes of three recipients under each course of events. */
static void
decides_every_recipient(void **state)
{
	static const struct {
		const char *name;
		const char *const replies[16];
		const char *want;
	} rows[] = {
	    {"hangs up at once", {""}, "ddd"},
	    {"refuses to talk", {"554 5.3.2 no\r\n"}, "rrr"},
	    {"shuts down", {"421 4.3.2 later\r\n"}, "ddd"},
	    {"talks no SMTP", {"hello\r\n"}, "ddd"},
	    {"lies about codes", {"220-a\r\n250 b\r\n"}, "ddd"},
	    {"EHLO refused", {"220 x\r\n", "550 no\r\n"}, "rrr"},
	    {"MAIL refused", {"220 x\r\n", EHLO_ALL, "552 5.3.4 too large\r\n"}, "rrr"},
	    {"MAIL put off", {"220 x\r\n", EHLO_ALL, "451 4.3.0 later\r\n"}, "ddd"},
	    {"MAIL, spool full", {"220 x\r\n", EHLO_ALL, "452 4.3.1 full\r\n"}, "rrr"},
	    {"MAIL, no enhanced code", {"220 x\r\n", EHLO_ALL, "451 later\r\n"}, "rrr"},
	    {"MAIL, then gone", {"220 x\r\n", EHLO_ALL, ""}, "ddd"},
	    {"one of each",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "550 5.1.1 no\r\n",
		    "451 4.3.0 later\r\n", "354 go\r\n", "250 ok\r\n", "221 x\r\n"},
		"srd"},
	    {"none accepted, no DATA",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "550 5.1.1 a\r\n", "550 5.1.1 b\r\n",
		    "450 4.2.0 c\r\n", "250 ok\r\n", "221 x\r\n"},
		"rrr"},
	    {"RCPT, then gone", {"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", ""}, "ddd"},
	    {"RCPT refused, then shut down",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "550 5.1.1 no\r\n", "421 4.3.2 bye\r\n",
		    ""},
		"rdd"},
	    {"DATA refused",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n",
		    "554 5.5.1 no\r\n", "221 x\r\n"},
		"rrr"},
	    {"DATA put off, one refused before",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "550 5.1.1 no\r\n", "250 ok\r\n",
		    "250 ok\r\n", "451 4.3.0 no\r\n", "221 x\r\n"},
		"rdd"},
	    {"content refused",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n",
		    "354 go\r\n", "550 5.6.0 no\r\n", "221 x\r\n"},
		"rrr"},
	    {"spool full at the end",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n",
		    "354 go\r\n", "452 4.3.1 full\r\n", "221 x\r\n"},
		"rrr"},
	    {"gone after the end of the data",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n",
		    "354 go\r\n", ""},
		"ddd"},
	    {"takes one recipient a transaction",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "250 ok\r\n", "452 4.5.3 many\r\n",
		    "452 4.5.3 many\r\n", "354 go\r\n", "250 ok\r\n", "250 ok\r\n",
		    "250 ok\r\n", "550 5.1.1 no\r\n", "354 go\r\n", "250 ok\r\n", "221 x\r\n"},
		"ssr"},
	    {"takes no recipient at all",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "452 4.5.3 a\r\n", "452 4.5.3 b\r\n",
		    "452 4.5.3 c\r\n", "221 x\r\n"},
		"rrr"},
	    {"a mailbox is full",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "452 4.2.2 full\r\n", "250 ok\r\n",
		    "452 4.2.2 full\r\n", "354 go\r\n", "250 ok\r\n", "221 x\r\n"},
		"rsr"},
	    {"counts refused ones too",
		{"220 x\r\n", EHLO_ALL, "250 ok\r\n", "550 5.1.1 no\r\n", "452 4.5.3 b\r\n",
		    "452 4.5.3 c\r\n", "250 reset\r\n", "250 ok\r\n", "250 ok\r\n",
		    "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 x\r\n"},
		"rss"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct server s;
		struct client c;
		char got[64];

		server_start(&s, rows[i].replies);
		client_init(&c, "a@b.test", "one@b.test,two@b.test,three@b.test", "\nx\n");
		sendmail_submit(s.path, &c.e, &c.c, false);
		server_stop(&s);
		if (strcmp(states(&c, got), rows[i].want) != 0)
			fail_msg(
			    "%s: %s, want %s\n%s", rows[i].name, got, rows[i].want, s.heard);
		client_release(&c);
	}
}

static void
bounds_a_reply(void **state)
{
	static char endless[200000];
	const char *const replies[] = {endless, NULL};
	struct server s;
	struct client c;
	char got[64];

	(void)state;
	for (size_t at = 0; at + 8 < sizeof endless; at += 7)
		memcpy(endless + at, "220-x\r\n", 8);
	server_start(&s, replies);
	client_init(&c, "a@b.test", "bob@b.test", "\nx\n");
	sendmail_submit(s.path, &c.e, &c.c, false);
	assert_string_equal(states(&c, got), "d");
	server_stop(&s);
	client_release(&c);
}

static void
defers_when_nobody_answers(void **state)
{
	struct client c;
	char got[64], long_path[300];

	(void)state;
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	client_init(&c, "a@b.test", "bob@b.test", "\nx\n");
	sendmail_submit("/nonexistent/smtp", &c.e, &c.c, false);
	assert_string_equal(states(&c, got), "d");
	client_release(&c);
	client_init(&c, "a@b.test", "bob@b.test", "\nx\n");
	sendmail_submit(long_path, &c.e, &c.c, false);
	assert_string_equal(states(&c, got), "d");
	client_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(submits),
	    cmocka_unit_test(says_nothing_that_was_not_offered),
	    cmocka_unit_test(refuses_utf8_that_is_not_offered),
	    cmocka_unit_test(decides_every_recipient),
	    cmocka_unit_test(bounds_a_reply),
	    cmocka_unit_test(defers_when_nobody_answers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
