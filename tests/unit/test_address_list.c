/* test_address_list: address lists as RFC 5322 writes them and as people do. */
#include "common/address_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"

/* Every item as its text, `!` behind one that could not be understood, `~` behind one without a domain. */
static void
list_to_text(const char *list, struct buf *out)
{
	struct address_list l;
	struct address_list_item item;
	enum address_list_result r;

	address_list_init(&l, span_str(list));
	while ((r = address_list_next(&l, &item)) != ADDRESS_LIST_END) {
		if (out->len > 0)
			buf_add_char(out, '|');
		if (r == ADDRESS_LIST_BAD)
			buf_add_char(out, '!');
		else
			buf_addf(out, "%s%s", item.text, item.qualified ? "" : "~");
	}
}

static void
finds_addresses(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
	    {"", ""},
	    {" \t\n ", ""},
	    {",,;,", ""},
	    {"bob@a.test", "bob@a.test"},
	    {" bob@a.test , carol@b.test\n", "bob@a.test|carol@b.test"},
	    {"bob", "bob~"},
	    {"root (Cron Daemon)", "root~"},
	    {"Bob <bob@a.test>", "bob@a.test"},
	    {"Bob B. Builder <bob@a.test>", "bob@a.test"},
	    {"\"Builder, Bob\" <bob@a.test>, x@y", "bob@a.test|x@y"},
	    {"\"a \\\" b@c\" <bob@a.test>", "bob@a.test"},
	    {"bob@a.test (Bob, the Builder (a.k.a. \\) b@c)), carol@b.test",
		"bob@a.test|carol@b.test"},
	    {"(one) bob (two) @ (three) a . test (four)", "bob@a.test"},
	    {"\"john doe\"@a.test", "\"john doe\"@a.test"},
	    {"\"a\\\"b\"@a.test", "\"a\\\"b\"@a.test"},
	    {"\"a@b\"", "\"a@b\"~"},
	    {"bob@[192.0.2.1]", "bob@[192.0.2.1]"},
	    {"bob@[IPv6:2001:db8::1], x@y", "bob@[IPv6:2001:db8::1]|x@y"},
	    {"<@h1.test,@h2.test:bob@a.test>", "@h1.test,@h2.test:bob@a.test"},
	    {"Friends: bob@a.test, Carol <carol@b.test>;, dave@c.test",
		"bob@a.test|carol@b.test|dave@c.test"},
	    {"My old friends : bob ;", "bob~"},
	    {"undisclosed-recipients:;", ""},
	    {"undisclosed recipients: ;", ""},
	    {"Bob\n <bob@a.test>,\n\tcarol@b.test", "bob@a.test|carol@b.test"},
	    {"\"folded\n name\"@a.test", "\"folded name\"@a.test"},
	    {"b\xc3\xb6"
	     "b@b\xc3\xbc"
	     "cher.test",
		"b\xc3\xb6"
		"b@b\xc3\xbc"
		"cher.test"},
	    {"B\xff\xfe <bob@a.test>", "bob@a.test"},
	    {"<>", "~"},
	    {"bob smith", "!"},
	    {"bob@a.test carol@b.test", "!"},
	    {"Bob <bob@a.test> Carol <carol@b.test>, x@y", "!|x@y"},
	    {"<bob@a.test> trailing, x@y", "!|x@y"},
	    {"Bob <bob@a.test", "!"},
	    {"bob@a.test>, x@y", "!|x@y"},
	    {"\"never closed, x@y", "!"},
	    {"(never closed, x@y", "!"},
	    {"[never closed, x@y", "!"},
	    {"bob), x@y", "!|x@y"},
	    {"bob\\@a.test, x@y", "!|x@y"},
	    {"bob\\", "!"},
	    {"\"bob\\", "!"},
	    {"<<bob@a.test>>, x@y", "!|x@y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf got;

		buf_init(&got, 4096);
		list_to_text(rows[i].list, &got);
		if (!span_is(buf_span(&got), rows[i].want))
			fail_msg(
			    "%s: got %s, want %s", rows[i].list, buf_str(&got), rows[i].want);
		buf_release(&got);
	}
}

static void
stops_at_a_nul(void **state)
{
	struct address_list l;
	struct address_list_item item;

	(void)state;
	address_list_init(&l, span_make("bob@a.test\0@evil.test, x@y", 26));
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_BAD);
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_ITEM);
	assert_string_equal(item.text, "x@y");
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_END);
}

static void
says_where_a_domain_is_missing(void **state)
{
	static const struct {
		const char *list;
		size_t at;
	} rows[] = {{"bob", 3}, {" bob (x)", 4}, {"Bob <bob>", 8}, {"\"a b\" (c)", 5}};
	struct address_list l;
	struct address_list_item item;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		address_list_init(&l, span_str(rows[i].list));
		assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_ITEM);
		assert_int_equal(item.qualify_at, rows[i].at);
	}
}

static void
bounds_an_address(void **state)
{
	struct address_list l;
	struct address_list_item item;
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (int i = 0; i < 20000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "@a.test, x@y, ");
	for (int i = 0; i < 20000; i++)
		buf_add_char(&b, '(');
	address_list_init(&l, buf_span(&b));
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_BAD);
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_ITEM);
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_BAD);
	assert_int_equal(address_list_next(&l, &item), ADDRESS_LIST_END);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_addresses),
	    cmocka_unit_test(stops_at_a_nul),
	    cmocka_unit_test(says_where_a_domain_is_missing),
	    cmocka_unit_test(bounds_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
