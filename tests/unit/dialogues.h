/*
 * dialogues: a table of dialogues with one session. A row is what the client writes and the
 * codes of the replies it then has, `!` if the server closes. The ids are those of
 * tests/vectors/dialogue.tsv where a row stands there too. Used by test_dialogues.c and, inside TLS, by
 * test_session_tls.c.
 */
#ifndef TESTS_UNIT_DIALOGUES_H
#define TESTS_UNIT_DIALOGUES_H

#include "tests/unit/smtpd_client.h"

#define STEPS 8

struct row {
	const char *name;
	const char *send[STEPS], *want[STEPS];
	int queued; /* messages in the end */
};

static const struct row rows[] = {
    {"GR-03", {Q}, {"221!"}, 0},
    {"EH-03", {"EHLO\\r\\n"}, {"501"}, 0},
    {"EH-06", {"eHlO c.test\\r\\n"}, {"250"}, 0},
    {"EH-11", {"EHLO {*300:a}\\r\\n"}, {"501"}, 0},
    {"EH-12", {"EHLO c\\x00t\\r\\n", E}, {"500", "250"}, 0},
    {"EH-14", {E, M, H, R}, {"250", "250", "250", "503"}, 0},
    {"EH-15", {"EHLO a) by evil (b\\r\\n", M}, {"501", "503"}, 0},
    {"EH-17", {"EHLO c.test\\r\\r\\n"}, {"500!"}, 0},
    {"EH-18", {"EHLO\\tc.test\\r\\n"}, {"500"}, 0},
    {"EH-19", {"   EHLO c.test\\r\\n"}, {"500"}, 0},
    {"EHLO that fails changes nothing", {E, M, "EHLO ?\\r\\n", R}, {"250", "250", "501", "250"},
	0},
    {"ML-01", {M}, {"503"}, 0},
    {"ML-03", {E, "MAIL FROM:<>\\r\\n"}, {"250", "250"}, 0},
    {"ML-31", {E, "MAIL FROM:<s\\r@remote.test>\\r\\n"}, {"250", "500!"}, 0},
    {"ML-33", {H, "MAIL FROM:<s@remote.test> SIZE=10\\r\\n"}, {"250", "555"}, 0},
    {"nested MAIL", {E, M, "MAIL FROM:<x@remote.test>\\r\\n", R, D, B},
	{"250", "250", "503", "250", "354", "250"}, 1},
    {"SZ-03", {E, "MAIL FROM:<s@remote.test> SIZE=1048577\\r\\n", R}, {"250", "552", "503"}, 0},
    {"SZ-02", {E, "MAIL FROM:<s@remote.test> SIZE=1048576\\r\\n"}, {"250", "250"}, 0},
    {"refused sender", {E, "MAIL FROM:<forged@a.test>\\r\\n", R, M},
	{"250", "553", "503", "250"}, 0},
    {"three logins", {E, "AUTH PLAIN x\\r\\n", "AUTH LOGIN\\r\\n", "AUTH PLAIN y\\r\\n"},
	{"250", "502", "502", "421!"}, 0},
    {"RC-02", {E, M, R}, {"250", "250", "250"}, 0},
    {"RC-12", {E, M, R, R, D, B}, {"250", "250", "250", "250", "354", "250"}, 1},
    {"RC-17", {E, M, "RCPT TO:<nosuch@a.test>\\r\\n", D}, {"250", "250", "550", "554"}, 0},
    {"later recipient", {E, M, "RCPT TO:<later@a.test>\\r\\n", R, D, B},
	{"250", "250", "451", "250", "354", "250"}, 1},
    {"421 from the policy", {E, M, "RCPT TO:<bye@a.test>\\r\\n"}, {"250", "250", "421!"}, 0},
    {"RC-19", {E, M, "{*12:RCPT TO:<no@a.test>\\r\\n}"},
	{"250", "250", "550,550,550,550,550,550,550,550,550,421!"}, 0},
    {"DT-01", {E, D}, {"250", "503"}, 0},
    {"DT-02", {E, M, D}, {"250", "250", "503"}, 0},
    {"DT-04", {E, M, R, "DATA x\\r\\n", D, B}, {"250", "250", "250", "501", "354", "250"}, 1},
    {"DT-24", {E, M, R, D, B, R}, {"250", "250", "250", "354", "250", "503"}, 1},
    {"DT-27", {E, M R, D, B, M R, D, B},
	{"250", "250,250", "354", "250", "250,250", "354", "250"}, 2},
    {"DT-18", {E, M, R, D, "{*60:Received: by h\\r\\n}\\r\\nb\\r\\n.\\r\\n", R},
	{"250", "250", "250", "354", "554", "503"}, 0},
    {"bare LF",
	{E, M, R, D, "S: t\\r\\n\\r\\nfirst\\n.\\n" M R D "S: s\\r\\n\\r\\nevil\\r\\n.\\r\\n"},
	{"250", "250", "250", "354", "550!"}, 0},
    {"SM-13", {E, M, R, D, "S: t\\r\\n\\r\\nfirst\\r\\r\\n.\\r\\n" M R D},
	{"250", "250", "250", "354", "550!"}, 0},
    {"BD-02", {E, "BDAT 12 LAST\\r\\nRSET\\r\\nQUIT\\r\\n", Q}, {"250", "503", "221!"}, 0},
    {"BDAT in a transaction", {E, M, R, "BDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n"},
	{"250", "250", "250", "502,250"}, 0},
    {"BDAT 0", {E, "BDAT 0\\r\\nNOOP\\r\\n"}, {"250", "503,250"}, 0},
    {"BD-03", {E, M, R, "BDAT 99999999999999999999 LAST\\r\\n"}, {"250", "250", "250", "501!"},
	0},
    {"BDAT out of proportion", {E, "BDAT 99999999\\r\\nQUIT\\r\\n"}, {"250", "552!"}, 0},
    {"BDAT with a control octet", {E, M, R, "BDAT 6 \\x01\\r\\nQUIT\\r\\n"},
	{"250", "250", "250", "501!"}, 0},
    {"BD-04", {E, M, R, "BDAT -1\\r\\n"}, {"250", "250", "250", "501!"}, 0},
    {"OT-02", {E, M, "RSET\\r\\n", R}, {"250", "250", "250", "503"}, 0},
    {"OT-05", {E, "VRFY alice\\r\\n", "VRFY nosuch\\r\\n", "VRFY\\r\\n"},
	{"250", "252", "252", "501"}, 0},
    {"OT-07", {"HELP\\r\\n", "HELP MAIL\\r\\n"}, {"214", "214"}, 0},
    {"OT-10", {E, "{*20:FOO\\r\\n}"}, {"250", "500,500,500,500,500,500,500,500,500,421!"}, 0},
    {"OT-13",
	{E, "SOML FROM:<s@remote.test>\\r\\n", "STARTTLS\\r\\n", "AUTH PLAIN\\r\\n",
	    "EXPN x\\r\\n"},
	{"250", "502", "502", "502", "502"}, 0},
    {"OT-15", {E, "XCLIENT ADDR=127.0.0.1\\r\\n", "XSUBMITTER 0\\r\\n"}, {"250", "550", "500"},
	0},
    {"OT-19", {"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"}, {"554!"}, 0},
    {"OT-20", {"POST / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" E M}, {"554!"}, 0},
    {"OT-22", {"Host: x\\r\\nUser-Agent: y\\r\\n"}, {"554!"}, 0},
    {"OT-23", {"\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03\\r\\n"}, {"500!"}, 0},
    {"TLS without a line end", {"\\x16\\x03\\x01"}, {"500!"}, 0},
    {"OT-25", {"QUIT x\\r\\n", Q}, {"501", "221!"}, 0},
    {"long line", {E, "{*3000:A}\\r\\nNOOP\\r\\n"}, {"250", "500,250"}, 0},
    {"OT-27", {"{*1000000:A}"}, {"500!"}, 0},
    {"OT-28", {E, "NOOP\\x00QUIT\\r\\n", "NOOP\\r\\n"}, {"250", "500", "250"}, 0},
    {"PI-01", {E, M R D, B}, {"250", "250,250,354", "250"}, 1},
    {"PI-02", {E, M "RCPT TO:<nosuch@a.test>\\r\\n" D}, {"250", "250,550,554"}, 0},
    {"PI-03", {E, M R D B}, {"250", "250,250,503!"}, 0},
    {"body behind a DATA that would be refused", {E, M D B}, {"250", "250,503!"}, 0},
    {"PI-05", {E, M R D, B M R D, B Q}, {"250", "250,250,354", "250,250,250,354", "250,221!"},
	2},
    {"PI-07", {E M}, {"250,250"}, 0},
    {"nothing behind QUIT", {E, Q E M}, {"250", "221!"}, 0},
    {"ST-02", {E, M, R, "RSET\\r\\n", D}, {"250", "250", "250", "250", "503"}, 0},
    {"ST-03", {E, M, R, Q}, {"250", "250", "250", "221!"}, 0},
    {"ST-05", {E, M, R, "NOOP x\\r\\nVRFY x\\r\\nHELP\\r\\n", D, B},
	{"250", "250", "250", "250,252,214", "354", "250"}, 1},
    {"RSET takes no argument", {E, M, "RSET x\\r\\n", R}, {"250", "250", "501", "250"}, 0},
    {"empty line", {"\\r\\n", E}, {"500", "250"}, 0},
};

