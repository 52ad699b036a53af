/* test_hash: the keyed map, against a plain array as the model. */
#include "common/hash.h"

#include "tests/unit/testing.h"

#define KEYS 500

static uint32_t
next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Key i: lengths from 0, NULs and high octets inside. */
static struct span
key_of(unsigned i)
{
	static char text[KEYS][12];
	static const char bytes[] = {'a', '\0', '\xff', 'B'};
	size_t n = 0;

	for (unsigned v = i; v > 0; v = (v - 1) / 4)
		text[i][n++] = bytes[(v - 1) % 4];
	return span_make(text[i], n);
}

static void
behaves_like_an_array(void **state)
{
	int values[KEYS];
	bool present[KEYS] = {false};
	size_t count = 0;
	uint32_t x = 7;
	struct hash h;

	(void)state;
	hash_init(&h);
	for (unsigned step = 0; step < 60000; step++) {
		/* The range moves, so that the map grows, empties and is used again. */
		unsigned i = next_random(&x) % (step % 20000 < 10000 ? KEYS : 10);

		switch (next_random(&x) % 3) {
		case 0:
			assert_int_equal(
			    hash_insert(&h, key_of(i), &values[i]), present[i] ? -1 : 0);
			count += !present[i];
			present[i] = true;
			break;
		case 1:
			assert_ptr_equal(
			    hash_remove(&h, key_of(i)), present[i] ? &values[i] : NULL);
			count -= present[i];
			present[i] = false;
			break;
		default:
			assert_ptr_equal(
			    hash_find(&h, key_of(i)), present[i] ? &values[i] : NULL);
		}
		assert_int_equal(hash_count(&h), count);
	}
	for (unsigned i = 0; i < KEYS; i++)
		assert_ptr_equal(hash_find(&h, key_of(i)), present[i] ? &values[i] : NULL);
	hash_release(&h);
}

static void
walks_over_every_value_once(void **state)
{
	int values[KEYS], seen[KEYS] = {0};
	struct hash h;
	size_t at = 0, n = 0;
	int *v;

	(void)state;
	hash_init(&h);
	assert_null(hash_next(&h, &at));
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(hash_insert(&h, key_of(i), &values[i]), 0);
	for (at = 0; (v = hash_next(&h, &at)) != NULL; n++)
		seen[v - values]++;
	assert_int_equal(n, KEYS);
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(seen[i], 1);
	hash_release(&h);
	assert_int_equal(hash_count(&h), 0);
	assert_null(hash_find(&h, key_of(1)));
	assert_int_equal(hash_insert(&h, key_of(1), &values[1]), 0);
	hash_release(&h);
}

static void
is_empty_at_first(void **state)
{
	struct hash h;

	(void)state;
	hash_init(&h);
	assert_null(hash_find(&h, span_str("a")));
	assert_null(hash_remove(&h, span_str("a")));
	assert_int_equal(hash_count(&h), 0);
	hash_release(&h);
}

/* Two maps order the same keys differently: the key of the function is random. */
static void
is_keyed_at_random(void **state)
{
	struct hash a, b;

	(void)state;
	hash_init(&a);
	hash_init(&b);
	assert_memory_not_equal(a.secret, b.secret, sizeof a.secret);
	assert_true(hash_octets(a.secret, "x", 1) != hash_octets(b.secret, "x", 1));
	hash_release(&a);
	hash_release(&b);
}

/* SipHash-1-3 with the key 00..0f over 00, 00 01, …: values of the reference implementation. */
static void
computes_siphash_1_3(void **state)
{
	static const uint64_t want[] = {0xabac0158050fc4dc, 0xc9f49bf37d57ca93,
	    0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb, 0xcf75576088d38328, 0xdef9d52f49533b67,
	    0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e};
	uint64_t secret[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	unsigned char in[8] = {0, 1, 2, 3, 4, 5, 6, 7};

	(void)state;
	for (size_t n = 0; n <= 8; n++)
		assert_true(hash_octets(secret, in, n) == want[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_empty_at_first),
	    cmocka_unit_test(behaves_like_an_array),
	    cmocka_unit_test(walks_over_every_value_once),
	    cmocka_unit_test(is_keyed_at_random),
	    cmocka_unit_test(computes_siphash_1_3),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
