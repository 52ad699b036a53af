/* test_agents: jobs to an agent, its answers, and what they say of recipients and of the destination. */
#include "queue/agents.h"

#include "common/peer.h"
#include "tests/unit/sockets.h"

#define RECIPIENTS 3

struct world {
	struct sockets at;
	struct event_base *base;
	struct agents *agents;
	struct peer *agent;
	struct atom_table *atoms;
	struct message *message;
	struct destination *destination;
	struct config config;
	uint64_t retry[1];
	int ready, jobs, ended;
	uint64_t job; /* its request id */
	enum job_end end;
	char why[400];
	uint32_t delivered;
	char outcome[RECIPIENTS]; /* 'o', 't', 'p' by verdict, 'l' lost */
	bool reached[RECIPIENTS], dsn[RECIPIENTS];
};

static void
on_ready(enum agent_kind kind, void *arg)
{
	assert_int_equal(kind, AGENT_REMOTE);
	((struct world *)arg)->ready++;
}

static void
on_verdict(struct recipient *r, const struct agents_verdict *v, void *arg)
{
	struct world *w = arg;

	w->outcome[r->entry] = verdict_kind_name(v->verdict.kind)[0];
	w->reached[r->entry] = v->reached;
	w->dsn[r->entry] = v->dsn;
}

static void
on_lost(struct recipient *r, void *arg)
{
	((struct world *)arg)->outcome[r->entry] = 'l';
}

static void
on_end(struct destination *d, enum job_end end, const struct verdict *why, uint32_t delivered,
    void *arg)
{
	struct world *w = arg;

	assert_ptr_equal(d, w->destination);
	w->end = end;
	snprintf(w->why, sizeof w->why, "%s", why != NULL ? why->text : "");
	w->delivered = delivered;
	w->ended++;
}

static const struct agents_ops ops = {
    .on_ready = on_ready, .on_verdict = on_verdict, .on_lost = on_lost, .on_end = on_end};

static void
on_job(struct peer *p, struct wire_msg *m, void *arg)
{
	struct world *w = arg;

	(void)p;
	assert_true(span_is(m->verb, "job"));
	w->job = m->id;
	w->jobs++;
}

static void
on_up(struct peer *p, void *arg)
{
	struct wire_out w;

	(void)arg;
	wire_out_init(&w, "ready", 0);
	wire_add_u64(&w, "slots", 2);
	assert_int_equal(peer_notify(p, &w, -1), 0);
}

static const struct peer_ops agent_ops = {.on_up = on_up, .on_message = on_job};

static void
world_init(struct world *w)
{
	struct message_given given[RECIPIENTS];

	*w = (struct world){.retry = {1000}, .base = event_base_new()};
	sockets_init(&w->at);
	w->agents = agents_new(w->base, &ops, w);
	agents_listen(w->agents, sockets_listen(&w->at), "remote/queue", getuid());
	assert_int_equal(agents_places(w->agents, AGENT_REMOTE), 0);
	w->agent = peer_new(w->base, w->at.path, "remote", &agent_ops, w);
	assert_true(testing_run_until(w->base, &w->ready, 1));
	assert_int_equal(agents_places(w->agents, AGENT_REMOTE), 2);
	assert_int_equal(agents_places(w->agents, AGENT_LOCAL), 0);
	w->config =
	    (struct config){.retry = w->retry, .nretry = 1, .destination_concurrency = 20};
	w->destination =
	    destination_new(AGENT_REMOTE, span_str("d.test"), false, &w->config, 0);
	w->atoms = atom_table_new();
	for (int i = 0; i < RECIPIENTS; i++)
		given[i] = (struct message_given){span_str("r@d.test"), NOTIFY_DEFAULT};
	w->message = message_new(w->atoms, 77, span_str("s@a.test"), given, RECIPIENTS);
	w->message->content_len = 2;
}

static void
world_release(struct world *w)
{
	peer_free(&w->agent);
	agents_free(&w->agents);
	destination_free(&w->destination);
	message_free(&w->message);
	atom_table_free(&w->atoms);
	sockets_release(&w->at);
	event_base_free(w->base);
}

static void
send_job(struct world *w)
{
	struct recipient *r[RECIPIENTS];
	struct agents_content content = {.text = span_str("x\n"), .fd = -1};
	int before = w->jobs;

	for (uint32_t i = 0; i < RECIPIENTS; i++) {
		r[i] = message_recipient(w->message, i);
		r[i]->destination = w->destination;
		w->outcome[i] = '-';
	}
	assert_int_equal(agents_send(w->agents, AGENT_REMOTE, r, RECIPIENTS, &content), 0);
	assert_int_equal(agents_jobs(w->agents, AGENT_REMOTE), 1);
	assert_int_equal(agents_places(w->agents, AGENT_REMOTE), 1);
	assert_true(testing_run_until(w->base, &w->jobs, before + 1));
}

struct said {
	enum verdict_kind kind;
	const char *reached, *dsn; /* NULL: not said */
};

