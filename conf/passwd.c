/* passwd: a domain's list of mailboxes. See passwd.h. */
#include "conf/passwd.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "conf/fold.h"
#include "conf/passwd_quota.h"
#include "conf/password_hash.h"

#define LINE_MAX_OCTETS 4096

struct parser {
	struct passwd_file *f;
	struct buf text;
	const char *path;
	struct span directory;
	struct config_errors *errors;
	unsigned line;
	size_t wrong;
};

/* FNV-1a. No secret is needed: who could choose names that collide slows down his own domain alone. */
static uint32_t
name_code(struct span name)
{
	uint32_t code = 2166136261;

	for (size_t i = 0; i < name.len; i++)
		code = (code ^ (unsigned char)name.p[i]) * 16777619;
	return code;
}

/* An empty number is none; -1 if it is not a number that could be an id. */
static int
parse_id(struct span s, uint32_t *id, bool *has)
{
	uint64_t v = 0;

	*has = s.len > 0;
	if (*has && span_to_u64(s, UINT32_MAX - 1, &v) != 0)
		return -1;
	*id = (uint32_t)v;
	return 0;
}

/* The home as a path below the domain; empty: home/<user>. NULL, or what is wrong. */
static const char *
parse_home(struct parser *p, struct span home, struct span name, char out[FOLD_PATH_MAX + 1])
{
	struct span rest, first;

	if (home.len == 0) {
		if (span_index(name, '/') >= 0)
			return "expected a home directory, the user's name cannot be one (it "
			       "has a /)";
		memcpy(out, "home/", 5);
		memcpy(out + 5, name.p, name.len);
		out[5 + name.len] = '\0';
		return NULL;
	}
	if (fold_path(home, p->directory, out) != 0)
		return "expected a home directory below the domain's own such as /home/bob, "
		       "without ..";
	rest = span_str(out);
	first = span_cut(&rest, '/');
	if (span_is(first, "etc"))
		return "expected a home directory outside etc";
	return NULL;
}

/* How much of the second field is kept. A form that is not known keeps its user out, and his mail comes in. */
static uint16_t
keep_stored(struct parser *p, struct span stored, struct span name)
{
	enum password_form form = password_hash_form(stored, NULL);

	if (password_hash_allows_scram(form))
		p->f->with_scram++;
	else if (form != PASSWORD_DISABLED && form != PASSWORD_UNKNOWN)
		p->f->without_scram++;
	if (form == PASSWORD_UNKNOWN)
		config_errors_add(p->errors, p->path, p->line,
		    "user %.*s cannot log in: expected a password in a form of crypt(5) that "
		    "is "
		    "not too old or too costly, or one with a {SCHEME} of postrider-domain(5)",
		    SPAN_ARG(name));
	return (uint16_t)(stored.len <= PASSWORD_STORED_MAX ? stored.len : 0);
}

/* A quota that cannot be understood is none, so the domain's holds. */
static uint32_t
keep_quota(struct parser *p, struct span extra, struct span name)
{
	struct span rule;
	uint64_t octets;

	switch (passwd_quota_find(extra, &octets, &rule)) {
	case PASSWD_QUOTA_NONE:
		return PASSWD_NO_QUOTA;
	case PASSWD_QUOTA_FOUND:
		p->f->has_quota = true;
		return (uint32_t)((octets + 1023) / 1024);
	case PASSWD_QUOTA_WRONG:
		break;
	}
	config_errors_add(p->errors, p->path, p->line,
	    "user %.*s has no quota of his own: userdb_quota_rule=%.*s: expected *:storage= or "
	    "*:bytes= and a whole number with K, M, G or T right behind it such as 500M, at "
	    "most "
	    "4095G; 0 for none (without a letter storage= is in KiB)",
	    SPAN_ARG(name), SPAN_ARG(rule));
	return PASSWD_NO_QUOTA;
}

/* A rule that is in another field is none, and would be missed without a word. */
static void
look_for_strays(struct parser *p, struct span line, struct span extra, struct span name)
{
	if (passwd_quota_strays(line, extra))
		config_errors_add(p->errors, p->path, p->line,
		    "user %.*s: userdb_quota_rule does not count where it stands, expected it "
		    "behind the seventh colon: "
		    "user:hash:uid:gid:name:home:shell:userdb_quota_rule=*:storage=1G",
		    SPAN_ARG(name));
}

