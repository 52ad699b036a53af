/*
 * access_table: sendmail's access table. See access_table.h. The index is one hash:
 * a key is its tag in lower case, a colon, and what stands behind it in one
 * canonical form, so that a look-up is a handful of exact questions, from the
 * longest to the shortest.
 */
#include "conf/access_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/hash.h"
#include "common/xalloc.h"
#include "conf/access_forms.h"
#include "conf/fold.h"

#define KEY_MAX (ADDRESS_MAX + 16)

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
	bool is_name; /* the key at hand may be a client's name */
};

static const char *const tags[] = {
    [ACCESS_CONNECT] = "connect", [ACCESS_FROM] = "from", [ACCESS_TO] = "to"};

/* Tags of sendmail's features that are not part of who may send what. */
static const char *const foreign_tags[] = {"ClientRate", "ClientConn", "GreetPause", "TLS_Srv",
    "TLS_Clt", "TLS_Rcpt", "Try_TLS", "Srv_Features", "Clt_Features", "TLS_Srv_Features",
    "TLS_Clt_Features", "AuthInfo", "CERTISSUER", "CERTSUBJECT", "Spam", "BadRCPTThrottle"};

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

/* Keys */

/* Numbers and dots: an address or a network, or meant as one. */
static bool
is_numeric(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
			return false;
	return s.len > 0;
}

/* One to four octets as a client's address is written, which is what they are compared with. */
static int
add_octets(struct buf *key, struct span s)
{
	struct span rest = s;
	unsigned n = 0;
	uint64_t v;

	while (rest.p != NULL) {
		struct span octet = span_cut(&rest, '.');

		if (octet.len == 0 || ++n > 4 || span_to_u64(octet, 255, &v) != 0 ||
		    (octet.len > 1 && octet.p[0] == '0'))
			return -1;
	}
	return buf_add_span(key, s);
}

/* Groups of IPv6 as %x, which is what a client's address is compared with: "2001:db8". -1 if it is no such thing. */
static int
add_groups(struct buf *key, struct span s)
{
	struct netaddr a;
	unsigned n = 0;

	if (memmem(s.p, s.len, "::", 2) != NULL) {
		if (netaddr_parse(s, &a) != 0 || a.family != AF_INET6)
			return -1;
		for (unsigned i = 0; i < 16; i += 2)
			buf_addf(key, "%s%x", i > 0 ? ":" : "", a.ip[i] << 8 | a.ip[i + 1]);
		return 0;
	}
	while (s.p != NULL) {
		struct span group = span_cut(&s, ':');
		char digits[5] = {0}, *end;

		if (group.len == 0 || group.len > 4 || ++n > 8)
			return -1;
		memcpy(digits, group.p, group.len);
		buf_addf(key, "%s%lx", n > 1 ? ":" : "", strtoul(digits, &end, 16));
		if (*end != '\0' || digits[0] == '-' || digits[0] == '+')
			return -1;
	}
	return 0;
}

/* An address or network of clients. What ends in "::" is meant as a network; that address can be written in full. */
static int
add_numbers(struct parser *p, struct buf *key, struct span s)
{
	bool v6 = span_starts_with_nocase(s, "IPv6:");
	struct span shown = span_first(s, 200);

	if (v6)
		buf_add_str(key, "ipv6:");
	if (v6 && s.len > 7 && memcmp(s.p + s.len - 2, "::", 2) == 0)
		complain(p, "%.*s: expected %.*s for the network", SPAN_ARG(shown),
		    SPAN_ARG(span_first(shown, s.len - 2)));
	else if ((v6 ? add_groups(key, span_skip(s, 5)) : add_octets(key, s)) == 0)
		return 0;
	else
		complain(p, "%.*s: expected %s", SPAN_ARG(shown),
		    v6 ? "groups of hexadecimal digits behind IPv6:"
		       : "up to four numbers to 255, no zeros in front, such as 192.0.2");
	return -1;
}

/* user@ or user@domain. */
static int
add_mailbox(struct parser *p, struct buf *key, struct span s)
{
	char text[KEY_MAX + 2], local[LOCAL_PART_MAX + 1];
	struct address a;
	const char *why;
	bool everywhere = s.p[s.len - 1] == '@';

	if (s.len >= KEY_MAX) {
		complain(p, "the key is too long");
		return -1;
	}
	memcpy(text, s.p, s.len);
	memcpy(text + s.len, "x", 2);
	if (address_parse(
		span_make(text, s.len + (everywhere ? 1 : 0)), ADDRESS_UTF8, &a, &why) != 0) {
		complain(p, "%.*s: %s", SPAN_ARG(s), why);
		return -1;
	}
	/* Folded, so that no other spelling of a name passes its line; in quotes, as conf/access_forms looks for it first. */
	fold_name(address_local(&a), local);
	buf_add_str(key, local);
	buf_add_char(key, '@');
	if (!everywhere)
		buf_add_span(key, address_domain(&a));
	return 0;
}

