/* login_scram: SCRAM in a session. See login_scram.h. Called by login. */
#include "smtpd/login_scram.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/xalloc.h"
#include "smtpd/login.h"
#include "smtpd/scram_message.h"

/* A challenge: both nonces, a salt, a number. */
#define CHALLENGE_MAX 1024

struct login_scram *
login_scram_new(bool bound, bool can_bind, const char *channel)
{
	struct login_scram *s = xcalloc(1, sizeof *s);

	s->bound = bound;
	s->can_bind = can_bind;
	if (can_bind)
		memcpy(s->channel, channel, sizeof s->channel);
	buf_init(&s->header, SCRAM_MESSAGE_MAX);
	buf_init(&s->nonce, CHALLENGE_MAX);
	buf_init(&s->bare, SCRAM_MESSAGE_MAX);
	buf_init(&s->challenge, CHALLENGE_MAX);
	buf_init(&s->message, 2 * SCRAM_MESSAGE_MAX + CHALLENGE_MAX + 2);
	return s;
}

void
login_scram_free(struct login_scram **sp)
{
	struct login_scram *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	buf_release(&s->header);
	buf_release(&s->nonce);
	buf_release(&s->bare);
	buf_release(&s->challenge);
	buf_release(&s->message);
	free(s->account);
	explicit_bzero(s, sizeof *s);
	free(s);
}

/*
 * RFC 5802 6: does the client see the same mechanisms as we have offered? One that says "y" has seen none
 * with channel binding: if we have offered it, somebody in between has taken it away.
 */
static bool
sees_what_we_offer(const struct login_scram *s, const struct scram_first *f)
{
	if (s->bound)
		return f->flag == 'p' && span_is(f->binding, "tls-exporter");
	return f->flag == 'n' || (f->flag == 'y' && !s->can_bind);
}

static enum login_step
take_first(struct login *l, struct span message)
{
	struct login_scram *s = l->scram;
	char name[ADDRESS_MAX];
	struct scram_first f;
	size_t len = 0;
	struct span as;

	if (scram_first_parse(message, &f) != 0)
		return LOGIN_WRONG;
	/* A user who cannot be is challenged all the same, as everybody is. */
	if (scram_name_decode(f.user, l->user, &l->user_len) != 0)
		l->user_len = 0;
	if (f.authzid.len > 0 && scram_name_decode(f.authzid, name, &len) != 0)
		s->hopeless = true;
	as = span_make(name, len);
	if (as.len > 0 && !span_eq_nocase(as, span_make(l->user, l->user_len)))
		s->hopeless = true;
	if (!sees_what_we_offer(s, &f))
		s->hopeless = true;
	buf_add_span(&s->header, f.header);
	buf_add_span(&s->nonce, f.nonce);
	buf_add_span(&s->bare, f.bare);
	return LOGIN_READY;
}

int
login_scram_challenge(struct login_scram *s, struct span challenge)
{
	struct span rest = challenge, nonce = span_cut(&rest, ',');

	if (s->stage != SCRAM_FIRST || challenge.len > CHALLENGE_MAX || rest.p == NULL ||
	    !span_starts_with(nonce, "r=") ||
	    !span_starts_with(span_skip(nonce, 2), buf_str(&s->nonce)))
		return -1;
	nonce = span_skip(nonce, 2);
	buf_clear(&s->nonce);
	buf_add_span(&s->nonce, nonce);
	buf_add_span(&s->challenge, challenge);
	s->stage = SCRAM_FINAL;
	return 0;
}

/* Does the final message belong to the first one, and to this connection? */
static bool
belongs(const struct login_scram *s, const struct scram_final *f)
{
	struct buf want;
	bool same;

	buf_init(&want, 2 * SCRAM_MESSAGE_MAX);
	if (s->bound) {
		struct buf data;

		buf_init(&data, SCRAM_MESSAGE_MAX + sizeof s->channel);
		buf_add_span(&data, buf_span(&s->header));
		buf_add(&data, s->channel, sizeof s->channel);
		base64_encode(buf_span(&data), &want);
		buf_release(&data);
	} else {
		base64_encode(buf_span(&s->header), &want);
	}
	same = span_eq(f->binding, buf_span(&want)) && span_eq(f->nonce, buf_span(&s->nonce));
	buf_release(&want);
	return same;
}

static enum login_step
take_final(struct login *l, struct span message)
{
	struct login_scram *s = l->scram;
	struct scram_final f;
	struct buf proof;

	if (scram_final_parse(message, &f) != 0)
		return LOGIN_WRONG;
	buf_init(&proof, sizeof s->proof);
	if (base64_decode(f.proof, &proof) == 0)
		memcpy(s->proof, buf_str(&proof), proof.len);
	s->proof_len = proof.len;
	buf_release(&proof);
	if (s->proof_len != sizeof s->proof)
		return LOGIN_WRONG;
	buf_add_span(&s->message, buf_span(&s->bare));
	buf_add_char(&s->message, ',');
	buf_add_span(&s->message, buf_span(&s->challenge));
	buf_add_char(&s->message, ',');
	buf_add_span(&s->message, f.without_proof);
	return s->hopeless || !belongs(s, &f) ? LOGIN_FAILS : LOGIN_READY;
}

enum login_step
login_scram_take(struct login *l, struct span message)
{
	switch (l->scram->stage) {
	case SCRAM_FIRST:
		return take_first(l, message);
	case SCRAM_FINAL:
		return take_final(l, message);
	case SCRAM_SHOWN:
		break;
	}
	/* RFC 4954 4: what came with success is answered with nothing. */
	return message.len == 0 ? LOGIN_DONE : LOGIN_WRONG;
}

void
login_scram_fill(const struct login_scram *s, struct question *q)
{
	q->scram = true;
	if (s->stage == SCRAM_FIRST) {
		q->nonce = buf_span(&s->nonce);
	} else {
		q->message = buf_span(&s->message);
		q->proof = span_make(s->proof, s->proof_len);
	}
}
