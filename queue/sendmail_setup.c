/*
 * sendmail_setup: configuration and caller's identity for sendmail. See
 * sendmail_setup.h. Called by sendmail_main.c. Invariant: no set-id program, so
 * nothing read here can give the caller what he does not have.
 */
#include "queue/sendmail_setup.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/address.h"
#include "common/xalloc.h"

/* May it stand before an at sign as it is? */
static bool
is_local_part(const char *login)
{
	struct address a;
	const char *why;
	char *whole = xasprintf("%s@localhost", login);
	bool is =
	    login[0] != '\0' && address_parse(span_str(whole), ADDRESS_UTF8, &a, &why) == 0;

	free(whole);
	return is;
}

/* The first part of GECOS, in which & stands for the login name with a capital. */
static char *
expand_gecos(const char *gecos, const char *login)
{
	struct span rest = span_str(gecos), name = span_cut(&rest, ',');
	struct buf out;

	buf_init(&out, 1024);
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '&' && login[0] != '\0') {
			buf_add_char(&out, (char)toupper((unsigned char)login[0]));
			buf_add_str(&out, login + 1);
		} else {
			buf_add_char(&out, name.p[i]);
		}
	}
	return buf_take(&out);
}

/* Who calls: the account of the real user id. Numbers without one are users too. */
static void
find_caller(struct sendmail_setup *s)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw != NULL && pw->pw_name != NULL && is_local_part(pw->pw_name)) {
		s->login = xstrdup(pw->pw_name);
		s->full_name = expand_gecos(pw->pw_gecos != NULL ? pw->pw_gecos : "", s->login);
	} else {
		s->login = xasprintf("uid%u", (unsigned)getuid());
		s->full_name = xstrdup("");
	}
}

int
sendmail_setup_init(struct sendmail_setup *s, struct buf *why)
{
	const char *named = getenv("POSTRIDER_CONFIG");

	*s = (struct sendmail_setup){.login = NULL};
	find_caller(s);
	return client_config_init(
	    &s->config, named != NULL && named[0] != '\0' ? named : NULL, why);
}

void
sendmail_setup_release(struct sendmail_setup *s)
{
	client_config_release(&s->config);
	free(s->login);
	free(s->full_name);
	*s = (struct sendmail_setup){.login = NULL};
}

char *
sendmail_setup_path(const struct sendmail_setup *s, const char *below)
{
	return xasprintf("%s/%s", s->config.spool, below);
}
