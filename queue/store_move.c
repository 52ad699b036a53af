/*
 * store_move: copies of messages (doc/SPOOL.md, "Compaction"). In normal
 * operation a copy that is on disk becomes the message's place, and the one
 * before is let go when the journal has record V on disk. After a crash a copy
 * without V is nobody's: the message stands where it stood. Called by store and
 * store_recover.
 */
#include "queue/store_move.h"

#include <inttypes.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "queue/store_parts.h"
#include "queue/store_record.h"

#define BLOCK 65536U

/* The checksum of what stands there; -1 if it cannot be read. */
static int
checksum(const struct spool_segment *seg, uint64_t offset, uint64_t len, uint32_t *crc)
{
	char block[BLOCK];

	*crc = 0;
	while (len > 0) {
		size_t n = len < BLOCK ? (size_t)len : BLOCK;

		if (spool_segment_read(seg, offset, block, n) != 0)
			return -1;
		*crc = crc32c(*crc, block, n);
		offset += n;
		len -= n;
	}
	return 0;
}

bool
store_is_writable(const struct store *s)
{
	return journal_healthy(s->journal);
}

uint32_t
store_segment_messages(const struct store *s, const struct spool_segment *seg)
{
	uint32_t n = seg->live;

	for (size_t i = 0; i < s->ndone; i++)
		n -=
		    s->done[i]->segment == seg; /* settled, and freed at the end of this turn */
	return n;
}

bool
store_is_same(const struct message *m, const struct spool_record *r)
{
	return r->message == m->number && r->received == m->received &&
	       r->envelope_len == m->envelope_len && r->content_len == m->content_len &&
	       r->content_crc == m->content_crc;
}

/* Is what was written at this place, read back, octet for octet the message? Its envelope was checked by the scan. */
static bool
is_good_copy(const struct message *m, const struct spool_segment *seg, uint64_t offset,
    const struct spool_record *r)
{
	uint64_t content = offset + SPOOL_RECORD_SIZE + r->envelope_len;
	uint32_t crc;

	return store_is_same(m, r) && offset <= UINT32_MAX &&
	       checksum(seg, content, r->content_len, &crc) == 0 && crc == r->content_crc;
}

void
store_place(struct message *m, struct spool_segment *seg, uint64_t offset)
{
	m->segment = seg;
	m->offset = (uint32_t)offset;
	segment_pool_more(seg, message_extent(m));
}

void
store_take_copy(
    struct store *s, struct spool_segment *seg, uint64_t offset, const struct spool_record *r)
{
	struct message *m = store_find(s, r->message);
	struct spool_segment *before = m != NULL ? m->segment : NULL;
	char id[SPOOL_ID_SIZE];
	uint64_t position;

	if (m == NULL)
		return; /* settled since: the copy is dead space */
	if (!is_good_copy(m, seg, offset, r)) {
		log_warnx("id=%s: its copy in segment=%" PRIu64
			  " is not what was to be written",
		    spool_id_format(m->number, id), seg->number);
		return;
	}
	store_place(m, seg, offset);
	position = record_moved(s->journal, m, offset + spool_record_extent(r));
	segment_pool_less(before, message_extent(m), position);
	s->counts.moved++;
}

struct message *
store_recover_place(
    struct store *s, struct spool_segment *seg, uint64_t offset, const struct spool_record *r)
{
	struct message *m = idmap_find(&s->missing, r->message);
	char id[SPOOL_ID_SIZE];

	if (m == NULL || !is_good_copy(m, seg, offset, r))
		return NULL;
	(void)idmap_remove(&s->missing, m->number);
	m->segment = seg;
	m->offset = (uint32_t)offset;
	(void)record_moved(s->journal, m, offset + spool_record_extent(r));
	log_warnx("id=%s was found again in segment=%" PRIu64, spool_id_format(m->number, id),
	    seg->number);
	return m;
}

void
store_report_lost(struct store *s, struct spool_segment *seg, uint32_t n)
{
	if (n <= seg->lost)
		return;
	log_warnx("segment=%" PRIu64 ": %" PRIu32
		  " messages cannot be read and stay where they are",
	    seg->number, n);
	s->counts.damaged += n - seg->lost;
	seg->lost = n;
	store_set_aside(s, seg,
	    "messages in this segment are damaged; the others have been copied elsewhere");
}

void
store_keep_unknown(struct store *s, struct spool_segment *seg)
{
	s->counts.damaged++;
	store_set_aside(s, seg,
	    "a record in this segment is of a kind that only a later version knows; the others "
	    "are in use");
}
