/*
 * client_config: three keys of postrider.conf. See client_config.h. Called by
 * sendmail and by postrider's commands that ask the daemon. Invariant: no error in
 * the rest of the file keeps them from it.
 */
#include "queue/client_config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/confile.h"
#include "conf/config_keys.h"
#include "conf/datafile.h"

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

/* A value that is none leaves the default, as a missing key does. */
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
read_file(struct config *c, const char *named, struct buf *why)
{
	const char *path = named != NULL ? named : CLIENT_CONFIG_DEFAULT;
	struct buf text, reason;
	enum datafile_result r;

	buf_init(&text, CONFILE_MAX);
	buf_init(&reason, 1024);
	r = datafile_read(AT_FDCWD, path, false, geteuid(), &text, NULL, &reason);
	if (r == DATAFILE_OK)
		confile_parse(buf_span(&text), path, wanted, NWANTED, NULL, on_item, c);
	else if (named != NULL)
		buf_addf(why, "%s: %s", path,
		    r == DATAFILE_MISSING ? "there is no such file" : buf_str(&reason));
	buf_release(&text);
	buf_release(&reason);
	return r != DATAFILE_OK && named != NULL ? EX_CONFIG : 0;
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

int
client_config_init(struct client_config *c, const char *path, struct buf *why)
{
	struct config *all = xcalloc(1, sizeof *all);
	int r;

	config_key_set_default(all, find_key("spool"));
	config_key_set_default(all, find_key("message-size-limit"));
	r = read_file(all, path, why);
	*c = (struct client_config){
	    .spool = xstrdup(all->spool),
	    .hostname = all->hostname != NULL ? xstrdup(all->hostname) : system_hostname(),
	    .size_limit = all->message_size_limit,
	};
	config_free(&all);
	return r;
}

void
client_config_release(struct client_config *c)
{
	free(c->spool);
	free(c->hostname);
	*c = (struct client_config){.size_limit = 0};
}
