/*
 * million: makes a spool with a great many deferred messages of one recipient
 * each, as a long outage of the world leaves it: real segments, written through
 * spool_writer, and a real journal. And measures the queue manager's store on
 * such a spool. Started by tests/bench/bench.py, or by hand:
 *
 *	make     fills a spool (made if it is missing)
 *	thin     settles all but some of them, as when the world is up again
 *	open     opens it: seconds until every recipient is scheduled, memory for each
 *	enqueue  opens it, adds messages and settles them again: microseconds for each,
 *		 those of processor time, too, and the longest turn of the event loop. If a
 *		 child writes a checkpoint, as at a start with a large queue, the same for
 *		 the messages added meanwhile: its copying of pages and its flushes are felt
 *
 * Ends with a line of JSON. The spool is left as it was, but for what `make` adds.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "queue/spool_envelope.h"
#include "queue/spool_writer.h"
#include "queue/store.h"
#include "tests/bench/cli.h"

#define PENDING_MAX 2000 /* messages handed over and not yet durable */

/* Messages added in a stretch of time, and what that took. */
struct stretch {
	uint64_t began, began_cpu, began_intake, began_taken; /* microseconds, messages */
	uint64_t messages, us, cpu_us, intake_us, turn_us, turns;
};

struct million {
	const char *mode, *spool;
	uint64_t count, size, domains, senders, reasons, next, spread, due, keep, segment_size;
	struct event_base *base;
	struct store *store;
	struct spool_writer *writer;
	struct heap deferred;
	int spoolfd;
	char *content;
	uint64_t given, taken, settled; /* messages handed over, taken in, delivered again */
	uint64_t intake_us;
	bool opening;
	struct stretch stretch;
};

