/*
 * fuzz_mime_scan: any octets are a message: in one piece, octet by octet and in pieces the same fields come of
 * it, each within its limits and without a line end; what is decoded is one line, too.
 */
#include "common/mime_scan.h"

#include <string.h>

#include "common/hash.h"
#include "common/mime_decode.h"
#include "common/mime_field.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned fields, line;
	uint64_t sum;
	struct buf decoded;
};

static void
on_field(const struct mime_field *f, void *arg)
{
	static const uint64_t secret[2] = {1, 2};
	struct seen *s = arg;

	MUST(f->text.len > 0 && f->text.len <= MIME_FIELD_MAX);
	MUST(memchr(f->text.p, '\n', f->text.len) == NULL);
	MUST(mime_field_name(f->text).len > 0);
	MUST(f->line > s->line);
	s->line = f->line;
	s->fields++;
	s->sum = s->sum * 31 + hash_octets(secret, f->text.p, f->text.len) + f->line + f->where;
	if (mime_decode(f->text, &s->decoded))
		MUST(memchr(s->decoded.p, '\n', s->decoded.len) == NULL);
}

static void
scan(struct span content, size_t piece, struct seen *s)
{
	struct mime_scan m;

	*s = (struct seen){.fields = 0};
	buf_init(&s->decoded, MIME_DECODED_MAX);
	mime_scan_init(&m, on_field, s);
	while (content.len > 0) {
		mime_scan_feed(&m, span_first(content, piece));
		content = span_skip(content, piece);
	}
	mime_scan_finish(&m);
	MUST(m.depth <= MIME_DEPTH_MAX);
	mime_scan_release(&m);
	buf_release(&s->decoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;

	scan(span_make(data, size), SIZE_MAX, &whole);
	for (size_t piece = 1; piece <= 16; piece *= 4) {
		scan(span_make(data, size), piece, &pieces);
		MUST(pieces.fields == whole.fields && pieces.sum == whole.sum);
	}
	return 0;
}
