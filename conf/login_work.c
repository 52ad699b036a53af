/* login_work: passwords and proofs tried. See login_work.h. Called on the authenticator's threads. */
#include "conf/login_work.h"

#include <string.h>

static void
try_password(struct login_work *w, login_verify_fn *verify)
{
	struct span password = span_make(w->text, w->text_len);
	struct span stored = span_make(w->account.stored, w->account.stored_len);
	bool fits = verify(stored, password);

	w->right = fits && w->can;
	if (!w->right && password_hash_is_cheap(password_hash_form(stored, NULL)))
		verify(span_str(PASSWORD_DUMMY), password);
}

/* A password that is stored as it is gets the salt that is made up for its user. */
static void
prepare(const struct login_work *w, struct scram *s, bool keys)
{
	struct span text;
	enum password_form form =
	    password_hash_form(span_make(w->account.stored, w->account.stored_len), &text);

	*s = (struct scram){
	    .iterations = w->account.iterations, .salt_len = w->account.salt_len};
	scram_make_up(s, w->secret, span_make(w->name, w->name_len));
	if (!w->can)
		return;
	if (form == PASSWORD_SCRAM_SHA256)
		(void)scram_parse(text, s); /* it was looked at when it was loaded */
	else if (keys)
		scram_derive(s, text);
}

void
login_work_challenge(const struct login_work *w, struct scram *s)
{
	prepare(w, s, false);
}

void
login_work_run(struct login_work *w, login_verify_fn *verify)
{
	struct scram s;

	if (w->use == ACCOUNT_PASSWORD) {
		try_password(w, verify);
	} else {
		prepare(w, &s, true);
		w->right = scram_verify(&s, span_make(w->text, w->text_len),
			       span_make(w->proof, w->proof_len), w->signature) &&
			   w->can;
		explicit_bzero(&s, sizeof s);
	}
	explicit_bzero(w->text, sizeof w->text);
	explicit_bzero(w->proof, sizeof w->proof);
}
