/* test_domain: domain directories: loaded, watched, refused. */
#include "conf/domains.h"

#include "conf/absent_names.h"
#include "conf/domain_include.h"
#include "tests/unit/conf_fixture.h"

static struct files files;
static struct config_errors said;
static struct domains *domains;
static struct buf why;

static void
complain(const char *text, void *arg)
{
	(void)arg;
	config_errors_add_text(&said, text);
}

static int
setup(void **state)
{
	const struct domains_limits limits = DOMAINS_LIMITS_DEFAULT;

	(void)state;
	files_init(&files);
	buf_init(&why, 4096);
	domains = domains_new(files.root, &limits, complain, NULL);
	return 0;
}

/* The same without inotify: what a system with too few watches does. */
static int
setup_unwatched(void **state)
{
	const struct domains_limits limits = {1000, 1 << 30, 0};

	(void)state;
	files_init(&files);
	buf_init(&why, 4096);
	domains = domains_new(files.root, &limits, complain, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	domains_free(&domains);
	buf_release(&why);
	config_errors_release(&said);
	files_release(&files);
	return 0;
}

/* A new decision about one domain. */
static enum lookup
find(const char *name, struct domain **d)
{
	*d = NULL;
	buf_clear(&why);
	config_errors_release(&said);
	domains_begin(domains);
	return domains_find(domains, span_str(name), d, &why);
}

/* '+' the domain has the user, '-' it has not, '?' nothing can be told, '0' no such domain. */
static char
ask(const char *name, const char *user)
{
	struct domain *d;
	enum lookup l = find(name, &d);

	if (l == LOOKUP_NOT_FOUND)
		return '0';
	if (l == LOOKUP_UNKNOWN || !domain_usable(d, &why))
		return '?';
	return passwd_find(&d->passwd, span_str(user)) != NULL ? '+' : '-';
}

static void
finds_and_forgets(void **state)
{
	struct domain *d;

	(void)state;
	assert_int_equal(ask("a.test", "bob"), '0');
	files_domain(&files, "a.test", "bob:x\n", "sales: bob\n", "catch-all = bob\n");
	assert_int_equal(ask("a.test", "bob"), '+');
	assert_int_equal(ask("a.test", "anna"), '-');
	assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
	assert_string_equal(d->name, "a.test");
	assert_string_equal(d->path, files_path(&files, "a.test"));
	assert_int_equal(d->uid, FIXTURE_UID);
	assert_non_null(aliases_find(&d->aliases, span_str("sales")));
	assert_string_equal(d->conf.catch_all, "bob");
	assert_int_equal(domains_loaded(domains), 1);
	assert_int_equal(rename(files_path(&files, "a.test"), files_path(&files, "b.test")), 0);
	assert_int_equal(ask("a.test", "bob"), '0');
	assert_int_equal(ask("b.test", "bob"), '+');
	assert_int_equal(domains_loaded(domains), 1);
}

static void
never_takes_a_name_for_a_path(void **state)
{
	static const char *const names[] = {
	    "", ".", "..", "../x", "a/b", "/etc", ".hidden", "a.test/etc"};
	struct domain *d;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	files_domain(&files, ".hidden", "bob:x\n", NULL, NULL);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		check_row(names[i], find(names[i], &d) == LOOKUP_NOT_FOUND);
	files_write(&files, "file.test", span_str("no directory\n"));
	assert_int_equal(find("file.test", &d), LOOKUP_NOT_FOUND);
}

/* Every way of changing a file counts for the very next question. */
static void
sees_each_change_at_once(void **state)
{
	FILE *f;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	assert_int_equal(ask("a.test", "bob"), '+');
	/* written in place */
	files_write(&files, "a.test/etc/passwd", span_str("anna:x\n"));
	assert_int_equal(ask("a.test", "bob"), '-');
	assert_int_equal(ask("a.test", "anna"), '+');
	/* appended */
	f = fopen(files_path(&files, "a.test/etc/passwd"), "a");
	assert_non_null(f);
	fputs("carl:x\n", f);
	fclose(f);
	assert_int_equal(ask("a.test", "carl"), '+');
	/* renamed into place */
	files_write(&files, "a.test/etc/new", span_str("dora:x\n"));
	assert_int_equal(rename(files_path(&files, "a.test/etc/new"),
			     files_path(&files, "a.test/etc/passwd")),
	    0);
	assert_int_equal(ask("a.test", "dora"), '+');
	assert_int_equal(ask("a.test", "carl"), '-');
	/* another etc in the place of this one */
	assert_int_equal(
	    rename(files_path(&files, "a.test/etc"), files_path(&files, "a.test/old")), 0);
	assert_int_equal(ask("a.test", "dora"), '?');
	files_mkdir(&files, "a.test/etc");
	files_write(&files, "a.test/etc/passwd", span_str("erna:x\n"));
	assert_int_equal(ask("a.test", "erna"), '+');
	assert_int_equal(ask("a.test", "dora"), '-');
	files_write(&files, "a.test/etc/passwd", span_str("fritz:x\n"));
	assert_int_equal(ask("a.test", "fritz"), '+');
	/* the old one says nothing any more */
	files_write(&files, "a.test/old/passwd", span_str("gina:x\n"));
	assert_int_equal(ask("a.test", "gina"), '-');
}

static void
waits_for_etc_and_passwd(void **state)
{
	(void)state;
	files_mkdir(&files, "a.test");
	assert_int_equal(ask("a.test", "bob"), '?');
	assert_non_null(strstr(buf_str(&why), "a.test/etc/passwd: does not exist"));
	files_mkdir(&files, "a.test/etc");
	assert_int_equal(ask("a.test", "bob"), '?');
	/* aliases alone make a domain */
	files_write(&files, "a.test/etc/aliases", span_str("sales: x@remote.test\n"));
	assert_int_equal(ask("a.test", "bob"), '-');
	files_write(&files, "a.test/etc/passwd", span_str(""));
	assert_int_equal(ask("a.test", "bob"), '-');
	files_write(&files, "a.test/etc/passwd", span_str("bob:x\n"));
	assert_int_equal(ask("a.test", "bob"), '+');
	/* An editor between two renames does not make the users vanish for good. */
	assert_int_equal(rename(files_path(&files, "a.test/etc/passwd"),
			     files_path(&files, "a.test/etc/passwd~")),
	    0);
	assert_int_equal(ask("a.test", "bob"), '?');
	assert_int_equal(rename(files_path(&files, "a.test/etc/passwd~"),
			     files_path(&files, "a.test/etc/passwd")),
	    0);
	assert_int_equal(ask("a.test", "bob"), '+');
}

/* A file that is of no use leaves the one before in force. */
static void
keeps_the_version_before(void **state)
{
	(void)state;
	files_domain(&files, "a.test", "bob:x\n", "sales: bob\n", "catch-all = bob\n");
	assert_int_equal(ask("a.test", "bob"), '+');
	files_write(&files, "a.test/etc/passwd",
	    span_str("\x7f"
		     "ELF\n\x01\x02\n"));
	assert_int_equal(ask("a.test", "bob"), '+');
	assert_true(complaint_has(&said, "/a.test/etc/passwd:1: ", ""));
	assert_true(
	    complaint_has(&said, "/a.test/etc/passwd: ", "the version before stays in force"));
	assert_int_equal(ask("a.test", "bob"), '+');
	assert_int_equal(said.n, 0); /* said once */
	files_write(&files, "a.test/etc/domain.conf", span_str("catch-al = anna\n"));
	assert_int_equal(ask("a.test", "bob"), '+');
	assert_true(
	    complaint_has(&said, "/a.test/etc/domain.conf:1: ", "did you mean catch-all?"));
	assert_int_equal(chmod(files_path(&files, "a.test/etc/passwd"), 0666), 0);
	assert_int_equal(ask("a.test", "bob"), '+');
	assert_true(complaint_has(&said, "/a.test/etc/passwd: ", "is writable by everybody"));
	assert_int_equal(chmod(files_path(&files, "a.test/etc/passwd"), 0644), 0);
	files_write(&files, "a.test/etc/passwd", span_str("anna:x\nnonsense\n"));
	assert_int_equal(ask("a.test", "anna"), '+');
	assert_true(complaint_has(&said, "/a.test/etc/passwd:2: ", "no colon"));
	assert_int_equal(ask("a.test", "bob"), '-');
}

static void
refuses_files_of_others(void **state)
{
	static const char *const names[] = {"passwd", "aliases", "domain.conf"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char domain[32], path[64];

		snprintf(domain, sizeof domain, "%c.test", (char)('a' + i));
		snprintf(path, sizeof path, "%s/etc/%s", domain, names[i]);
		files_domain(&files, domain, "bob:x\n", "sales: bob\n", "catch-all = bob\n");
		assert_int_equal(chmod(files_path(&files, path), 0664), 0);
		check_row(names[i], ask(domain, "bob") == '?');
		check_row(names[i], strstr(buf_str(&why), "is writable by its group") != NULL);
		check_row(names[i], strstr(buf_str(&why), names[i]) != NULL);
		check_row(names[i], complaint_has(&said, path, "is writable by its group"));
		assert_int_equal(chmod(files_path(&files, path), 0644), 0);
		check_row(names[i], ask(domain, "bob") == '+');
	}
	files_domain(&files, "d.test", "bob:x\n", NULL, NULL);
	assert_int_equal(
	    link(files_path(&files, "d.test/etc/passwd"), files_path(&files, "d.test/other")),
	    0);
	assert_int_equal(ask("d.test", "bob"), '?');
	assert_non_null(strstr(buf_str(&why), "hard links"));
	assert_int_equal(unlink(files_path(&files, "d.test/other")), 0);
	assert_int_equal(ask("d.test", "bob"), '+');
	files_domain(&files, "e.test", NULL, NULL, NULL);
	assert_int_equal(mkfifo(files_path(&files, "e.test/etc/passwd"), 0600), 0);
	assert_int_equal(ask("e.test", "bob"), '?');
	assert_non_null(strstr(buf_str(&why), "is not a regular file"));
	if (geteuid() == 0) {
		files_domain(&files, "f.test", "bob:x\n", NULL, NULL);
		assert_int_equal(
		    chown(files_path(&files, "f.test/etc/passwd"), 65002, 65002), 0);
		assert_int_equal(ask("f.test", "bob"), '?');
		assert_non_null(strstr(buf_str(&why), "belongs to uid 65002"));
		assert_int_equal(chown(files_path(&files, "f.test/etc/passwd"), 0, 0), 0);
		assert_int_equal(ask("f.test", "bob"), '+');
		/* The directory changes hands: its files are judged anew. */
		assert_int_equal(chown(files_path(&files, "f.test"), 65003, 65003), 0);
		assert_int_equal(ask("f.test", "bob"),
		    '+'); /* etc is no longer the owner's, the version before stays */
		assert_true(complaint_has(&said, "/f.test: ", "etc belongs to uid 65001"));
	}
}

static void
refuses_open_directories(void **state)
{
	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	assert_int_equal(chmod(files_path(&files, "a.test"), 0777), 0);
	assert_int_equal(ask("a.test", "bob"), '?');
	assert_true(complaint_has(&said, "/a.test: ", "is writable by everybody"));
	assert_int_equal(ask("a.test", "bob"), '?');
	assert_int_equal(said.n, 0); /* said once */
	assert_int_equal(chmod(files_path(&files, "a.test"), 0755), 0);
	assert_int_equal(ask("a.test", "bob"), '+');
	files_domain(&files, "b.test", "bob:x\n", NULL, NULL);
	assert_int_equal(chmod(files_path(&files, "b.test/etc"), 0775), 0);
	assert_int_equal(ask("b.test", "bob"), '?');
	assert_true(complaint_has(&said, "/b.test: ", "etc is writable by its group"));
	assert_int_equal(chmod(files_path(&files, "b.test/etc"), 0755), 0);
	assert_int_equal(ask("b.test", "bob"), '+');
}

static void
stays_beneath_the_domain(void **state)
{
	(void)state;
	files_write(&files, "outside", span_str("bob:x\n"));
	files_domain(&files, "a.test", NULL, NULL, NULL);
	assert_int_equal(symlink("../../outside", files_path(&files, "a.test/etc/passwd")), 0);
	assert_int_equal(ask("a.test", "bob"), '?');
	assert_non_null(strstr(buf_str(&why), "leads out of the domain's directory"));
	files_domain(&files, "b.test", NULL, NULL, NULL);
	assert_int_equal(
	    symlink(files_path(&files, "outside"), files_path(&files, "b.test/etc/passwd")), 0);
	assert_int_equal(ask("b.test", "bob"), '?');
	files_mkdir(&files, "c.test");
	assert_int_equal(symlink("../a.test/etc", files_path(&files, "c.test/etc")), 0);
	assert_int_equal(ask("c.test", "bob"), '?');
	assert_non_null(strstr(buf_str(&why), "etc cannot be opened"));
	/* A link within the domain is the owner's business; changes behind it are seen too. */
	files_domain(&files, "d.test", NULL, NULL, NULL);
	files_write(&files, "d.test/users", span_str("bob:x\n"));
	assert_int_equal(symlink("../users", files_path(&files, "d.test/etc/passwd")), 0);
	assert_int_equal(ask("d.test", "bob"), '+');
	files_write(&files, "d.test/users", span_str("anna:x\n"));
	assert_int_equal(ask("d.test", "anna"), '+');
	assert_int_equal(ask("d.test", "bob"), '-');
}

static void
follows_domain_aliases(void **state)
{
	struct domain *d;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	assert_int_equal(symlink("a.test", files_path(&files, "b.test")), 0);
	assert_int_equal(symlink("./b.test/", files_path(&files, "c.test")), 0);
	assert_int_equal(
	    symlink(files_path(&files, "a.test"), files_path(&files, "d.test")), 0);
	assert_int_equal(find("b.test", &d), LOOKUP_FOUND);
	assert_string_equal(d->name, "a.test");
	assert_int_equal(find("c.test", &d), LOOKUP_FOUND);
	assert_string_equal(d->name, "a.test");
	assert_int_equal(find("d.test", &d), LOOKUP_FOUND);
	/* turned to another domain */
	files_domain(&files, "e.test", "eva:x\n", NULL, NULL);
	assert_int_equal(unlink(files_path(&files, "b.test")), 0);
	assert_int_equal(ask("b.test", "bob"), '0');
	assert_int_equal(symlink("e.test", files_path(&files, "b.test")), 0);
	assert_int_equal(ask("b.test", "eva"), '+');
	assert_int_equal(ask("c.test", "eva"), '+');
	/* turned to a directory of its own */
	assert_int_equal(unlink(files_path(&files, "b.test")), 0);
	files_domain(&files, "b.test", "rita:x\n", NULL, NULL);
	assert_int_equal(ask("b.test", "rita"), '+');
}

static void
refuses_odd_aliases(void **state)
{
	static const struct {
		const char *name, *target;
	} rows[] = {
	    {"out.test", "/etc"},
	    {"up.test", "../x.test"},
	    {"deep.test", "a.test/etc"},
	    {"case.test", "A.TEST"},
	    {"hidden.test", ".git"},
	    {"nowhere.test", "gone.test"},
	    {"self.test", "self.test"},
	    {"one.test", "two.test"},
	    {"two.test", "one.test"},
	};
	struct domain *d;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(symlink(rows[i].target, files_path(&files, rows[i].name)), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_row(rows[i].name, find(rows[i].name, &d) == LOOKUP_UNKNOWN);
		check_row(rows[i].name, why.len > 0);
	}
}

static void
reads_included_lists(void **state)
{
	const struct aliases_file *list;
	const char *file;
	struct domain *d;
	static const struct {
		const char *path, *want; /* NULL: refused */
	} rows[] = {
	    {"staff", "etc/staff"},
	    {"./staff", "etc/staff"},
	    {"/etc/staff", "etc/staff"},
	    {"sub/more", "etc/sub/more"},
	    {"../users", NULL},
	    {"/users", NULL},
	    {"/etc/../users", NULL},
	    {"", NULL},
	    {"out", NULL},
	    {"missing", NULL},
	    {"passwd", NULL},
	    {"/etc/passwd", NULL},
	    {"passwd.old", NULL},
	    {"sub/passwd-", NULL},
	    {".passwd.1.new", NULL},
	    {"hidden", NULL},
	    {"passwdless", "etc/passwdless"},
	};

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	files_write(&files, "a.test/etc/passwd.old", span_str("bob\n"));
	files_write(&files, "a.test/etc/.passwd.1.new", span_str("bob\n"));
	files_write(&files, "a.test/etc/passwdless", span_str("bob\n"));
	assert_int_equal(symlink("passwd", files_path(&files, "a.test/etc/hidden")), 0);
	files_write(&files, "a.test/etc/staff", span_str("bob\nanna\n"));
	files_mkdir(&files, "a.test/etc/sub");
	files_write(&files, "a.test/etc/sub/more", span_str("carl\n"));
	files_write(&files, "a.test/etc/sub/passwd-", span_str("carl\n"));
	files_write(&files, "a.test/users", span_str("bob\n"));
	files_write(&files, "outside", span_str("bob\n"));
	assert_int_equal(symlink("../../outside", files_path(&files, "a.test/etc/out")), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum lookup l;

		assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
		l = domains_include(domains, d, span_str(rows[i].path), &list, &file, &why);
		check_row(rows[i].path, (l == LOOKUP_FOUND) == (rows[i].want != NULL));
		check_row(rows[i].path, l != LOOKUP_NOT_FOUND);
		if (l == LOOKUP_FOUND)
			check_row(rows[i].path, strcmp(file, rows[i].want) == 0);
		else
			check_row(rows[i].path, why.len > 0);
	}
	/* within one decision a list stays what it was; the next sees the change, wherever the file is */
	assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
	assert_int_equal(domains_include(domains, d, span_str("sub/more"), &list, &file, &why),
	    LOOKUP_FOUND);
	assert_int_equal(list->ntargets, 1);
	files_write(&files, "a.test/etc/sub/more", span_str("carl\ndora\n"));
	assert_int_equal(domains_include(domains, d, span_str("sub/more"), &list, &file, &why),
	    LOOKUP_FOUND);
	assert_int_equal(list->ntargets, 1);
	assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
	assert_int_equal(domains_include(domains, d, span_str("sub/more"), &list, &file, &why),
	    LOOKUP_FOUND);
	assert_int_equal(list->ntargets, 2);
}

static void
gives_ids(void **state)
{
	const struct domain_ids self = {4711, 4712};
	struct domain_ids ids;
	struct domain *d;
	char *text;
	static const struct {
		const char *user;
		bool ok;      /* while passwd belongs to the domain's owner */
		bool ok_root; /* while it belongs to root */
	} rows[] = {{"own", true, true}, {"same", true, true}, {"other", false, true},
	    {"group", false, true}};

	(void)state;
	text = xasprintf("own:x\nsame:x:%u:%u\nother:x:1234:%u\ngroup:x::1234\n",
	    (unsigned)FIXTURE_UID, (unsigned)FIXTURE_GID, (unsigned)FIXTURE_GID);
	files_domain(&files, "a.test", text, NULL, NULL);
	free(text);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct passwd_user *u;

		assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
		u = passwd_find(&d->passwd, span_str(rows[i].user));
		assert_non_null(u);
		/* without root there is but one user to deliver as */
		check_row(rows[i].user, domain_user_ids(d, u, false, &self, &ids, &why) == 0);
		check_row(rows[i].user, ids.uid == 4711 && ids.gid == 4712);
		if (d->source[DOMAIN_PASSWD].root_owned)
			continue;
		check_row(rows[i].user,
		    (domain_user_ids(d, u, true, &self, &ids, &why) == 0) == rows[i].ok);
		if (rows[i].ok)
			check_row(
			    rows[i].user, ids.uid == FIXTURE_UID && ids.gid == FIXTURE_GID);
	}
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(files_path(&files, "a.test/etc/passwd"), 0, 0), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
		check_row(rows[i].user, d->source[DOMAIN_PASSWD].root_owned);
		check_row(rows[i].user,
		    (domain_user_ids(d, passwd_find(&d->passwd, span_str(rows[i].user)), true,
			 &self, &ids, &why) == 0) == rows[i].ok_root);
	}
	assert_int_equal(chown(files_path(&files, "a.test"), 0, 0), 0);
	assert_int_equal(chown(files_path(&files, "a.test/etc"), 0, 0), 0);
	assert_int_equal(find("a.test", &d), LOOKUP_FOUND);
	buf_clear(&why);
	assert_int_equal(domain_user_ids(d, passwd_find(&d->passwd, span_str("own")), true,
			     &self, &ids, &why),
	    -1);
	assert_non_null(strstr(buf_str(&why), "belongs to root"));
}

