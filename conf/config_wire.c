/*
 * config_wire: the configuration as fields of a settings message, and back.
 * postriderd sends it to every child (doc/IPC.md); the values are those of the
 * file, one field each, lists repeated. A titled section is a field with its name
 * and title, followed by one for each of its keys, `destination.rate=10/minute`,
 * where a list is one field.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "conf/config.h"
#include "conf/config_keys.h"
#include "conf/config_section.h"

/* A list in a titled section is one field: 64 times a short name would be most of the message. */
#define LIST_TEXT_MAX 65536

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

static void
join_value(const char *value, void *arg)
{
	struct buf *b = arg;

	if (b->len > 0)
		buf_add_char(b, ' ');
	buf_add_str(b, value);
}

static void
put_key(const struct config *c, const struct config_key *k, size_t i, struct wire_out *w)
{
	char name[CONFIG_KEY_NAME_SIZE];
	struct put p = {w, config_key_full_name(k, name)};
	struct buf list;

	if (!config_key_is_titled(k) || !config_key_is_list(k)) {
		config_key_get(c, k, i, put_value, &p);
		return;
	}
	buf_init(&list, LIST_TEXT_MAX);
	config_key_get(c, k, i, join_value, &list);
	if (list.len > 0)
		wire_add(w, name, buf_span(&list));
	buf_release(&list);
}

static void
put_sections(const struct config *c, enum config_section_kind kind, struct wire_out *w)
{
	const struct config_section *s = config_section(kind);
	size_t n, count = s->titled ? config_section_count(c, kind) : 0;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < count; i++) {
		wire_add_str(w, s->name, config_section_title(c, kind, i));
		for (size_t k = 0; k < n; k++) {
			if (config_section_find(keys[k].section) == kind)
				put_key(c, &keys[k], i, w);
		}
	}
}

void
config_to_wire(const struct config *c, struct wire_out *w)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	wire_add_str(w, "path", c->path);
	for (size_t i = 0; i < n; i++) {
		if (!config_key_is_titled(&keys[i]))
			put_key(c, &keys[i], 0, w);
	}
	for (int s = 0; s < CONFIG_SECTIONS; s++)
		put_sections(c, (enum config_section_kind)s, w);
}

/* A field "section.key" before any of its section is malformed. */
static int
take_value(struct config *c, const struct config_key *k, struct span value, struct buf *why)
{
	if (!config_key_is_titled(k))
		return config_key_set(c, k, value, why);
	if (config_section_count(c, config_section_find(k->section)) == 0)
		return -1;
	if (!config_key_is_list(k))
		return config_key_set(c, k, value, why);
	while (value.p != NULL) {
		if (config_key_set(c, k, span_cut(&value, ' '), why) != 0)
			return -1;
	}
	return 0;
}

/* Fields that are no keys (process=, worker=, …) are others' business. */
static int
take_field(struct config *c, bool seen[], const struct wire_field *f, struct buf *why)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	if (span_is(f->name, "path")) {
		free(c->path);
		c->path = xspandup(f->value);
		return 0;
	}
	for (int s = 0; s < CONFIG_SECTIONS; s++) {
		enum config_section_kind kind = (enum config_section_kind)s;

		if (config_section(kind)->titled &&
		    span_is(f->name, config_section(kind)->name))
			return config_section_add(c, kind, f->value, why);
	}
	for (size_t i = 0; i < n; i++) {
		if (!config_key_has_name(&keys[i], f->name))
			continue;
		seen[i] = true;
		return take_value(c, &keys[i], f->value, why);
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
	config_sections_sort(c);
	buf_release(&why);
	free(seen);
	if (!ok)
		config_free(&c);
	return c;
}
