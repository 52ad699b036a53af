/*
 * test_maildir: messages into Maildirs: what is written, what is found after a
 * crash, and what is not followed. In a temporary directory, as whoever runs it.
 */
#include "deliver/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver/delivered_to.h"
#include "tests/unit/testing.h"

struct place {
	char top[64];	 /* temporary */
	char domain[80]; /* the domain's directory within it */
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	const char *top = getenv("TMPDIR");

	snprintf(
	    p->top, sizeof p->top, "%s/postrider-unit-XXXXXX", top != NULL ? top : P_tmpdir);
	if (mkdtemp(p->top) == NULL)
		return -1;
	snprintf(p->domain, sizeof p->domain, "%s/d.test", p->top);
	*state = p;
	return mkdir(p->domain, 0755);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int r = nftw(p->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(p);
	return r;
}

static struct maildir_item
item(const struct place *p)
{
	return (struct maildir_item){.directory = p->domain,
	    .home = "home/bob",
	    .maildir = "Maildir",
	    .message = "ABC123",
	    .entry = 4,
	    .received = 1700000000,
	    .host = "mx.test",
	    .from = "s@x.test",
	    .address = "bob@d.test",
	    .content = LITERAL("Subject: x\n\nhello\n"),
	    .fd = -1};
}

static void
deliver(struct maildir_item *items, size_t n)
{
	struct volume_memory memory = {0};

	maildir_deliver(&memory, items, n);
}

#define PREFIX	"Return-Path: <s@x.test>\nDelivered-To: bob@d.test\n"
#define WRITTEN PREFIX "Subject: x\n\nhello\n"
#define NAME	"1700000000.QABC123R4.mx.test,S=67"
#define MAILBOX "home/bob/Maildir"

static const char *
at(const struct place *p, const char *below)
{
	static char path[4][400];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof path[0], "%s/%s", p->domain, below);
	return out;
}

static int
count(const struct place *p, const char *below)
{
	DIR *d = opendir(at(p, below));
	struct dirent *e;
	int n = 0;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
check_content(const char *path, const char *want)
{
	char got[1000];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		fail_msg("%s is missing", path);
	n = read(fd, got, sizeof got - 1);
	close(fd);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, want);
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
check_ok(const struct maildir_item *m)
{
	if (m->verdict.kind != VERDICT_OK)
		fail_msg("%s: %s", verdict_kind_name(m->verdict.kind), m->verdict.text);
}

/* --- */

static void
makes_what_is_missing(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);
	static const char *const made[] = {
	    "home", "home/bob", MAILBOX, MAILBOX "/tmp", MAILBOX "/new", MAILBOX "/cur"};
	struct stat st;

	deliver(&m, 1);
	check_ok(&m);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		check_row(made[i], stat(at(p, made[i]), &st) == 0);
		check_row(made[i], (st.st_mode & 07777) == 0700);
	}
	check_content(at(p, MAILBOX "/new/" NAME), WRITTEN);
	assert_int_equal(stat(at(p, MAILBOX "/new/" NAME), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 67);
	assert_int_equal(count(p, MAILBOX "/tmp"), 0);
}

static void
makes_a_part_that_is_missing(void **state)
{
	static const char *const parts[] = {"/new", "/cur", "/tmp"};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct maildir_item m = item(p);
		char part[100];

		m.entry = i;
		deliver(&m, 1);
		check_ok(&m);
		if (i == 0)
			assert_int_equal(
			    unlink(at(p, MAILBOX "/new/1700000000.QABC123R0.mx.test,S=67")), 0);
		snprintf(part, sizeof part, MAILBOX "%s", parts[i]);
		if (strcmp(parts[i], "/new") == 0 || count(p, part) == 0)
			check_row(parts[i], rmdir(at(p, part)) == 0);
		m.entry = i + 10;
		deliver(&m, 1);
		check_ok(&m);
		check_row(parts[i], count(p, part) >= 0);
	}
}