/* Every octet alone is the same dialogue, but where input behind DATA makes the difference. */
static inline bool
may_split(const struct row *r)
{
	for (size_t i = 0; i < STEPS && r->send[i] != NULL; i++) {
		const char *data = strstr(r->send[i], D);

		if ((data != NULL && data[strlen(D)] != '\0') ||
		    strstr(r->send[i], "00:") != NULL)
			return false;
	}
	return true;
}

/* Plays it with a client that has heard the greeting, in pieces. */
static inline void
dialogue_play(struct client *c, const struct row *r, size_t piece)
{
	struct buf out;

	buf_init(&out, 8U << 20);
	for (size_t i = 0; i < STEPS && r->send[i] != NULL && r->want[i] != NULL; i++) {
		buf_clear(&out);
		assert_true(escapes_expand(span_str(r->send[i]), &out));
		if (strcmp(client_say(c, buf_span(&out), piece), r->want[i]) != 0)
			fail_msg("%s, pieces of %zu, step %zu: got %s, want %s", r->name, piece,
			    i + 1, c->replies, r->want[i]);
	}
	if ((int)c->fake.nmessages != r->queued)
		fail_msg("%s: %zu messages, want %d", r->name, c->fake.nmessages, r->queued);
	buf_release(&out);
}

#endif
