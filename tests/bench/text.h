/*
 * text: the messages and recipients the load generator sends. A message is a
 * header with its own number and a body all messages share, so that nothing
 * is built per message but some two hundred octets. Used by load_main.c.
 */
#ifndef TESTS_BENCH_TEXT_H
#define TESTS_BENCH_TEXT_H

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct text {
	const char *from;    /* reverse-path */
	const char *pattern; /* of recipients: %u is a user's number, %d a domain's */
	uint64_t domains, users;
	char *body; /* with the final dot line */
	size_t body_len;
};

/* The header of message n into p, NUL-terminated; returns its length, the same for every n. */
static inline size_t
text_header(const struct text *t, char *p, size_t max, uint64_t n)
{
	int len = snprintf(p, max,
	    "From: <%s>\r\nTo: recipients:;\r\nSubject: message %010llu of a measurement\r\n"
	    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
	    "Message-ID: <%010llu.%010u@bench.test>\r\n\r\n",
	    t->from, (unsigned long long)n, (unsigned long long)n, (unsigned)getpid());

	return len < 0 ? 0 : (size_t)len;
}

/* Makes the body, so that header and body are `size` octets. Ends the program if too few. */
static inline void
text_init(struct text *t, size_t size)
{
	static const char words[] =
	    "The quick brown fox jumps over the lazy dog and is measured doing it. ";
	char sample[1024];
	size_t n, i = 0, line = 0, header = text_header(t, sample, sizeof(sample), 0);

	if (size < header + 4)
		errx(64, "--size: a message has at least %zu octets", header + 4);
	n = size - header;
	if ((t->body = malloc(n + 3)) == NULL)
		err(71, "a message of %zu octets", size);
	while (i < n) {
		size_t left = n - i;
		/* Lines of 76 with their line end; what is left is never less than an end. */
		size_t take = left > 80 ? 74 : left > 76 ? left - 6 : left - 2;

		for (size_t k = 0; k < take; k++)
			t->body[i++] = words[(line + k) % (sizeof(words) - 1)];
		t->body[i++] = '\r';
		t->body[i++] = '\n';
		line++;
	}
	memcpy(t->body + n, ".\r\n", 3);
	t->body_len = n + 3;
}

/* The n-th recipient of a run into p: each is in another domain than the one before. */
static inline void
text_rcpt(const struct text *t, char *p, size_t max, uint64_t n)
{
	size_t len = 0;
	const char *s;

	for (s = t->pattern; *s != '\0' && len + 24 < max; s++) {
		unsigned long long d = n % t->domains, u = n / t->domains % t->users;

		if (*s == '%' && (s[1] == 'u' || s[1] == 'd')) {
			s++;
			len += (size_t)snprintf(
			    p + len, max - len, "%llu", (*s == 'u' ? u : d) + 1);
		} else
			p[len++] = *s;
	}
	p[len] = '\0';
}

#endif
