/*
 * test_session_model: a random walk of a client over everything it can say, beside a model of what
 * RFC 5321, 3030, 3207 and 4954 and our limits answer. The classes of errors that this finds are those where a
 * refused command leaves half a transaction behind, or what was said in clear is believed inside TLS.
 *
 * POSTRIDER_SEED sets the seed of the walk, POSTRIDER_STEPS its length; a failure names the seed.
 */
#include "smtpd/session.h"

#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/unit/smtpd_client.h"
#include "tests/unit/tls_fake.h"

#define STEPS	      1000000
#define AUTH_LIMIT    3
#define ERROR_LIMIT   10
#define JUNK_LIMIT    100
#define RCPT_LIMIT    4
#define MAILBOXES     7
#define HOPS_EXCEEDED "{*60:Received: by h\\r\\n}\\r\\nb\\r\\n.\\r\\n"

/* What the client may know of its session. */
struct model {
	bool submission, tls, account;
	bool wants_login; /* what this client is after */
	bool greeted, esmtp, txn, chunks;
	bool has[MAILBOXES]; /* recipients accepted */
	unsigned nrcpt, refused, errors, junk, logins;
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
	W_ABSENT,
	W_FOREIGN,
	W_CONTROL,
	W_AUTH,
	W_AUTH_WRONG,
	W_AUTH_CANCEL,
	W_AUTH_BAD,
	W_AUTH_MECHANISM,
	W_BDAT,
	W_BDAT_LAST,
	W_BDAT_BARE,
	W_BDAT_SIZE,
	W_STARTTLS,
	W_STARTTLS_ARGUMENT,
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
    [W_ABSENT] = "EXPN list\\r\\n",
    [W_FOREIGN] = "GET / HTTP/1.0\\r\\n",
    [W_CONTROL] = "NOOP \\x01\\r\\n",
    [W_AUTH] = "AUTH PLAIN AGFsaWNlAHMzY3JldA==\\r\\n",
    [W_AUTH_WRONG] = "AUTH PLAIN AGFsaWNlAHdyb25n\\r\\n",
    [W_AUTH_CANCEL] = "AUTH PLAIN\\r\\n",
    [W_AUTH_BAD] = "AUTH PLAIN a b\\r\\n",
    [W_AUTH_MECHANISM] = "AUTH NTLM\\r\\n",
    [W_BDAT] = "BDAT 8\\r\\nS: t\\r\\n\\r\\n",
    [W_BDAT_LAST] = "BDAT 6 LAST\\r\\nQUIT\\r\\n",
    [W_BDAT_BARE] = "BDAT 4\\r\\na\\nbc",
    [W_BDAT_SIZE] = "BDAT -1\\r\\n",
    [W_STARTTLS] = "STARTTLS\\r\\n",
    [W_STARTTLS_ARGUMENT] = "STARTTLS now\\r\\n",
    [W_QUIT] = Q,
};

static void
end_transaction(struct model *m)
{
	memset(m->has, 0, sizeof m->has);
	m->txn = m->chunks = false;
	m->nrcpt = m->refused = 0;
}

