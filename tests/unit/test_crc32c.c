/* test_crc32c: known sums, and both ways to compute them give the same. */
#include "common/crc32c.h"

#include "tests/unit/testing.h"

typedef uint32_t crc32c_fn(uint32_t crc, const void *p, size_t n);

static crc32c_fn *const both[] = {crc32c, crc32c_portable};

/* RFC 3720 appendix B.4, and the check value of the polynomial. */
static void
gives_the_known_sums(void **state)
{
	unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
	static const unsigned char read10[48] = {0x01,
	    0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};

	(void)state;
	memset(ones, 0xff, sizeof ones);
	for (unsigned i = 0; i < 32; i++) {
		up[i] = (unsigned char)i;
		down[i] = (unsigned char)(31 - i);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(both[i](0, "", 0), 0);
		assert_int_equal(both[i](0, NULL, 0), 0);
		assert_int_equal(both[i](0, "a", 1), 0xc1d04330);
		assert_int_equal(both[i](0, "123456789", 9), 0xe3069283);
		assert_int_equal(both[i](0, zeros, 32), 0x8a9136aa);
		assert_int_equal(both[i](0, ones, 32), 0x62a8ab43);
		assert_int_equal(both[i](0, up, 32), 0x46dd794e);
		assert_int_equal(both[i](0, down, 32), 0x113fdb5c);
		assert_int_equal(both[i](0, read10, 48), 0xd9963a56);
	}
}

/* Every length and every alignment, in one call and in two. */
static void
is_the_same_however_computed(void **state)
{
	unsigned char octets[80];
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++) {
		x = x * 1664525 + 1013904223;
		octets[i] = (unsigned char)(x >> 24);
	}
	for (size_t from = 0; from < 9; from++) {
		for (size_t n = 0; n <= 64; n++) {
			uint32_t want = crc32c_portable(0, octets + from, n);

			assert_int_equal(crc32c(0, octets + from, n), want);
			for (size_t cut = 0; cut <= n; cut++) {
				uint32_t first = crc32c(0, octets + from, cut);

				assert_int_equal(
				    crc32c(first, octets + from + cut, n - cut), want);
				assert_int_equal(
				    crc32c_join(first, crc32c(0, octets + from + cut, n - cut),
					n - cut),
				    want);
			}
		}
	}
}

/* Of what is longer than a few octets, too. */
static void
joins_long_pieces(void **state)
{
	static unsigned char octets[300000];

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (unsigned char)(i * 7 + i / 255);
	for (size_t cut = 0; cut < sizeof octets; cut += 77777)
		assert_int_equal(
		    crc32c_join(crc32c(0, octets, cut),
			crc32c(0, octets + cut, sizeof octets - cut), sizeof octets - cut),
		    crc32c(0, octets, sizeof octets));
}

static void
sees_every_flipped_bit(void **state)
{
	unsigned char octets[100] =
	    "A record of the queue, of which a bit turned on its way to the disk.";
	uint32_t good = crc32c(0, octets, sizeof octets);

	(void)state;
	for (size_t bit = 0; bit < sizeof octets * 8; bit++) {
		octets[bit / 8] ^= (unsigned char)(1U << (bit % 8));
		assert_int_not_equal(crc32c(0, octets, sizeof octets), good);
		octets[bit / 8] ^= (unsigned char)(1U << (bit % 8));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_the_known_sums),
	    cmocka_unit_test(is_the_same_however_computed),
	    cmocka_unit_test(joins_long_pieces),
	    cmocka_unit_test(sees_every_flipped_bit),
	};

	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