static void
takes_content_from_a_file(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);
	static char big[300000];
	struct stat st;

	memset(big, 'x', sizeof big);
	m.fd = open(p->top, O_RDWR | O_TMPFILE, 0600);
	if (m.fd < 0)
		skip();
	assert_int_equal(write(m.fd, big, sizeof big), sizeof big);
	m.content = (struct span){NULL, 0};
	m.offset = 10;
	m.size = 250000;
	deliver(&m, 1);
	check_ok(&m);
	assert_int_equal(
	    stat(at(p, MAILBOX "/new/1700000000.QABC123R4.mx.test,S=250049"), &st), 0);
	assert_int_equal(st.st_size, 250049);
	m.entry = 5;
	m.size = 299999; /* the file ends before that */
	deliver(&m, 1);
	assert_int_equal(m.verdict.kind, VERDICT_TEMPORARY);
	assert_int_equal(count(p, MAILBOX "/new"), 1);
	assert_int_equal(count(p, MAILBOX "/tmp"), 0);
	close(m.fd);
}

/* As many as fit at once, into five mailboxes; one of them leads outside. */
static void
deliver_many(const struct place *p, struct volume_memory *memory, uint64_t first)
{
	struct maildir_item items[MAILDIR_BATCH_MAX];
	char homes[MAILDIR_BATCH_MAX][32];

	for (size_t i = 0; i < MAILDIR_BATCH_MAX; i++) {
		items[i] = item(p);
		snprintf(homes[i], sizeof homes[i], "home/user%zu", i % 5);
		items[i].home = homes[i];
		items[i].entry = first + i;
		if (i == 7)
			items[i].maildir = "../../../outside";
	}
	maildir_deliver(memory, items, MAILDIR_BATCH_MAX);
	for (size_t i = 0; i < MAILDIR_BATCH_MAX; i++) {
		if (i == 7)
			assert_int_equal(items[i].verdict.kind, VERDICT_TEMPORARY);
		else
			check_ok(&items[i]);
	}
	assert_int_equal(count(p, "../outside"), -1);
}

/* Flushed all at once where the file system is known for it, and one by one. */
static void
delivers_a_batch(void **state)
{
	struct volume_memory memory = {0};
	struct place *p = *state;

	deliver_many(p, &memory, 0);
	assert_int_equal(count(p, "home/user0/Maildir/new"), 13);
	assert_int_equal(count(p, "home/user2/Maildir/new"), 12);
	memory.avoid_until_ms = clock_mono_ms() + 60000;
	deliver_many(p, &memory, 100);
	assert_int_equal(count(p, "home/user0/Maildir/new"), 26);
	assert_int_equal(count(p, "home/user2/Maildir/new"), 24);
	assert_int_equal(count(p, "home/user2/Maildir/tmp"), 0);
}

/* --- after a crash --- */

struct crash {
	const char *name, *left; /* below the Maildir */
	bool again;
	int fresh, moved; /* files in new/ and cur/ afterwards */
};

static const struct crash crashes[] = {
    {"a piece in tmp", "/tmp/" NAME ".1", true, 1, 0},
    {"a piece in tmp, under another host name", "/tmp/1700000000.QABC123R4.old.test,S=67.1",
	true, 1, 0},
    {"whole in new", "/new/" NAME, true, 1, 0},
    {"whole in new, attempt unknown", "/new/" NAME, false, 1, 0},
    {"in new, under another host name", "/new/1700000000.QABC123R4.old.test,S=67", true, 1, 0},
    {"moved to cur", "/cur/" NAME ":2,S", true, 0, 1},
    {"moved to cur by another reader", "/cur/" NAME ",W=80:2,FS", true, 0, 1},
    {"another recipient's in cur", "/cur/1700000000.QABC123R40.mx.test,S=67:2,S", true, 1, 1},
    {"another message's in cur", "/cur/1700000000.QABC1234R4.mx.test,S=67:2,S", true, 1, 1},
};

