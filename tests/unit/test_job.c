/* test_job: jobs of the queue, whole and malformed, and the answers that go back. */
#include "deliver/job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/service.h"
#include "common/wire.h"
#include "tests/unit/sockets.h"

/* --- parsing --- */

struct row {
	const char *name, *text;
	const char *wrong; /* NULL: nothing */
	size_t recipients;
};

#define HEAD                                                                                   \
	"job 7\nmessage=ABC1\nnumber=00000000000000ff\nfrom=s@x.test\nreceived=1000\nsize=5\n" \
	"body=8bit\ndestination=d.test\n"
#define ONE "rcpt=3\naddress=a@d.test\noriginal=A@d.test\n"

static const struct row rows[] = {
    {"whole", HEAD "attempt=2\n" ONE "rcpt=9\naddress=b@d.test\noriginal=b@d.test\n", NULL, 2},
    {"no attempt", HEAD ONE, NULL, 1},
    {"no original", HEAD "rcpt=3\naddress=a@d.test\n", NULL, 1},
    {"no recipients", HEAD, "no recipients", 0},
    {"recipient without address", HEAD "rcpt=3\n" ONE, "rcpt= without address=", 2},
    {"address without recipient", HEAD "address=a@d.test\n" ONE, "address=", 0},
    {"two addresses", HEAD ONE "address=b@d.test\n", "address=", 1},
    {"control octet in address", HEAD "rcpt=3\naddress=a\\nRCPT TO:<x>@d.test\n",
	"address=", 1},
    {"empty address", HEAD "rcpt=3\naddress=\n", "address=", 1},
    {"id with a slash", "job 7\nmessage=../x\n" ONE, "message=", 1},
    {"id too long", "job 7\nmessage=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" ONE,
	"message=", 1},
    {"number not hex", "job 7\nmessage=A\nnumber=xyz\n" ONE, "number=", 1},
    {"control octet in from", "job 7\nmessage=A\nnumber=1\nfrom=a\\nb\n" ONE, "from=", 1},
    {"unknown body",
	"job 7\nmessage=A\nnumber=1\nfrom=\ndestination=d\nreceived=1\nsize=5\nbody=9bit\n" ONE,
	"body=", 1},
    {"negative time",
	"job "
	"7\nmessage=A\nnumber=1\nfrom=\ndestination=d\nreceived=-1\nsize=5\nbody=7bit\n" ONE,
	"received=", 1},
    {"size is not the payload's",
	"job 7\nmessage=A\nnumber=1\nfrom=\ndestination=d\nreceived=1\nsize=6\nbody=7bit\n" ONE,
	"payload and size= differ", 1},
    {"bad attempt", HEAD "attempt=x\n" ONE, "attempt=", 1},
    {"what RFC 3461 asks for",
	HEAD "envid=a+2B\nret=FULL\n" ONE "notify=NEVER\norcpt=rfc822;x@d.test\n", NULL, 1},
    {"a space in envid", HEAD "envid=a RET=FULL\n" ONE, "envid=", 1},
    {"a line end in ret", HEAD "ret=FULL\\nRCPT TO:<x>\n" ONE, "ret=", 1},
    {"empty notify", HEAD ONE "notify=\n", "notify=", 1},
    {"notify of nobody", HEAD "notify=NEVER\n" ONE, "notify=", 0},
    {"two orcpt", HEAD ONE "orcpt=rfc822;x\norcpt=rfc822;y\n", "orcpt=", 1},
    {"octets above 127 in orcpt", HEAD ONE "orcpt=utf-8;\xc3\xbc\n", "orcpt=", 1},
};

static struct job *
parse(const char *text, const char **why)
{
	struct wire_fields fields = {0};
	struct wire_msg m;
	char *copy = strdup(text);
	struct job *j;

	assert_int_equal(wire_parse(copy, strlen(copy), &fields, &m), 0);
	m.payload = LITERAL("hello");
	m.nfds = 0;
	j = job_parse(&m, why);
	wire_fields_release(&fields);
	free(copy);
	return j;
}

