/*
 * cmd_queue_cat: postrider queue cat: a message's content as it lies in the spool, on
 * standard output, octet by octet (LF line ends); with --envelope its envelope before it. The queue
 * manager hands over a read-only descriptor; this program opens no file.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/xalloc.h"
#include "queue/cmd_queue.h"
#include "queue/cmd_verbs.h"

#define PIECE (3U * 16384) /* a multiple of three, so that base64 of pieces can be joined */

/* Where the content is, as the queue manager says. */
struct content {
	int fd;
	uint64_t offset, size;
	uint32_t crc;
	ino_t file;
};

/* The next piece at *at, which is moved. 0 at the end, -1 after a line on standard error. */
static ssize_t
read_piece(const struct content *c, uint64_t *at, char piece[PIECE])
{
	size_t n = c->size - *at < PIECE ? (size_t)(c->size - *at) : PIECE, got = 0;

	while (got < n) {
		ssize_t r = pread(c->fd, piece + got, n - got, (off_t)(c->offset + *at + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			cmd_fail(EX_IOERR, "the message cannot be read: %s",
			    r < 0 ? strerror(errno) : "its file is too short");
			return -1;
		}
		got += (size_t)r;
	}
	*at += n;
	return (ssize_t)n;
}

static int
copy_content(const struct content *c)
{
	char piece[PIECE];
	uint64_t at = 0;
	ssize_t n;

	while ((n = read_piece(c, &at, piece)) > 0) {
		if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
			return cmd_fail(EX_IOERR, "cannot write: %s", strerror(errno));
	}
	return n < 0 ? EX_IOERR : 0;
}

static void
print_envelope(const struct wire_msg *m)
{
	static const char *const names[] = {
	    "from", "recipient", "client", "helo", "auth", "uid"};

	for (size_t i = 0; i < m->nfields; i++) {
		for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
			if (!span_is(m->fields[i].name, names[k]))
				continue;
			printf("%s: ", names[k]);
			cmd_print_span(m->fields[i].value);
			putchar('\n');
		}
	}
	putchar('\n');
}

/* Base64 (RFC 4648) of the content, or NULL. Mail may hold any octet, a JSON string may not. */
static json_t *
content_to_json(const struct content *c)
{
	size_t used = 0;
	unsigned char *text = xmalloc((size_t)(c->size / 3 + 2) * 4 + 1);
	char piece[PIECE];
	uint64_t at = 0;
	json_t *json = NULL;
	ssize_t n;

	while ((n = read_piece(c, &at, piece)) > 0)
		used +=
		    (size_t)EVP_EncodeBlock(text + used, (const unsigned char *)piece, (int)n);
	if (n == 0)
		json = json_stringn((const char *)text, used);
	free(text);
	return json;
}

static int
print_json(const struct content *c, const struct wire_msg *m)
{
	static const char *const names[] = {"from", "client", "helo", "auth", "uid"};
	json_t *json = json_object(), *recipients = json_array(), *content = content_to_json(c);

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		json_object_set_new(json, names[i], json_null());
	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *f = &m->fields[i];
		uint64_t uid;

		if (span_is(f->name, "recipient"))
			json_array_append_new(recipients, cmd_json_string(f->value));
		else if (span_is(f->name, "uid") &&
			 span_to_u64(f->value, UINT32_MAX, &uid) == 0)
			json_object_set_new(json, "uid", cmd_json_number(uid));
		else if (span_is(f->name, "from") || span_is(f->name, "client") ||
			 span_is(f->name, "helo") || span_is(f->name, "auth"))
			json_object_setn_new(
			    json, f->name.p, f->name.len, cmd_json_string(f->value));
	}
	json_object_set_new(json, "recipients", recipients);
	json_object_set_new(json, "size", cmd_json_number(c->size));
	if (content == NULL) {
		json_decref(json);
		return EX_IOERR;
	}
	json_object_set_new(json, "content-base64", content);
	return cmd_json_print(json);
}

/* Does it fit its checksum? -1 after a line on standard error. */
static int
is_intact(const struct content *c)
{
	char piece[PIECE];
	uint32_t crc = 0;
	uint64_t at = 0;
	ssize_t n;

	while ((n = read_piece(c, &at, piece)) > 0)
		crc = crc32c(crc, piece, (size_t)n);
	return n < 0 ? -1 : crc == c->crc;
}

static int
show(const struct cmd_context *ctx, const struct content *c, const struct wire_msg *m,
    bool envelope)
{
	if (ctx->json)
		return print_json(c, m);
	if (envelope)
		print_envelope(m);
	return copy_content(c);
}

/* What the answer says of the content. -1: malformed. c->fd is the caller's to close. */
static int
take_content(struct control_client *client, const struct wire_msg *m, struct content *c)
{
	struct stat st;
	uint64_t crc;

	c->fd = control_client_take_fd(client);
	if (c->fd < 0 || wire_get_u64(m, "offset", INT64_MAX, &c->offset) != 0 ||
	    wire_get_u64(m, "size", INT64_MAX / 8, &c->size) != 0 ||
	    wire_get_u64(m, "crc", UINT32_MAX, &crc) != 0 || fstat(c->fd, &st) != 0)
		return -1;
	c->crc = (uint32_t)crc;
	c->file = st.st_ino;
	return 0;
}

/*
 * One question and its answer. The queue goes on meanwhile, and the message may be gone from where it
 * was said to stand: *again, unless it was said to stand there before, too.
 */
static int
ask_and_show(const struct cmd_context *ctx, const char *id, bool envelope, struct content *c,
    bool *again)
{
	struct content before = *c;
	struct control_client *client;
	struct wire_msg answer;
	struct wire_out w;
	int r, intact;

	*again = false;
	wire_out_init(&w, "cat", 1);
	wire_add_str(&w, "message", id);
	r = cmd_ask(ctx, "queue", &w, &client, &answer);
	c->fd = -1;
	if (r == 0)
		r = cmd_verdict_status(&answer);
	if (r == 0 && take_content(client, &answer, c) != 0)
		r = cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	if (r == 0) {
		intact = is_intact(c);
		*again = intact == 0 && (before.file != c->file || before.offset != c->offset);
		if (intact == 0 && !*again)
			fprintf(stderr, "postrider: the message is damaged, "
					"it does not fit its checksum\n");
		r = intact < 0 ? EX_IOERR : *again ? 0 : show(ctx, c, &answer, envelope);
	}
	if (c->fd >= 0)
		close(c->fd);
	control_client_close(&client);
	return r;
}

int
cmd_queue_cat(struct cmd_context *ctx, char **argv)
{
	struct cmd_queue_filter none = {.held = false};
	bool envelope = false;
	const struct cmd_option options[] = {{.name = "envelope", .given = &envelope}};
	struct content c = {.fd = -1};
	struct cmd_args args;
	bool again;
	int r = cmd_parse(ctx, argv, options, 1, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	r = cmd_queue_check(ctx, &none, &args);
	if (r != 0)
		return r;
	do {
		r = ask_and_show(ctx, args.v[0], envelope, &c, &again);
	} while (again);
	return r;
}
