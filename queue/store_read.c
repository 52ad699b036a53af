/*
 * store_read: a message's octets out of its segment, and what becomes of a segment in which something is not as
 * it was written: a copy in corrupt/ with a reason, once, and no further life; the messages in it that are intact
 * stay in the queue. See store.h.
 */
#include <errno.h>

#include "common/crc32c.h"
#include "common/limits.h"
#include "common/log.h"
#include "queue/quarantine.h"
#include "queue/store_parts.h"

void
store_set_aside(struct store *s, struct spool_segment *seg, const char *reason)
{
	char name[SPOOL_NAME_SIZE];

	seg->damaged = true;
	if (seg->kept)
		return;
	seg->kept = true;
	quarantine_copy(segment_pool_dirfd(s->pool, seg),
	    spool_segment_name(seg->number, seg->large, name), s->corruptfd, reason);
}

void
store_report_damage(
    struct store *s, struct spool_segment *seg, const struct spool_scan_result *r)
{
	if (r->damaged == 0 && r->unreadable == 0)
		return;
	s->counts.damaged += r->damaged + r->unreadable;
	store_set_aside(s, seg,
	    r->unreadable > 0
		? "the disk does not give back part of this segment; what can be read is in use"
		: "records in this segment that were once on disk are damaged; the others are "
		  "in use");
}

uint64_t
store_content_offset(const struct message *m)
{
	return (uint64_t)m->offset + SPOOL_RECORD_SIZE + m->envelope_len;
}

int
store_read_content(struct store *s, struct message *m, struct buf *out)
{
	size_t at = out->len;
	char id[SPOOL_ID_SIZE];
	int error = 0;

	if (buf_reserve(out, m->content_len) != 0) {
		errno = EFBIG;
		return -1;
	}
	if (m->segment->fd >= 0 && store_content_offset(m) + m->content_len > m->segment->size)
		error = EBADMSG; /* it was cut */
	else if (spool_segment_read(
		     m->segment, store_content_offset(m), out->p + at, m->content_len) != 0)
		error = errno;
	else if (crc32c(0, out->p + at, m->content_len) != m->content_crc)
		error = EBADMSG;
	if (error == 0) {
		out->len = at + m->content_len;
		out->p[out->len] = '\0';
		return 0;
	}
	out->p[at] = '\0';
	errno = error;
	log_warn("id=%s", spool_id_format(m->number, id));
	if (!m->segment->kept)
		s->counts.damaged++;
	store_set_aside(s, m->segment,
	    error == EBADMSG
		? "a message in this segment is damaged; the others are in use"
		: "a message in this segment cannot be read; the others are in use");
	errno = error;
	return -1;
}

int
store_read_head(struct store *s, const struct message *m, size_t n, struct buf *out)
{
	size_t at = out->len;

	(void)s;
	if (n > m->content_len)
		n = m->content_len;
	if (buf_reserve(out, n) != 0 ||
	    spool_segment_read(m->segment, store_content_offset(m), out->p + at, n) != 0)
		return -1;
	out->len = at + n;
	out->p[out->len] = '\0';
	return 0;
}

int
store_read_envelope(struct store *s, const struct message *m, struct buf *out)
{
	char head[SPOOL_RECORD_SIZE];
	struct spool_record r;
	size_t at = out->len;

	if (buf_reserve(out, m->envelope_len) != 0 ||
	    spool_segment_read(m->segment, m->offset, head, sizeof head) != 0 ||
	    spool_segment_read(m->segment, (uint64_t)m->offset + SPOOL_RECORD_SIZE, out->p + at,
		m->envelope_len) != 0)
		return -1;
	if (spool_record_parse(span_make(head, sizeof head), &r) != 0 ||
	    r.message != m->number || r.instance != s->instance ||
	    r.envelope_len != m->envelope_len ||
	    crc32c(0, out->p + at, m->envelope_len) != r.envelope_crc) {
		out->p[at] = '\0';
		errno = EBADMSG;
		return -1;
	}
	out->len = at + m->envelope_len;
	out->p[out->len] = '\0';
	return 0;
}
