/*
 * bare: what the disk allows, without a mail server. `bare append` appends
 * records to preallocated files and flushes each group with one fdatasync, as
 * a group commit does. `bare maildir` makes files as a safe delivery does:
 * create in tmp/, write, fsync, rename to new/, fsync of new/. One line of
 * JSON each. Started by tests/bench/bench.py, or by hand.
 */
#include <sys/stat.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/cli.h"

struct bare {
	const char *dir;
	uint64_t threads, group, size, seconds, max, maildirs, records;
	bool dirsync;
	char *record;
	uint64_t deadline;
	pthread_barrier_t ready, go; /* between preparing and measuring */
};

struct worker {
	struct bare *b;
	pthread_t thread;
	uint64_t index, done, flushes, end;
};

/* The worker has made what it needs; returns when all have, and the clock runs. */
static void
worker_prepared(struct worker *w)
{
	pthread_barrier_wait(&w->b->ready);
	pthread_barrier_wait(&w->b->go);
}

static int
open_or_die(int at, const char *name, int flags)
{
	int fd = openat(at, name, flags | O_CLOEXEC, 0600);

	if (fd == -1)
		err(71, "%s", name);
	return fd;
}

static void
write_or_die(int fd, const char *p, size_t n, off_t at)
{
	if (pwrite(fd, p, n, at) != (ssize_t)n)
		err(71, "write of %zu octets", n);
}

/* A group of records, then one flush; round and round in one file of a fixed size. */
static void *
append_worker(void *arg)
{
	struct worker *w = arg;
	struct bare *b = w->b;
	uint64_t at = 0, i;
	int dir = open_or_die(AT_FDCWD, b->dir, O_RDONLY | O_DIRECTORY), fd;
	char name[32];

	snprintf(name, sizeof(name), "segment.%llu", (unsigned long long)w->index);
	fd = open_or_die(dir, name, O_RDWR | O_CREAT | O_TRUNC);
	/* Written once and flushed: a recycled segment, in which nothing is allocated. */
	for (i = 0; i < b->records; i++)
		write_or_die(fd, b->record, b->size, (off_t)(i * b->size));
	if (fsync(fd) == -1)
		err(71, "fsync");

	worker_prepared(w);
	while (w->done < b->max && cli_now_us() < b->deadline) {
		for (i = 0; i < b->group; i++, at = (at + 1) % b->records)
			write_or_die(fd, b->record, b->size, (off_t)(at * b->size));
		if (fdatasync(fd) == -1)
			err(71, "fdatasync");
		w->done += b->group;
		w->flushes++;
	}
	w->end = cli_now_us();
	close(fd);
	unlinkat(dir, name, 0);
	close(dir);
	return NULL;
}

static int
maildir_open(const struct bare *b, uint64_t index, const char *sub)
{
	char path[64];
	int dir = open_or_die(AT_FDCWD, b->dir, O_RDONLY | O_DIRECTORY), fd;

	snprintf(path, sizeof(path), "m%llu", (unsigned long long)index);
	if (mkdirat(dir, path, 0700) == -1 && errno != EEXIST)
		err(71, "%s", path);
	snprintf(path, sizeof(path), "m%llu/%s", (unsigned long long)index, sub);
	if (mkdirat(dir, path, 0700) == -1 && errno != EEXIST)
		err(71, "%s", path);
	fd = open_or_die(dir, path, O_RDONLY | O_DIRECTORY);
	close(dir);
	return fd;
}

static void
maildir_deliver(const struct bare *b, int tmp, int new, const char *name)
{
	int fd = open_or_die(tmp, name, O_WRONLY | O_CREAT | O_EXCL);

	write_or_die(fd, b->record, b->size, 0);
	if (fsync(fd) == -1)
		err(71, "fsync");
	close(fd);
	if (renameat(tmp, name, new, name) == -1)
		err(71, "rename");
	if (b->dirsync && fsync(new) == -1)
		err(71, "fsync of the directory");
}

/* Worker i has the Maildirs whose number is i modulo the number of workers. */
static void *
maildir_worker(void *arg)
{
	struct worker *w = arg;
	struct bare *b = w->b;
	uint64_t mine = (b->maildirs - w->index - 1) / b->threads + 1, i;
	int *tmp = calloc(mine, sizeof(*tmp)), *new = calloc(mine, sizeof(*new));
	char name[64];

	if (tmp == NULL || new == NULL)
		err(71, "%llu Maildirs", (unsigned long long)mine);
	for (i = 0; i < mine; i++) {
		tmp[i] = maildir_open(b, w->index + i * b->threads, "tmp");
		new[i] = maildir_open(b, w->index + i * b->threads, "new");
	}
	worker_prepared(w);
	while (w->done < b->max && cli_now_us() < b->deadline) {
		i = w->done % mine;
		snprintf(name, sizeof(name), "1700000000.Q%llu.%llu.bench",
		    (unsigned long long)w->index, (unsigned long long)w->done);
		maildir_deliver(b, tmp[i], new[i], name);
		w->done++;
		w->flushes += b->dirsync ? 2 : 1;
	}
	w->end = cli_now_us();
	for (i = 0; i < mine; i++) {
		close(tmp[i]);
		close(new[i]);
	}
	free(tmp);
	free(new);
	return NULL;
}

