/*
 * stats: what the load generator counts: how messages ended, by reply code,
 * and three series of latencies in microseconds, kept whole (four bytes each)
 * so that the percentiles printed are exact. Used by load_main.c alone.
 */
#ifndef TESTS_BENCH_STATS_H
#define TESTS_BENCH_STATS_H

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends that have no reply code share its number space below 200. */
enum stats_end {
	STATS_CONNECT = 1, /* connect() failed */
	STATS_CLOSED,	   /* the peer closed or reset in mid-dialogue */
	STATS_SILENT,	   /* nothing heard for --stall seconds */
	STATS_GARBLED,	   /* not an SMTP reply */
	STATS_ENDS = 1000
};

struct series {
	uint32_t *us;
	size_t n, max;
};

struct stats {
	uint64_t started;	/* messages begun, each of which ends below */
	uint64_t accepted;	/* messages answered 250 after the dot */
	uint64_t rcpt_accepted; /* recipients of those messages that had 250 */
	uint64_t failed;
	uint64_t ends[STATS_ENDS];	/* failed messages by code */
	uint64_t rcpt_ends[STATS_ENDS]; /* refused recipients by code */
	struct series connect_250, data_250, dot_250;
};

static inline void
series_init(struct series *s, size_t max)
{
	s->n = 0;
	s->max = max;
	if ((s->us = calloc(max == 0 ? 1 : max, sizeof(*s->us))) == NULL)
		err(71, "%zu latencies", max);
}

static inline void
series_add(struct series *s, uint64_t us)
{
	if (s->n < s->max)
		s->us[s->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static inline int
series_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, and prints "name":{"n":..,"p50":..,"p99":..,"max":..} in milliseconds. */
static inline void
series_print(struct series *s, const char *name)
{
	static const int permille[] = {500, 900, 990};
	static const char *const label[] = {"p50", "p90", "p99"};
	size_t i, rank;

	qsort(s->us, s->n, sizeof(*s->us), series_compare);
	printf("\"%s\":{\"n\":%zu", name, s->n);
	for (i = 0; i < 3 && s->n > 0; i++) {
		rank = (s->n * (size_t)permille[i] + 999) / 1000;
		printf(",\"%s\":%.3f", label[i], s->us[rank - 1] / 1000.0);
	}
	if (s->n > 0)
		printf(",\"max\":%.3f", s->us[s->n - 1] / 1000.0);
	printf("}");
}

static inline void
stats_init(struct stats *st, size_t messages)
{
	*st = (struct stats){0};
	series_init(&st->connect_250, messages);
	series_init(&st->data_250, messages);
	series_init(&st->dot_250, messages);
}

static inline void
stats_release(struct stats *st)
{
	free(st->connect_250.us);
	free(st->data_250.us);
	free(st->dot_250.us);
}

/* Prints "name":{"452":3,"closed":1}. */
static inline void
stats_print_ends(const uint64_t *ends, const char *name)
{
	static const char *const word[] = {"none", "connect", "closed", "silent", "garbled"};
	const char *comma = "";
	size_t i;

	printf("\"%s\":{", name);
	for (i = 0; i < STATS_ENDS; i++) {
		if (ends[i] == 0)
			continue;
		if (i < sizeof(word) / sizeof(word[0]))
			printf("%s\"%s\":%llu", comma, word[i], (unsigned long long)ends[i]);
		else
			printf("%s\"%zu\":%llu", comma, i, (unsigned long long)ends[i]);
		comma = ",";
	}
	printf("}");
}

/* Prints all of it as members of a JSON object; sorts the series. */
static inline void
stats_print(struct stats *st)
{
	printf("\"started\":%llu,\"accepted\":%llu,\"rcpt_accepted\":%llu,\"failed\":%llu,",
	    (unsigned long long)st->started, (unsigned long long)st->accepted,
	    (unsigned long long)st->rcpt_accepted, (unsigned long long)st->failed);
	stats_print_ends(st->ends, "failures");
	printf(",");
	stats_print_ends(st->rcpt_ends, "rcpt_failures");
	printf(",\"latency_ms\":{");
	series_print(&st->connect_250, "connect_250");
	printf(",");
	series_print(&st->data_250, "data_250");
	printf(",");
	series_print(&st->dot_250, "dot_250");
	printf("}");
}

#endif
