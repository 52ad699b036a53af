/* test_fact: what the DNS says, as lines of text, and the set of what is known. */
#include "conf/fact.h"

#include "tests/unit/testing.h"

static const char *const good[] = {
    "ptr confirmed mx.example.net",
    "ptr unconfirmed a_b.example",
    "ptr none -",
    "ptr temporary -",
    "ptr unknown -",
    "list none zen.example.org",
    "list listed zen.example.org 127.0.0.2",
    "list listed zen.example.org 127.0.0.2 127.0.0.10 127.255.255.254",
    "host client mail.example",
    "host elsewhere mail.example",
    "exists exists example.org",
    "exists null-mx example.org",
    "exists none example.org",
};

static const char *const bad[] = {
    "",
    "ptr",
    "ptr confirmed",
    "ptr confirmed ",
    "ptr  confirmed x",
    "ptr listed x 127.0.0.2",
    "list confirmed x",
    "list listed x",
    "list none x 127.0.0.2",
    "list listed x 127.0.0.2 ",
    "list listed x 127.0.0.256",
    "list listed x ::1",
    "host client Mail.example",
    "host client a b",
    "host client a\nb",
    "host client a\"b",
    "exists client x",
    "exists null-mx x y",
    "Ptr none -",
    "list listed x 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
    "127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 "
    "127.0.0.1 127.0.0.1",
};

static void
says_what_it_read(void **state)
{
	struct fact f;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct buf b;

		check_row(good[i], fact_parse(span_str(good[i]), &f) == 0);
		buf_init(&b, FACT_TEXT_MAX);
		fact_format(&f, &b);
		assert_string_equal(buf_str(&b), good[i]);
		buf_release(&b);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_row(bad[i], fact_parse(span_str(bad[i]), &f) != 0);
}

static void
takes_names_up_to_their_length(void **state)
{
	char line[400];
	struct fact f;

	(void)state;
	snprintf(line, sizeof line, "host client %0253d", 1);
	assert_int_equal(fact_parse(span_str(line), &f), 0);
	snprintf(line, sizeof line, "host client %0254d", 1);
	assert_int_equal(fact_parse(span_str(line), &f), -1);
}

static void
tells_in_words(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
	    {"ptr none -", "the client's address has no name"},
	    {"ptr confirmed a.test", "the client is a.test"},
	    {"ptr unconfirmed a.test",
		"the client is said to be a.test, which has not its address"},
	    {"ptr temporary -", "the DNS cannot tell now"},
	    {"list none bl.test", "the client is not in bl.test"},
	    {"list listed bl.test 127.0.0.2 127.0.0.9",
		"the client is in bl.test, which says 127.0.0.2 127.0.0.9"},
	    {"list temporary bl.test", "bl.test: the DNS cannot tell now"},
	    {"list unknown bl.test", "bl.test: no answer in time"},
	    {"host none a.test", "a.test has no address"},
	    {"host client a.test", "a.test has the client's address"},
	    {"host elsewhere a.test", "a.test has an address, which is not the client's"},
	    {"exists none a.test", "a.test has neither MX nor address"},
	    {"exists exists a.test", "a.test has an MX or an address"},
	    {"exists null-mx a.test", "a.test takes no mail (null MX)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fact f;
		struct buf b;

		buf_init(&b, FACT_TEXT_MAX);
		assert_int_equal(fact_parse(span_str(rows[i].line), &f), 0);
		fact_tell(&f, &b);
		assert_string_equal(buf_str(&b), rows[i].want);
		buf_release(&b);
	}
}

static void
reads_wants(void **state)
{
	enum fact_kind kind;
	struct span name;

	(void)state;
	assert_int_equal(fact_want_parse(span_str("list zen.example"), &kind, &name), 0);
	assert_int_equal(kind, FACT_LIST);
	assert_true(span_is(name, "zen.example"));
	assert_int_equal(fact_want_parse(span_str("ptr -"), &kind, &name), 0);
	assert_int_equal(fact_want_parse(span_str("ptr"), &kind, &name), -1);
	assert_int_equal(fact_want_parse(span_str("list a b"), &kind, &name), -1);
	assert_int_equal(fact_want_parse(span_str("mx a"), &kind, &name), -1);
}

