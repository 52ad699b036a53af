/* test_mime_boundary: which boundaries a Content-Type has, whatever octets are in them, and which of them a line begins with. */
#include "common/mime_boundary.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "tests/unit/testing.h"

/* The caller releases *list. */
static void
make_list(const char *value, struct buf *list)
{
	buf_init(list, MIME_BOUNDARIES_SIZE);
	assert_int_equal(mime_boundary_list(span_str(value), list), 0);
}

static void
test_match(void **state)
{
	static const struct {
		const char *name, *value, *line;
		size_t want;
		bool several;
	} rows[] = {
	    {"the boundary", "multipart/mixed; boundary=b", "--b", 3, false},
	    {"and what is behind it", "multipart/mixed; boundary=b", "--bcd", 3, false},
	    {"another", "multipart/mixed; boundary=b", "--c", 0, false},
	    {"too short", "multipart/mixed; boundary=bcd", "--bc", 0, false},
	    {"no boundary at all", "multipart/mixed", "--b", 0, false},
	    {"hyphens alone", "multipart/mixed; boundary=b", "--", 0, false},
	    {"the longer one", "a/b; boundary=b; boundary=bc", "--bcd", 4, true},
	    {"the longer one, first", "a/b; boundary=bc; boundary=b", "--bcd", 4, true},
	    {"the same twice", "a/b; boundary=b; boundary=\"b\"", "--b", 3, false},
	    {"a line end within", "a/b; boundary*=utf-8''b%0Ac", "--b\nc", 5, false},
	    {"only what stands in front of it", "a/b; boundary*=utf-8''b%0Ac", "--b", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf list;

		make_list(rows[i].value, &list);
		if (mime_boundary_match(buf_span(&list), span_str(rows[i].line)) !=
			rows[i].want ||
		    mime_boundary_list_has_several(buf_span(&list)) != rows[i].several)
			fail_msg("%s", rows[i].name);
		buf_release(&list);
	}
}

/* The longest there can be, as many as there can be. */
static void
test_full(void **state)
{
	struct buf value, list;

	(void)state;
	buf_init(&value, 16384);
	buf_init(&list, MIME_BOUNDARIES_SIZE);
	buf_add_str(&value, "multipart/mixed");
	for (unsigned i = 0; i < MIME_BOUNDARIES_MAX; i++)
		buf_addf(&value, "; boundary=\"%u%0*u\"", i, MIME_BOUNDARY_MAX - 1, i);
	assert_int_equal(mime_boundary_list(buf_span(&value), &list), 0);
	assert_int_equal(list.len, MIME_BOUNDARIES_SIZE);
	for (unsigned i = 0; i < MIME_BOUNDARIES_MAX; i++) {
		char *line = xasprintf("--%u%0*u", i, MIME_BOUNDARY_MAX - 1, i);

		assert_int_equal(mime_boundary_match(buf_span(&list), span_str(line)),
		    MIME_BOUNDARY_MAX + 2);
		free(line);
	}
	assert_int_equal(
	    mime_boundary_list(span_str("a/b; boundary=more"), &list), MIME_BOUNDARY_MANY);
	buf_release(&value);
	buf_release(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
