/*
 * config_wire: the configuration as fields of a settings message, and back.
 * postriderd sends it to every child (doc/IPC.md); the values are those of the
 * file, one field each, lists repeated, a listener as `listen=address role tls`.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "conf/config.h"
#include "conf/config_keys.h"

struct put {
	struct wire_out *w;
	const char *name;
};

static void
put_value(const char *value, void *arg)
{
	struct put *p = arg;

	wire_add_str(p->w, p->name, value);
}

void
config_to_wire(const struct config *c, struct wire_out *w)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	wire_add_str(w, "path", c->path);
	for (size_t i = 0; i < n; i++) {
		char name[CONFIG_KEY_NAME_SIZE];
		struct put p = {w, config_key_full_name(&keys[i], name)};

		config_key_get(c, &keys[i], put_value, &p);
	}
	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct config_listener *l = &c->listeners[i];

		wire_addf(w, "listen", "%s %s %s", l->address, listener_role_name(l->role),
		    listener_tls_name(l->tls));
	}
}

static int
take_listener(struct config *c, struct span value, struct buf *why)
{
	struct span address = span_cut(&value, ' '), role = span_cut(&value, ' ');
	struct config_listener *l;

	if (value.p == NULL || config_add_listener(c, address, why) != 0)
		return -1;
	l = &c->listeners[c->nlisteners - 1];
	return listener_role_parse(role, &l->role) != 0 ||
		       listener_tls_parse(value, &l->tls) != 0
		   ? -1
		   : 0;
}

/* Fields that are no keys (process=, worker=, …) are others' business. */
static int
take_field(struct config *c, bool seen[], const struct wire_field *f, struct buf *why)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);
	char name[CONFIG_KEY_NAME_SIZE];

	if (span_is(f->name, "listen"))
		return take_listener(c, f->value, why);
	if (span_is(f->name, "path")) {
		free(c->path);
		c->path = xspandup(f->value);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (keys[i].type == CONFIG_ROLE || keys[i].type == CONFIG_TLS ||
		    !span_is(f->name, config_key_full_name(&keys[i], name)))
			continue;
		seen[i] = true;
		return config_key_set(c, &keys[i], f->value, why);
	}
	return 0;
}

struct config *
config_from_wire(const struct wire_msg *m)
{
	struct config *c = xcalloc(1, sizeof *c);
	size_t n;
	const struct config_key *keys = config_keys(&n);
	bool *seen = xcalloc(n, sizeof *seen);
	bool ok = true;
	struct buf why;

	buf_init(&why, 1024);
	for (size_t i = 0; ok && i < m->nfields; i++)
		ok = take_field(c, seen, &m->fields[i], &why) == 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = seen[i] || keys[i].optional;
	ok = ok && c->path != NULL && c->nlisteners > 0;
	buf_release(&why);
	free(seen);
	if (!ok)
		config_free(&c);
	return c;
}
