/*
 * Segments as no writer left them: cut short, with zeros at their end, with garbage
 * behind a good header page, with records of a later version; and a file system that
 * cannot allocate. Recovery takes what is whole, calls damaged only what had been
 * durable, and never gives a number twice.
 */
#include "tests/unit/spool_files.h"

#include <sys/syscall.h>

#include "common/log.h"
#include "queue/spool_scan.h"
#include "queue/store_parts.h"

static bool no_fallocate;

/* libc's call, as the library under test sees it. */
int
fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (no_fallocate) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

/* The first write of zeros takes so many octets and no more; those behind it fail, unless this is 0. */
static size_t takes;
static int then_fails;

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	if (takes > 0 && n > SPOOL_PAGE) {
		if (offset > 0 && then_fails != 0) {
			errno = then_fails;
			return -1;
		}
		n = n < takes ? n : takes;
	}
	return syscall(SYS_pwrite64, fd, p, n, offset);
}

#define MESSAGES 9U

/* A stopped spool with MESSAGES messages, each in a batch of its own, in one segment. */
struct shapes {
	struct fixture f;
	uint64_t numbers[MESSAGES], ends[MESSAGES];
	char path[128]; /* of the segment */
	char *octets;	/* as they were */
	size_t size;
};

static void
load(struct shapes *s)
{
	struct stat st;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	s->size = (size_t)st.st_size;
	s->octets = xmalloc(s->size);
	assert_true(read(fd, s->octets, s->size) == (ssize_t)s->size);
	close(fd);
}

static struct shapes *
begin(void)
{
	struct shapes *s = xcalloc(1, sizeof *s);
	char name[SPOOL_NAME_SIZE], content[3000];
	const struct spool_segment *seg;

	fixture_init(&s->f);
	fixture_add_writer(&s->f);
	for (unsigned i = 0; i < MESSAGES; i++) {
		memset(content, 'a' + (int)i, sizeof content);
		content[500 + 270 * i] = '\0';
		s->numbers[i] = fixture_send(&s->f, content);
	}
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct message *m = store_find(s->f.store, s->numbers[i]);

		s->ends[i] = m->offset + SPOOL_RECORD_SIZE + m->envelope_len + m->content_len;
	}
	seg = store_find(s->f.store, s->numbers[0])->segment;
	snprintf(s->path, sizeof s->path, "%s/segments/%s", s->f.path,
	    spool_segment_name(seg->number, false, name));
	fixture_close(&s->f);
	load(s);
	return s;
}

static void
end(struct shapes *s)
{
	event_base_free(s->f.base);
	close(s->f.spoolfd);
	nftw(s->f.path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
	free(s->octets);
	free(s);
}

/* Writes the segment anew: its first n octets as they were, then zeros up to size. */
static void
write_shape(const struct shapes *s, size_t n, size_t size)
{
	int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, s->octets, n) == (ssize_t)n);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

/* How many of the messages end before that octet. */
static unsigned
whole_before(const struct shapes *s, size_t n)
{
	unsigned whole = 0;

	while (whole < MESSAGES && s->ends[whole] <= n)
		whole++;
	return whole;
}

struct scanned {
	uint64_t numbers[MESSAGES + 1];
	unsigned n;
};

static void
on_record(struct spool_segment *seg, uint64_t offset, const struct spool_record *r,
    struct span envelope, void *arg)
{
	struct scanned *found = arg;

	(void)seg, (void)offset, (void)envelope;
	assert_true(found->n < MESSAGES);
	found->numbers[found->n++] = r->message;
}

