/*
 * cli: what the three measuring programs (load, sink, bare) share: the clock,
 * numbers and endpoints from the command line, and the way out when those are
 * wrong. Header only and free of the project's own libraries, so that what
 * measures does not contain what is measured.
 */
#ifndef TESTS_BENCH_CLI_H
#define TESTS_BENCH_CLI_H

#include <sys/resource.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Microseconds on the monotonic clock. */
static inline uint64_t
cli_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Seconds since 1970, for comparing with time stamps that others wrote. */
static inline double
cli_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Processor seconds (user and system) this process has used. */
static inline double
cli_cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

enum cli_kind {
	CLI_NUMBER,  /* uint64_t, from min to max */
	CLI_TEXT,    /* const char *, pointing into argv */
	CLI_SWITCH,  /* bool, written on or off */
	CLI_ENDPOINT /* struct sockaddr_in, written ADDRESS:PORT */
};

/* One option of a program; a table of them ends with a NULL name. */
struct cli_option {
	const char *name;
	enum cli_kind kind;
	void *value; /* where to put it; what stands there is the default */
	uint64_t min, max;
};

/* The decimal number in text, min to max; anything else ends the program (64, EX_USAGE). */
static inline uint64_t
cli_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || n < min || n > max)
		errx(64, "--%s: \"%s\" is not a number from %llu to %llu", name, text,
		    (unsigned long long)min, (unsigned long long)max);
	return n;
}

/* True for "on", false for "off"; anything else ends the program (64). */
static inline bool
cli_switch(const char *name, const char *text)
{
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		errx(64, "--%s: \"%s\" is neither on nor off", name, text);
	return strcmp(text, "on") == 0;
}

/* "127.0.0.1:25" into *sin; anything else ends the program (64). */
static inline void
cli_endpoint(const char *name, const char *text, struct sockaddr_in *sin)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);

	if (n == 0 || n >= sizeof(host))
		errx(64, "--%s: \"%s\" is not ADDRESS:PORT", name, text);
	memcpy(host, text, n);
	host[n] = '\0';
	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)cli_number(name, colon + 1, 0, 65535));
	if (inet_pton(AF_INET, host, &sin->sin_addr) != 1)
		errx(64, "--%s: \"%s\" is not an IPv4 address", name, host);
}

/*
 * Reads "--name value" pairs into the places the table names. argv begins
 * with the first option and ends with NULL. What is not in the table ends the
 * program (64) after its usage is printed.
 */
static inline void
cli_parse(char **argv, const struct cli_option *table, const char *usage)
{
	const struct cli_option *o;

	for (; *argv != NULL; argv += 2) {
		for (o = table; o->name != NULL; o++)
			if (strncmp(*argv, "--", 2) == 0 && strcmp(*argv + 2, o->name) == 0)
				break;
		if (o->name == NULL || argv[1] == NULL)
			errx(64, "%s: unknown, or without a value\n%s", *argv, usage);
		switch (o->kind) {
		case CLI_NUMBER:
			*(uint64_t *)o->value = cli_number(o->name, argv[1], o->min, o->max);
			break;
		case CLI_TEXT:
			*(const char **)o->value = argv[1];
			break;
		case CLI_SWITCH:
			*(bool *)o->value = cli_switch(o->name, argv[1]);
			break;
		case CLI_ENDPOINT:
			cli_endpoint(o->name, argv[1], o->value);
			break;
		}
	}
}

#endif
