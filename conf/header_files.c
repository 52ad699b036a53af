/* header_files: the files of header checks in force. See header_files.h. Called by the directory, `postrider check` and smtpd. */
#include "conf/header_files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "conf/datafile.h"

enum { HEADER, MIME, FILES };

struct one {
	char *path; /* NULL: not configured */
	struct buf text;
	struct datafile_stamp stamp;
};

struct header_files {
	struct one files
	    [FILES]; /* in force; their stamps those of what was looked at last, good or bad */
	uid_t owner;
	enum header_unfinished unfinished;
	uint64_t looked_ms;
	char version[HEADER_VERSION_SIZE];
};

static int
read_one(struct one *f, uid_t owner, struct config_errors *errors)
{
	enum datafile_result r;
	struct buf why;

	if (f->path == NULL)
		return 0;
	buf_init(&why, 1024);
	r = datafile_read(AT_FDCWD, f->path, false, owner, &f->text, &f->stamp, &why);
	if (r != DATAFILE_OK)
		config_errors_add(errors, f->path, 0, "%s",
		    r == DATAFILE_MISSING ? "does not exist" : buf_str(&why));
	buf_release(&why);
	return r == DATAFILE_OK ? 0 : -1;
}

/* What the files say as rules. NULL with what is wrong in errors. */
static struct header_set *
parse(const struct one files[FILES], struct config_errors *errors)
{
	struct header_text text[FILES];

	for (size_t i = 0; i < FILES; i++)
		text[i] = (struct header_text){files[i].path, buf_span(&files[i].text)};
	return header_set_new(&text[HEADER], &text[MIME], errors);
}

/* Fresh texts of the same paths. NULL with all that is wrong in errors; the caller releases them in both cases. */
static struct header_set *
load(struct one fresh[FILES], uid_t owner, struct config_errors *errors)
{
	struct header_set *set;
	bool bad = false;

	for (size_t i = 0; i < FILES; i++) {
		buf_init(&fresh[i].text, HEADER_RULES_MAX);
		bad = read_one(&fresh[i], owner, errors) != 0 || bad;
	}
	set = parse(fresh, errors);
	if (bad)
		header_set_unref(&set);
	return set;
}

struct header_set *
header_files_load(const struct config *c, uid_t owner, struct config_errors *errors)
{
	struct one fresh[FILES] = {{.path = c->header_checks}, {.path = c->mime_header_checks}};
	struct header_set *set = load(fresh, owner, errors);

	for (size_t i = 0; i < FILES; i++)
		buf_release(&fresh[i].text);
	return set;
}

