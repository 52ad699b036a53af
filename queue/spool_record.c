/* spool_record: the bytes of segments and records. See spool_record.h and doc/SPOOL.md. */
#include "queue/spool_record.h"

#include <endian.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/limits.h"

#define SEGMENT_MAGIC  0x50527331U /* PRs1 */
#define RECORD_MAGIC   0x50527231U /* PRr1 */
#define FORMAT_VERSION 1U

static void
put32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

static void
put64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof v);
}

static uint32_t
get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static uint64_t
get64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return be64toh(v);
}

void
spool_segment_header_format(const struct spool_segment_header *h, unsigned char out[SPOOL_PAGE])
{
	memset(out, 0, SPOOL_PAGE);
	put32(out, SEGMENT_MAGIC);
	put32(out + 4, FORMAT_VERSION);
	put64(out + 8, h->number);
	put64(out + 16, h->generation);
	put64(out + 24, h->instance);
	put64(out + 32, h->size);
	put32(out + 40, crc32c(0, out, 40));
}

int
spool_segment_header_parse(struct span in, struct spool_segment_header *h)
{
	if (in.len < SPOOL_PAGE || get32(in.p) != SEGMENT_MAGIC ||
	    get32(in.p + 4) != FORMAT_VERSION || get32(in.p + 40) != crc32c(0, in.p, 40))
		return -1;
	h->number = get64(in.p + 8);
	h->generation = get64(in.p + 16);
	h->instance = get64(in.p + 24);
	h->size = get64(in.p + 32);
	return 0;
}

void
spool_record_format(const struct spool_record *r, unsigned char out[SPOOL_RECORD_SIZE])
{
	memset(out, 0, SPOOL_RECORD_SIZE);
	put32(out, RECORD_MAGIC);
	put32(out + 4, FORMAT_VERSION);
	put64(out + 8, r->generation);
	put64(out + 16, r->instance);
	put64(out + 24, r->batch);
	put64(out + 32, r->message);
	put64(out + 40, (uint64_t)r->received);
	put64(out + 48, r->content_len);
	put32(out + 56, r->envelope_len);
	put32(out + 60, r->envelope_crc);
	put32(out + 64, r->content_crc);
	put32(out + 68, r->kind);
	put32(out + 76, crc32c(0, out, 76));
}

int
spool_record_parse(struct span in, struct spool_record *r)
{
	if (in.len < SPOOL_RECORD_SIZE || get32(in.p) != RECORD_MAGIC ||
	    get32(in.p + 4) != FORMAT_VERSION || get32(in.p + 76) != crc32c(0, in.p, 76))
		return -1;
	r->generation = get64(in.p + 8);
	r->instance = get64(in.p + 16);
	r->batch = get64(in.p + 24);
	r->message = get64(in.p + 32);
	r->received = (int64_t)get64(in.p + 40);
	r->content_len = get64(in.p + 48);
	r->envelope_len = get32(in.p + 56);
	r->envelope_crc = get32(in.p + 60);
	r->content_crc = get32(in.p + 64);
	r->kind = get32(in.p + 68);
	return r->envelope_len <= ENVELOPE_MAX && r->content_len <= INT64_MAX / 2 ? 0 : -1;
}

uint64_t
spool_record_extent(const struct spool_record *r)
{
	return spool_align(SPOOL_RECORD_SIZE + (uint64_t)r->envelope_len + r->content_len);
}

uint64_t
spool_align(uint64_t n)
{
	return (n + SPOOL_ALIGN - 1) / SPOOL_ALIGN * SPOOL_ALIGN;
}

uint64_t
spool_page_align(uint64_t n)
{
	return (n + SPOOL_PAGE - 1) / SPOOL_PAGE * SPOOL_PAGE;
}

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* no I, L, O, U */

const char *
spool_id_format(uint64_t message, char out[SPOOL_ID_SIZE])
{
	for (size_t i = SPOOL_ID_SIZE - 1; i-- > 0;) {
		out[i] = digits[message & 31];
		message >>= 5;
	}
	out[SPOOL_ID_SIZE - 1] = '\0';
	return out;
}

int
spool_id_parse(struct span s, uint64_t *message)
{
	uint64_t v = 0;

	if (s.len != SPOOL_ID_SIZE - 1 || s.p[0] < '0' || s.p[0] > 'F')
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		const char *d = s.p[i] != '\0' ? strchr(digits, s.p[i]) : NULL;

		if (d == NULL)
			return -1;
		v = v << 5 | (uint64_t)(d - digits);
	}
	*message = v;
	return 0;
}
