/* maildirsize: the numbers of a Maildir++ quota file. See maildirsize.h. */
#include "conf/maildirsize.h"

#include <inttypes.h>

/* A number with perhaps a minus sign, blanks before it. -1 if there is none, or it does not fit. */
static int
take_number(struct span *line, int64_t *n)
{
	bool minus;
	uint64_t v;
	size_t len = 0;

	while (line->len > 0 && line->p[0] == ' ')
		*line = span_skip(*line, 1);
	minus = line->len > 0 && line->p[0] == '-';
	if (minus)
		*line = span_skip(*line, 1);
	while (len < line->len && line->p[len] >= '0' && line->p[len] <= '9')
		len++;
	/* Sums of lines cannot overflow: there are at most MAILDIRSIZE_MAX of them. */
	if (len == 0 || span_to_u64(span_first(*line, len), INT64_MAX / 8192, &v) != 0)
		return -1;
	*line = span_skip(*line, len);
	*n = minus ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* "1073741824S,1000C": of each kind at most one is understood. */
static int
parse_limits(struct span line, struct maildirsize *m)
{
	bool seen = false;

	while (line.p != NULL && line.len > 0) {
		struct span one = span_cut(&line, ',');
		uint64_t v;

		if (one.len < 2 || one.p[one.len - 1] < 'A' || one.p[one.len - 1] > 'Z' ||
		    span_to_u64(span_first(one, one.len - 1), INT64_MAX, &v) != 0)
			return -1;
		if (one.p[one.len - 1] == 'S' && !seen) {
			m->limit = v;
			seen = true;
		} else {
			m->foreign = true;
		}
	}
	return 0;
}

int
maildirsize_parse(struct span text, struct maildirsize *m)
{
	int64_t octets = 0, messages = 0, o, n;
	struct span line;

	*m = (struct maildirsize){.limit = 0};
	if (text.len == 0 || text.len > MAILDIRSIZE_MAX)
		return -1;
	line = span_cut(&text, '\n');
	if (text.p == NULL || parse_limits(line, m) != 0)
		return -1;
	while (text.p != NULL && text.len > 0) {
		line = span_cut(&text, '\n');
		if (take_number(&line, &o) != 0 || take_number(&line, &n) != 0 || line.len > 0)
			return -1;
		octets += o;
		messages += n;
		m->lines++;
	}
	m->octets = octets > 0 ? (uint64_t)octets : 0;
	m->messages = messages > 0 ? (uint64_t)messages : 0;
	return m->lines > 0 ? 0 : -1;
}

void
maildirsize_format_line(struct buf *out, uint64_t octets, uint64_t messages)
{
	buf_addf(out, "%12" PRIu64 " %12" PRIu64 "\n", octets, messages);
}

void
maildirsize_format(struct buf *out, uint64_t limit, uint64_t octets, uint64_t messages)
{
	buf_addf(out, "%" PRIu64 "S\n", limit);
	maildirsize_format_line(out, octets, messages);
}

bool
maildirsize_of_name(struct span name, uint64_t *octets)
{
	for (size_t i = 0; i + 3 < name.len && name.p[i] != ':'; i++) {
		struct span rest = span_skip(name, i);
		size_t len = 0;

		if (!span_starts_with(rest, ",S="))
			continue;
		rest = span_skip(rest, 3);
		while (len < rest.len && rest.p[len] >= '0' && rest.p[len] <= '9')
			len++;
		return len > 0 &&
		       span_to_u64(span_first(rest, len), INT64_MAX / 8192, octets) == 0;
	}
	return false;
}
