/* fact: what the DNS says, as text. See fact.h. */
#include "conf/fact.h"

#include <stdlib.h>
#include <string.h>

#include "common/netaddr.h"
#include "common/xalloc.h"

static const char *const kinds[] = {
    [FACT_PTR] = "ptr", [FACT_LIST] = "list", [FACT_HOST] = "host", [FACT_DOMAIN] = "exists"};

#define KINDS (sizeof kinds / sizeof *kinds)

/* Each result, and the kinds it can be of (bits). */
static const struct {
	const char *name;
	unsigned kinds;
} results[] = {
    [FACT_UNKNOWN] = {"unknown", (1U << KINDS) - 1},
    [FACT_TEMPORARY] = {"temporary", (1U << KINDS) - 1},
    [FACT_NONE] = {"none", (1U << KINDS) - 1},
    [FACT_CONFIRMED] = {"confirmed", 1U << FACT_PTR},
    [FACT_UNCONFIRMED] = {"unconfirmed", 1U << FACT_PTR},
    [FACT_LISTED] = {"listed", 1U << FACT_LIST},
    [FACT_CLIENT] = {"client", 1U << FACT_HOST},
    [FACT_ELSEWHERE] = {"elsewhere", 1U << FACT_HOST},
    [FACT_EXISTS] = {"exists", 1U << FACT_DOMAIN},
    [FACT_NULL_MX] = {"null-mx", 1U << FACT_DOMAIN},
};

#define RESULTS (sizeof results / sizeof *results)

const char *
fact_kind_name(enum fact_kind kind)
{
	return kinds[kind];
}

static int
parse_kind(struct span s, enum fact_kind *kind)
{
	int i = span_among(s, kinds, KINDS);

	if (i < 0)
		return -1;
	*kind = (enum fact_kind)i;
	return 0;
}

static int
parse_result(struct span s, enum fact_kind kind, enum fact_result *result)
{
	for (unsigned i = 0; i < RESULTS; i++) {
		if (span_is(s, results[i].name) && (results[i].kinds & 1U << kind) != 0) {
			*result = (enum fact_result)i;
			return 0;
		}
	}
	return -1;
}

/* A name of the DNS as it may stand in a log, a reply or a trace field, in lower case; or "-". */
static bool
is_name(struct span s)
{
	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_' && c != '.')
			return false;
	}
	return true;
}

int
fact_want_parse(struct span line, enum fact_kind *kind, struct span *name)
{
	struct span word = span_cut(&line, ' ');

	*name = line;
	return parse_kind(word, kind) == 0 && is_name(line) ? 0 : -1;
}

static int
parse_reply(struct span s, struct fact *f)
{
	struct netaddr a;

	if (f->nreplies == FACT_REPLIES_MAX || netaddr_parse(s, &a) != 0 || a.family != AF_INET)
		return -1;
	f->replies[f->nreplies++] = (uint32_t)a.ip[0] << 24 | (uint32_t)a.ip[1] << 16 |
				    (uint32_t)a.ip[2] << 8 | a.ip[3];
	return 0;
}

int
fact_parse(struct span line, struct fact *f)
{
	struct span kind = span_cut(&line, ' '), result = span_cut(&line, ' '),
		    name = span_cut(&line, ' ');

	f->nreplies = 0;
	if (parse_kind(kind, &f->kind) != 0 || parse_result(result, f->kind, &f->result) != 0 ||
	    !is_name(name))
		return -1;
	memcpy(f->name, name.p, name.len);
	f->name[name.len] = '\0';
	while (line.p != NULL) {
		if (f->result != FACT_LISTED || parse_reply(span_cut(&line, ' '), f) != 0)
			return -1;
	}
	return (f->result == FACT_LISTED) == (f->nreplies > 0) ? 0 : -1;
}

static void
add_replies(const struct fact *f, struct buf *out)
{
	for (unsigned i = 0; i < f->nreplies; i++) {
		uint32_t r = f->replies[i];

		buf_addf(out, " %u.%u.%u.%u", r >> 24, r >> 16 & 0xff, r >> 8 & 0xff, r & 0xff);
	}
}

void
fact_format(const struct fact *f, struct buf *out)
{
	buf_addf(out, "%s %s %s", kinds[f->kind], results[f->result].name, f->name);
	add_replies(f, out);
}