static void
answer(struct world *w, const struct said *said, uint32_t n)
{
	struct wire_out out;
	int before = w->ended;

	wire_out_init(&out, "answer", w->job);
	for (uint32_t i = 0; i < n; i++) {
		struct verdict v;

		verdict_set(&v, said[i].kind, 0,
		    said[i].kind == VERDICT_OK		? "2.0.0"
		    : said[i].kind == VERDICT_TEMPORARY ? "4.4.1"
							: "5.1.2",
		    "because %u", i);
		wire_add_u64(&out, "rcpt", i);
		wire_add_verdict(&out, &v);
		wire_add_str(&out, "mta", "");
		if (said[i].reached != NULL)
			wire_add_str(&out, "reached", said[i].reached);
		if (said[i].dsn != NULL)
			wire_add_str(&out, "dsn", said[i].dsn);
	}
	assert_int_equal(peer_notify(w->agent, &out, -1), 0);
	assert_true(testing_run_until(w->base, &w->ended, before + 1));
	assert_int_equal(agents_jobs(w->agents, AGENT_REMOTE), 0);
}

#define OK   VERDICT_OK, NULL, NULL
#define LATE VERDICT_TEMPORARY, NULL, NULL
#define GONE VERDICT_TEMPORARY, "no", NULL
#define NO   VERDICT_PERMANENT, NULL, NULL

static void
judges_destinations(void **state)
{
	static const struct {
		const char *name;
		struct said said[RECIPIENTS];
		uint32_t n;
		const char *outcome;
		enum job_end end;
		const char *why;
		uint32_t delivered;
	} rows[] = {
	    {"delivered", {{OK}, {OK}, {OK}}, 3, "ooo", JOB_REACHED, "", 3},
	    {"one later, one never", {{OK}, {LATE}, {NO}}, 3, "otp", JOB_REACHED, "", 1},
	    {"all later", {{LATE}, {LATE}, {LATE}}, 3, "ttt", JOB_REACHED, "", 0},
	    {"no answer", {{GONE}, {GONE}, {GONE}}, 3, "ttt", JOB_NOT_REACHED, "because 0", 0},
	    {"gone half-way", {{GONE}, {GONE}, {OK}}, 3, "tto", JOB_REACHED, "", 1},
	    {"no such domain is an answer",
		{{VERDICT_PERMANENT, "no", NULL}, {VERDICT_PERMANENT, "no", NULL},
		    {VERDICT_PERMANENT, "no", NULL}},
		3, "ppp", JOB_REACHED, "", 0},
	    {"two are not named", {{OK}}, 1, "oll", JOB_REACHED, "", 1},
	    {"nobody is named", {{OK}}, 0, "lll", JOB_LOST, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		world_init(&w);
		send_job(&w);
		answer(&w, rows[i].said, rows[i].n);
		check_row(rows[i].name, memcmp(w.outcome, rows[i].outcome, RECIPIENTS) == 0);
		check_row(rows[i].name, w.end == rows[i].end);
		check_row(rows[i].name, strcmp(w.why, rows[i].why) == 0);
		check_row(rows[i].name, w.delivered == rows[i].delivered);
		world_release(&w);
	}
}

static void
hears_who_was_reached(void **state)
{
	static const struct said said[] = {
	    {VERDICT_OK, NULL, "yes"}, {GONE}, {VERDICT_TEMPORARY, "yes", "no"}};
	struct world w;

	(void)state;
	world_init(&w);
	send_job(&w);
	answer(&w, said, 3);
	assert_true(w.reached[0] && w.dsn[0]);
	assert_true(!w.reached[1] && !w.dsn[1]);
	assert_true(w.reached[2] && !w.dsn[2]);
	world_release(&w);
}

static void
an_agent_that_dies_has_said_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	send_job(&w);
	peer_free(&w.agent);
	assert_true(testing_run_until(w.base, &w.ended, 1));
	assert_memory_equal(w.outcome, "lll", RECIPIENTS);
	assert_int_equal(w.end, JOB_LOST);
	assert_int_equal(agents_places(w.agents, AGENT_REMOTE), 0);
	world_release(&w);
}

/* An answer that names somebody twice is malformed: that agent is not believed any more, what it said before is. */
static void
drops_who_talks_nonsense(void **state)
{
	struct world w;
	struct wire_out out;
	struct verdict v;

	(void)state;
	world_init(&w);
	send_job(&w);
	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "fine");
	wire_out_init(&out, "answer", w.job);
	for (int i = 0; i < 2; i++) {
		wire_add_u64(&out, "rcpt", 1);
		wire_add_verdict(&out, &v);
	}
	assert_int_equal(peer_notify(w.agent, &out, -1), 0);
	assert_true(testing_run_until(w.base, &w.ended, 1));
	assert_memory_equal(w.outcome, "lol", RECIPIENTS);
	testing_run_for(w.base, 50);
	assert_int_equal(w.delivered, 1);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(judges_destinations),
	    cmocka_unit_test(hears_who_was_reached),
	    cmocka_unit_test(an_agent_that_dies_has_said_nothing),
	    cmocka_unit_test(drops_who_talks_nonsense),
	};

	return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
