/* test_aliases: a domain's aliases file and the lists it includes. */
#include "conf/aliases.h"

#include "tests/unit/conf_fixture.h"

static struct config_errors errors;

static int
parse(struct aliases_file *f, const char *text)
{
	config_errors_release(&errors);
	return aliases_parse(f, span_str(text), "etc/aliases", &errors);
}

/* The targets of an alias in one line: "bob; \bob; x@y; :include:list; refused@3". NULL: no such alias. */
static const char *
targets(const struct aliases_file *f, const char *name)
{
	static char out[2000];
	const struct alias *a = aliases_find(f, span_str(name));
	size_t n = 0;

	if (a == NULL)
		return NULL;
	out[0] = '\0';
	for (size_t i = 0; i < a->count; i++) {
		const struct alias_target *t = &f->targets[a->first + i];
		struct span s = alias_text(f, t);

		if (t->kind == ALIAS_REFUSED)
			n += (size_t)snprintf(out + n, sizeof out - n, "%srefused@%u",
			    i > 0 ? "; " : "", t->line);
		else
			n += (size_t)snprintf(out + n, sizeof out - n, "%s%s%s%.*s",
			    i > 0 ? "; " : "", t->final ? "\\" : "",
			    t->kind == ALIAS_INCLUDE ? ":include:" : "", SPAN_ARG(s));
	}
	return out;
}

static void
reads_aliases(void **state)
{
	static const struct {
		const char *text, *name, *want;
	} rows[] = {
	    {"sales: anna", "sales", "anna"},
	    {"sales:anna", "sales", "anna"},
	    {"sales : anna", "sales", "anna"},
	    {"Sales: Anna", "sales", "Anna"},
	    {"s: a, b,c ,\td", "s", "a; b; c; d"},
	    {"s: a, b,\n\tc,\n  d\nt: e", "s", "a; b; c; d"},
	    {"s: a\n\tb\n# between\n\n\tc\nt: e", "s", "a; b; c"},
	    {"s: a\nt: e", "t", "e"},
	    {"s:\n\ta", "s", "a"},
	    {"s: a,,b,", "s", "a; b"},
	    {"s: a # end, not b\nt: c", "s", "a"},
	    {"s: a#b", "s", "a#b"},
	    {"s: x@Remote.TEST, bob", "s", "x@remote.test; bob"},
	    {"s: \\bob, anna", "s", "\\bob; anna"},
	    {"s: \"a b\"@x.test", "s", "\"a b\"@x.test"},
	    {"s: \"a b\"", "s", "\"a b\""},
	    {"s: \"a,b\"@x.test, c", "s", "\"a,b\"@x.test; c"},
	    {"\"a b\": c", "a b", "c"},
	    {"\"a:b\": c", "a:b", "c"},
	    {"s: :include:staff", "s", ":include:staff"},
	    {"s: :include: /etc/lists/staff , bob", "s", ":include:/etc/lists/staff; bob"},
	    {"s: \":include:/etc/my list\"", "s", ":include:/etc/my list"},
	    {"m\xc3\xbcller: bob", "m\xc3\xbcller", "bob"},
	    {"owner-list: bob\r\nlist: x\r\n", "owner-list", "bob"},
	    {"s: a\r\n\tb\r\nt: c\r\n", "s", "a; b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct aliases_file f;
		const char *got;

		check_row(rows[i].text, parse(&f, rows[i].text) == 0);
		if (errors.n > 0)
			complaints_print(&errors);
		check_row(rows[i].text, errors.n == 0);
		got = targets(&f, rows[i].name);
		if (got == NULL || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].text,
			    got != NULL ? got : "none", rows[i].want);
		aliases_release(&f);
	}
}

