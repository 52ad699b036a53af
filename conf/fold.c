/* fold: local parts as names, paths as relative ones. See fold.h. */
#include "conf/fold.h"

#include <string.h>

#include "common/case_fold.h"
#include "common/nfc.h"
#include "common/utf8.h"

/* What comes of it is in form C again, as names are. */
int
fold_text(struct span s, char *out, size_t size, size_t *len)
{
	char folded[2 * FOLD_TEXT_MAX + 1];

	if (s.len > FOLD_TEXT_MAX || utf8_is_ascii(s) ||
	    case_fold(s, folded, sizeof folded, len) != 0 ||
	    nfc_format(span_make(folded, *len), out, size - 1, len) != 0)
		return -1;
	out[*len] = '\0';
	return 0;
}

static size_t
lower(const char *p, size_t n, char out[LOCAL_PART_MAX + 1])
{
	size_t folded;

	if (n > LOCAL_PART_MAX)
		n = LOCAL_PART_MAX;
	if (fold_text(span_make(p, n), out, LOCAL_PART_MAX + 1, &folded) == 0)
		return folded;
	for (size_t i = 0; i < n; i++)
		out[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] - 'A' + 'a') : p[i];
	out[n] = '\0';
	return n;
}

size_t
fold_name(struct span local, char out[LOCAL_PART_MAX + 1])
{
	return lower(local.p, local.len, out);
}

size_t
fold_address(const struct address *a, char out[LOCAL_PART_MAX + 1])
{
	char plain[LOCAL_PART_MAX + 1];
	size_t n = address_local_unquoted(a, plain);

	return lower(plain, n, out);
}

bool
fold_is_name(struct span local)
{
	char text[LOCAL_PART_MAX + 3];
	struct address a;

	if (local.len == 0 || local.len > LOCAL_PART_MAX || local.p[0] == '"')
		return false;
	memcpy(text, local.p, local.len);
	memcpy(text + local.len, "@x", 2);
	return address_parse(span_make(text, local.len + 2), ADDRESS_UTF8, &a, NULL) == 0 &&
	       a.local_len == local.len;
}

int
fold_path(struct span path, struct span directory, char out[FOLD_PATH_MAX + 1])
{
	size_t n = 0;

	if (!utf8_valid(path) || span_has_control(path))
		return -1;
	if (path.len > directory.len && span_eq(span_first(path, directory.len), directory) &&
	    path.p[directory.len] == '/')
		path = span_skip(path, directory.len);
	while (path.p != NULL) {
		struct span name = span_cut(&path, '/');

		if (name.len == 0 || span_is(name, "."))
			continue;
		if (span_is(name, "..") || name.len > 255 || n + name.len + 1 > FOLD_PATH_MAX)
			return -1;
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, name.p, name.len);
		n += name.len;
	}
	out[n] = '\0';
	return n > 0 ? 0 : -1;
}