static void
parses_jobs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why;
		struct job *j = parse(rows[i].text, &why);

		check_row(rows[i].name, (why == NULL) == (rows[i].wrong == NULL));
		check_row(rows[i].name, why == NULL || strcmp(why, rows[i].wrong) == 0);
		check_row(rows[i].name, j->nrecipients == rows[i].recipients);
		for (size_t k = 0; k < j->nrecipients; k++) {
			check_row(rows[i].name, j->recipients[k].decided == (why != NULL));
			check_row(
			    rows[i].name, j->recipients[k].verdict.kind == VERDICT_TEMPORARY);
		}
		job_finish(&j);
		check_row(rows[i].name, j == NULL);
	}
}

static void
fills_the_struct(void **state)
{
	const char *why;
	struct job *j = parse(rows[0].text, &why);
	char out[8];

	(void)state;
	assert_string_equal(j->message, "ABC1");
	assert_int_equal(j->number, 255);
	assert_string_equal(j->from, "s@x.test");
	assert_int_equal(j->received, 1000);
	assert_true(j->eight_bit);
	assert_string_equal(j->destination, "d.test");
	assert_int_equal(j->attempt, 2);
	assert_int_equal(j->recipients[1].entry, 9);
	assert_string_equal(j->recipients[0].original, "A@d.test");
	assert_int_equal(job_read(j, 0, out, sizeof out), 5);
	assert_memory_equal(out, "hello", 5);
	assert_int_equal(job_read(j, 3, out, 1), 1);
	assert_int_equal(out[0], 'l');
	assert_int_equal(job_read(j, 5, out, sizeof out), 0);
	job_finish(&j);
}

static void
fills_in_what_rfc_3461_asks_for(void **state)
{
	const char *why;
	struct job *j = parse(HEAD "envid=a+2B\nret=FULL\n" ONE "notify=NEVER\n"
				   "rcpt=4\naddress=b@d.test\norcpt=rfc822;x@d.test\n",
	    &why);

	(void)state;
	assert_null(why);
	assert_string_equal(j->envid, "a+2B");
	assert_string_equal(j->ret, "FULL");
	assert_string_equal(j->recipients[0].notify, "NEVER");
	assert_null(j->recipients[0].orcpt);
	assert_null(j->recipients[1].notify);
	assert_string_equal(j->recipients[1].orcpt, "rfc822;x@d.test");
	job_finish(&j);
}

static void
reads_from_a_file(void **state)
{
	char name[] = "/tmp/postrider-job-XXXXXX", out[16];
	int fd = mkstemp(name);
	struct job j = {.fd = fd, .offset = 2, .size = 4};

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, "xxabcdyy", 8), 8);
	assert_int_equal(job_read(&j, 0, out, sizeof out), 4);
	assert_memory_equal(out, "abcd", 4);
	assert_int_equal(job_read(&j, 4, out, sizeof out), 0);
	assert_int_equal(ftruncate(fd, 4), 0);
	assert_int_equal(job_read(&j, 1, out, 1), 1);
	assert_int_equal(job_read(&j, 2, out, 1), -1); /* shorter than promised is no end */
	close(fd);
}

/* --- the conversation --- */

struct queue {
	struct event_base *base;
	struct sockets at;
	struct service *service;
	struct client *client;
	struct agent *agent;
	struct job *job; /* taken, not finished */
	int ready, jobs, downs, answers;
	uint64_t slots, answered;
	char text[2000];
};

static void
queue_on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct queue *q = arg;
	size_t at = 0;

	q->client = c;
	if (span_is(m->verb, "ready")) {
		q->ready++;
		wire_get_u64(m, "slots", 1000, &q->slots);
		return;
	}
	assert_true(span_is(m->verb, "answer"));
	q->answers++;
	q->answered = m->id;
	for (size_t i = 0; i < m->nfields; i++)
		at += (size_t)snprintf(q->text + at, sizeof q->text - at, "%.*s=%.*s;",
		    SPAN_ARG(m->fields[i].name), SPAN_ARG(m->fields[i].value));
}

static const struct service_ops queue_ops = {.on_message = queue_on_message};

static void
agent_on_job(struct job *j, void *arg)
{
	struct queue *q = arg;

	q->jobs++;
	q->job = j;
}

static void
agent_on_down(void *arg)
{
	struct queue *q = arg;

	q->downs++;
}