/* A digest of names, texts and what is set for them: it means the same whoever made it. */
static void
set_version(struct header_files *f)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf all;

	buf_init(&all, 2 * HEADER_RULES_MAX + 65536);
	buf_addf(&all, "%s\n", header_unfinished_name(f->unfinished));
	for (size_t i = 0; i < FILES; i++) {
		const struct one *one = &f->files[i];

		buf_addf(&all, "%s\n%zu\n", one->path != NULL ? one->path : "", one->text.len);
		buf_add_span(&all, buf_span(&one->text));
	}
	if (EVP_Digest(all.p, all.len, digest, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 cannot be used");
	for (size_t i = 0; i < (HEADER_VERSION_SIZE - 1) / 2; i++)
		snprintf(f->version + 2 * i, 3, "%02x", digest[i]);
	buf_release(&all);
}

/* What is wrong goes to the log; a version that was good before stays. */
static void
read_now(struct header_files *f)
{
	struct one fresh[FILES] = {
	    {.path = f->files[HEADER].path}, {.path = f->files[MIME].path}};
	struct config_errors errors = {0};
	struct header_set *set = load(fresh, f->owner, &errors);

	for (size_t i = 0; i < FILES; i++) {
		struct one *one = &f->files[i];

		/* One that must not be believed has a stamp, too: it is not looked at again until it changes. */
		one->stamp = fresh[i].stamp;
		if (one->path != NULL && !one->stamp.exists)
			datafile_stamp_path(one->path, &one->stamp);
		if (set == NULL)
			buf_release(&fresh[i].text);
		else {
			buf_release(&one->text);
			one->text = fresh[i].text;
		}
	}
	for (size_t i = 0; i < errors.n; i++)
		log_warnx("%s", errors.v[i].text);
	if (set != NULL) {
		set_version(f);
		log_info("header checks %s: %zu rules, version %s",
		    set->header != NULL ? set->header->path : set->mime->path,
		    (set->header != NULL ? set->header->n : 0) +
			(set->mime != NULL ? set->mime->n : 0),
		    f->version);
	} else {
		log_warnx("header checks: %s", strcmp(f->version, "none") != 0
						   ? "their previous version stays in force"
						   : "all mail waits until they are mended");
	}
	header_set_unref(&set);
	config_errors_release(&errors);
}

struct header_files *
header_files_new(const struct config *c, uid_t owner)
{
	struct header_files *f;

	if (c->header_checks == NULL && c->mime_header_checks == NULL)
		return NULL;
	f = xcalloc(1, sizeof *f);
	f->owner = owner;
	f->unfinished = c->header_unfinished;
	f->files[HEADER].path = c->header_checks != NULL ? xstrdup(c->header_checks) : NULL;
	f->files[MIME].path =
	    c->mime_header_checks != NULL ? xstrdup(c->mime_header_checks) : NULL;
	snprintf(f->version, sizeof f->version, "none");
	read_now(f);
	return f;
}

void
header_files_free(struct header_files **fp)
{
	struct header_files *f = *fp;

	if (f == NULL)
		return;
	*fp = NULL;
	for (size_t i = 0; i < FILES; i++) {
		buf_release(&f->files[i].text);
		free(f->files[i].path);
	}
	free(f);
}

void
header_files_refresh(struct header_files *f, uint64_t now_ms)
{
	bool changed = false;

	if (now_ms - f->looked_ms < HEADER_FILES_LOOK_MS)
		return;
	f->looked_ms = now_ms;
	for (size_t i = 0; i < FILES; i++) {
		struct datafile_stamp now;

		if (f->files[i].path == NULL)
			continue;
		datafile_stamp_path(f->files[i].path, &now);
		changed = changed || !datafile_stamp_equal(&now, &f->files[i].stamp);
	}
	if (changed)
		read_now(f);
}

const char *
header_files_version(const struct header_files *f)
{
	return f->version;
}

void
header_files_answer(const struct header_files *f, struct wire_out *w)
{
	static const char *const names[FILES] = {"header", "mime"};
	struct verdict v;
	char name[16];

	verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "in force");
	if (strcmp(f->version, "none") == 0)
		verdict_set(&v, VERDICT_TEMPORARY, 451, "4.3.5",
		    "The header checks cannot be read; the log says why");
	wire_add_verdict(w, &v);
	wire_add_str(w, "version", f->version);
	wire_add_str(w, "unfinished", header_unfinished_name(f->unfinished));
	for (size_t i = 0; i < FILES && v.kind == VERDICT_OK; i++) {
		if (f->files[i].path == NULL)
			continue;
		snprintf(name, sizeof name, "%s-file", names[i]);
		wire_add_str(w, name, f->files[i].path);
		snprintf(name, sizeof name, "%s-text", names[i]);
		wire_add(w, name, buf_span(&f->files[i].text));
	}
}

struct header_set *
header_files_parse(const struct wire_msg *m, struct config_errors *errors)
{
	struct header_text text[FILES] = {{.path = NULL}, {.path = NULL}};
	char *paths[FILES] = {NULL, NULL};
	struct header_set *set;
	struct span s;

	for (size_t i = 0; i < FILES; i++) {
		if (wire_get(m, i == HEADER ? "header-file" : "mime-file", &s) != 0)
			continue;
		text[i].path = paths[i] = xspandup(s);
		if (wire_get(m, i == HEADER ? "header-text" : "mime-text", &text[i].text) != 0)
			text[i].text = span_make("", 0);
	}
	set = header_set_new(&text[HEADER], &text[MIME], errors);
	if (set != NULL && (wire_get(m, "unfinished", &s) != 0 ||
			       header_unfinished_parse(s, &set->unfinished) != 0))
		set->unfinished = HEADER_UNFINISHED_HOLD;
	free(paths[HEADER]);
	free(paths[MIME]);
	return set;
}
