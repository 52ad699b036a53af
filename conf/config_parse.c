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
#include "conf/domain_conf.h"
#include "conf/config_keys.h"

struct loader {
	struct config *c;
	struct config_errors *errors;
	struct config_lines *lines;
	bool *seen; /* by index into config_keys */
	bool any_listener;
	bool bad_title; /* of the section we are in: nothing holds its values */
};

/* The table of keys in the shape confile wants: first those at the top, then the sections. */
struct shape {
	struct confile_key *keys;
	size_t nkeys;
	struct confile_key *inner[CONFIG_SECTIONS];
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

static bool
is_config_key(const char *name)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++)
		if (keys[i].section == NULL && strcmp(keys[i].name, name) == 0)
			return true;
	return false;
}

static void
shape_init(struct shape *s)
{
	size_t n, ndomain;
	const struct confile_key *domain = domain_conf_keys(&ndomain);

	config_keys(&n);
	s->keys = xcalloc(n + CONFIG_SECTIONS + ndomain, sizeof *s->keys);
	s->nkeys = add_keys(s->keys, NULL);
	for (int i = 0; i < CONFIG_SECTIONS; i++) {
		const struct config_section *section =
		    config_section((enum config_section_kind)i);

		s->inner[i] = xcalloc(n, sizeof *s->inner[i]);
		s->keys[s->nkeys++] = (struct confile_key){.name = section->name,
		    .shape = section->titled ? CONFILE_TITLED : CONFILE_SECTION,
		    .keys = s->inner[i],
		    .nkeys = add_keys(s->inner[i], section->name)};
	}
	for (size_t i = 0; i < ndomain; i++)
		if (!is_config_key(domain[i].name))
			s->keys[s->nkeys++] = (struct confile_key){
			    .name = domain[i].name, .shape = CONFILE_DOMAIN};
}

static void
shape_release(struct shape *s)
{
	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		free(s->inner[i]);
	free(s->keys);
}

/* Where the last of n things stands: lines grow as their number passes a power of two. */
static void
remember(unsigned **lines, size_t n, unsigned line)
{
	if (n == 1 || ((n - 1) & (n - 2)) == 0)
		*lines = xreallocarray(*lines, 2 * n, sizeof **lines);
	(*lines)[n - 1] = line;
}

static void
on_title(struct loader *l, const struct confile_item *item)
{
	enum config_section_kind kind = config_section_find(item->section->name);
	struct config *c = l->c;
	struct buf why;

	l->any_listener = l->any_listener || kind == CONFIG_LISTEN;
	buf_init(&why, 1024);
	l->bad_title = config_section_add(c, kind, span_str(item->value), &why) != 0;
	if (l->bad_title)
		config_errors_add(l->errors, c->path, item->line, "%s \"%s\": %s",
		    item->section->name, item->value, buf_str(&why));
	else
		remember(&l->lines->titled[kind], config_section_count(c, kind), item->line);
	buf_release(&why);
}

static void
on_value(
    struct loader *l, const struct config_key *k, size_t index, const struct confile_item *item)
{
	struct buf why;

	if (item->section != NULL && item->section->shape == CONFILE_TITLED) {
		if (l->bad_title)
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
		remember(&l->lines->relay_domains, l->c->relay_domains.n, item->line);
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
			on_title(l, item);
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

uint32_t
config_default_workers(long processors)
{
	if (processors < 1)
		return 1;
	return processors > 128 ? 64 : (uint32_t)(processors + 1) / 2;
}

static void
fill_defaults(struct loader *l)
{
	struct config *c = l->c;
	size_t n;
	const struct config_key *keys = config_keys(&n);

	for (size_t i = 0; i < n; i++) {
		/* A value that was refused leaves nothing behind; the checks want something to look at. */
		if (keys[i].fallback == NULL && keys[i].optional)
			continue;
		if (l->seen[i] && config_key_is_set(c, &keys[i], 0))
			continue;
		if (keys[i].type == CONFIG_HOSTNAME && !l->seen[i])
			default_hostname(l);
		else if (keys[i].offset == offsetof(struct config, workers) &&
			 keys[i].type == CONFIG_NUMBER)
			c->workers = config_default_workers(sysconf(_SC_NPROCESSORS_ONLN));
		else
			config_key_set_default(c, &keys[i]);
	}
}

/* The listeners there are if none was given, and what one does about TLS that does not say so. */
static void
fill_listeners(struct loader *l)
{
	static const char *const everywhere[] = {"0.0.0.0:25", "[::]:25"};
	struct config *c = l->c;

	/* The lines stay NULL: these listeners stand nowhere in the file. */
	if (c->nlisteners == 0 && !l->any_listener) {
		struct buf why;

		buf_init(&why, 256);
		for (size_t i = 0; i < 2; i++)
			config_section_add(c, CONFIG_LISTEN, span_str(everywhere[i]), &why);
		buf_release(&why);
	}
	for (size_t i = 0; i < c->nlisteners; i++) {
		if (c->listeners[i].tls != LISTENER_TLS_UNSET)
			continue;
		l->lines->tls_unsaid = true;
		c->listeners[i].tls = c->tls_certificate != NULL && c->tls_key != NULL
					  ? LISTENER_TLS_STARTTLS
					  : LISTENER_TLS_NONE;
	}
}

struct title {
	const char *text;
	unsigned line;
};

static int
by_text(const void *a, const void *b)
{
	const struct title *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r != 0 ? r : (x->line > y->line) - (x->line < y->line);
}

/* One name in two forms: the scan of the file has told those that are alike octet by octet. */
static void
check_titles(struct loader *l, enum config_section_kind kind)
{
	size_t n = config_section_count(l->c, kind);
	struct title *titles = xcalloc(n + 1, sizeof *titles);

	for (size_t i = 0; i < n; i++)
		titles[i] = (struct title){
		    config_section_title(l->c, kind, i), l->lines->titled[kind][i]};
	qsort(titles, n, sizeof *titles, by_text);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(titles[i].text, titles[i - 1].text) == 0)
			config_errors_add(l->errors, l->c->path, titles[i].line,
			    "%s %s is given twice, first on line %u; expected it once",
			    config_section(kind)->name, titles[i].text, titles[i - 1].line);
	}
	free(titles);
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
	fill_listeners(&l);
	check_titles(&l, CONFIG_DESTINATION);
	check_titles(&l, CONFIG_RETRY_STATUS);
	check_titles(&l, CONFIG_DNSBL);
	check_titles(&l, CONFIG_DNSWL);
	config_sections_sort(l.c);
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
	free(lines->relay_domains);
	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		free(lines->titled[i]);
	*lines = (struct config_lines){.keys = NULL};
}