static const char *
parse_line(struct parser *p, struct span line)
{
	struct passwd_user u = {.line = p->line};
	struct span field[7] = {{NULL, 0}}, whole = line;
	char home[FOLD_PATH_MAX + 1], name[LOCAL_PART_MAX + 1];
	const char *wrong;
	size_t n = 0;

	if (line.len > LINE_MAX_OCTETS)
		return "expected at most 4096 octets in a line";
	if (!utf8_valid(line) || span_has_control(line))
		return "expected text in UTF-8 without control characters";
	while (n < 7 && line.p != NULL)
		field[n++] = span_cut(&line, ':');
	u.quota_kib = keep_quota(p, line, field[0]);
	look_for_strays(p, whole, line, field[0]);
	if (n < 2)
		return "expected user:hash:uid:gid:name:home:shell, found no colon";
	if (!fold_is_name(field[0]))
		return "expected a user name that can stand before the @ of an address";
	if (parse_id(field[2], &u.uid, &u.has_uid) != 0)
		return "expected a number or nothing as uid (third field)";
	if (parse_id(field[3], &u.gid, &u.has_gid) != 0)
		return "expected a number or nothing as gid (fourth field)";
	if ((u.has_uid && u.uid == 0) || (u.has_gid && u.gid == 0))
		return "expected a uid and gid other than 0, root has no mailbox here";
	u.name_len = (uint8_t)fold_name(field[0], name);
	wrong = parse_home(p, field[5], span_make(name, u.name_len), home);
	if (wrong != NULL)
		return wrong;
	u.code = name_code(span_make(name, u.name_len));
	u.home_len = (uint16_t)strlen(home);
	u.name = (uint32_t)p->text.len;
	u.home = u.name + u.name_len;
	u.stored_len = keep_stored(p, field[1], span_make(name, u.name_len));
	if (buf_add(&p->text, name, u.name_len) != 0 ||
	    buf_add(&p->text, home, u.home_len) != 0 ||
	    buf_add(&p->text, field[1].p, u.stored_len) != 0)
		return "expected fewer users";
	if ((p->f->nusers & (p->f->nusers - 1)) == 0)
		p->f->users = xreallocarray(
		    p->f->users, p->f->nusers > 0 ? 2 * p->f->nusers : 1, sizeof *p->f->users);
	p->f->users[p->f->nusers++] = u;
	return NULL;
}

/* By code and name, and of equal names the earlier line first. */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct passwd_user *x = a, *y = b;
	const char *text = arg;
	int r;

	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	r = memcmp(text + x->name, text + y->name, x->name_len);
	return r != 0 ? r : (x->line > y->line) - (x->line < y->line);
}

/* Of a name given twice the first stays. */
static void
drop_doubles(struct parser *p)
{
	struct passwd_file *f = p->f;
	size_t kept = 0;

	for (size_t i = 0; i < f->nusers; i++) {
		if (kept > 0 && span_eq(passwd_name(f, &f->users[kept - 1]),
				    passwd_name(f, &f->users[i]))) {
			p->wrong++;
			config_errors_add(p->errors, p->path, f->users[i].line,
			    "user %.*s stands on line %u already, that one counts",
			    SPAN_ARG(passwd_name(f, &f->users[i])), f->users[kept - 1].line);
			continue;
		}
		f->users[kept++] = f->users[i];
	}
	f->nusers = kept;
	for (size_t i = 1; i < kept; i++) {
		if (f->users[i].line < f->users[f->first].line)
			f->first = i;
	}
}

int
passwd_parse(struct passwd_file *f, struct span text, const char *path, struct span directory,
    struct config_errors *errors)
{
	struct parser p = {.f = f, .path = path, .directory = directory, .errors = errors};
	size_t first_error = errors != NULL ? errors->n : 0;

	*f = (struct passwd_file){.nusers = 0};
	buf_init(&p.text, 3 * (size_t)PASSWD_MAX);
	while (text.p != NULL) {
		struct span line = span_cut(&text, '\n');
		const char *wrong;

		p.line++;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0 || line.p[0] == '#')
			continue;
		wrong = parse_line(&p, line);
		if (wrong != NULL) {
			p.wrong++;
			config_errors_add(
			    errors, path, p.line, "%s; the line is skipped", wrong);
		}
	}
	f->text_len = p.text.len;
	f->text =
	    xrealloc(buf_take(&p.text), f->text_len + 1); /* no slack: there may be many */
	if (f->nusers > 0) {
		qsort_r(f->users, f->nusers, sizeof *f->users, compare, f->text);
		drop_doubles(&p);
		f->users = xreallocarray(f->users, f->nusers, sizeof *f->users);
	}
	config_errors_finish(errors, first_error);
	return p.wrong > 0 && f->nusers == 0 ? -1 : 0;
}

void
passwd_release(struct passwd_file *f)
{
	free(f->users);
	free(f->text);
	*f = (struct passwd_file){.nusers = 0};
}

/* The first whose code is not less; nusers if there is none. */
static size_t
place_of(const struct passwd_file *f, uint32_t code)
{
	size_t low = 0, high = f->nusers;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->users[mid].code < code)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct passwd_user *
passwd_find(const struct passwd_file *f, struct span name)
{
	uint32_t code = name_code(name);

	for (size_t i = place_of(f, code); i < f->nusers && f->users[i].code == code; i++) {
		if (span_eq(passwd_name(f, &f->users[i]), name))
			return &f->users[i];
	}
	return NULL;
}

const struct passwd_user *
passwd_near(const struct passwd_file *f, uint32_t code, size_t n)
{
	return n < f->nusers ? &f->users[(place_of(f, code) + n) % f->nusers] : NULL;
}

const struct passwd_user *
passwd_first(const struct passwd_file *f)
{
	return f->nusers > 0 ? &f->users[f->first] : NULL;
}

struct span
passwd_name(const struct passwd_file *f, const struct passwd_user *u)
{
	return span_make(f->text + u->name, u->name_len);
}

struct span
passwd_home(const struct passwd_file *f, const struct passwd_user *u)
{
	return span_make(f->text + u->home, u->home_len);
}

struct span
passwd_stored(const struct passwd_file *f, const struct passwd_user *u)
{
	return span_make(f->text + u->home + u->home_len, u->stored_len);
}