/* Runs the workers to their end; preparing and cleaning up are not in the figures. */
static void
bare_run(struct bare *b, const char *mode, void *(*work)(void *))
{
	struct worker *w = calloc(b->threads, sizeof(*w));
	uint64_t start, end = 0, done = 0, flushes = 0, i;
	double seconds;

	if (w == NULL)
		err(71, "%llu threads", (unsigned long long)b->threads);
	if (pthread_barrier_init(&b->ready, NULL, (unsigned)b->threads + 1) != 0 ||
	    pthread_barrier_init(&b->go, NULL, (unsigned)b->threads + 1) != 0)
		errx(71, "pthread_barrier_init");
	for (i = 0; i < b->threads; i++) {
		w[i].b = b;
		w[i].index = i;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			errx(71, "pthread_create");
	}
	pthread_barrier_wait(&b->ready);
	start = cli_now_us();
	b->deadline = start + b->seconds * 1000000;
	pthread_barrier_wait(&b->go);
	for (i = 0; i < b->threads; i++) {
		pthread_join(w[i].thread, NULL);
		done += w[i].done;
		flushes += w[i].flushes;
		end = w[i].end > end ? w[i].end : end;
	}
	seconds = (double)(end - start) / 1e6;
	printf(
	    "{\"mode\":\"%s\",\"threads\":%llu,\"group\":%llu,\"maildirs\":%llu,\"dirsync\":%s,"
	    "\"size\":%llu,\"done\":%llu,\"flushes\":%llu,\"seconds\":%.3f,\"rate\":%.1f}\n",
	    mode, (unsigned long long)b->threads, (unsigned long long)b->group,
	    (unsigned long long)b->maildirs, b->dirsync ? "true" : "false",
	    (unsigned long long)b->size, (unsigned long long)done, (unsigned long long)flushes,
	    seconds, (double)done / seconds);
	free(w);
}

int
main(int argc, char **argv)
{
	struct bare b = {.dir = ".",
	    .threads = 1,
	    .group = 1,
	    .size = 4096,
	    .seconds = 5,
	    .max = 1000000,
	    .maildirs = 100,
	    .records = 4096,
	    .dirsync = true};
	const struct cli_option options[] = {
	    {"dir", CLI_TEXT, &b.dir, 0, 0},
	    {"threads", CLI_NUMBER, &b.threads, 1, 256},
	    {"group", CLI_NUMBER, &b.group, 1, 4096},
	    {"size", CLI_NUMBER, &b.size, 1, 1 << 20},
	    {"time", CLI_NUMBER, &b.seconds, 1, 3600},
	    {"max", CLI_NUMBER, &b.max, 1, 1000000000},
	    {"maildirs", CLI_NUMBER, &b.maildirs, 1, 5000},
	    {"dirsync", CLI_SWITCH, &b.dirsync, 0, 0},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	static const char usage[] =
	    "usage: bare append --dir EMPTY-DIRECTORY [--threads N] [--group N] [--size "
	    "OCTETS]\n"
	    "  [--time SECONDS] [--max RECORDS-A-THREAD]\n"
	    "       bare maildir --dir EMPTY-DIRECTORY [--threads N] [--maildirs N] [--size "
	    "OCTETS]\n"
	    "  [--dirsync on|off] [--time SECONDS] [--max FILES-A-THREAD]\n";
	bool append = argc > 1 && strcmp(argv[1], "append") == 0;

	if (argc < 2 || (!append && strcmp(argv[1], "maildir") != 0))
		errx(64, "%s", usage);
	cli_parse(argv + 2, options, usage);
	if (b.threads > b.maildirs)
		errx(64, "--threads: at most one for each of the %llu Maildirs",
		    (unsigned long long)b.maildirs);
	if ((b.record = malloc(b.size)) == NULL)
		err(71, "a record of %llu octets", (unsigned long long)b.size);
	memset(b.record, 'x', b.size);
	bare_run(&b, argv[1], append ? append_worker : maildir_worker);
	free(b.record);
	return 0;
}