static void
keeps_one_of_each(void **state)
{
	struct facts k = {.n = 0};
	char zone[24];

	(void)state;
	facts_set_result(&k, FACT_HOST, span_str("a.test"), FACT_NONE);
	facts_set_result(&k, FACT_HOST, span_str("b.test"), FACT_CLIENT);
	facts_set_result(&k, FACT_LIST, span_str("a.test"), FACT_NONE);
	facts_set_result(&k, FACT_LIST, span_str("b.test"), FACT_NONE);
	facts_set_result(&k, FACT_LIST, span_str("b.test"), FACT_UNKNOWN);
	facts_set_result(&k, FACT_PTR, span_str("-"), FACT_NONE);
	assert_int_equal(k.n, 4);
	assert_null(facts_find(&k, FACT_HOST, span_str("a.test")));
	assert_int_equal(facts_find(&k, FACT_HOST, span_str("b.test"))->result, FACT_CLIENT);
	assert_int_equal(facts_find(&k, FACT_LIST, span_str("b.test"))->result, FACT_UNKNOWN);
	assert_non_null(facts_find(&k, FACT_PTR, span_str("")));
	assert_null(facts_find(NULL, FACT_PTR, span_str("")));
	facts_drop(&k, FACT_LIST);
	assert_int_equal(k.n, 2);
	assert_null(facts_find(&k, FACT_LIST, span_str("a.test")));
	for (int i = 0; i < 100; i++) {
		snprintf(zone, sizeof zone, "z%d.test", i);
		facts_set_result(&k, FACT_LIST, span_str(zone), FACT_NONE);
	}
	assert_int_equal(k.n, FACTS_MAX);
	facts_set_result(&k, FACT_DOMAIN, span_str("Not A Name"), FACT_NONE);
	assert_null(facts_find(&k, FACT_DOMAIN, span_str("Not A Name")));
	facts_release(&k);
}

/* The message as it is read by who gets it. */
static int
read_back(struct wire_out *w, struct wire_fields *fields, struct wire_msg *m)
{
	return wire_parse(w->text.p, w->text.len, fields, m);
}

static void
travels_in_messages(void **state)
{
	struct facts sent = {.n = 0}, come = {.n = 0};
	struct wire_fields fields = {.v = NULL};
	struct wire_msg m;
	struct wire_out w;
	struct fact f;

	(void)state;
	assert_int_equal(fact_parse(span_str("list listed z.test 127.0.0.2"), &f), 0);
	facts_set(&sent, &f);
	facts_set_result(&sent, FACT_PTR, span_str("-"), FACT_NONE);
	wire_out_init(&w, "x", 1);
	facts_to_wire(&sent, &w);
	assert_int_equal(read_back(&w, &fields, &m), 0);
	assert_int_equal(m.nfields, 2);
	assert_int_equal(facts_from_wire(&come, &m), 0);
	assert_int_equal(come.n, 2);
	assert_int_equal(facts_find(&come, FACT_LIST, span_str("z.test"))->nreplies, 1);
	wire_out_release(&w);
	facts_release(&come);

	wire_out_init(&w, "x", 1);
	wire_add_str(&w, "fact", "ptr nonsense -");
	wire_add_str(&w, "want", "list z.test");
	wire_add_str(&w, "want", "mx z.test");
	fact_to_wire(&f, &w);
	assert_int_equal(read_back(&w, &fields, &m), 0);
	assert_int_equal(facts_from_wire(&come, &m), -1);
	assert_int_equal(come.n, 1);
	assert_int_equal(come.v[0].result, FACT_LISTED);
	facts_release(&come);
	assert_int_equal(facts_from_wants(&come, &m), -1);
	assert_int_equal(come.n, 1);
	assert_int_equal(come.v[0].result, FACT_UNKNOWN);
	wire_out_release(&w);
	wire_fields_release(&fields);
	facts_release(&come);
	facts_release(&sent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_it_read),
	    cmocka_unit_test(takes_names_up_to_their_length),
	    cmocka_unit_test(tells_in_words),
	    cmocka_unit_test(reads_wants),
	    cmocka_unit_test(keeps_one_of_each),
	    cmocka_unit_test(travels_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