static void
writes_no_second_copy(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);

	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
		const struct crash *c = &crashes[i];
		char left[200], home[32];

		snprintf(home, sizeof home, "home/%zu", i);
		m.home = home;
		m.entry = 100; /* makes the mailbox */
		m.again = false;
		deliver(&m, 1);
		check_ok(&m);
		snprintf(left, sizeof left,
		    "%s/Maildir/new/1700000000.QABC123R100.mx.test,S=67", home);
		check_row(c->name, unlink(at(p, left)) == 0);
		snprintf(left, sizeof left, "%s/Maildir%s", home, c->left);
		put(at(p, left), "left");
		m.entry = 4;
		m.again = c->again;
		deliver(&m, 1);
		check_row(c->name, m.verdict.kind == VERDICT_OK);
		snprintf(left, sizeof left, "%s/Maildir/new", home);
		check_row(c->name, count(p, left) == c->fresh);
		snprintf(left, sizeof left, "%s/Maildir/cur", home);
		check_row(c->name, count(p, left) == c->moved);
		snprintf(left, sizeof left, "%s/Maildir/tmp", home);
		check_row(c->name, count(p, left) == 0);
		snprintf(left, sizeof left, "%s/Maildir/new/" NAME, home);
		if (c->left[1] == 't')
			check_content(at(p, left), WRITTEN);
	}
}

/* --- hostile surroundings --- */

static void
follows_no_planted_link(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);
	char victim[100], link[100];

	deliver(&m, 1);
	check_ok(&m);
	snprintf(victim, sizeof victim, "%s/victim", p->top);
	put(victim, "untouched");
	m.entry = 5;
	snprintf(link, sizeof link, MAILBOX "/tmp/1700000000.QABC123R5.mx.test,S=67.%d",
	    (int)getpid());
	assert_int_equal(symlink(victim, at(p, link)), 0);
	deliver(&m, 1);
	check_ok(&m);
	check_content(victim, "untouched");
	check_content(at(p, MAILBOX "/new/1700000000.QABC123R5.mx.test,S=67"), WRITTEN);
}

struct detour {
	const char *name, *home, *maildir;
	const char *link, *target; /* planted below the domain; NULL: none */
};

static const struct detour detours[] = {
    {"home is a link", "home/link", "Maildir", "home/link", "/tmp"},
    {"a relative link", "home/up", "Maildir", "home/up", "../.."},
    {"a link within the domain", "home/in", "Maildir", "home/in", "."},
    {"dots in home", "../..", "Maildir", NULL, NULL},
    {"dots in maildir", "home/x", "../../../x", NULL, NULL},
    {"dots behind a directory that is missing", "none/../..", "Maildir", NULL, NULL},
};

static void
stays_beneath_the_domain(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkdir(at(p, "home"), 0700), 0);
	for (size_t i = 0; i < sizeof detours / sizeof *detours; i++) {
		const struct detour *d = &detours[i];
		struct maildir_item m = item(p);

		m.home = d->home;
		m.maildir = d->maildir;
		if (d->link != NULL)
			check_row(d->name, symlink(d->target, at(p, d->link)) == 0);
		deliver(&m, 1);
		check_row(d->name, m.verdict.kind == VERDICT_TEMPORARY);
		check_row(d->name, strcmp(m.verdict.status, "4.3.0") == 0);
		check_row(d->name, strstr(m.verdict.text, p->domain) != NULL);
	}
	assert_int_equal(count(p, ".."), 1); /* nothing but the domain */
}