/* What stands before and behind the name. */
static const struct {
	const char *before, *behind;
} words[KINDS][RESULTS] = {
    [FACT_PTR][FACT_NONE] = {"the client's address has no name", NULL},
    [FACT_PTR][FACT_CONFIRMED] = {"the client is ", ""},
    [FACT_PTR][FACT_UNCONFIRMED] = {"the client is said to be ", ", which has not its address"},
    [FACT_LIST][FACT_NONE] = {"the client is not in ", ""},
    [FACT_LIST][FACT_LISTED] = {"the client is in ", ", which says"},
    [FACT_HOST][FACT_NONE] = {"", " has no address"},
    [FACT_HOST][FACT_CLIENT] = {"", " has the client's address"},
    [FACT_HOST][FACT_ELSEWHERE] = {"", " has an address, which is not the client's"},
    [FACT_DOMAIN][FACT_NONE] = {"", " has neither MX nor address"},
    [FACT_DOMAIN][FACT_EXISTS] = {"", " has an MX or an address"},
    [FACT_DOMAIN][FACT_NULL_MX] = {"", " takes no mail (null MX)"},
};

void
fact_tell(const struct fact *f, struct buf *out)
{
	const char *before = words[f->kind][f->result].before;
	const char *behind = words[f->kind][f->result].behind;

	if (before == NULL) { /* of all kinds alike */
		if (strcmp(f->name, "-") != 0)
			buf_addf(out, "%s: ", f->name);
		buf_add_str(out, f->result == FACT_TEMPORARY ? "the DNS cannot tell now"
							     : "no answer in time");
		return;
	}
	buf_addf(
	    out, "%s%s%s", before, behind != NULL ? f->name : "", behind != NULL ? behind : "");
	add_replies(f, out);
}

/* --- what is known --- */

/* Where the fact about this is, or known->n. */
static size_t
index_of(const struct facts *known, enum fact_kind kind, struct span name)
{
	size_t i = 0;

	while (i < known->n && (known->v[i].kind != kind ||
				   (kind == FACT_LIST && !span_is(name, known->v[i].name))))
		i++;
	return i;
}

void
facts_set(struct facts *known, const struct fact *f)
{
	size_t i = index_of(known, f->kind, span_str(f->name));

	if (i == FACTS_MAX)
		return;
	if (i == known->n)
		known->v = xreallocarray(known->v, ++known->n, sizeof *known->v);
	known->v[i] = *f;
}

void
facts_set_result(
    struct facts *known, enum fact_kind kind, struct span name, enum fact_result result)
{
	struct fact f = {.kind = kind, .result = result};

	if (!is_name(name))
		return;
	memcpy(f.name, name.p, name.len);
	f.name[name.len] = '\0';
	facts_set(known, &f);
}

const struct fact *
facts_find(const struct facts *known, enum fact_kind kind, struct span name)
{
	size_t i;

	if (known == NULL)
		return NULL;
	i = index_of(known, kind, name);
	if (i == known->n || (kind != FACT_PTR && !span_is(name, known->v[i].name)))
		return NULL;
	return &known->v[i];
}

void
facts_drop(struct facts *known, enum fact_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < known->n; i++) {
		if (known->v[i].kind != kind)
			known->v[kept++] = known->v[i];
	}
	known->n = kept;
}

void
fact_to_wire(const struct fact *f, struct wire_out *w)
{
	struct buf line;

	buf_init(&line, FACT_TEXT_MAX);
	fact_format(f, &line);
	wire_add(w, "fact", buf_span(&line));
	buf_release(&line);
}

void
facts_to_wire(const struct facts *known, struct wire_out *w)
{
	for (size_t i = 0; i < known->n; i++)
		fact_to_wire(&known->v[i], w);
}

int
facts_from_wire(struct facts *known, const struct wire_msg *m)
{
	int status = 0;

	for (size_t i = 0; i < m->nfields; i++) {
		struct fact f;

		if (!span_is(m->fields[i].name, "fact"))
			continue;
		if (fact_parse(m->fields[i].value, &f) == 0)
			facts_set(known, &f);
		else
			status = -1;
	}
	return status;
}

int
facts_from_wants(struct facts *known, const struct wire_msg *m)
{
	int status = 0;

	for (size_t i = 0; i < m->nfields; i++) {
		enum fact_kind kind;
		struct span name;

		if (!span_is(m->fields[i].name, "want"))
			continue;
		if (fact_want_parse(m->fields[i].value, &kind, &name) == 0)
			facts_set_result(known, kind, name, FACT_UNKNOWN);
		else
			status = -1;
	}
	return status;
}

void
facts_release(struct facts *known)
{
	free(known->v);
	*known = (struct facts){.v = NULL};
}
