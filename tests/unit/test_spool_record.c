/* Record headers, message ids, envelopes: what is written is read, what is damaged is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/buf.h"
#include "common/limits.h"
#include "queue/spool_envelope.h"
#include "queue/spool_record.h"

static const struct spool_record sample = {.generation = 7,
    .instance = 0x1122334455667788,
    .batch = 3,
    .message = 7ULL << 24 | 5,
    .received = 1700000000123,
    .content_len = 4096,
    .envelope_len = 100,
    .envelope_crc = 0xdeadbeef,
    .content_crc = 0x12345678,
    .kind = SPOOL_COPY};

static void
test_record_round_trip(void **state)
{
	unsigned char bytes[SPOOL_RECORD_SIZE];
	struct spool_record r;

	(void)state;
	memset(&r, 0, sizeof r); /* padding too, for the comparison */
	spool_record_format(&sample, bytes);
	assert_int_equal(spool_record_parse(span_make(bytes, sizeof bytes), &r), 0);
	assert_memory_equal(&r, &sample, sizeof r);
	assert_int_equal(spool_record_extent(&r), 4280);
}

static void
test_every_flipped_bit_is_noticed(void **state)
{
	unsigned char bytes[SPOOL_RECORD_SIZE];
	struct spool_record r;

	(void)state;
	spool_record_format(&sample, bytes);
	for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(spool_record_parse(span_make(bytes, sizeof bytes), &r), -1);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof bytes; n++)
		assert_int_equal(spool_record_parse(span_make(bytes, n), &r), -1);
}

static void
test_absurd_lengths(void **state)
{
	unsigned char bytes[SPOOL_RECORD_SIZE];
	struct spool_record r = sample;

	(void)state;
	r.envelope_len = ENVELOPE_MAX + 1;
	spool_record_format(&r, bytes);
	assert_int_equal(spool_record_parse(span_make(bytes, sizeof bytes), &r), -1);
	r = sample;
	r.content_len = UINT64_MAX;
	spool_record_format(&r, bytes);
	assert_int_equal(spool_record_parse(span_make(bytes, sizeof bytes), &r), -1);
}

static void
test_segment_header(void **state)
{
	struct spool_segment_header h = {42, 9, 77, 16 << 20}, back;
	unsigned char page[SPOOL_PAGE];

	(void)state;
	spool_segment_header_format(&h, page);
	assert_int_equal(spool_segment_header_parse(span_make(page, sizeof page), &back), 0);
	assert_memory_equal(&h, &back, sizeof h);
	page[17] ^= 1;
	assert_int_equal(spool_segment_header_parse(span_make(page, sizeof page), &back), -1);
}

static void
test_ids(void **state)
{
	static const uint64_t numbers[] = {
	    0, 1, 31, 32, 1ULL << 24, UINT64_MAX, 0x123456789abcdef};
	char id[SPOOL_ID_SIZE];
	uint64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		spool_id_format(numbers[i], id);
		assert_int_equal(strlen(id), 13);
		assert_int_equal(spool_id_parse(span_str(id), &back), 0);
		assert_true(back == numbers[i]);
	}
	assert_int_equal(spool_id_parse(span_str("0000000000000O"), &back), -1);
	assert_int_equal(spool_id_parse(span_str("000000000000O"), &back), -1);
	assert_int_equal(spool_id_parse(span_str("G000000000000"), &back), -1);
	assert_int_equal(spool_id_parse(span_str("000000000000a"), &back), -1);
	assert_int_equal(spool_id_parse(span_str(""), &back), -1);
}

static void
test_envelope_round_trip(void **state)
{
	struct envelope_recipient rcpts[] = {{.address = span_str("bob@domain1.test")},
	    {.address = span_str("\"a\nrcpt=evil\"@d.test"), .notify = span_str("NEVER")}};
	struct envelope e = {.uid = 1000,
	    .from = span_str("a\\b@d.test"),
	    .helo = span_str("x\nfrom=y"),
	    .eight_bit = true,
	    .recipients = rcpts,
	    .nrecipients = 2};
	struct envelope back;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_int_equal(envelope_format(&e, &b), 0);
	assert_int_equal(envelope_parse(buf_span(&b), &back), 0);
	assert_int_equal(back.nrecipients, 2);
	assert_true(span_eq(back.recipients[1].address, rcpts[1].address));
	assert_true(span_is(back.recipients[1].notify, "NEVER"));
	assert_true(span_eq(back.from, e.from));
	assert_true(span_eq(back.helo, e.helo));
	assert_int_equal(back.uid, 1000);
	assert_true(back.eight_bit);
	assert_false(back.utf8);
	envelope_release(&back);
	buf_release(&b);
}

static void
test_bad_envelopes(void **state)
{
	static const char *const bad[] = {"", "envelope\n", "envelope\nfrom=a@b\n",
	    "envelope\nrcpt=a@b\n", "other\nfrom=\nrcpt=a@b\n", "envelope\nfrom=\nrcpt=a@b",
	    "envelope\nfrom=\nunknown=1\nrcpt=a@b\n", "envelope\norcpt=x\nfrom=\nrcpt=a@b\n"};
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(envelope_parse(span_str(bad[i]), &e), -1);
	assert_int_equal(envelope_parse(span_str("envelope\nfrom=\nrcpt=a@b\n"), &e), 0);
	envelope_release(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_record_round_trip),
	    cmocka_unit_test(test_every_flipped_bit_is_noticed),
	    cmocka_unit_test(test_absurd_lengths),
	    cmocka_unit_test(test_segment_header),
	    cmocka_unit_test(test_ids),
	    cmocka_unit_test(test_envelope_round_trip),
	    cmocka_unit_test(test_bad_envelopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
