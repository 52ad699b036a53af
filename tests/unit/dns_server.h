/*
 * dns_server: a name server on loopback for tests, on the loop of the test: answers from a
 * table, says NXDOMAIN (with an SOA) of other names, and nothing at all where it is told to.
 */
#ifndef TESTS_UNIT_DNS_SERVER_H
#define TESTS_UNIT_DNS_SERVER_H

#include "tests/unit/testing.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/netaddr.h"

struct dns_row {
	const char *name, *type; /* "A", "AAAA", "MX", "PTR" */
	const char *
	    data; /* address or name; "SERVFAIL", "SILENCE", "EMPTY": the name has other records */
};

struct dns_server {
	const struct dns_row *rows;
	struct event *event;
	int fd;
	unsigned asked;
	char address[32];
};

static inline void
dns_add16(struct buf *b, unsigned v)
{
	buf_add_char(b, (char)(v >> 8));
	buf_add_char(b, (char)v);
}

static inline void
dns_add_name(struct buf *b, const char *name)
{
	struct span rest = span_str(name);

	while (rest.p != NULL && rest.len > 0) {
		struct span label = span_cut(&rest, '.');

		buf_add_char(b, (char)label.len);
		buf_add_span(b, label);
	}
	buf_add_char(b, '\0');
}

static inline unsigned
dns_type(const char *type)
{
	return strcmp(type, "A") == 0	   ? 1
	       : strcmp(type, "SOA") == 0  ? 6
	       : strcmp(type, "PTR") == 0  ? 12
	       : strcmp(type, "MX") == 0   ? 15
	       : strcmp(type, "AAAA") == 0 ? 28
					   : 0;
}

static inline void
dns_add_record(struct buf *b, const char *name, unsigned type, const char *data)
{
	struct buf d;
	struct netaddr a;

	buf_init(&d, 1024);
	if (type == 1 || type == 28) {
		assert_int_equal(netaddr_parse(span_str(data), &a), 0);
		buf_add(&d, a.ip, type == 1 ? 4 : 16);
	} else if (type == 6) {
		buf_add(&d, "\0\0", 2);
		for (int i = 0; i < 10; i++)
			dns_add16(&d, 60);
	} else {
		if (type == 15)
			dns_add16(&d, 10);
		dns_add_name(&d, strcmp(data, ".") == 0 ? "" : data);
	}
	dns_add_name(b, name);
	dns_add16(b, type);
	dns_add16(b, 1);
	dns_add16(b, 0);
	dns_add16(b, 60);
	dns_add16(b, (unsigned)d.len);
	buf_add_span(b, buf_span(&d));
	buf_release(&d);
}

/* The question's name in lower case, and its type. */
static inline unsigned
dns_question(const unsigned char *p, size_t n, char name[256], size_t *end)
{
	size_t at = 12, len = 0;

	while (at < n && p[at] != 0) {
		unsigned octets = p[at++];

		if (len > 0)
			name[len++] = '.';
		while (octets-- > 0)
			name[len++] =
			    (char)(p[at] >= 'A' && p[at] <= 'Z' ? p[at] | 0x20 : p[at]),
			at++;
	}
	name[len] = '\0';
	*end = at + 5;
	return (unsigned)p[at + 1] << 8 | p[at + 2];
}

static inline void
dns_server_on_question(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *s = arg;
	unsigned char in[2048];
	struct sockaddr_storage from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
	unsigned type, found = 0, known = 0, rcode = 0;
	char name[256];
	struct buf answers, out;
	size_t end;

	(void)what;
	assert_true(n > 16);
	s->asked++;
	type = dns_question(in, (size_t)n, name, &end);
	buf_init(&answers, 65000);
	for (const struct dns_row *r = s->rows; r->name != NULL; r++) {
		if (strcmp(r->name, name) != 0)
			continue;
		known++;
		if (strcmp(r->data, "SILENCE") == 0)
			return;
		if (strcmp(r->data, "SERVFAIL") == 0)
			rcode = 2;
		else if (dns_type(r->type) == type && strcmp(r->data, "EMPTY") != 0) {
			dns_add_record(&answers, name, type, r->data);
			found++;
		}
	}
	if (known == 0)
		rcode = 3;
	buf_init(&out, 65000);
	buf_add(&out, in, 2);
	dns_add16(&out, 0x8180 | rcode);
	dns_add16(&out, 1);
	dns_add16(&out, found);
	dns_add16(&out, found == 0);
	dns_add16(&out, 0);
	buf_add(&out, in + 12, end - 12);
	buf_add_span(&out, buf_span(&answers));
	if (found == 0)
		dns_add_record(&out, "", 6, "");
	sendto(fd, out.p, out.len, 0, (struct sockaddr *)&from, len);
	buf_release(&out);
	buf_release(&answers);
}

static inline void
dns_server_init(struct dns_server *s, struct event_base *base, const struct dns_row *rows)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	*s = (struct dns_server){.rows = rows, .fd = socket(AF_INET, SOCK_DGRAM, 0)};
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(a.sin_port));
	s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, dns_server_on_question, s);
	event_add(s->event, NULL);
}

static inline void
dns_server_release(struct dns_server *s)
{
	event_free(s->event);
	close(s->fd);
}

#endif
