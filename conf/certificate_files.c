/* certificate_files: where a TLS certificate and its key lie. See certificate_files.h. */
#include "conf/certificate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "conf/datafile.h"
#include "conf/key_pair.h"

#define DOMAIN_DIRECTORY "etc/tls"

static const struct {
	const char *certificate, *key;
} domain_names[CERTIFICATE_PAIRS] = {
    {DOMAIN_DIRECTORY "/certificate.pem", DOMAIN_DIRECTORY "/key.pem"},
    {DOMAIN_DIRECTORY "/second-certificate.pem", DOMAIN_DIRECTORY "/second-key.pem"},
};

/* Where to read, and whom to believe. */
struct place {
	int dirfd;
	bool beneath;
	const char *certificate, *key;
	uid_t owner;
};

static void
files_init(struct certificate_files *f, char *certificate, char *key)
{
	*f = (struct certificate_files){.certificate = certificate, .key = key};
	buf_init(&f->certificate_text, KEY_PAIR_FILE_MAX);
	buf_init_secret(&f->key_text, KEY_PAIR_FILE_MAX);
	buf_init(&f->problem, 2048);
}

static void
files_release(struct certificate_files *f)
{
	free(f->certificate);
	free(f->key);
	buf_release(&f->certificate_text);
	buf_release(&f->key_text);
	buf_release(&f->problem);
}

void
certificate_set_release(struct certificate_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		files_release(&set->v[i]);
	set->n = 0;
}

static void
stamp_place(const struct place *p, const char *name, struct datafile_stamp *stamp)
{
	if (p->beneath)
		datafile_stamp(p->dirfd, name, stamp);
	else
		datafile_stamp_path(name, stamp);
}

static int
format_stamp(const struct datafile_stamp *s, char *out, size_t size)
{
	if (!s->exists)
		return snprintf(out, size, "-");
	return snprintf(out, size, "%jx.%jx.%jx.%o.%jx.%jx.%lx.%jx.%lx", (uintmax_t)s->dev,
	    (uintmax_t)s->ino, (uintmax_t)s->size, (unsigned)s->mode, (uintmax_t)s->uid,
	    (uintmax_t)s->modified.tv_sec, (unsigned long)s->modified.tv_nsec,
	    (uintmax_t)s->changed.tv_sec, (unsigned long)s->changed.tv_nsec);
}

/* One file into text; what is wrong goes to f->problem, the first one only. */
static void
read_one(struct certificate_files *f, const struct place *p, const char *name, const char *path,
    struct buf *text, struct datafile_stamp *stamp)
{
	struct buf why;
	enum datafile_result r;

	buf_init(&why, 1024);
	r = datafile_read(p->dirfd, name, p->beneath, p->owner, text, stamp, &why);
	if (r == DATAFILE_MISSING)
		buf_add_str(&why, "does not exist");
	else if (r == DATAFILE_OK && text == &f->key_text && (stamp->mode & 077) != 0)
		buf_addf(&why, "may be read by others (mode %04o): chmod 600 it",
		    (unsigned)stamp->mode & 07777);
	if (why.len > 0 && f->problem.len == 0)
		buf_addf(&f->problem, "%s: %s", path, buf_str(&why));
	buf_release(&why);
}

/* Stamps both files, and reads them. */
static enum lookup
look(struct certificate_files *f, const struct place *p, bool read)
{
	struct datafile_stamp certificate, key;
	int n;

	stamp_place(p, p->certificate, &certificate);
	stamp_place(p, p->key, &key);
	n = format_stamp(&certificate, f->stamp, sizeof f->stamp);
	n += snprintf(f->stamp + n, sizeof f->stamp - (size_t)n, "/");
	format_stamp(&key, f->stamp + n, sizeof f->stamp - (size_t)n);
	if (!certificate.exists && !key.exists)
		return LOOKUP_NOT_FOUND;
	if (read) {
		/* What is replaced after the stamps were taken has another stamp the next time. */
		read_one(
		    f, p, p->certificate, f->certificate, &f->certificate_text, &certificate);
		read_one(f, p, p->key, f->key, &f->key_text, &key);
	}
	return LOOKUP_FOUND;
}

void
certificate_set_add(struct certificate_set *set, const char *certificate, const char *key,
    uid_t owner, bool read)
{
	struct place p = {AT_FDCWD, false, certificate, key, owner};
	struct certificate_files *f = &set->v[set->n++];

	files_init(f, xstrdup(certificate), xstrdup(key));
	if (look(f, &p, read) == LOOKUP_NOT_FOUND && read)
		buf_addf(&f->problem, "%s: does not exist", certificate);
}

/* Who may write into the directory decides which key is ours. */
static void
judge_directory(struct certificate_files *f, const struct domain *domain, int dirfd)
{
	int fd = datafile_open_beneath(dirfd, DOMAIN_DIRECTORY, O_PATH | O_DIRECTORY);
	struct stat st;
	struct buf why;

	buf_init(&why, 1024);
	if (fd < 0 || fstat(fd, &st) != 0)
		buf_addf(&why, "cannot be opened: %s", strerror(errno));
	else if (datafile_trusted(&st, domain->uid, &why))
		buf_clear(&why);
	if (why.len > 0 && f->problem.len == 0)
		buf_addf(
		    &f->problem, "%s/" DOMAIN_DIRECTORY ": %s", domain->path, buf_str(&why));
	buf_release(&why);
	if (fd >= 0)
		close(fd);
}

enum lookup
certificate_set_find_in(
    struct domains *d, const struct domain *domain, bool read, struct certificate_set *set)
{
	struct place p = {.beneath = true, .owner = domain->uid};

	/* What is wrong with the directory itself is wrong with everything in it. */
	if (domain->problem != NULL)
		return LOOKUP_NOT_FOUND;
	p.dirfd = domains_open(d, domain);
	if (p.dirfd < 0)
		return errno == ENOENT ? LOOKUP_NOT_FOUND : LOOKUP_UNKNOWN;
	for (size_t i = 0; i < CERTIFICATE_PAIRS; i++) {
		struct certificate_files *f = &set->v[set->n];

		p.certificate = domain_names[i].certificate;
		p.key = domain_names[i].key;
		files_init(f, xasprintf("%s/%s", domain->path, p.certificate),
		    xasprintf("%s/%s", domain->path, p.key));
		if (look(f, &p, read) == LOOKUP_NOT_FOUND) {
			files_release(f);
			continue;
		}
		if (read)
			judge_directory(f, domain, p.dirfd);
		set->n++;
	}
	close(p.dirfd);
	return set->n > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

enum lookup
certificate_set_find(
    struct domains *d, struct span name, bool read, struct certificate_set *set)
{
	enum lookup r = LOOKUP_NOT_FOUND;
	struct buf why;

	buf_init(&why, 1024);
	for (int i = 0; i < CERTIFICATE_FILES_DEPTH && span_index(name, '.') > 0; i++) {
		struct domain *domain;

		buf_clear(&why);
		r = domains_find(d, name, &domain, &why);
		if (r == LOOKUP_FOUND)
			r = certificate_set_find_in(d, domain, read, set);
		if (r != LOOKUP_NOT_FOUND)
			break;
		span_cut(&name, '.');
	}
	buf_release(&why);
	return r;
}