static const struct agent_ops agent_ops = {.on_job = agent_on_job, .on_down = agent_on_down};

static void
queue_start(struct queue *q)
{
	q->service = service_new(
	    q->base, sockets_listen(&q->at), "local/queue", (uid_t)-1, &queue_ops, q);
}

static void
send_job(struct queue *q, uint64_t id, const char *address)
{
	struct wire_out w;

	wire_out_init(&w, "job", id);
	wire_add_str(&w, "message", "ABC1");
	wire_add_str(&w, "number", "ff");
	wire_add_str(&w, "from", "");
	wire_add_str(&w, "received", "1000");
	wire_add_str(&w, "size", "5");
	wire_add_str(&w, "body", "7bit");
	wire_add_str(&w, "destination", "d.test");
	wire_add_str(&w, "rcpt", "1");
	wire_add_str(&w, "address", address);
	wire_add_str(&w, "rcpt", "2");
	wire_add_str(&w, "address", "b@d.test");
	w.payload = LITERAL("hello");
	assert_int_equal(client_send(q->client, &w, -1), 0);
}

static void
answers_each_job_once(void **state)
{
	struct queue q = {.base = event_base_new()};
	struct verdict v;

	(void)state;
	sockets_init(&q.at);
	queue_start(&q);
	q.agent = agent_new(q.base, q.at.path, "local", 17, &agent_ops, &q);
	assert_true(testing_run_until(q.base, &q.ready, 1));
	assert_int_equal(q.slots, 17);
	send_job(&q, 5, "a@d.test");
	assert_true(testing_run_until(q.base, &q.jobs, 1));
	assert_int_equal(agent_active(q.agent), 1);
	verdict_set(&v, VERDICT_OK, 250, "2.0.0", "fine");
	job_decide(q.job, 1, &v, "mx.d.test");
	q.job->recipients[1].dsn = true;
	q.job->recipients[0].unreached = true;
	job_finish(&q.job);
	assert_null(q.job);
	assert_int_equal(agent_active(q.agent), 0);
	assert_true(testing_run_until(q.base, &q.answers, 1));
	assert_int_equal(q.answered, 5);
	assert_string_equal(q.text,
	    "rcpt=1;kind=temporary;code=451;status=4.3.0;text=Not decided yet, try again "
	    "later;mta=;reached=no;"
	    "rcpt=2;kind=ok;code=250;status=2.0.0;text=fine;mta=mx.d.test;dsn=yes;");

	/* A malformed job is answered here, and never reaches the agent. */
	send_job(&q, 6, "a\nb@d.test");
	assert_true(testing_run_until(q.base, &q.answers, 2));
	assert_int_equal(q.answered, 6);
	assert_int_equal(q.jobs, 1);

	/* What the old queue asked is not told to the new one. */
	send_job(&q, 7, "a@d.test");
	assert_true(testing_run_until(q.base, &q.jobs, 2));
	service_free(&q.service);
	assert_true(testing_run_until(q.base, &q.downs, 1));
	queue_start(&q);
	assert_true(testing_run_until(q.base, &q.ready, 2));
	job_finish(&q.job);
	testing_run_for(q.base, 50);
	assert_int_equal(q.answers, 2);

	agent_free(&q.agent);
	service_free(&q.service);
	sockets_release(&q.at);
	event_base_free(q.base);
}

static void
job_outlives_its_agent(void **state)
{
	struct queue q = {.base = event_base_new()};

	(void)state;
	sockets_init(&q.at);
	queue_start(&q);
	q.agent = agent_new(q.base, q.at.path, "local", 1, &agent_ops, &q);
	assert_true(testing_run_until(q.base, &q.ready, 1));
	send_job(&q, 5, "a@d.test");
	assert_true(testing_run_until(q.base, &q.jobs, 1));
	agent_free(&q.agent);
	job_finish(&q.job);
	service_free(&q.service);
	sockets_release(&q.at);
	event_base_free(q.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_jobs),
	    cmocka_unit_test(fills_the_struct),
	    cmocka_unit_test(fills_in_what_rfc_3461_asks_for),
	    cmocka_unit_test(reads_from_a_file),
	    cmocka_unit_test(answers_each_job_once),
	    cmocka_unit_test(job_outlives_its_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