/* "192.0.2.0/24" is not how this table writes a network: tells how it does. false: it is no such thing. */
static bool
complain_of_prefix(struct parser *p, struct span s)
{
	struct span bits = s, base = span_cut(&bits, '/'), rest = base;
	struct netaddr a;
	uint64_t n;
	size_t octets = 0, len = 0;

	if (bits.p == NULL || span_to_u64(bits, 128, &n) != 0 || netaddr_parse(base, &a) != 0)
		return false;
	for (; rest.p != NULL && octets < n / 8; octets++) {
		span_cut(&rest, '.');
		len = rest.p != NULL ? (size_t)(rest.p - base.p) - 1 : base.len;
	}
	if (span_index(base, ':') < 0 && n >= 8 && n <= 32 && n % 8 == 0)
		complain(p, "%.*s: expected %.*s for this network", SPAN_ARG(s),
		    SPAN_ARG(span_first(base, len)));
	else
		complain(p,
		    "%.*s: expected whole octets such as 192.0.2 for 192.0.2.0/24, or groups "
		    "such as IPv6:2001:db8",
		    SPAN_ARG(s));
	return true;
}

static int
add_domain(struct parser *p, struct buf *key, struct span s)
{
	char domain[DOMAIN_MAX + 1];
	const char *why;
	size_t len;

	if (domain_canonical(s, true, domain, &len, &why) != 0) {
		if (!complain_of_prefix(p, s))
			complain(p, "%.*s: %s", SPAN_ARG(span_first(s, 200)), why);
		return -1;
	}
	buf_add_str(key, domain);
	return 0;
}

/* The tag in front of a key, cut off *s. -1 if there is none that is ours; *foreign if it is another feature's. */
static int
take_tag(struct span *s, bool *foreign)
{
	struct span rest = *s, tag = span_cut(&rest, ':');
	int i;

	*foreign = false;
	if (rest.p == NULL)
		return -1;
	i = span_among_nocase(tag, tags, sizeof tags / sizeof *tags);
	if (i >= 0)
		*s = rest;
	else
		*foreign = span_among_nocase(tag, foreign_tags,
			       sizeof foreign_tags / sizeof *foreign_tags) >= 0;
	return i;
}

/* A client is no mailbox, and a sender or recipient no network: such a line would never match. */
static bool
is_misplaced(struct parser *p, int tag, struct span s)
{
	if (tag == ACCESS_CONNECT && (span_is(s, "<>") || span_index(s, '@') >= 0))
		complain(p, "%.*s: expected an address, network or name of a client",
		    SPAN_ARG(span_first(s, 200)));
	else if (tag >= 0 && tag != ACCESS_CONNECT && span_starts_with_nocase(s, "IPv6:"))
		complain(p, "%.*s: expected an address or domain; networks are for Connect:",
		    SPAN_ARG(span_first(s, 200)));
	else
		return false;
	return true;
}

/* The canonical key into buf: 0, 1 if the line is not for us, -1 after a complaint. */
static int
canonical_key(struct parser *p, struct span s, struct buf *key)
{
	bool foreign;
	int tag = take_tag(&s, &foreign);

	if (foreign)
		return 1;
	if (s.len == 0) {
		complain(p, "expected an address, network or domain behind the tag");
		return -1;
	}
	buf_addf(key, "%s:", tag >= 0 ? tags[tag] : "");
	p->is_name = false;
	if (is_misplaced(p, tag, s))
		return -1;
	if (span_starts_with_nocase(s, "IPv6:"))
		return add_numbers(p, key, s);
	if (span_is(s, "<>")) {
		buf_add_str(key, "<>");
		return 0;
	}
	if (span_index(s, '@') >= 0)
		return add_mailbox(p, key, s);
	if (is_numeric(s) && (tag < 0 || tag == ACCESS_CONNECT))
		return add_numbers(p, key, s);
	p->is_name = tag < 0 || tag == ACCESS_CONNECT;
	return add_domain(p, key, s);
}

static void
entry_free(struct access_entry *e)
{
	if (e != NULL)
		free(e->key);
	free(e);
}

static void
keep(struct parser *p, struct access_entry *e)
{
	struct access_table *t = p->table;
	const struct access_entry *before = hash_find(&t->index, span_str(e->key));

	if (before != NULL) {
		complain(p, "the key stands in line %u already", before->line);
		entry_free(e);
		return;
	}
	(void)hash_insert(&t->index, span_str(e->key), e);
	t->names = t->names || p->is_name;
	t->spared_names = t->spared_names ||
			  (p->is_name && (e->action == ACCESS_OK || e->action == ACCESS_RELAY ||
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
	struct buf key;
	int r;

	line = span_trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return;
	while (end < line.len && line.p[end] != ' ' && line.p[end] != '\t')
		end++;
	buf_init(&key, KEY_MAX * 2);
	r = canonical_key(p, span_first(line, end), &key);
	p->foreign += r > 0;
	if (r == 0) {
		e = xcalloc(1, sizeof *e);
		e->line = p->line;
		e->key = buf_take(&key);
		value = span_trim(span_skip(line, end));
		if (access_action_parse(value, &e->action, &e->verdict) == 0) {
			keep(p, e);
		} else {
			complain(p, "%.*s%s: expected " ACCESS_ACTIONS,
			    SPAN_ARG(span_first(value.len > 0 ? value : line, 200)),
			    value.len > 0 ? "" : " has no value");
			entry_free(e);
		}
	}
	buf_release(&key);
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
	const struct access_entry *e;
	struct buf b;

	buf_init(&b, KEY_MAX * 2);
	buf_addf(&b, "%s:", tags[tag]);
	buf_add_span(&b, key);
	e = hash_find(&t->index, buf_span(&b));
	if (e == NULL) /* the colon begins the key without tag */
		e = hash_find(&t->index, span_skip(buf_span(&b), strlen(tags[tag])));
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

	buf_init(&b, KEY_MAX * 2);
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
