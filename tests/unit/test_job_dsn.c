/* test_job_dsn: what a job says of RFC 3461, and what of an envelope never gets into one. */
#include "queue/job_dsn.h"

#include "common/atom.h"
#include "tests/unit/testing.h"

static struct atom_table *atoms;

static struct message *
message(const char *notify)
{
	struct message_given given = {.address = span_str("sales@d.test"),
	    .notify = (uint8_t)dsn_notify_parse(span_str(notify))};

	return message_new(atoms, 1, span_str("s@x.test"), &given, 1);
}

/* The fields for one recipient, with a space before each. */
static const char *
fields_of(const struct recipient *r, const char *orcpt, char out[1000])
{
	struct envelope_recipient to = {.orcpt = span_str(orcpt)};
	struct envelope e = {.recipients = &to, .nrecipients = 1};
	struct wire_out w;
	struct span rest;

	wire_out_init(&w, "job", 1);
	job_dsn_add_recipient(&w, r, orcpt[0] != '\0' ? &e : NULL);
	rest = buf_span(&w.text);
	span_cut(&rest, '\n');
	out[0] = '\0';
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		size_t n = strlen(out);

		snprintf(out + n, 1000 - n, " %.*s", SPAN_ARG(line));
	}
	wire_out_release(&w);
	return out;
}

static const struct {
	const char *name, *notify, *orcpt, *own, *forwarded;
} rows[] = {
    {"nothing asked", "", "", "", " orcpt=rfc822;sales@d.test"},
    {"never", "NEVER", "", " notify=NEVER", " notify=NEVER"},
    {"success", "SUCCESS", "", " notify=SUCCESS", " notify=SUCCESS orcpt=rfc822;sales@d.test"},
    {"given", "FAILURE,DELAY", "rfc822;A+2Bb@d.test",
	" notify=FAILURE,DELAY orcpt=rfc822;A+2Bb@d.test",
	" notify=FAILURE,DELAY orcpt=rfc822;A+2Bb@d.test"},
    {"never, given", "NEVER", "rfc822;A@d.test", " notify=NEVER orcpt=rfc822;A@d.test",
	" notify=NEVER orcpt=rfc822;A@d.test"},
    {"a command in it", "", "rfc822;x\r\nRSET", "", " orcpt=rfc822;sales@d.test"},
    {"a parameter in it", "", "rfc822;x NOTIFY=NEVER", "", " orcpt=rfc822;sales@d.test"},
};

static void
says_what_was_asked(void **state)
{
	static const struct message_target target = {RECIPIENT_REMOTE, {"x@far.test", 10}};

	(void)state;
	atoms = atom_table_new();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message *m = message(rows[i].notify);
		uint32_t entry;
		char got[1000];

		check_row(
		    rows[i].name, strcmp(fields_of(message_recipient(m, 0), rows[i].orcpt, got),
				      rows[i].own) == 0);
		entry = message_expand(m, 0, &target, 1);
		check_row(rows[i].name,
		    strcmp(fields_of(message_recipient(m, entry), rows[i].orcpt, got),
			rows[i].forwarded) == 0);
		message_free(&m);
	}
	atom_table_free(&atoms);
}

static void
says_what_the_message_has(void **state)
{
	static const struct {
		const char *envid, *ret, *want;
	} envelopes[] = {
	    {"QQ+2B", "FULL", "job 1\nenvid=QQ+2B\nret=FULL\n"},
	    {"", "hdrs", "job 1\nret=hdrs\n"},
	    {"a b", "FULL ENVID=x", "job 1\n"},
	    {"a+0A", "", "job 1\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof envelopes / sizeof *envelopes; i++) {
		struct envelope e = {
		    .envid = span_str(envelopes[i].envid), .ret = span_str(envelopes[i].ret)};
		struct wire_out w;

		wire_out_init(&w, "job", 1);
		job_dsn_add_message(&w, NULL);
		job_dsn_add_message(&w, &e);
		assert_string_equal(buf_str(&w.text), envelopes[i].want);
		wire_out_release(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_was_asked),
	    cmocka_unit_test(says_what_the_message_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
