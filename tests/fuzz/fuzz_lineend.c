/*
 * fuzz_lineend: the machines of common/lineend.h, fed in pieces into a buffer of
 * the fuzzer's choice, against references that read octet by octet. The first
 * octet chooses how large pieces and buffer are.
 */
#include "common/lineend.h"
#include "tests/fuzz/must.h"

#define INPUT_MAX 4096

/* DATA: the last five octets decide. Returns the octets used; 0 if it does not end. */
static size_t
reference_eod(struct span in, bool *bare, struct buf *out)
{
	char last[5] = {'x', 'x', 'x', '\r', '\n'};
	size_t n;

	*bare = false;
	for (n = 0; n < in.len; n++) {
		bool line_start;

		memmove(last, last + 1, 4);
		last[4] = in.p[n];
		if (memcmp(last, "\r\n.\r\n", 5) == 0)
			return n + 1;
		*bare = *bare || (last[3] == '\r') != (last[4] == '\n');
		line_start = last[2] == '\r' && last[3] == '\n';
		if (last[4] == '\r' || (last[4] == '.' && line_start) || *bare)
			continue;
		buf_add_char(out, last[4]);
	}
	return 0;
}

static void
check_eod(struct span in, size_t piece, size_t room)
{
	struct span rest = in;
	struct buf want, got, out;
	struct eod e;
	bool bare;
	size_t used;

	buf_init(&want, INPUT_MAX);
	buf_init(&got, INPUT_MAX);
	buf_init(&out, room);
	used = reference_eod(in, &bare, &want);
	eod_init(&e);
	while (rest.len > 0 && e.state != EOD_DONE) {
		struct span part = span_first(rest, piece);
		size_t before = part.len;

		(void)eod_feed(&e, &part, &out);
		MUST(part.len < before || out.len > 0);
		buf_add_span(&got, buf_span(&out));
		buf_clear(&out);
		rest = span_skip(rest, before - part.len);
	}
	MUST((used > 0) == (e.state == EOD_DONE));
	MUST(used == 0 || in.len - rest.len == used);
	MUST(e.bare == bare);
	MUST(span_eq(buf_span(&want), buf_span(&got)));
	buf_release(&want);
	buf_release(&got);
	buf_release(&out);
}

/* Content to the wire: one line end each, no bare CR or LF, no dot unstuffed; and back it is the content. */
static void
check_wire(struct span in, size_t piece, size_t room)
{
	struct span rest = in, wire;
	struct buf got, out, back, content;
	struct wire_end w;
	struct text_end t;
	struct eod e;

	buf_init(&got, 4 * INPUT_MAX);
	buf_init(&back, 4 * INPUT_MAX);
	buf_init(&content, 4 * INPUT_MAX);
	buf_init(&out, room < 2 ? 2 : room);
	wire_end_init(&w);
	while (rest.len > 0) {
		struct span part = span_first(rest, piece);
		size_t before = part.len;

		(void)wire_end_feed(&w, &part, &out);
		MUST(part.len < before || out.len > 0);
		buf_add_span(&got, buf_span(&out));
		buf_clear(&out);
		rest = span_skip(rest, before - part.len);
	}
	wire_end_finish(&w, &got);
	text_end_init(&t, false);
	rest = in;
	MUST(text_end_feed(&t, &rest, &content) && rest.len == 0 && !t.done);
	text_end_finish(&t, &content);
	eod_init(&e);
	wire = buf_span(&got);
	MUST(eod_feed(&e, &wire, &back));
	MUST(e.state == EOD_DONE && !e.bare && wire.len == 0);
	MUST(span_eq(buf_span(&back), buf_span(&content)));
	buf_release(&got);
	buf_release(&back);
	buf_release(&content);
	buf_release(&out);
}

/* Chunks: cut differently, the same; and the same as DATA would be if there are no dots. */
static void
check_chunk(struct span in, size_t piece)
{
	struct span rest = in;
	struct buf whole, parts;
	struct chunk_end a, b;

	buf_init(&whole, INPUT_MAX);
	buf_init(&parts, INPUT_MAX);
	chunk_init(&a);
	chunk_init(&b);
	MUST(chunk_feed(&a, &rest, &whole) && rest.len == 0);
	for (rest = in; rest.len > 0; rest = span_skip(rest, piece)) {
		struct span part = span_first(rest, piece);

		MUST(chunk_feed(&b, &part, &parts) && part.len == 0);
	}
	MUST(a.cr == b.cr && a.bare == b.bare);
	chunk_finish(&a);
	MUST(span_eq(buf_span(&whole), buf_span(&parts)));
	MUST(memchr(buf_str(&whole), '\r', whole.len) == NULL);
	if (memchr(in.p, '.', in.len) == NULL) {
		struct buf want;
		bool bare;

		buf_init(&want, INPUT_MAX);
		(void)reference_eod(in, &bare, &want);
		MUST(span_eq(buf_span(&whole), buf_span(&want)));
		MUST(a.bare == (bare || in.p[in.len - 1] == '\r'));
		buf_release(&want);
	}
	buf_release(&whole);
	buf_release(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	size_t piece, room;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	piece = (size_t)(data[0] & 15) * (data[0] & 15) + 1;
	room = (size_t)(data[0] >> 4) * (data[0] >> 4) + 1;
	in = span_make(data + 1, size - 1);
	check_eod(in, piece, room);
	check_wire(in, piece, room);
	check_chunk(in, piece);
	return 0;
}