static void
check_scan(const struct shapes *s, unsigned want)
{
	struct spool_scan_result result;
	struct scanned found = {.n = 0};
	struct spool_segment *seg;
	struct spool_segment_header h;
	const char *why = "";
	int dirfd = openat(s->f.spoolfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(spool_segment_header_parse(span_make(s->octets, SPOOL_PAGE), &h), 0);
	seg = spool_segment_open(dirfd, strrchr(s->path, '/') + 1, false, h.instance, &why);
	assert_non_null(seg);
	spool_segment_scan(
	    seg, h.instance, SPOOL_PAGE, seg->size, true, on_record, &found, &result);
	assert_int_equal(found.n, want);
	for (unsigned i = 0; i < want; i++)
		assert_true(found.numbers[i] == s->numbers[i]);
	assert_int_equal(result.damaged, 0);
	spool_segment_free(&seg);
	close(dirfd);
}

/* Cut at every 53rd octet, or zeros from there on: what is whole before it is found, in order. */
static void
test_cut_anywhere(void **state)
{
	struct shapes *s = begin();
	size_t last = s->ends[MESSAGES - 1] + SPOOL_PAGE;

	(void)state;
	for (size_t n = SPOOL_PAGE; n < last; n += 53) {
		unsigned whole = whole_before(s, n);

		write_shape(s, n, n);
		check_scan(s, whole);
		write_shape(s, n, s->size);
		check_scan(s, whole);
	}
	end(s);
}

/* The same with the whole of recovery, without a journal that would know of what is missing. */
static void
test_prefix_survives_recovery(void **state)
{
	static const size_t zeros[] = {4096, 65536};
	struct shapes *s = begin();
	size_t last = spool_page_align(s->ends[MESSAGES - 1]);

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		size_t n =
		    i < 2 ? last - (zeros[i] < last - SPOOL_PAGE ? zeros[i] : last - SPOOL_PAGE)
			  : SPOOL_PAGE + (last - SPOOL_PAGE) * (i - 2) / 10 + 7;

		spool_files_remove_journal(s->f.spoolfd);
		write_shape(s, n, i % 2 == 0 ? s->size : n);
		fixture_open(&s->f);
		assert_int_equal(s->f.nseen, whole_before(s, n));
		assert_int_equal(store_counts(s->f.store)->damaged, 0);
		fixture_close(&s->f);
	}
	end(s);
}

/* A record of a kind that only a later version knows: the others are used, and it is kept. */
static void
test_unknown_kind_is_kept(void **state)
{
	struct shapes *s = begin();
	struct spool_record r;
	size_t at = SPOOL_PAGE, next;
	unsigned char header[SPOOL_RECORD_SIZE];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(
		    spool_record_parse(span_make(s->octets + at, SPOOL_RECORD_SIZE), &r), 0);
		next = spool_page_align(at + spool_record_extent(&r));
		if (i < 3)
			at = next;
	}
	r.kind = 7;
	spool_record_format(&r, header);
	memcpy(s->octets + at, header, sizeof header);
	spool_files_remove_journal(s->f.spoolfd);
	write_shape(s, s->size, s->size);
	for (unsigned i = 0; i < 2; i++) {
		fixture_open(&s->f);
		assert_int_equal(s->f.nseen, MESSAGES - 1);
		assert_null(store_find(s->f.store, s->numbers[3]));
		if (i == 0) {
			assert_int_equal(store_counts(s->f.store)->damaged, 1);
			assert_true(s->f.seen[0]->segment->damaged);
		}
		fixture_close(&s->f);
	}
	assert_int_equal(
	    spool_files_count(s->f.spoolfd, "corrupt"), 2); /* the segment, and the reason */
	end(s);
}

/* Anything at all behind a good header page. */
static void
test_garbage(void **state)
{
	struct shapes *s = begin();
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (size_t at = SPOOL_PAGE; at + 8 <= s->size; at += 8) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		memcpy(s->octets + at, &random, 8);
		/* Now and then something that looks like a record. */
		if (random % 64 == 0)
			memcpy(s->octets + at, "PRr1\0\0\0\1", 8);
	}
	spool_files_remove_journal(s->f.spoolfd);
	write_shape(s, s->size, s->size);
	fixture_open(&s->f);
	assert_int_equal(s->f.nseen, 0);
	fixture_close(&s->f);
	end(s);
}

/* A file system that cannot allocate: files are written full of zeros instead. */
static void
test_without_fallocate(void **state)
{
	struct fixture f;
	struct stat st;
	char path[128], name[SPOOL_NAME_SIZE];
	uint64_t number;

	(void)state;
	no_fallocate = true;
	fixture_init(&f);
	fixture_add_writer(&f);
	number = fixture_send(&f, "Subject: x\n\nhello\n");
	assert_int_equal(f.acked, 1);
	snprintf(path, sizeof path, "segments/%s",
	    spool_segment_name(store_find(f.store, number)->segment->number, false, name));
	assert_int_equal(fstatat(f.spoolfd, path, &st, 0), 0);
	assert_int_equal(st.st_size, FIXTURE_SEGMENT);
	assert_true((uint64_t)st.st_blocks * 512 >= FIXTURE_SEGMENT);
	fixture_reopen(&f);
	assert_int_equal(f.nseen, 1);
	fixture_release(&f);
	no_fallocate = false;
}

