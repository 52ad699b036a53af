/*
 * config_parse: postrider.conf from text to struct config. Hands each value to the
 * table of keys and fills in the defaults. See config_parse.h.
 */
#include "conf/config_parse.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/confile.h"
#include "conf/config_keys.h"

#define SECTIONS 3

struct loader {
	struct config *c;
	struct config_errors *errors;
	struct config_lines *lines;
	bool *seen; /* by index into config_keys */
	bool any_listener;
	bool bad_listener; /* the listener whose section we are in was refused */
};

static const struct {
	const char *name;
	enum confile_shape shape;
} sections[SECTIONS] = {
    {"listen", CONFILE_TITLED},
    {"tls", CONFILE_SECTION},
    {"users", CONFILE_SECTION},
};

/* The table of keys in the shape confile wants: first those at the top, then the sections. */
struct shape {
	struct confile_key *keys;
	size_t nkeys;
	struct confile_key *inner[SECTIONS];
};

static bool
in_section(const struct config_key *k, const char *section)
{
	return section == NULL ? k->section == NULL
			       : k->section != NULL && strcmp(k->section, section) == 0;
}

static size_t
add_keys(struct confile_key *to, const char *section)
{
	size_t n, count = 0;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		if (in_section(&keys[i], section))
			to[count++] = (struct confile_key){.name = keys[i].name,
			    .shape =
				config_key_is_list(&keys[i]) ? CONFILE_LIST : CONFILE_VALUE};
	}
	return count;
}

static void
shape_init(struct shape *s)
{
	size_t n;

	config_keys(&n);
	s->keys = xcalloc(n + SECTIONS, sizeof *s->keys);
	s->nkeys = add_keys(s->keys, NULL);
	for (size_t i = 0; i < SECTIONS; i++) {
		s->inner[i] = xcalloc(n, sizeof *s->inner[i]);
		s->keys[s->nkeys++] = (struct confile_key){.name = sections[i].name,
		    .shape = sections[i].shape,
		    .keys = s->inner[i],
		    .nkeys = add_keys(s->inner[i], sections[i].name)};
	}
}

static void
shape_release(struct shape *s)
{
	for (size_t i = 0; i < SECTIONS; i++)
		free(s->inner[i]);
	free(s->keys);
}

static void
on_listener(struct loader *l, const struct confile_item *item)
{
	struct config *c = l->c;
	struct buf why;

	l->any_listener = true;
	buf_init(&why, 1024);
	l->bad_listener = config_add_listener(c, span_str(item->value), &why) != 0;
	if (l->bad_listener) {
		config_errors_add(l->errors, c->path, item->line, "listen \"%s\": %s",
		    item->value, buf_str(&why));
	} else {
		l->lines->listeners = xreallocarray(
		    l->lines->listeners, c->nlisteners, sizeof *l->lines->listeners);
		l->lines->listeners[c->nlisteners - 1] = item->line;
	}
	buf_release(&why);
}

static void
remember_relay_domain(struct loader *l, unsigned line)
{
	size_t n = l->c->relay_domains.n;

	if (((n - 1) & (n - 2)) == 0 || n == 1)
		l->lines->relay_domains = xreallocarray(
		    l->lines->relay_domains, 2 * n, sizeof *l->lines->relay_domains);
	l->lines->relay_domains[n - 1] = line;
}

static void
on_value(
    struct loader *l, const struct config_key *k, size_t index, const struct confile_item *item)
{
	struct buf why;

	if (k->type == CONFIG_ROLE || k->type == CONFIG_TLS) {
		if (l->bad_listener)
			return;
	} else {
		l->lines->keys[index] = item->line;
	}
	l->seen[index] = true;
	buf_init(&why, 1024);
	if (config_key_set(l->c, k, span_str(item->value), &why) != 0)
		config_errors_add(l->errors, l->c->path, item->line, "%s = %s: %s", k->name,
		    item->value[0] != '\0' ? item->value : "\"\"", buf_str(&why));
	else if (k->type == CONFIG_DOMAINS)
		remember_relay_domain(l, item->line);
	buf_release(&why);
}

static void
on_item(const struct confile_item *item, void *arg)
{
	struct loader *l = arg;
	size_t n;
	const struct config_key *keys = config_keys(&n);
	const char *section = item->section != NULL ? item->section->name : NULL;

	if (item->key == NULL) {
		if (item->section != NULL && item->section->shape == CONFILE_TITLED)
			on_listener(l, item);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (in_section(&keys[i], section) && strcmp(keys[i].name, item->key->name) == 0)
			on_value(l, &keys[i], i, item);
	}
}

/* The name this host gives itself, if it is one. */
static void
default_hostname(struct loader *l)
{
	char host[256], name[DOMAIN_MAX + 1];
	size_t len;

	if (gethostname(host, sizeof host) == 0) {
		host[sizeof host - 1] = '\0';
		if (domain_canonical(span_str(host), false, name, &len, NULL) == 0) {
			l->c->hostname = xstrdup(name);
			return;
		}
	}
	config_errors_add(l->errors, l->c->path, 0,
	    "hostname is not given and this host's own is no domain name, expected hostname = "
	    "\"mx.example.net\"");
}

static void
fill_defaults(struct loader *l)
{
	static const char *const everywhere[] = {"0.0.0.0:25", "[::]:25"};
	struct config *c = l->c;
	size_t n;
	const struct config_key *keys = config_keys(&n);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < n; i++) {
		/* A value that was refused leaves nothing behind; the checks want something to look at. */
		if (l->seen[i] && config_key_is_set(c, &keys[i]))
			continue;
		if (keys[i].type == CONFIG_HOSTNAME && !l->seen[i])
			default_hostname(l);
		else if (keys[i].offset == offsetof(struct config, workers) &&
			 keys[i].type == CONFIG_NUMBER)
			c->workers = cpus < 1 ? 1 : cpus > 64 ? 64 : (uint32_t)cpus;
		else
			config_key_set_default(c, &keys[i]);
	}
	/* The lines stay NULL: these listeners stand nowhere in the file. */
	if (c->nlisteners == 0 && !l->any_listener) {
		struct buf why;

		buf_init(&why, 256);
		for (size_t i = 0; i < 2; i++)
			config_add_listener(c, span_str(everywhere[i]), &why);
		buf_release(&why);
	}
}

struct config *
config_parse(struct span text, const char *path, struct config_lines *lines,
    struct config_errors *errors)
{
	struct loader l = {.errors = errors, .lines = lines};
	struct shape shape;
	size_t n;

	config_keys(&n);
	l.c = xcalloc(1, sizeof *l.c);
	l.c->path = xstrdup(path);
	l.seen = xcalloc(n, sizeof *l.seen);
	*lines = (struct config_lines){.keys = xcalloc(n, sizeof *lines->keys)};
	shape_init(&shape);
	confile_parse(text, path, shape.keys, shape.nkeys, errors, on_item, &l);
	fill_defaults(&l);
	shape_release(&shape);
	free(l.seen);
	return l.c;
}

unsigned
config_lines_find(const struct config_lines *lines, const char *section, const char *name)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		if (in_section(&keys[i], section) && strcmp(name, keys[i].name) == 0)
			return lines->keys[i];
	}
	return 0;
}

void
config_lines_release(struct config_lines *lines)
{
	free(lines->keys);
	free(lines->listeners);
	free(lines->relay_domains);
	*lines = (struct config_lines){NULL, NULL, NULL};
}