/* A target nobody can deliver to keeps its place, so that the alias waits instead of losing mail. */
static void
refuses_targets(void **state)
{
	static const struct {
		const char *target, *complaint;
	} rows[] = {
	    {"|/usr/bin/vacation bob", "programs and files are not delivered to"},
	    {"\"|/usr/bin/vacation bob\"", "programs and files are not delivered to"},
	    {"/var/mail/bob", "programs and files are not delivered to"},
	    {"\"/var/mail/bob\"", "programs and files are not delivered to"},
	    {"bob@[192.0.2.1]", "address literals"},
	    {"bob@a..test", ""},
	    {"bob@", ""},
	    {"@x.test", ""},
	    {"a b", ""},
	    {"\"unclosed", ""},
	    {"bob(comment)", ""},
	    {"<bob@x.test>", ""},
	    {"\\bob@x.test", "local name behind the backslash"},
	    {"\\", ""},
	    {"bo\x01"
	     "b",
		"control characters"},
	    {"bob\xff", "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *text = xasprintf("# one\ns: anna,\n\t%s\nt: bob\n", rows[i].target);
		struct aliases_file f;
		const char *got;

		check_row(rows[i].target, parse(&f, text) == 0);
		got = targets(&f, "s");
		if (got == NULL || strcmp(got, "anna; refused@3") != 0)
			fail_msg("%s: got %s", rows[i].target, got != NULL ? got : "none");
		if (!complaint_has(&errors, "etc/aliases:3: ", rows[i].complaint))
			complaints_print(&errors);
		check_row(rows[i].target,
		    complaint_has(&errors, "etc/aliases:3: ", rows[i].complaint));
		check_row(rows[i].target, errors.n == 1);
		got = targets(&f, "t");
		check_row(rows[i].target, got != NULL && strcmp(got, "bob") == 0);
		aliases_release(&f);
		free(text);
	}
}

static void
skips_lines_without_name(void **state)
{
	static const struct {
		const char *line, *complaint;
	} rows[] = {
	    {"no colon here", "found no colon"},
	    {": bob", "expected a name"},
	    {"a b: bob", "expected a name"},
	    {"x@a.test: bob", "expected a name"},
	    {"a..b: bob", "expected a name"},
	    {"\"\": bob", "expected a name"},
	    {"\"a: bob", "found no colon"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *text = xasprintf("good: anna\n%s,\n\tcarl\nalso: anna\n", rows[i].line);
		struct aliases_file f;

		check_row(rows[i].line, parse(&f, text) == 0);
		check_row(rows[i].line, f.naliases == 2);
		check_row(rows[i].line, f.ntargets == 2);
		check_row(rows[i].line, strcmp(targets(&f, "good"), "anna") == 0);
		check_row(rows[i].line, strcmp(targets(&f, "also"), "anna") == 0);
		if (!complaint_has(&errors, "etc/aliases:2: ", rows[i].complaint))
			complaints_print(&errors);
		check_row(
		    rows[i].line, complaint_has(&errors, "etc/aliases:2: ", rows[i].complaint));
		aliases_release(&f);
		free(text);
	}
}

static void
reports_doubles_and_gaps(void **state)
{
	struct aliases_file f;

	(void)state;
	assert_int_equal(parse(&f, "a: one\nb:\nA: two\n"), 0);
	assert_string_equal(targets(&f, "a"), "one");
	assert_string_equal(targets(&f, "b"), "refused@2");
	assert_true(complaint_has(&errors, ":3:", "stands on line 1 already"));
	assert_true(complaint_has(&errors, ":2:", "expected a target"));
	aliases_release(&f);
	assert_int_equal(parse(&f, "\tcarl\na: b\n"), 0);
	assert_true(complaint_has(&errors, ":1:", "goes on with none before"));
	assert_string_equal(targets(&f, "a"), "b");
	aliases_release(&f);
}

static void
tells_a_file_that_is_none(void **state)
{
	struct aliases_file f;

	(void)state;
	assert_int_equal(parse(&f, ""), 0);
	assert_int_equal(f.naliases, 0);
	assert_null(aliases_find(&f, span_str("a")));
	aliases_release(&f);
	assert_int_equal(parse(&f, "\n# nothing\n   \n"), 0);
	assert_int_equal(errors.n, 0);
	aliases_release(&f);
	assert_int_equal(parse(&f, "nonsense\nmore of it"), -1);
	aliases_release(&f);
	assert_int_equal(aliases_parse(&f, LITERAL("a\0: b\nc: d\0e\nf: g\n"), "p", NULL), 0);
	assert_non_null(aliases_find(&f, span_str("f")));
	assert_string_equal(targets(&f, "c"), "refused@2");
	aliases_release(&f);
}

static void
reads_lists(void **state)
{
	struct aliases_file f;

	(void)state;
	config_errors_release(&errors);
	aliases_parse_list(&f,
	    span_str(
		"# the staff\nanna\nbert, carl@remote.test # two\n\n  :include:more\n|prog\n"),
	    "etc/staff", &errors);
	assert_int_equal(f.naliases, 0);
	assert_int_equal(f.ntargets, 5);
	assert_true(span_is(alias_text(&f, &f.targets[1]), "bert"));
	assert_int_equal(f.targets[1].kind, ALIAS_HERE);
	assert_true(span_is(alias_text(&f, &f.targets[2]), "carl@remote.test"));
	assert_int_equal(f.targets[2].kind, ALIAS_ADDRESS);
	assert_int_equal(f.targets[3].kind, ALIAS_INCLUDE);
	assert_int_equal(f.targets[4].kind, ALIAS_REFUSED);
	assert_int_equal(f.targets[4].line, 6);
	assert_true(complaint_has(&errors, "etc/staff:6: ", "programs"));
	aliases_release(&f);
	/* What is no list may be anything, and the log is not for its content. */
	config_errors_release(&errors);
	aliases_parse_list(&f,
	    span_str("bob:$6$salt$secret:1000:1000::/home/bob:\n|secret\n@secret\n"),
	    "etc/other", &errors);
	assert_int_equal(errors.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_null(strstr(errors.v[i].text, "secret"));
		assert_null(strstr(errors.v[i].text, "bob"));
	}
	assert_true(complaint_has(&errors, "etc/other:1: ", "expected a list of addresses"));
	aliases_release(&f);
	aliases_parse_list(&f, span_str(""), "etc/staff", &errors);
	assert_int_equal(f.ntargets, 0);
	aliases_release(&f);
}

/* A file of nothing but errors takes no more memory than its size allows for. */
static void
bounds_memory(void **state)
{
	struct aliases_file f;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "a: ");
	while (b.len < 300000)
		buf_add_str(&b, "/,@,\\,(,\x01,");
	assert_int_equal(parse(&f, buf_str(&b)), 0);
	assert_true(f.text_len < 4096);
	assert_true(f.ntargets > 100000);
	aliases_release(&f);
	buf_release(&b);
}

static int
teardown(void **state)
{
	(void)state;
	config_errors_release(&errors);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_aliases),
	    cmocka_unit_test(refuses_targets),
	    cmocka_unit_test(skips_lines_without_name),
	    cmocka_unit_test(reports_doubles_and_gaps),
	    cmocka_unit_test(tells_a_file_that_is_none),
	    cmocka_unit_test(reads_lists),
	    cmocka_unit_test(bounds_memory),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