/* Least recently used first, and never while a decision is under way. */
static void
forgets_when_there_are_too_many(void **state)
{
	const struct domains_limits limits = {3, 1 << 30, SIZE_MAX};
	struct domain *d[6];
	char name[32];

	(void)state;
	domains_free(&domains);
	domains = domains_new(files.root, &limits, complain, NULL);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "d%u.test", i);
		files_domain(&files, name, "bob:x\n", NULL, NULL);
	}
	domains_begin(domains);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "d%u.test", i);
		assert_int_equal(
		    domains_find(domains, span_str(name), &d[i], &why), LOOKUP_FOUND);
	}
	assert_int_equal(domains_loaded(domains), 6);
	for (unsigned i = 0; i < 6; i++)
		assert_non_null(passwd_find(&d[i]->passwd, span_str("bob")));
	domains_begin(domains);
	assert_int_equal(domains_loaded(domains), 3);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof name, "d%u.test", i);
		assert_int_equal(ask(name, "bob"), '+');
	}
	domains_free(&domains);
	domains =
	    domains_new(files.root, &(struct domains_limits){100, 1, SIZE_MAX}, complain, NULL);
	assert_int_equal(ask("d1.test", "bob"), '+');
	assert_int_equal(ask("d2.test", "bob"), '+');
	assert_int_equal(domains_loaded(domains), 1);
}