static uint64_t
resident(void)
{
	unsigned long long pages = 0, all = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%llu %llu", &all, &pages) != 2)
		errx(71, "/proc/self/statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* As the world answers when it is down; there are a few of each kind. */
static void
defer(struct million *b, struct recipient *r, uint64_t n)
{
	char mta[64];
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, 451, "4.4.1",
	    "The host did not answer (%u): connection timed out", (unsigned)(n % b->reasons));
	snprintf(mta, sizeof mta, "mx%u.domain%u.example", (unsigned)(n % 3),
	    (unsigned)(n % b->domains));
	recipient_set_mta(r, span_str(mta));
	r->attempts = (uint16_t)(1 + n % 7);
	store_defer(b->store, r, &v,
	    (int64_t)time(NULL) +
		(n < b->due ? 0 : (int64_t)(b->next + n * 7919 % (b->spread + 1))));
}

static void
on_message(struct message *m, bool recovered, void *arg)
{
	struct million *b = arg;
	struct recipient *r = m->own;
	struct verdict ok;

	if (recovered && b->opening) {
		if (r->state == RECIPIENT_DEFERRED)
			heap_add(&b->deferred, &r->due, (uint64_t)r->next * 1000);
		return;
	}
	if (recovered)
		return;
	if (strcmp(b->mode, "make") == 0) {
		defer(b, r, b->taken++);
		return;
	}
	b->taken++;
	verdict_set(&ok, VERDICT_OK, 250, "2.0.0", "done");
	store_deliver(b->store, r, &ok);
}

static void
on_gone(struct message *m, void *arg)
{
	(void)m;
	((struct million *)arg)->settled++;
}

static void
on_ready(void *arg)
{
	(void)arg;
}

static void
on_space(bool room, void *arg)
{
	(void)arg;
	if (!room)
		errx(1, "the disk is full");
}

static const struct store_ops store_ops = {
    .on_message = on_message, .on_gone = on_gone, .on_ready = on_ready, .on_space = on_space};

static void
on_durable(uint64_t segment, uint64_t generation, uint64_t offset, void *arg)
{
	struct million *b = arg;
	struct spool_segment *s = segment_pool_find(store_pool(b->store), segment, false);
	uint64_t began = cli_now_us();

	(void)generation;
	if (s == NULL || store_intake(b->store, s, offset) != 0)
		errx(1, "segment %" PRIu64 " does not have what was written", segment);
	b->intake_us += cli_now_us() - began;
}

static void
on_sealed(
    uint64_t segment, uint64_t generation, uint64_t offset, enum spool_seal why, void *arg)
{
	struct million *b = arg;
	struct spool_segment *s = segment_pool_find(store_pool(b->store), segment, false);

	(void)generation, (void)offset, (void)why;
	if (s != NULL)
		store_seal(b->store, s);
}

static const struct spool_writer_ops writer_ops = {
    .on_durable = on_durable, .on_sealed = on_sealed};

static void
on_done(const struct verdict *v, void *arg)
{
	(void)arg;
	if (v->kind != VERDICT_OK)
		errx(1, "a message was not written: %s", v->text);
}

static void
make_directories(const char *spool)
{
	static const char *const names[] = {
	    "", "/segments", "/large", "/journal", "/corrupt", "/drop"};
	char path[4096];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", spool, names[i]);
		if (mkdir(path, i == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
			err(73, "%s", path);
	}
}

static void
open_store(struct million *b)
{
	b->opening = strcmp(b->mode, "make") != 0;
	b->store = store_open(b->base, b->spoolfd, b->segment_size, &store_ops, b);
	if (b->store == NULL)
		errx(1, "%s: see above", b->spool);
	b->opening = false;
}

/* Two segments in hand, as a worker has. */
static void
supply(struct million *b)
{
	while (spool_writer_left(b->writer) < MESSAGE_INLINE_MAX * 2) {
		int fd;
		struct spool_segment *s = segment_pool_take(store_pool(b->store), b, &fd);

		if (s != NULL)
			spool_writer_add_segment(b->writer, s->number, s->generation,
			    store_instance(b->store), s->size, s->accounted, fd);
		else
			event_base_loop(b->base, EVLOOP_ONCE);
	}
}

static void
hand_over(struct million *b, uint64_t n)
{
	char from[64], to[64];
	struct envelope_recipient r = {.address = {to, 0}};
	struct envelope e = {.uid = -1,
	    .from = {from, 0},
	    .client = span_str("192.0.2.1"),
	    .helo = span_str("client.example"),
	    .recipients = &r,
	    .nrecipients = 1};
	struct buf text;

	e.from.len = (size_t)snprintf(
	    from, sizeof from, "sender%" PRIu64 "@origin.example", n % b->senders);
	r.address.len = (size_t)snprintf(
	    to, sizeof to, "user%" PRIu64 "@domain%" PRIu64 ".example", n, n % b->domains);
	buf_init(&text, ENVELOPE_MAX);
	if (envelope_format(&e, &text) != 0)
		errx(70, "an envelope does not fit");
	spool_writer_commit(b->writer, spool_writer_next_message(b->writer),
	    (int64_t)time(NULL) * 1000, buf_span(&text), span_make(b->content, b->size),
	    on_done, b);
	buf_release(&text);
}

static uint64_t
cpu_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A turn of the loop; its length is what it used of the processor, since others may have it meanwhile. */
static void
turn(struct million *b)
{
	uint64_t began = cpu_us(CLOCK_THREAD_CPUTIME_ID), us;

	event_base_loop(b->base, EVLOOP_ONCE);
	us = cpu_us(CLOCK_THREAD_CPUTIME_ID) - began;
	if (us > b->stretch.turn_us)
		b->stretch.turn_us = us;
	b->stretch.turns++;
}

static void
begin_stretch(struct million *b)
{
	b->stretch = (struct stretch){.began = cli_now_us(),
	    .began_cpu = cpu_us(CLOCK_PROCESS_CPUTIME_ID),
	    .began_intake = b->intake_us,
	    .began_taken = b->taken};
}

static struct stretch
end_stretch(struct million *b)
{
	struct stretch s = b->stretch;

	s.messages = b->taken - s.began_taken;
	s.us = cli_now_us() - s.began;
	s.cpu_us = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - s.began_cpu;
	s.intake_us = b->intake_us - s.began_intake;
	return s;
}

static bool
always(void)
{
	return true;
}

static bool
has_child(void)
{
	siginfo_t i;

	return waitid(P_ALL, 0, &i, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Adds up to count messages, while there is reason to, and waits until they are in the queue. */
static void
write_messages(struct million *b, uint64_t count, bool (*go_on)(void))
{
	uint64_t end = b->given + count;

	b->writer = spool_writer_new(b->base, &writer_ops, b);
	segment_pool_keep_ready(store_pool(b->store), 3);
	while ((b->given < end && go_on()) || spool_writer_pending(b->writer) > 0) {
		while (b->given < end && go_on() &&
		       spool_writer_pending(b->writer) < PENDING_MAX) {
			supply(b);
			hand_over(b, b->given++);
		}
		turn(b);
	}
	spool_writer_free(&b->writer);
}

static uint64_t
octets_in(int spoolfd, const char *name)
{
	int fd = openat(spoolfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	uint64_t sum = 0;
	struct stat st;

	if (d == NULL)
		err(71, "%s", name);
	while ((e = readdir(d)) != NULL)
		if (fstatat(fd, e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	closedir(d);
	return sum;
}

static void
run_make(struct million *b)
{
	uint64_t began = cli_now_us();

	open_store(b);
	write_messages(b, b->count, always);
	store_close(&b->store);
	printf("{\"mode\":\"make\",\"messages\":%" PRIu64
	       ",\"seconds\":%.3f,\"segments\":%" PRIu64 ",\"journal\":%" PRIu64 "}\n",
	    b->taken, (double)(cli_now_us() - began) / 1e6, octets_in(b->spoolfd, "segments"),
	    octets_in(b->spoolfd, "journal"));
}

/* Settles them all over the segments, and waits until that is on disk. */
static void
run_thin(struct million *b)
{
	struct verdict ok;
	struct message *m;
	uint64_t n = 0, left;
	size_t at = 0;

	heap_init(&b->deferred);
	open_store(b);
	verdict_set(&ok, VERDICT_OK, 250, "2.0.0", "done");
	for (; (m = store_next(b->store, &at)) != NULL; n++)
		if (n * 37 % 100 >= b->keep)
			store_deliver(b->store, m->own, &ok);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	store_flush(b->store);
	left = store_counts(b->store)->messages;
	store_close(&b->store);
	heap_release(&b->deferred);
	printf("{\"mode\":\"thin\",\"messages\":%" PRIu64 ",\"left\":%" PRIu64
	       ",\"segments\":%" PRIu64 "}\n",
	    n, left, octets_in(b->spoolfd, "segments"));
}

static void
run_open(struct million *b)
{
	uint64_t before = resident(), began = cli_now_us(), us, after;

	heap_init(&b->deferred);
	open_store(b);
	us = cli_now_us() - began;
	after = resident();
	printf("{\"mode\":\"open\",\"messages\":%" PRIu64 ",\"deferred\":%zu,\"seconds\":%.3f,"
	       "\"memory\":%" PRIu64 ",\"each\":%.1f}\n",
	    store_counts(b->store)->messages, heap_count(&b->deferred), (double)us / 1e6,
	    after - before,
	    (double)(after - before) /
		(double)(heap_count(&b->deferred) > 0 ? heap_count(&b->deferred) : 1));
	fflush(stdout);
	store_close(&b->store);
	heap_release(&b->deferred);
}

static void
print_stretch(const char *name, const struct stretch *s)
{
	double n = s->messages > 0 ? (double)s->messages : 1;

	printf(",\"%s\":{\"messages\":%" PRIu64 ",\"seconds\":%.3f,\"each_us\":%.3f,"
	       "\"cpu_us\":%.3f,\"intake_us\":%.3f,\"turns\":%" PRIu64 ",\"turn_us\":%" PRIu64
	       "}",
	    name, s->messages, (double)s->us / 1e6, (double)s->us / n, (double)s->cpu_us / n,
	    (double)s->intake_us / n, s->turns, s->turn_us);
}

static void
run_enqueue(struct million *b)
{
	struct stretch meanwhile = {0}, after;
	uint64_t queued;

	heap_init(&b->deferred);
	open_store(b);
	queued = store_counts(b->store)->messages;
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	if (has_child()) {
		begin_stretch(b);
		write_messages(b, b->count, has_child);
		meanwhile = end_stretch(b);
	}
	while (has_child())
		event_base_loop(b->base, EVLOOP_ONCE);
	begin_stretch(b);
	write_messages(b, b->count, always);
	after = end_stretch(b);
	printf("{\"mode\":\"enqueue\",\"queued\":%" PRIu64, queued);
	print_stretch("enqueue", &after);
	print_stretch("beside_checkpoint", &meanwhile);
	printf("}\n");
	store_close(&b->store);
	heap_release(&b->deferred);
}

static void
run(struct million *b, const char *usage)
{
	if (strcmp(b->mode, "make") == 0)
		run_make(b);
	else if (strcmp(b->mode, "thin") == 0)
		run_thin(b);
	else if (strcmp(b->mode, "open") == 0)
		run_open(b);
	else if (strcmp(b->mode, "enqueue") == 0)
		run_enqueue(b);
	else
		errx(64, "--mode: %s\n%s", b->mode, usage);
}

int
main(int argc, char **argv)
{
	struct million b = {.mode = "make",
	    .count = 1000000,
	    .size = 2048,
	    .domains = 1000,
	    .senders = 10000,
	    .reasons = 100,
	    .next = 3600,
	    .spread = 14400,
	    .keep = 30,
	    .segment_size = 16U << 20};
	const struct cli_option options[] = {
	    {"mode", CLI_TEXT, &b.mode, 0, 0},
	    {"spool", CLI_TEXT, &b.spool, 0, 0},
	    {"count", CLI_NUMBER, &b.count, 1, 100000000},
	    {"size", CLI_NUMBER, &b.size, 1, MESSAGE_INLINE_MAX},
	    {"domains", CLI_NUMBER, &b.domains, 1, 100000000},
	    {"senders", CLI_NUMBER, &b.senders, 1, 100000000},
	    {"reasons", CLI_NUMBER, &b.reasons, 1, 100000000},
	    {"next", CLI_NUMBER, &b.next, 0, 86400 * 5},
	    {"spread", CLI_NUMBER, &b.spread, 0, 86400 * 5},
	    {"due", CLI_NUMBER, &b.due, 0, 100000000},
	    {"keep", CLI_NUMBER, &b.keep, 1, 100},
	    {"segment", CLI_NUMBER, &b.segment_size, 1U << 20, 1U << 30},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	static const char usage[] =
	    "usage: million --mode make|thin|open|enqueue --spool DIRECTORY [--count N] "
	    "[--size "
	    "OCTETS]\n"
	    "  [--domains N] [--senders N] [--reasons N] [--next SECONDS] [--spread SECONDS]\n"
	    "  [--due MESSAGES] [--keep PERCENT] [--segment OCTETS]\n";

	cli_parse(argc > 0 ? argv + 1 : argv, options, usage);
	if (b.spool == NULL)
		errx(64, "--spool is missing\n%s", usage);
	log_init("million", LOG_LEVEL_WARN);
	mallopt(M_MMAP_THRESHOLD, 1 << 20); /* as queue_main.c */
	make_directories(b.spool);
	b.spoolfd = open(b.spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b.spoolfd < 0)
		err(66, "%s", b.spool);
	b.base = event_base_new();
	b.content = malloc(b.size);
	if (b.content == NULL)
		err(71, "%" PRIu64 " octets", b.size);
	memset(b.content, 'x', b.size);
	for (size_t i = 70; i < b.size; i += 71)
		b.content[i] = '\n';
	run(&b, usage);
	event_base_free(b.base);
	close(b.spoolfd);
	free(b.content);
	return 0;
}