/* Why a command that needs a transaction, or none, is out of sequence; 0 if it is not. */
static unsigned
sequence(const struct model *m, bool wants_txn)
{
	return !m->greeted || m->txn != wants_txn || m->chunks ? 503 : 0;
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

/* A message is whole: what becomes of it? */
static unsigned
accepted(struct model *m)
{
	if (m->failing)
		return 451;
	m->messages++;
	m->junk = 0;
	return 250;
}

/* A chunk (RFC 3030); one that is refused ends the message, one out of sequence does not. */
static unsigned
bdat(struct model *m, enum word w)
{
	unsigned code = 250;

	if (w == W_BDAT_SIZE)
		return 501; /* and closes */
	if (!m->greeted || !m->txn)
		return 503;
	if (m->nrcpt == 0)
		return m->refused > 0 ? 554 : 503;
	if (!m->esmtp)
		return 502;
	if (!m->chunks && m->full)
		code = 452;
	else if (w == W_BDAT_BARE)
		code = 550;
	else if (w == W_BDAT)
		m->chunks = true;
	else
		code = accepted(m);
	if (code != 250 || w == W_BDAT_LAST)
		end_transaction(m);
	return code;
}

/* A login that comes to nothing; the third is the last. */
static unsigned
failed_login(struct model *m, unsigned code)
{
	return ++m->logins >= AUTH_LIMIT ? 421 : code;
}

static unsigned
auth(struct model *m, enum word w)
{
	if (w == W_AUTH_BAD)
		return 501;
	if (m->submission && (!m->greeted || m->txn))
		return 503;
	if (m->account)
		return 503;
	if (!m->submission || !m->esmtp)
		return failed_login(m, 502);
	if (!m->tls)
		return failed_login(m, 538);
	if (w == W_AUTH_MECHANISM)
		return 504;
	if (w == W_AUTH_CANCEL)
		return 334;
	if (w == W_AUTH_WRONG)
		return failed_login(m, 535);
	m->account = true;
	return 235;
}

static unsigned
starttls(struct model *m, enum word w)
{
	if (++m->junk > JUNK_LIMIT)
		return 421;
	if (!m->greeted || m->txn)
		return 503;
	if (w == W_STARTTLS_ARGUMENT)
		return 501;
	return m->tls ? 503 : 220;
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
	case W_CONTROL:
		return 500;
	case W_ABSENT:
		return 502;
	case W_FOREIGN:
		return 554;
	case W_AUTH:
	case W_AUTH_WRONG:
	case W_AUTH_CANCEL:
	case W_AUTH_BAD:
	case W_AUTH_MECHANISM:
		return auth(m, w);
	case W_BDAT:
	case W_BDAT_LAST:
	case W_BDAT_BARE:
	case W_BDAT_SIZE:
		return bdat(m, w);
	case W_STARTTLS:
	case W_STARTTLS_ARGUMENT:
		return starttls(m, w);
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

/* Those that close the connection are not counted. */
static bool
ends(enum word w, unsigned code)
{
	return code == 421 || code == 221 || (w == W_FOREIGN && code == 554) ||
	       (w == W_BDAT_SIZE && code == 501);
}

static unsigned
body(struct model *m, const char **text)
{
	static const char *const bodies[] = {
	    B, "S: t\\r\\n\\r\\na\\nb\\r\\n.\\r\\n", HOPS_EXCEEDED};
	size_t which = (size_t)random() % 12;

	*text = bodies[which < 3 ? which : 0];
	end_transaction(m);
	if (which == 1)
		return 550; /* and closes */
	if (which == 2)
		return limit(m, 554);
	return accepted(m);
}

/* --- the walk --- */

static unsigned seed;

/* A server that many sessions are made of, one after the other. */
struct stage {
	struct client c;
	struct certificate certificate;
	struct tls_fake source;
	struct tls *tls;
	SSL_CTX *ctx;
};

static void
stage_init(struct stage *s)
{
	memset(s, 0, sizeof *s);
	buf_init(&s->c.got, 1U << 20);
	certificate_make(&s->certificate, "EC:P-256", "mx.test", -1, 30, NULL);
	fake_init(&s->c.fake);
	s->source.first = &s->certificate;
	s->source.with_tickets = true;
	ticket_keys_make(s->source.tickets);
	s->tls = tls_new(s->c.fake.base, &tls_fake_ops, &s->source, fake_clock);
	assert_int_equal(
	    tls_configure(s->tls, "mx.test", &(struct tls_rules){.client_ca = {NULL, 0}}), 0);
	s->c.fake.server.tls = s->tls;
	tls_prepare(s->tls);
	tls_fake_answer(&s->source);
	s->c.fake.server.settings->recipient_limit = RCPT_LIMIT;
	s->c.fake.server.settings->offers |= OFFER_CHUNKING;
	s->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(
	    s->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void
stage_release(struct stage *s)
{
	server_release(&s->c.fake.server);
	tls_free(&s->tls);
	event_base_free(s->c.fake.base);
	SSL_CTX_free(s->ctx);
	certificate_release(&s->certificate);
	buf_release(&s->c.got);
	ERR_clear_error();
}

static void
connect_client(struct stage *s, bool submission)
{
	struct session_origin from = {.role = submission ? LISTENER_SUBMISSION : LISTENER_MX,
	    .tls = LISTENER_TLS_STARTTLS,
	    .uid = -1,
	    .peer_uid = -1,
	    .text = "192.0.2.7"};

	assert_int_equal(netaddr_parse(span_str(from.text), &from.client), 0);
	s->c.closed = false;
	s->c.fd = fake_connect(&s->c.fake, &from);
	fake_run(&s->c.fake);
	client_read(&s->c);
}

/* The client goes; nothing of it may stay. */
static void
disconnect(struct stage *s)
{
	struct fake *f = &s->c.fake;

	SSL_free(s->c.ssl);
	s->c.ssl = NULL;
	close(s->c.fd);
	for (int i = 0; i < 5000 && f->server.nsessions > 0; i++) {
		fake_run(f);
		if (f->server.nsessions > 0)
			nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	if (f->server.nsessions > 0 || f->large_open > 0 || f->server.budget.used > 0)
		fail_msg("seed %u: a session leaves something behind", seed);
	for (size_t i = 0; i < f->nmessages; i++)
		fake_message_release(&f->messages[i]);
	f->nmessages = 0;
	ERR_clear_error();
}

/* Behind the reply to STARTTLS: the handshake, after which nobody has said anything. */
static void
shake(struct stage *s, struct model *m)
{
	uint64_t end = clock_mono_ms() + 20000;
	struct client *c = &s->c;
	int r = 0;

	c->ssl = SSL_new(s->ctx);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	while ((r != 1 || s->tls->under_way > 0) && clock_mono_ms() < end) {
		ERR_clear_error();
		r = SSL_do_handshake(c->ssl);
		event_base_loop(c->fake.base, EVLOOP_NONBLOCK);
		tls_fake_answer(&s->source);
		if (r != 1)
			nanosleep(&(struct timespec){0, 20000}, NULL);
	}
	if (r != 1)
		fail_msg("seed %u: no handshake", seed);
	fake_run(&c->fake);
	m->tls = true;
	m->greeted = m->esmtp = m->account = false;
}

static void
check(
    const struct client *c, const struct model *m, unsigned code, bool closes, const char *what)
{
	char want[8];

	snprintf(want, sizeof want, "%u%s", code, closes ? "!" : "");
	if (strcmp(c->replies, want) != 0)
		fail_msg("seed %u: %s: got %s, want %s", seed, what, c->replies, want);
	if (c->fake.nmessages != m->messages)
		fail_msg("seed %u: %s: %zu messages, want %zu", seed, what, c->fake.nmessages,
		    m->messages);
}

/* Any word; STARTTLS not as often, for handshakes take their time. */
static enum word
any(void)
{
	enum word w = (enum word)(random() % W_COUNT);

	return w != W_STARTTLS || random() % 4 == 0 ? w : W_NOOP;
}

static enum word
choose(const struct model *m)
{
	static const enum word likely[] = {W_MAIL, W_RCPT, W_RCPT, W_DATA, W_EHLO, W_BDAT_LAST};

	if (random() % 8 == 0)
		return any();
	if (m->chunks && random() % 2 == 0)
		return W_BDAT_LAST;
	if (m->wants_login && m->greeted && !m->txn && !m->account)
		return m->tls ? W_AUTH : W_STARTTLS;
	return likely[random() % 6];
}

/* What follows a reply that asks for more; false when that ends the session. */
static bool
go_on(struct stage *s, struct model *m, unsigned code)
{
	const char *text = "*\\r\\n";
	unsigned next = 0;
	bool closes = false;

	if (code == 220) {
		shake(s, m);
		return true;
	}
	if (code == 354) {
		s->c.fake.full = false;
		next = body(m, &text);
		closes = next == 421 || next == 550;
	} else if (code == 334) {
		next = failed_login(m, 501);
		next = next == 421 ? next : limit(m, next);
		closes = next == 421;
	} else {
		return true;
	}
	say(&s->c, text);
	check(&s->c, m, next, closes, text);
	return !closes;
}

/* One thing said and answered; false when the session is over. */
static bool
step(struct stage *s, struct model *m)
{
	enum word w = choose(m);
	unsigned mailbox = (unsigned)random() % MAILBOXES, code;
	const char *text = words[w];
	char rcpt_text[64];
	bool closes;

	m->full = s->c.fake.full = random() % 40 == 0;
	m->failing = s->c.fake.failing = random() % 20 == 0;
	if (w == W_RCPT) {
		snprintf(rcpt_text, sizeof rcpt_text, "RCPT TO:<a%u@a.test>\\r\\n", mailbox);
		text = rcpt_text;
	}
	code = expect(m, w, mailbox);
	closes = ends(w, code);
	if (!closes) {
		code = limit(m, code);
		closes = code == 421;
	}
	say(&s->c, text);
	check(&s->c, m, code, closes, text);
	return !closes && go_on(s, m, code) && random() % 500 != 0;
}

static unsigned
number(const char *name, unsigned usual)
{
	const char *text = getenv(name);

	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : usual;
}

static void
random_walks(void **state)
{
	unsigned steps = number("POSTRIDER_STEPS", STEPS);
	unsigned long sessions = 0, messages = 0, logins = 0, secured = 0;
	struct stage s;

	(void)state;
	seed = number("POSTRIDER_SEED", (unsigned)time(NULL));
	print_message("seed %u (POSTRIDER_SEED)\n", seed);
	srandom(seed);
	stage_init(&s);
	for (unsigned done = 0; done < steps; sessions++) {
		struct model m = {.submission = random() % 2 == 0};

		m.wants_login = m.submission && random() % 16 == 0;
		connect_client(&s, m.submission);
		do {
			done++;
		} while (step(&s, &m) && s.c.fake.nmessages < FAKE_MESSAGES - 1);
		messages += m.messages;
		logins += m.account;
		secured += m.tls;
		disconnect(&s);
	}
	stage_release(&s);
	/* The walk has been everywhere often enough to mean something. */
	print_message("%lu sessions, %lu messages, %lu in TLS, %lu logged in\n", sessions,
	    messages, secured, logins);
	assert_true(steps < STEPS ||
		    (sessions > 10000 && messages > 10000 && secured > 1000 && logins > 500));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_walks),
	};

	signal(SIGPIPE, SIG_IGN); /* as the process frame does */
	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