/* Nor writes all at once: it goes on behind what was taken, and what fails then is told, not that nothing is allocated there. */
static void
test_short_without_fallocate(void **state)
{
	static const int errors[] = {0, ENOSPC, EDQUOT, EIO};

	(void)state;
	no_fallocate = true;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct spool_segment_header h = {
		    .number = 7, .generation = 1, .instance = 1, .size = 300000};
		char path[] = "/tmp/postrider-test.XXXXXX", name[SPOOL_NAME_SIZE];
		atomic_bool hurry = true; /* which changes nothing: the zeros are the room */
		struct stat st;
		int dirfd, r;

		assert_non_null(mkdtemp(path));
		dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		takes = 10000;
		then_fails = errors[i];
		r = spool_segment_create(dirfd, &h, false, i % 2 != 0 ? &hurry : NULL);
		assert_int_equal(r == 0 ? 0 : errno, errors[i]);
		takes = 0;
		assert_int_equal(fstatat(dirfd, spool_segment_name(7, false, name), &st, 0), r);
		if (r == 0)
			assert_int_equal(st.st_size, 300000);
		close(dirfd);
		nftw(path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
	}
	no_fallocate = false;
}

/* A message of n octets, of which no two places look alike. The caller frees. */
static char *
content_of(size_t n)
{
	char *text = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 26);
	text[n] = '\0';
	return text;
}

/* CA-25: what just fits into the rest of a segment, an octet less, and an octet more, which begins the next. */
static void
test_up_to_the_last_octet(void **state)
{
	(void)state;
	for (int delta = -1; delta <= 1; delta++) {
		struct fixture f;
		struct message *m;
		struct buf back;
		uint64_t first, second, segment;
		size_t size;
		char *text;

		fixture_init(&f);
		fixture_add_writer(&f);
		fixture_add_writer(&f);
		first = fixture_send(&f, "x\n");
		m = store_find(f.store, first);
		segment = m->segment->number;
		size = (size_t)(FIXTURE_SEGMENT - spool_page_align(m->segment->accounted) -
				SPOOL_RECORD_SIZE - m->envelope_len);
		size = (size_t)((int64_t)size + delta);
		text = content_of(size);
		second = fixture_send(&f, text);
		assert_int_equal(f.acked, 2);
		fixture_reopen(&f);
		assert_int_equal(f.nseen, 2);
		m = store_find(f.store, second);
		assert_non_null(m);
		assert_true((m->segment->number == segment) == (delta <= 0));
		buf_init(&back, FIXTURE_SEGMENT);
		assert_int_equal(store_read_content(f.store, m, &back), 0);
		assert_true(span_is(buf_span(&back), text));
		buf_release(&back);
		free(text);
		fixture_release(&f);
	}
}

/* A message's number comes of no clock: whatever is lost meanwhile, none is given twice. */
static void
test_numbers_only_grow(void **state)
{
	struct fixture f;
	uint64_t last = 0;

	(void)state;
	fixture_init(&f);
	for (unsigned life = 0; life < 7; life++) {
		char command[128];

		fixture_add_writer(&f);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t number = fixture_send(&f, "x\n");

			assert_true(number > last);
			last = number;
		}
		fixture_close(&f);
		/* Now all segments are gone, now the journal: never both. */
		snprintf(command, sizeof command, "rm -f %s/%s", f.path,
		    life % 3 == 0   ? "segments/*"
		    : life % 3 == 1 ? "journal/*.log"
				    : "nothing");
		assert_int_equal(system(command), 0);
		fixture_open(&f);
	}
	fixture_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_anywhere),
	    cmocka_unit_test(test_prefix_survives_recovery),
	    cmocka_unit_test(test_unknown_kind_is_kept),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_without_fallocate),
	    cmocka_unit_test(test_short_without_fallocate),
	    cmocka_unit_test(test_up_to_the_last_octet),
	    cmocka_unit_test(test_numbers_only_grow),
	};

	log_init("test", LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
