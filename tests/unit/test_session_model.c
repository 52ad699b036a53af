/*
 * test_session_model: a random walk of a client over everything it can say, beside a model of what
 * RFC 5321 and our limits answer. The classes of errors that this finds are those where a refused
 * command leaves half a transaction behind.
 */
#include "smtpd/session.h"

#include "common/log.h"
#include "tests/unit/smtpd_client.h"

#define STEPS	      100000
#define ERROR_LIMIT   10
#define JUNK_LIMIT    100
#define RCPT_LIMIT    4
#define MAILBOXES     7
#define HOPS_EXCEEDED "{*60:Received: by h\\r\\n}\\r\\nb\\r\\n.\\r\\n"

/* What the client may know of its session. */
struct model {
	bool greeted, esmtp, txn;
	bool has[MAILBOXES]; /* recipients accepted */
	unsigned nrcpt, refused, errors, junk;
	size_t messages;
	bool full, failing; /* what the spool does now */
};

enum word {
	W_EHLO,
	W_HELO,
	W_EHLO_BAD,
	W_MAIL,
	W_MAIL_SIZE,
	W_MAIL_FORGED,
	W_MAIL_BAD,
	W_RCPT,
	W_RCPT_NO,
	W_RCPT_LATER,
	W_RCPT_BAD,
	W_DATA,
	W_DATA_ARGUMENT,
	W_RSET,
	W_NOOP,
	W_VRFY,
	W_HELP,
	W_UNKNOWN,
	W_PRIVATE,
	W_AUTH,
	W_BDAT,
	W_QUIT,
	W_COUNT
};

static const char *const words[W_COUNT] = {
    [W_EHLO] = E,
    [W_HELO] = H,
    [W_EHLO_BAD] = "EHLO ?\\r\\n",
    [W_MAIL] = M,
    [W_MAIL_SIZE] = "MAIL FROM:<> SIZE=10\\r\\n",
    [W_MAIL_FORGED] = "MAIL FROM:<forged@a.test>\\r\\n",
    [W_MAIL_BAD] = "MAIL FROM:<\\r\\n",
    [W_RCPT] = NULL, /* with a number */
    [W_RCPT_NO] = "RCPT TO:<no@a.test>\\r\\n",
    [W_RCPT_LATER] = "RCPT TO:<later@a.test>\\r\\n",
    [W_RCPT_BAD] = "RCPT TO:<>\\r\\n",
    [W_DATA] = D,
    [W_DATA_ARGUMENT] = "DATA x\\r\\n",
    [W_RSET] = "RSET\\r\\n",
    [W_NOOP] = "NOOP\\r\\n",
    [W_VRFY] = "VRFY x\\r\\n",
    [W_HELP] = "HELP\\r\\n",
    [W_UNKNOWN] = "FOO\\r\\n",
    [W_PRIVATE] = "XSUBMITTER 0\\r\\n",
    [W_AUTH] = "AUTH PLAIN\\r\\n",
    [W_BDAT] = "BDAT 6 LAST\\r\\nQUIT\\r\\n",
    [W_QUIT] = Q,
};

static void
end_transaction(struct model *m)
{
	memset(m->has, 0, sizeof m->has);
	m->txn = false;
	m->nrcpt = m->refused = 0;
}

/* Why a command that needs a transaction, or none, is out of sequence; 0 if it is not. */
static unsigned
sequence(const struct model *m, bool wants_txn)
{
	return !m->greeted || m->txn != wants_txn ? 503 : 0;
}

static unsigned
mail(struct model *m, enum word w)
{
	unsigned code = sequence(m, false);

	if (code == 0)
		code = w == W_MAIL_BAD		       ? 501
		       : w == W_MAIL_SIZE && !m->esmtp ? 555
		       : m->full		       ? 452
		       : w == W_MAIL_FORGED	       ? 553
						       : 250;
	if (code == 250)
		m->txn = true;
	return code;
}

static unsigned
rcpt(struct model *m, enum word w, unsigned mailbox)
{
	unsigned code = sequence(m, true);

	if (code != 0)
		return code;
	if (w == W_RCPT_BAD)
		return 501;
	if (w == W_RCPT && m->has[mailbox])
		return 250;
	if (m->nrcpt >= RCPT_LIMIT || m->refused >= RCPT_LIMIT)
		return 452;
	if (w != W_RCPT) {
		m->refused++;
		return w == W_RCPT_NO ? 550 : 451;
	}
	m->has[mailbox] = true;
	m->nrcpt++;
	return 250;
}

static unsigned
data(struct model *m, enum word w)
{
	unsigned code = sequence(m, true);

	if (code == 0 && m->nrcpt == 0)
		code = m->refused > 0 ? 554 : 503;
	if (code == 0)
		code = w == W_DATA_ARGUMENT ? 501 : m->full ? 452 : 354;
	return code;
}