/* That a name was not there is remembered, and not for longer than it is so. */
static void
finds_what_was_not_there_before(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ask("new.test", "bob"), '0');
	files_domain(&files, "new.test", "bob:x\n", NULL, NULL);
	assert_int_equal(ask("new.test", "bob"), '+');
	assert_int_equal(ask("alias.test", "bob"), '0');
	assert_int_equal(symlink("new.test", files_path(&files, "alias.test")), 0);
	assert_int_equal(ask("alias.test", "bob"), '+');
	assert_int_equal(ask("other.test", "bob"), '0');
	assert_int_equal(
	    rename(files_path(&files, "new.test"), files_path(&files, "other.test")), 0);
	assert_int_equal(ask("other.test", "bob"), '+');
	assert_int_equal(ask("new.test", "bob"), '0');
	for (unsigned i = 0; i < ABSENT_NAMES_MAX + 10; i++) {
		snprintf(name, sizeof name, "n%u.test", i);
		assert_int_equal(ask(name, "bob"), '0');
	}
	files_domain(&files, "n7.test", "bob:x\n", NULL, NULL);
	assert_int_equal(ask("n7.test", "bob"), '+');
}

static void
names_the_first(void **state)
{
	char name[DOMAIN_MAX + 1];

	(void)state;
	assert_int_equal(domains_first(domains, name), LOOKUP_NOT_FOUND);
	files_domain(&files, "m.test", "bob:x\n", NULL, NULL);
	domains_begin(domains);
	assert_int_equal(domains_first(domains, name), LOOKUP_FOUND);
	assert_string_equal(name, "m.test");
	assert_int_equal(
	    symlink("m.test", files_path(&files, "a.test")), 0); /* an alias does not count */
	files_mkdir(&files, ".a.test");
	files_mkdir(&files, "A.test");
	files_mkdir(&files, "lost+found");
	files_domain(&files, "b.test", "bob:x\n", NULL, NULL);
	domains_begin(domains);
	assert_int_equal(domains_first(domains, name), LOOKUP_FOUND);
	assert_string_equal(name, "b.test");
	assert_int_equal(rename(files_path(&files, "b.test"), files_path(&files, "z.test")), 0);
	domains_begin(domains);
	assert_int_equal(domains_first(domains, name), LOOKUP_FOUND);
	assert_string_equal(name, "m.test");
}

