/*
 * salvage: mail out of segment files that were set aside. See salvage.h. The files may be anybody's: of this spool,
 * of another, without a header; each record says itself to which life of which spool it belongs.
 */
#include "queue/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "queue/spool_envelope.h"
#include "queue/spool_scan.h"

#define PIECE	  65536
#define NAME_SIZE (SPOOL_ID_SIZE + 16)

struct salvage {
	int outfd, error;
	salvage_fn *fn;
	void *arg;
	struct salvage_result *result;
};

/* The life that counts: by the header page, or by the newest intact record. 0, or -1: there is none. */
static int
find_life(struct spool_segment *s, uint64_t *instance)
{
	struct spool_segment_header h;
	char page[SPOOL_PAGE], head[SPOOL_RECORD_SIZE];

	if (pread(s->fd, page, sizeof page, 0) == (ssize_t)sizeof page &&
	    spool_segment_header_parse(span_make(page, sizeof page), &h) == 0) {
		s->generation = h.generation;
		*instance = h.instance;
		return 0;
	}
	for (uint64_t at = 0; at + sizeof head <= s->size; at += SPOOL_ALIGN) {
		struct spool_record r;

		if (spool_segment_read(s, at, head, sizeof head) != 0)
			at = spool_page_align(at + 1) - SPOOL_ALIGN;
		else if (spool_record_parse(span_make(head, sizeof head), &r) == 0 &&
			 r.generation > s->generation) {
			s->generation = r.generation;
			*instance = r.instance;
		}
	}
	return s->generation > 0 ? 0 : -1;
}

/* The content, from at on. The scan has checked it; what cannot be read now is an error. */
static int
copy_content(const struct spool_segment *s, uint64_t at, uint64_t left, FILE *out)
{
	char piece[PIECE];

	while (left > 0) {
		size_t n = left < sizeof piece ? (size_t)left : sizeof piece;

		if (spool_segment_read(s, at, piece, n) != 0 || fwrite(piece, 1, n, out) != n)
			return -1;
		at += n;
		left -= n;
	}
	return 0;
}

static void
print_envelope(const struct spool_record *r, const struct envelope *e, FILE *out)
{
	char received[CLOCK_DATE_SIZE];

	clock_format_iso(r->received / 1000, received);
	fprintf(out, "received: %s\nfrom: <%.*s>\n", received, SPAN_ARG(e->from));
	for (size_t i = 0; i < e->nrecipients; i++)
		fprintf(out, "recipient: <%.*s>\n", SPAN_ARG(e->recipients[i].address));
	if (e->client.len > 0)
		fprintf(out, "client: %.*s\n", SPAN_ARG(e->client));
	if (e->auth.len > 0)
		fprintf(out, "auth: %.*s\n", SPAN_ARG(e->auth));
}

static FILE *
create(int outfd, const char *id, const char *suffix)
{
	char name[NAME_SIZE];
	int fd;
	FILE *f;

	snprintf(name, sizeof name, "%s%s", id, suffix);
	fd = openat(outfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL && fd >= 0)
		close(fd);
	return f;
}

/* 0, or -1 with errno. A file that could not be written whole is removed. */
static int
finish(int outfd, const char *id, const char *suffix, FILE *f, int r)
{
	char name[NAME_SIZE];
	int error = r != 0 ? errno : 0;

	if (fclose(f) != 0 && error == 0)
		error = errno;
	if (error == 0)
		return 0;
	snprintf(name, sizeof name, "%s%s", id, suffix);
	(void)unlinkat(outfd, name, 0);
	errno = error;
	return -1;
}

static int
write_message(struct salvage *v, const struct spool_segment *s, uint64_t offset,
    const struct spool_record *r, const struct envelope *e, const char *id)
{
	FILE *f = create(v->outfd, id, ".eml");

	if (f == NULL)
		return -1;
	if (finish(v->outfd, id, ".eml", f,
		copy_content(
		    s, offset + SPOOL_RECORD_SIZE + r->envelope_len, r->content_len, f)) != 0)
		return -1;
	f = create(v->outfd, id, ".envelope");
	if (f == NULL)
		return -1;
	print_envelope(r, e, f);
	return finish(v->outfd, id, ".envelope", f, ferror(f));
}

static void
on_record(struct spool_segment *s, uint64_t offset, const struct spool_record *r,
    struct span text, void *arg)
{
	struct salvage *v = arg;
	char id[SPOOL_ID_SIZE];
	struct salvage_message m = {.number = r->message,
	    .name = spool_id_format(r->message, id),
	    .size = r->content_len};
	struct envelope e;

	if (v->error != 0)
		return;
	if (envelope_parse(text, &e) != 0) {
		v->result->damaged++;
		return;
	}
	m.from = e.from;
	m.recipients = (uint32_t)e.nrecipients;
	if (write_message(v, s, offset, r, &e, id) == 0)
		v->result->written++;
	else if (errno == EEXIST)
		m.there = true;
	else
		v->error = errno;
	v->result->there += m.there;
	if (v->error == 0)
		v->fn(&m, v->arg);
	envelope_release(&e);
}

int
salvage_file(int dirfd, const char *name, int outfd, salvage_fn *fn, void *arg,
    struct salvage_result *result)
{
	struct salvage v = {.outfd = outfd, .fn = fn, .arg = arg, .result = result};
	struct spool_segment s = {
	    .fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
	struct spool_scan_result scan;
	uint64_t instance = 0;
	struct stat st;

	*result = (struct salvage_result){0};
	if (s.fd < 0)
		return -1;
	if (fstat(s.fd, &st) != 0) {
		v.error = errno;
	} else if (!S_ISREG(st.st_mode)) {
		v.error = EINVAL;
	} else {
		s.size = (uint64_t)st.st_size;
		if (find_life(&s, &instance) != 0)
			v.error = EINVAL;
	}
	if (v.error == 0) {
		spool_segment_scan(
		    &s, instance, SPOOL_PAGE, s.size, true, on_record, &v, &scan);
		result->damaged += scan.damaged + scan.cut + scan.unreadable;
	}
	close(s.fd);
	errno = v.error;
	return v.error == 0 ? 0 : -1;
}