/* The reply to everything that brings no message nearer. */
static unsigned
junk(struct model *m, enum word w)
{
	static const unsigned codes[W_COUNT] = {[W_EHLO] = 250,
	    [W_HELO] = 250,
	    [W_EHLO_BAD] = 501,
	    [W_RSET] = 250,
	    [W_NOOP] = 250,
	    [W_VRFY] = 252,
	    [W_HELP] = 214};

	if (++m->junk > JUNK_LIMIT)
		return 421;
	if (w == W_EHLO || w == W_HELO) {
		m->greeted = true;
		m->esmtp = w == W_EHLO;
		end_transaction(m);
	} else if (w == W_RSET) {
		end_transaction(m);
	}
	return codes[w];
}

static unsigned
expect(struct model *m, enum word w, unsigned mailbox)
{
	switch (w) {
	case W_MAIL:
	case W_MAIL_SIZE:
	case W_MAIL_FORGED:
	case W_MAIL_BAD:
		return mail(m, w);
	case W_RCPT:
	case W_RCPT_NO:
	case W_RCPT_LATER:
	case W_RCPT_BAD:
		return rcpt(m, w, mailbox);
	case W_DATA:
	case W_DATA_ARGUMENT:
		return data(m, w);
	case W_UNKNOWN:
	case W_PRIVATE:
		return 500;
	case W_AUTH:
		return 502;
	case W_BDAT:
		return m->nrcpt > 0 ? 502 : m->refused > 0 ? 554 : 503;
	case W_QUIT:
		return 221;
	default:
		return junk(m, w);
	}
}

/* Permanent refusals are counted, and the last one becomes 421. */
static unsigned
limit(struct model *m, unsigned code)
{
	return code >= 500 && ++m->errors >= ERROR_LIMIT ? 421 : code;
}

static unsigned
body(struct model *m, const char **text)
{
	static const char *const bodies[] = {
	    B, "S: t\\r\\n\\r\\na\\nb\\r\\n.\\r\\n", HOPS_EXCEEDED};
	size_t which = (size_t)random() % 12;
	unsigned code;

	*text = bodies[which < 3 ? which : 0];
	end_transaction(m);
	if (which == 1)
		return 550; /* and closes */
	if (which == 2)
		return limit(m, 554);
	code = m->failing ? 451 : 250;
	if (code == 250) {
		m->messages++;
		m->junk = 0;
	}
	return code;
}

static void
check(struct client *c, unsigned code, bool closes, const char *what)
{
	char want[8];

	snprintf(want, sizeof want, "%u%s", code, closes ? "!" : "");
	if (strcmp(c->replies, want) != 0)
		fail_msg("%s: got %s, want %s", what, c->replies, want);
}

/* One thing said and answered; false when the session is over. */
static bool
step(struct client *c, struct model *m)
{
	static const enum word likely[] = {W_MAIL, W_RCPT, W_RCPT, W_DATA, W_EHLO};
	enum word w =
	    random() % 8 == 0 ? (enum word)(random() % W_COUNT) : likely[random() % 5];
	unsigned mailbox = (unsigned)random() % MAILBOXES, code;
	const char *text = words[w];
	char rcpt_text[64];
	bool closes;

	m->full = c->fake.full = random() % 40 == 0;
	m->failing = c->fake.failing = random() % 20 == 0;
	if (w == W_RCPT) {
		snprintf(rcpt_text, sizeof rcpt_text, "RCPT TO:<a%u@a.test>\\r\\n", mailbox);
		text = rcpt_text;
	}
	code = limit(m, expect(m, w, mailbox));
	closes = code == 421 || code == 221;
	say(c, text);
	check(c, code, closes, text);
	if (code == 354) {
		c->fake.full = false;
		code = body(m, &text);
		closes = code == 421 || code == 550;
		say(c, text);
		check(c, code, closes, text);
	}
	if (c->fake.nmessages != m->messages)
		fail_msg("%s: %zu messages, want %zu", text, c->fake.nmessages, m->messages);
	return !closes && random() % 500 != 0;
}

static void
random_walks(void **state)
{
	unsigned long sessions = 0, messages = 0;

	(void)state;
	srandom(20261122);
	for (int steps = 0; steps < STEPS; sessions++) {
		struct model m = {.greeted = false};
		struct client c;

		client_open(&c, NULL);
		client_read(&c);
		TAILQ_FIRST(&c.fake.server.sessions)->settings->recipient_limit = RCPT_LIMIT;
		do {
			steps++;
		} while (step(&c, &m) && c.fake.nmessages < FAKE_MESSAGES - 1);
		messages += m.messages;
		client_close(&c);
	}
	/* The walk has been everywhere often enough to mean something. */
	print_message("%lu sessions, %lu messages\n", sessions, messages);
	assert_true(sessions > 100 && messages > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_walks),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
