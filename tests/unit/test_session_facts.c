/* test_session_facts: what sessions find out about their clients, what waits for it, and who is told. */
#include "smtpd/session_facts.h"

#include "tests/unit/smtpd_client.h"

#define WANTS_MAX 4

/* Who is asked about the DNS; and what the directory wants, and is told. */
struct stage {
	struct client c;
	struct span connect_wants[WANTS_MAX], mail_wants[WANTS_MAX];
	size_t nconnect, nmail;
	char facts[512]; /* that came with the last question */
	char wanted[512];
	struct facts_call *call;
	unsigned asked, cancelled;
};

static struct stage stage;

static void
ask_directory(void *arg, const struct question *q, struct question_call *call)
{
	struct fake *f = arg;
	struct answer *a = &f->answers[f->ncalls];
	struct buf b;

	fake_ask(arg, q, call);
	if (q->kind == QUESTION_CONNECT) {
		a->wants = stage.connect_wants;
		a->nwants = stage.nconnect;
	} else if (q->kind == QUESTION_MAIL) {
		a->wants = stage.mail_wants;
		a->nwants = stage.nmail;
	}
	buf_init(&b, sizeof stage.facts - 1);
	for (size_t i = 0; q->facts != NULL && i < q->facts->n; i++) {
		fact_format(&q->facts->v[i], &b);
		buf_add_char(&b, ',');
	}
	memcpy(stage.facts, buf_str(&b), b.len + 1);
	buf_release(&b);
}

