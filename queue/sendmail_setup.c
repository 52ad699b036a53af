/*
 * sendmail_setup: configuration and caller's identity for sendmail. See
 * sendmail_setup.h. Called by sendmail_main.c. Invariant: no set-id program, so
 * nothing read here can give the caller what he does not have.
 */
#include "queue/sendmail_setup.h"

#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/confile.h"
#include "conf/config_keys.h"
#include "conf/datafile.h"

#define DEFAULT_CONFIG SYSCONFDIR "/postrider/postrider.conf"

static const struct config_key *
find_key(const char *name)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		if (keys[i].section == NULL && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	abort(); /* the table of keys lost one that this file names */
}

/* The keys wanted; everything else in the file is passed over. */
static const struct confile_key wanted[] = {
    {.name = "hostname", .shape = CONFILE_VALUE},
    {.name = "spool", .shape = CONFILE_VALUE},
    {.name = "message-size-limit", .shape = CONFILE_VALUE},
};

#define NWANTED (sizeof wanted / sizeof wanted[0])

static void
on_item(const struct confile_item *item, void *arg)
{
	struct buf why;

	if (item->key == NULL || item->section != NULL)
		return;
	buf_init(&why, 1024);
	config_key_set(arg, find_key(item->key->name), span_str(item->value), &why);
	buf_release(&why);
}

static int
read_config(struct config *c, struct buf *why)
{
	const char *named = getenv("POSTRIDER_CONFIG");
	const char *path = named != NULL && named[0] != '\0' ? named : DEFAULT_CONFIG;
	struct buf text, reason;
	enum datafile_result r;

	buf_init(&text, CONFILE_MAX);
	buf_init(&reason, 1024);
	r = datafile_read(AT_FDCWD, path, false, geteuid(), &text, NULL, &reason);
	if (r == DATAFILE_OK)
		confile_parse(buf_span(&text), path, wanted, NWANTED, NULL, on_item, c);
	else if (path == named)
		buf_addf(why, "%s: %s", path,
		    r == DATAFILE_MISSING ? "there is no such file" : buf_str(&reason));
	buf_release(&text);
	buf_release(&reason);
	return r != DATAFILE_OK && path == named ? EX_CONFIG : 0;
}

static char *
system_hostname(void)
{
	char host[256], name[DOMAIN_MAX + 1];
	const char *why;
	size_t len;

	if (gethostname(host, sizeof host) != 0)
		return xstrdup("localhost");
	host[sizeof host - 1] = '\0';
	if (domain_canonical(span_str(host), false, name, &len, &why) != 0)
		return xstrdup("localhost");
	return xstrdup(name);
}

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
	struct config *c = xcalloc(1, sizeof *c);
	int r;

	config_key_set_default(c, find_key("spool"));
	config_key_set_default(c, find_key("message-size-limit"));
	r = read_config(c, why);
	*s = (struct sendmail_setup){
	    .spool = xstrdup(c->spool),
	    .hostname = c->hostname != NULL ? xstrdup(c->hostname) : system_hostname(),
	    .size_limit = c->message_size_limit,
	};
	find_caller(s);
	config_free(&c);
	return r;
}

void
sendmail_setup_release(struct sendmail_setup *s)
{
	free(s->spool);
	free(s->hostname);
	free(s->login);
	free(s->full_name);
	*s = (struct sendmail_setup){.size_limit = 0};
}

char *
sendmail_setup_path(const struct sendmail_setup *s, const char *below)
{
	return xasprintf("%s/%s", s->spool, below);
}
