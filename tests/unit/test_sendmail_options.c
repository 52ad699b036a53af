/* test_sendmail_options: command lines of sendmail as its callers write them. */
#include "queue/sendmail_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>
#include <cmocka.h>

#define ARGS_MAX 24

static int
parse(const char *line, struct sendmail_options *o, char store[512])
{
	char *argv[ARGS_MAX + 1], *rest = store;
	struct buf why;
	int argc = 0, r;

	assert_true(strlen(line) < 512);
	memcpy(store, line, strlen(line) + 1);
	while (rest != NULL && *rest != '\0' && argc < ARGS_MAX)
		argv[argc++] = strsep(&rest, " ");
	argv[argc] = NULL;
	buf_init(&why, 4096);
	r = sendmail_options_parse(argc, argv, o, &why);
	assert_int_equal(r != 0, why.len > 0);
	buf_release(&why);
	return r;
}

static void
says_what_it_understood(void **state)
{
	static const struct {
		const char *line;
		int want;
		enum sendmail_mode mode;
		int recipients;
		bool t, i;
		const char *sender;
	} rows[] = {
	    {"sendmail bob", 0, SENDMAIL_SUBMIT, 1, false, false, NULL},
	    {"/usr/sbin/sendmail -t -i", 0, SENDMAIL_SUBMIT, 0, true, true, NULL},
	    {"sendmail -ti", 0, SENDMAIL_SUBMIT, 0, true, true, NULL},
	    {"sendmail -oi -oem -odb -t", 0, SENDMAIL_SUBMIT, 0, true, true, NULL},
	    {"sendmail -FCronDaemon -i -B8BITMIME -oem root", 0, SENDMAIL_SUBMIT, 1, false,
		true, NULL},
	    {"sendmail -f a@b.test -- -t", 0, SENDMAIL_SUBMIT, 1, false, false, "a@b.test"},
	    {"sendmail -fa@b.test bob -i", 0, SENDMAIL_SUBMIT, 1, false, true, "a@b.test"},
	    {"sendmail -f <> bob", 0, SENDMAIL_SUBMIT, 1, false, false, ""},
	    {"sendmail -f -X/tmp/x bob", 0, SENDMAIL_SUBMIT, 1, false, false, "-X/tmp/x"},
	    {"sendmail -r first -f last bob", 0, SENDMAIL_SUBMIT, 1, false, false, "last"},
	    {"sendmail -itf a@b.test", 0, SENDMAIL_SUBMIT, 0, true, true, "a@b.test"},
	    {"sendmail -bs", 0, SENDMAIL_SMTP, 0, false, false, NULL},
	    {"sendmail -bp", 0, SENDMAIL_MAILQ, 0, false, false, NULL},
	    {"/usr/bin/mailq", 0, SENDMAIL_MAILQ, 0, false, false, NULL},
	    {"mailq -Ac", 0, SENDMAIL_MAILQ, 0, false, false, NULL},
	    {"newaliases", 0, SENDMAIL_NEWALIASES, 0, false, false, NULL},
	    {"sendmail -bi", 0, SENDMAIL_NEWALIASES, 0, false, false, NULL},
	    {"sendmail -I", 0, SENDMAIL_NEWALIASES, 0, false, false, NULL},
	    {"sendmail -q", 0, SENDMAIL_RETRY, 0, false, false, NULL},
	    {"sendmail -qf", 0, SENDMAIL_RETRY, 0, false, false, NULL},
	    {"sendmail -d0.1 -d bob", 0, SENDMAIL_SUBMIT, 1, false, false, NULL},
	    {"sendmail -oiFalse bob", 0, SENDMAIL_SUBMIT, 1, false, false, NULL},
	    {"sendmail -O IgnoreDots bob", 0, SENDMAIL_SUBMIT, 1, false, true, NULL},
	    {"sendmail -OIgnoreDots=no bob", 0, SENDMAIL_SUBMIT, 1, false, false, NULL},
	    {"sendmail -oQ/tmp -OQueueDirectory=/tmp -oA/etc/shadow bob", 0, SENDMAIL_SUBMIT, 1,
		false, false, NULL},
	    {"sendmail -G -U -n -m -c -s -x -T -h 3 -L tag -p smtp:h -Mx bob", 0,
		SENDMAIL_SUBMIT, 1, false, false, NULL},
	    {"sendmail - bob", 0, SENDMAIL_SUBMIT, 2, false, false, NULL},
	    {"sendmail -bd -q1h", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -bD", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -bv root", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -be", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -bss", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -b", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -q30m", EX_USAGE, SENDMAIL_RETRY, 0, false, false, NULL},
	    {"sendmail -qGgroup", EX_USAGE, SENDMAIL_RETRY, 0, false, false, NULL},
	    {"sendmail -qI", EX_USAGE, SENDMAIL_RETRY, 0, false, false, NULL},
	    {"sendmail -C /etc/shadow bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -t -X/var/www/x.php", EX_USAGE, SENDMAIL_SUBMIT, 0, true, false, NULL},
	    {"sendmail -D /tmp/x bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -q!", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -qR", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -qQspam", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -qL", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -Qreason", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -Q x", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"mailq -qQ -Q", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -Qreason -qRx", 0, SENDMAIL_HOLD, 0, false, false, NULL},
	    {"sendmail -qQ -Q", 0, SENDMAIL_RELEASE, 0, false, false, NULL},
	    {"sendmail -f", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -Z bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail --help", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -B9BIT bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -N sometimes bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -N success,never bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -R some bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	    {"sendmail -V a=b bob", EX_USAGE, SENDMAIL_SUBMIT, 0, false, false, NULL},
	};
	char store[512];

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
		struct sendmail_options o;
		int got = parse(rows[n].line, &o, store);

		if (got != rows[n].want)
			fail_msg("%s: %d, want %d", rows[n].line, got, rows[n].want);
		if (got == 0 &&
		    (o.mode != rows[n].mode || o.nrecipients != rows[n].recipients ||
			o.take_recipients != rows[n].t || o.ignore_dots != rows[n].i ||
			(o.sender == NULL) != (rows[n].sender == NULL) ||
			(o.sender != NULL && strcmp(o.sender, rows[n].sender) != 0)))
			fail_msg("%s: mode %d, %d recipients, t %d, i %d, sender %s",
			    rows[n].line, o.mode, o.nrecipients, o.take_recipients,
			    o.ignore_dots, o.sender != NULL ? o.sender : "none");
		sendmail_options_release(&o);
	}
}