static void
defers_when_it_cannot_write(void **state)
{
	struct place *p = *state;
	struct rlimit old, small = {1000, 1000};
	struct maildir_item items[2] = {item(p), item(p)};
	static char big[2000];

	items[1].entry = 5;
	memset(big, 'x', sizeof big);
	items[1].content = span_make(big, sizeof big);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	deliver(items, 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	check_ok(&items[0]);
	assert_int_equal(items[1].verdict.kind, VERDICT_TEMPORARY);
	assert_int_equal(count(p, MAILBOX "/new"), 1);
	assert_int_equal(count(p, MAILBOX "/tmp"), 0);
}

static void
says_what_stands_in_the_way(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);

	put(at(p, "home"), "a file");
	deliver(&m, 1);
	assert_int_equal(m.verdict.kind, VERDICT_TEMPORARY);
	assert_non_null(strstr(m.verdict.text, "move aside"));
	m.directory = "/nonexistent/d.test";
	deliver(&m, 1);
	assert_int_equal(m.verdict.kind, VERDICT_TEMPORARY);
	assert_non_null(strstr(m.verdict.text, "/nonexistent/d.test"));
}

/* --- loops and header lines --- */

struct loop {
	const char *name;
	struct span content;
	bool loops;
};

#define LOOP(name, content, loops)                                                             \
	{                                                                                      \
		name, LITERAL_INIT(content), loops                                             \
	}

static const struct loop loops[] = {
    LOOP("ours", "Delivered-To: bob@d.test\n\n", true),
    LOOP("case aside", "Subject: x\ndelivered-to:\tBOB@D.test \n\n", true),
    LOOP("another's", "Delivered-To: bob@d.tes\nDelivered-To: xbob@d.test\n\n", false),
    LOOP("in the body", "Subject: x\n\nDelivered-To: bob@d.test\n", false),
    LOOP("within a line", "X: Delivered-To: bob@d.test\n\n", false),
    LOOP("folded", "X: y\n Delivered-To: bob@d.test\n\n", false),
    LOOP("no end of header", "Delivered-To: bob@d.test", true),
    LOOP("empty", "", false),
    LOOP("no line at all", "\n", false),
};

static void
bounces_mail_that_loops(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
		struct maildir_item m = item(p);

		m.content = loops[i].content;
		m.entry = i;
		check_row(loops[i].name,
		    delivered_to_find(m.content, span_str(m.address)) == loops[i].loops);
		deliver(&m, 1);
		check_row(loops[i].name,
		    m.verdict.kind == (loops[i].loops ? VERDICT_PERMANENT : VERDICT_OK));
		if (loops[i].loops)
			check_row(loops[i].name, strcmp(m.verdict.status, "5.4.6") == 0);
	}
}

static void
forges_no_header(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);

	m.from = "a@b\nX-Evil: yes";
	deliver(&m, 1);
	assert_int_equal(m.verdict.kind, VERDICT_TEMPORARY);
	m = item(p);
	m.address = "a@b\r";
	deliver(&m, 1);
	assert_int_equal(m.verdict.kind, VERDICT_TEMPORARY);
	assert_int_equal(count(p, "home"), -1);
}

static void
names_are_safe(void **state)
{
	struct place *p = *state;
	struct maildir_item m = item(p);
	char name[MAILDIR_NAME_SIZE], host[300];

	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	host[3] = '/';
	host[4] = ':';
	m.host = host;
	maildir_name(&m, UINT64_MAX, name);
	assert_null(strchr(name, '/'));
	assert_null(strchr(name, ':'));
	assert_true(strlen(name) < MAILDIR_NAME_SIZE - 1);
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_PLACE(makes_what_is_missing),
	    WITH_PLACE(makes_a_part_that_is_missing),
	    WITH_PLACE(takes_content_from_a_file),
	    WITH_PLACE(delivers_a_batch),
	    WITH_PLACE(writes_no_second_copy),
	    WITH_PLACE(follows_no_planted_link),
	    WITH_PLACE(stays_beneath_the_domain),
	    WITH_PLACE(defers_when_it_cannot_write),
	    WITH_PLACE(says_what_stands_in_the_way),
	    WITH_PLACE(bounces_mail_that_loops),
	    WITH_PLACE(forges_no_header),
	    WITH_PLACE(names_are_safe),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
