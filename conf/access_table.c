/*
 * access_table: sendmail's access table. See access_table.h. The index is one hash of
 * keys in the one form of conf/access_key, so that a look-up is a handful of exact
 * questions, from the longest to the shortest.
 */
#include "conf/access_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/hash.h"
#include "common/xalloc.h"
#include "conf/access_forms.h"
#include "conf/access_key.h"

struct access_table {
	struct hash index;
	struct access_entry **entries;
	size_t n;
	bool names, spared_names; /* of clients */
};

struct parser {
	struct access_table *table;
	struct config_errors *errors;
	const char *path;
	unsigned line, wrong, foreign;
};

static void __attribute__((format(printf, 2, 3)))
complain(struct parser *p, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p->wrong++;
	config_errors_add(p->errors, p->path, p->line, "%s", text);
}

static void
entry_free(struct access_entry *e)
{
	if (e != NULL)
		free(e->key);
	free(e);
}

static void
keep(struct parser *p, struct access_entry *e, bool is_name)
{
	struct access_table *t = p->table;
	const struct access_entry *before = hash_find(&t->index, span_str(e->key));

	if (before != NULL) {
		complain(p, "the key stands in line %u already", before->line);
		entry_free(e);
		return;
	}
	(void)hash_insert(&t->index, span_str(e->key), e);
	t->names = t->names || is_name;
	t->spared_names = t->spared_names ||
			  (is_name && (e->action == ACCESS_OK || e->action == ACCESS_RELAY ||
					  e->action == ACCESS_SKIP));
	if ((t->n & (t->n - 1)) == 0)
		t->entries =
		    xreallocarray(t->entries, t->n > 0 ? 2 * t->n : 1, sizeof(*t->entries));
	t->entries[t->n++] = e;
}

static void
take_line(struct parser *p, struct span line)
{
	struct span value;
	size_t end = 0;
	struct access_entry *e;
	struct access_key key;
	int r;

	line = span_trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return;
	while (end < line.len && line.p[end] != ' ' && line.p[end] != '\t')
		end++;
	access_key_init(&key);
	r = access_key_parse(span_first(line, end), &key);
	p->foreign += r > 0;
	if (r < 0)
		complain(p, "%s", key.why);
	if (r == 0) {
		e = xcalloc(1, sizeof *e);
		e->line = p->line;
		e->key = buf_take(&key.text);
		value = span_trim(span_skip(line, end));
		if (access_action_parse(value, &e->action, &e->verdict) == 0) {
			keep(p, e, key.is_name);
		} else {
			complain(p, "%.*s%s: expected " ACCESS_ACTIONS,
			    SPAN_ARG(span_first(value.len > 0 ? value : line, 200)),
			    value.len > 0 ? "" : " has no value");
			entry_free(e);
		}
	}
	access_key_release(&key);
}

struct access_table *
access_table_parse(
    struct span text, const char *path, struct config_errors *errors, unsigned *foreign)
{
	struct parser p = {.errors = errors, .path = path};

	p.table = xcalloc(1, sizeof *p.table);
	hash_init(&p.table->index);
	while (text.p != NULL) {
		p.line++;
		take_line(&p, span_cut(&text, '\n'));
	}
	if (foreign != NULL)
		*foreign = p.foreign;
	if (p.wrong > 0)
		access_table_free(&p.table);
	return p.table;
}

void
access_table_free(struct access_table **tp)
{
	struct access_table *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	hash_release(&t->index);
	for (size_t i = 0; i < t->n; i++)
		entry_free(t->entries[i]);
	free(t->entries);
	free(t);
}

size_t
access_table_count(const struct access_table *t)
{
	return t->n;
}

bool
access_table_has_names(const struct access_table *t)
{
	return t->names;
}

bool
access_table_spares_names(const struct access_table *t)
{
	return t->spared_names;
}

/* Look-ups */

/* The line of one key, with the tag before without. */
static const struct access_entry *
find(const struct access_table *t, enum access_tag tag, struct span key)
{
	struct span name = span_str(access_tag_name(tag));
	const struct access_entry *e;
	struct buf b;

	buf_init(&b, ACCESS_KEY_MAX);
	buf_add_span(&b, name);
	buf_add_char(&b, ':');
	buf_add_span(&b, key);
	e = hash_find(&t->index, buf_span(&b));
	if (e == NULL) /* the colon begins the key without tag */
		e = hash_find(&t->index, span_skip(buf_span(&b), name.len));
	buf_release(&b);
	return e;
}

/* The key, then what is left of it without its first label (domains) or its last part (networks). */
static const struct access_entry *
find_domain(const struct access_table *t, enum access_tag tag, struct span domain)
{
	const struct access_entry *e = NULL;

	while (e == NULL && domain.p != NULL && domain.len > 0) {
		e = find(t, tag, domain);
		(void)span_cut(&domain, '.');
	}
	return e;
}

static const struct access_entry *
find_network(const struct access_table *t, struct span address, char separator)
{
	const struct access_entry *e = find(t, ACCESS_CONNECT, address);
	ptrdiff_t at;

	while (e == NULL && (at = span_rindex(address, separator)) > 0) {
		address = span_first(address, (size_t)at);
		if (separator == ':' && span_is(address, "ipv6"))
			break;
		e = find(t, ACCESS_CONNECT, address);
	}
	return e;
}

static const struct access_entry *
unless_skip(const struct access_entry *e)
{
	return e != NULL && e->action == ACCESS_SKIP ? NULL : e;
}

const struct access_entry *
access_table_find_client(
    const struct access_table *t, const struct netaddr *client, struct span name)
{
	const struct access_entry *e = find_domain(t, ACCESS_CONNECT, name);
	char text[NETADDR_TEXT_SIZE];
	struct buf b;

	if (e != NULL || client->family == 0)
		return unless_skip(e);
	if (client->family == AF_INET)
		return unless_skip(
		    find_network(t, span_str(netaddr_format(client, text)), '.'));
	buf_init(&b, 128);
	buf_add_str(&b, "ipv6");
	for (unsigned i = 0; i < 16; i += 2)
		buf_addf(&b, ":%x", client->ip[i] << 8 | client->ip[i + 1]);
	e = find_network(t, buf_span(&b), ':');
	buf_release(&b);
	return unless_skip(e);
}

/* user@domain, or with an empty domain user@, in the first form that there is. */
static const struct access_entry *
find_user(const struct access_table *t, enum access_tag tag, const struct access_forms *forms,
    struct span domain)
{
	const struct access_entry *e = NULL;
	struct buf b;

	buf_init(&b, ACCESS_KEY_MAX);
	for (size_t i = 0; i < forms->n && e == NULL; i++) {
		buf_clear(&b);
		buf_add_str(&b, forms->v[i].text);
		buf_add_char(&b, '@');
		buf_add_span(&b, domain);
		e = find(t, tag, buf_span(&b));
	}
	buf_release(&b);
	return e;
}

const struct access_entry *
access_table_find_address(const struct access_table *t, enum access_tag tag,
    const struct address *a, const char *separators)
{
	struct access_forms forms;
	const struct access_entry *e;

	if (a->len == 0)
		return unless_skip(find(t, tag, span_str("<>")));
	access_forms_of(a, separators, &forms);
	e = find_user(t, tag, &forms, address_domain(a));
	if (e == NULL)
		e = find_user(t, tag, &forms, span_str(""));
	if (e == NULL)
		e = find_domain(t, tag, address_domain(a));
	return unless_skip(e);
}