static void
ask_dns(void *source, struct span client, const struct span *wants, size_t n,
    unsigned timeout_ms, struct facts_call *call)
{
	size_t at = 0;

	assert_ptr_equal(source, &stage);
	assert_true(span_is(client, "192.0.2.7"));
	assert_int_equal(timeout_ms, 5500);
	assert_null(stage.call);
	stage.wanted[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(
		    stage.wanted + at, sizeof stage.wanted - at, "%.*s,", SPAN_ARG(wants[i]));
	stage.call = call;
	call->id = ++stage.asked;
}

static void
cancel_dns(void *source, struct facts_call *call)
{
	(void)source;
	assert_ptr_equal(call, stage.call);
	stage.call = NULL;
	call->id = 0;
	stage.cancelled++;
}

/* What the DNS says, lines; NULL: nobody told. */
static void
tell(const char *lines)
{
	struct facts_call *call = stage.call;
	struct facts told = {.n = 0};
	struct span rest = span_str(lines);

	assert_non_null(call);
	while (rest.len > 0) {
		struct fact f;

		assert_int_equal(fact_parse(span_cut(&rest, '\n'), &f), 0);
		facts_set(&told, &f);
	}
	stage.call = NULL;
	call->id = 0;
	call->fn(&told, call->arg);
	facts_release(&told);
	fake_run(&stage.c.fake);
	client_read(&stage.c);
}

static void
open_with(bool with_dns)
{
	static const struct question_ops question_ops = {
	    .ask = ask_directory, .cancel = fake_cancel};
	static const struct facts_ops facts_ops = {.ask = ask_dns, .cancel = cancel_dns};
	struct client *c = &stage.c;

	buf_init(&c->got, 1U << 20);
	fake_init(&c->fake);
	c->fake.server.question_ops = &question_ops;
	c->fake.server.settings->dns_timeout_ms = 5000;
	if (with_dns) {
		c->fake.server.facts_ops = &facts_ops;
		c->fake.server.dns = &stage;
	}
	c->fd = fake_connect(&c->fake, NULL);
	fake_run(&c->fake);
}

static int
setup(void **state)
{
	(void)state;
	memset(&stage, 0, sizeof stage);
	return 0;
}

/* The greeting does not wait, MAIL does; what is known goes with the questions, and stays known. */
static void
mail_waits_for_what_connect_wants(void **state)
{
	struct client *c = &stage.c;

	(void)state;
	stage.connect_wants[0] = span_str("ptr -");
	stage.connect_wants[1] = span_str("list bl.test");
	stage.nconnect = 2;
	open_with(true);
	assert_string_equal(stage.wanted, "ptr -,list bl.test,");
	assert_string_equal(say(c, E), "220,250");
	assert_string_equal(say(c, M), "");
	assert_int_equal(c->fake.questions, 1);
	tell("ptr confirmed c.test\nlist none bl.test");
	assert_string_equal(c->replies, "250");
	assert_string_equal(stage.facts, "ptr confirmed c.test,list none bl.test,");
	assert_string_equal(say(c, R D), "250,354");
	assert_string_equal(say(c, B), "250");
	assert_string_equal(stage.facts, "ptr confirmed c.test,list none bl.test,");
	assert_int_equal(strncmp(c->fake.messages[0].content,
			     "Received: from c.test (c.test [192.0.2.7])\n", 43),
	    0);
	assert_string_equal(say(c, M R), "250,250");
	assert_int_equal(stage.asked, 1);
	client_close(c);
}

/* Pipelined commands wait behind it in their order; what MAIL wants holds RCPT up. */
static void
rcpt_waits_for_what_mail_wants(void **state)
{
	struct client *c = &stage.c;

	(void)state;
	stage.mail_wants[0] = span_str("exists remote.test");
	stage.nmail = 1;
	open_with(true);
	assert_string_equal(say(c, E), "220,250");
	assert_int_equal(stage.asked, 0);
	say(c, M R R "NOOP\\r\\n" D);
	assert_string_equal(stage.wanted, "exists remote.test,");
	assert_string_equal(stage.facts, "");
	assert_int_equal(c->fake.questions, 3); /* RCPT was asked about ahead, without facts */
	tell("exists none remote.test");
	assert_int_equal(c->fake.questions, 4); /* and again with them */
	assert_string_equal(stage.facts, "exists none remote.test,");
	assert_string_equal(c->replies, "250,250,250,250,354");
	assert_string_equal(say(c, B), "250");
	client_close(c);
}

/* Who tells nothing has told that it is unknown; what was untold is not said with the next MAIL, so that it is wanted again. */
static void
untold_is_unknown(void **state)
{
	struct client *c = &stage.c;

	(void)state;
	stage.connect_wants[0] = span_str("list bl.test");
	stage.nconnect = 1;
	stage.mail_wants[0] = span_str("exists remote.test");
	stage.mail_wants[1] = span_str("host c.test");
	stage.nmail = 2;
	open_with(true);
	assert_string_equal(say(c, E), "220,250");
	assert_string_equal(say(c, M), "");
	tell("");
	assert_string_equal(c->replies, "250");
	assert_string_equal(stage.facts, "list unknown bl.test,");
	assert_string_equal(say(c, R), "");
	tell("host client c.test\nexists temporary remote.test");
	assert_string_equal(c->replies, "250");
	assert_string_equal(stage.facts,
	    "list unknown bl.test,exists temporary remote.test,host client c.test,");
	stage.nmail = 0;
	assert_string_equal(say(c, "RSET\\r\\n" M), "250,250");
	assert_string_equal(stage.facts, "list unknown bl.test,host client c.test,");
	client_close(c);
}

static void
nobody_to_ask(void **state)
{
	struct client *c = &stage.c;

	(void)state;
	stage.connect_wants[0] = span_str("ptr -");
	stage.nconnect = 1;
	open_with(false);
	assert_string_equal(say(c, E M R), "220,250,250,250");
	assert_string_equal(stage.facts, "ptr unknown -,");
	client_close(c);
}

/* Nothing is wanted: nothing is asked, nothing is held. */
static void
nothing_is_wanted(void **state)
{
	struct client *c = &stage.c;

	(void)state;
	open_with(true);
	assert_string_equal(say(c, E M R), "220,250,250,250");
	assert_int_equal(stage.asked, 0);
	assert_null(TAILQ_FIRST(&c->fake.server.sessions)->facts);
	client_close(c);
}

/* A client that leaves, with and without a command that waits, is asked about no more. */
static void
who_leaves_is_forgotten(void **state)
{
	(void)state;
	for (int waiting = 0; waiting < 2; waiting++) {
		struct client *c = &stage.c;

		memset(&stage, 0, sizeof stage);
		stage.connect_wants[0] = span_str("ptr -");
		stage.nconnect = 1;
		open_with(true);
		say(c, waiting ? E M : E);
		assert_non_null(stage.call);
		if (waiting) {
			/* It is not read from while it waits: its end comes to light with the reply. */
			close(c->fd);
			c->fd = -1;
			fake_run(&c->fake);
			c->fake.server.stopping = true;
			server_abandon(&c->fake.server);
			fake_run(&c->fake);
			assert_int_equal(c->fake.server.nsessions, 0);
			fake_release(&c->fake);
			buf_release(&c->got);
		} else {
			client_close(c);
		}
		assert_int_equal(stage.cancelled, 1);
		assert_null(stage.call);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(mail_waits_for_what_connect_wants, setup),
	    cmocka_unit_test_setup(rcpt_waits_for_what_mail_wants, setup),
	    cmocka_unit_test_setup(untold_is_unknown, setup),
	    cmocka_unit_test_setup(nobody_to_ask, setup),
	    cmocka_unit_test_setup(nothing_is_wanted, setup),
	    cmocka_unit_test_setup(who_leaves_is_forgotten, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
