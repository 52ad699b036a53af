/*
 * fuzz_login: any octets as a client's two responses of AUTH, first of PLAIN, then of LOGIN. A user and
 * a password come out only if they are not empty, within their bounds, and hold no NUL.
 */
#include <string.h>

#include "common/xalloc.h"
#include "smtpd/login.h"
#include "tests/fuzz/must.h"

static void
try(enum login_mechanism mechanism, struct span first, struct span second)
{
	struct login *l = xcalloc(1, sizeof *l);
	enum login_step step;

	l->mechanism = mechanism;
	step = login_take(l, first);
	MUST(mechanism == LOGIN_LOGIN || step != LOGIN_MORE);
	MUST(mechanism == LOGIN_PLAIN || step != LOGIN_READY);
	if (step == LOGIN_MORE)
		step = login_take(l, second);
	MUST(step != LOGIN_MORE);
	MUST(l->user_len <= sizeof l->user && l->password_len <= sizeof l->password);
	if (step == LOGIN_READY) {
		MUST(l->password_len > 0);
		MUST(memchr(l->password, '\0', l->password_len) == NULL);
		MUST(mechanism == LOGIN_LOGIN || l->user_len > 0);
		MUST(!span_has_control(span_make(l->user, l->user_len)));
	}
	login_free(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), first = span_cut(&rest, '\n');

	try(LOGIN_PLAIN, first, rest);
	try(LOGIN_LOGIN, first, rest);
	return 0;
}