static void
keeps_what_goes_on(void **state)
{
	struct sendmail_options o;
	char store[512];

	(void)state;
	assert_int_equal(
	    parse("sendmail -N failure,delay -R hdrs -V QQ314 -B8bitmime -v -F Bob x y", &o,
		store),
	    0);
	assert_string_equal(o.notify, "failure,delay");
	assert_string_equal(o.ret, "HDRS");
	assert_string_equal(o.envid, "QQ314");
	assert_string_equal(o.full_name, "Bob");
	assert_true(o.eight_bit && o.verbose);
	assert_string_equal(o.recipients[0], "x");
	assert_string_equal(o.recipients[1], "y");
	sendmail_options_release(&o);
	assert_int_equal(parse("sendmail -qRbob@a.test", &o, store), 0);
	assert_int_equal(o.mode, SENDMAIL_RETRY);
	assert_int_equal(o.nlimits, 1);
	assert_int_equal(o.limits[0].kind, 'R');
	assert_false(o.limits[0].negated);
	assert_string_equal(o.limits[0].part, "bob@a.test");
	sendmail_options_release(&o);
	assert_int_equal(parse("sendmail -qI3kf -q!Sa@b.test -q!Q", &o, store), 0);
	assert_int_equal(o.nlimits, 3);
	assert_string_equal(o.limits[0].part, "3kf");
	assert_true(o.limits[1].kind == 'S' && o.limits[1].negated);
	assert_string_equal(o.limits[1].part, "a@b.test");
	assert_true(o.limits[2].kind == 'Q' && o.limits[2].negated);
	sendmail_options_release(&o);
	assert_int_equal(parse("mailq -qQ", &o, store), 0);
	assert_int_equal(o.mode, SENDMAIL_MAILQ);
	assert_int_equal(o.nlimits, 1);
	sendmail_options_release(&o);
	assert_int_equal(parse("sendmail -qRx -bp", &o, store), 0);
	assert_int_equal(o.mode, SENDMAIL_MAILQ);
	sendmail_options_release(&o);
	assert_int_equal(parse("sendmail -oeq x", &o, store), 0);
	assert_true(o.quiet);
	sendmail_options_release(&o);
	assert_int_equal(parse("sendmail -OErrorMode=e x", &o, store), 0);
	assert_true(o.always_ok);
	sendmail_options_release(&o);
}

static void
refuses_a_line_end_in_a_name(void **state)
{
	char name[] = "sendmail", option[] = "-FBob\nBcc: x@y", to[] = "bob";
	char *argv[] = {name, option, to, NULL};
	struct sendmail_options o;
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	assert_int_equal(sendmail_options_parse(3, argv, &o, &why), EX_USAGE);
	sendmail_options_release(&o);
	buf_release(&why);
}

static void
survives_without_a_name(void **state)
{
	char *argv[] = {NULL};
	struct sendmail_options o;
	struct buf why;

	(void)state;
	buf_init(&why, 4096);
	assert_int_equal(sendmail_options_parse(0, argv, &o, &why), EX_USAGE);
	sendmail_options_release(&o);
	buf_release(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_what_it_understood),
	    cmocka_unit_test(keeps_what_goes_on),
	    cmocka_unit_test(refuses_a_line_end_in_a_name),
	    cmocka_unit_test(survives_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