static void
warns_of_names_nobody_finds(void **state)
{
	struct domain *d;

	(void)state;
	assert_int_equal(find("b.test", &d), LOOKUP_NOT_FOUND);
	files_mkdir(&files, "B.Test");
	files_mkdir(&files, "b\xc3\xbc"
			    "cher.test");
	files_mkdir(&files, "lost+found");
	domains_begin(domains);
	assert_true(complaint_has(&said, "/B.Test: ", "canonical form b.test"));
	assert_true(complaint_has(&said, "cher.test: ", "canonical form xn--bcher-kva.test"));
	assert_int_equal(said.n, 2);
}

static void
cannot_tell_without_root(void **state)
{
	struct domain *d;
	char *away;

	(void)state;
	files_domain(&files, "a.test", "bob:x\n", NULL, NULL);
	assert_int_equal(ask("a.test", "bob"), '+');
	/* Another directory takes the root's place, as when a file system is mounted there. */
	away = xasprintf("%s.away", files.root);
	assert_int_equal(rename(files.root, away), 0);
	assert_int_equal(mkdir(files.root, 0755), 0);
	assert_int_equal(ask("a.test", "bob"), '0');
	files_domain(&files, "a.test", "anna:x\n", NULL, NULL);
	assert_int_equal(ask("a.test", "anna"), '+');
	files_release(&files);
	assert_int_equal(find("a.test", &d), LOOKUP_UNKNOWN);
	assert_int_equal(rename(away, files.root), 0);
	assert_int_equal(ask("a.test", "bob"), '+');
	free(away);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define UNWATCHED(f)                                                                           \
	{                                                                                      \
#f "_unwatched", f, setup_unwatched, teardown, NULL                            \
	}
	const struct CMUnitTest tests[] = {
	    TEST(finds_and_forgets),
	    TEST(never_takes_a_name_for_a_path),
	    TEST(sees_each_change_at_once),
	    TEST(waits_for_etc_and_passwd),
	    TEST(keeps_the_version_before),
	    TEST(refuses_files_of_others),
	    TEST(refuses_open_directories),
	    TEST(stays_beneath_the_domain),
	    TEST(follows_domain_aliases),
	    TEST(refuses_odd_aliases),
	    TEST(reads_included_lists),
	    TEST(gives_ids),
	    TEST(forgets_when_there_are_too_many),
	    TEST(finds_what_was_not_there_before),
	    TEST(names_the_first),
	    TEST(warns_of_names_nobody_finds),
	    TEST(cannot_tell_without_root),
	    UNWATCHED(finds_and_forgets),
	    UNWATCHED(sees_each_change_at_once),
	    UNWATCHED(waits_for_etc_and_passwd),
	    UNWATCHED(keeps_the_version_before),
	    UNWATCHED(refuses_files_of_others),
	    UNWATCHED(refuses_open_directories),
	    UNWATCHED(stays_beneath_the_domain),
	    UNWATCHED(follows_domain_aliases),
	    UNWATCHED(refuses_odd_aliases),
	    UNWATCHED(reads_included_lists),
	    UNWATCHED(gives_ids),
	    UNWATCHED(names_the_first),
	    UNWATCHED(cannot_tell_without_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
