/*
 * test_delivery: local's way from a job to its answer, with a directory played
 * here and real children: the spawner, the pool, the child and the Maildir. As
 * root the children become other users; otherwise they stay who we are.
 */
#include "deliver/delivery.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "deliver/spawner.h"
#include "tests/unit/sockets.h"

#define OWNER 65431 /* who the mailboxes belong to, if we can choose */

struct world {
	struct event_base *base;
	struct sockets queue_at, directory_at;
	struct service *queue, *directory;
	struct client *agent_client;
	struct agent *agent;
	struct delivery_env env;
	char top[64], domain[80];
	uid_t uid;
	int ready, answers, asked;
	bool silent; /* the directory does not answer */
	char text[4000];
};

/* --- the directory: user "other" belongs to another owner, "root" to root, "gone" is no more --- */

static void
directory_on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct world *w = arg;
	struct span address, local;
	struct wire_out out;
	struct verdict v;

	w->asked++;
	if (w->silent) {
		client_drop(c, "silent");
		return;
	}
	assert_true(span_is(m->verb, "mailbox"));
	assert_int_equal(wire_get(m, "address", &address), 0);
	local = span_cut(&address, '@');
	client_answer_init(&out, m);
	if (span_is(local, "gone"))
		verdict_set(&v, VERDICT_PERMANENT, 550, "5.1.1", "No such mailbox");
	else
		verdict_set(&v, VERDICT_OK, 0, "2.0.0", "yes");
	wire_add_verdict(&out, &v);
	wire_add_u64(&out, "uid",
	    span_is(local, "root")    ? 0
	    : span_is(local, "other") ? w->uid + 1
				      : w->uid);
	wire_add_u64(&out, "gid", w->uid);
	wire_add_str(&out, "directory", span_is(local, "nodir") ? "relative" : w->domain);
	wire_addf(&out, "home", "home/%.*s", SPAN_ARG(local));
	wire_add_str(&out, "maildir", "Maildir");
	client_send(c, &out, -1);
}

static const struct service_ops directory_ops = {.on_message = directory_on_message};

static void
queue_on_message(struct client *c, struct wire_msg *m, void *arg)
{
	struct world *w = arg;

	w->agent_client = c;
	if (span_is(m->verb, "ready")) {
		w->ready++;
		return;
	}
	for (size_t i = 0, at = strlen(w->text); i < m->nfields; i++) {
		if (span_is(m->fields[i].name, "rcpt") || span_is(m->fields[i].name, "kind"))
			at += (size_t)snprintf(w->text + at, sizeof w->text - at, "%.*s ",
			    SPAN_ARG(m->fields[i].value));
	}
	w->answers++;
}

static const struct service_ops queue_ops = {.on_message = queue_on_message};

static void
on_job(struct job *j, void *arg)
{
	struct world *w = arg;

	delivery_start(&w->env, j);
}

static const struct agent_ops agent_ops = {.on_job = on_job};
static const struct peer_ops peer_ops = {0};

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	*state = w;
	w->base = event_base_new();
	w->env.base = w->base;
	w->env.host = "mx.test";
	w->env.root = sandbox_is_root();
	w->uid = w->env.root ? OWNER : geteuid();
	snprintf(w->top, sizeof w->top, "/tmp/postrider-unit-XXXXXX");
	if (mkdtemp(w->top) == NULL || chmod(w->top, 0755) != 0)
		return -1;
	snprintf(w->domain, sizeof w->domain, "%s/d.test", w->top);
	if (mkdir(w->domain, 0755) != 0 || chmod(w->domain, 0777) != 0)
		return -1;
	sockets_init(&w->queue_at);
	sockets_init(&w->directory_at);
	w->queue = service_new(
	    w->base, sockets_listen(&w->queue_at), "local/queue", (uid_t)-1, &queue_ops, w);
	w->directory = service_new(w->base, sockets_listen(&w->directory_at), "local/directory",
	    (uid_t)-1, &directory_ops, w);
	w->env.pool = owner_pool_new(w->base, LOG_LEVEL_WARN, SYSCALL_FILTER_OFF);
	w->env.directory = peer_new(w->base, w->directory_at.path, "local", &peer_ops, w);
	w->agent = agent_new(w->base, w->queue_at.path, "local", 100, &agent_ops, w);
	return testing_run_until(w->base, &w->ready, 1) ? 0 : -1;
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
	struct world *w = *state;

	agent_free(&w->agent);
	peer_free(&w->env.directory);
	owner_pool_free(&w->env.pool);
	service_free(&w->queue);
	service_free(&w->directory);
	sockets_release(&w->queue_at);
	sockets_release(&w->directory_at);
	event_base_free(w->base);
	nftw(w->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* --- */

static void
send_job(struct world *w, uint64_t id, int fd, const char *const *users)
{
	struct wire_out out;

	wire_out_init(&out, "job", id);
	wire_addf(&out, "message", "MSG%u", (unsigned)id);
	wire_addf(&out, "number", "%x", (unsigned)id);
	wire_add_str(&out, "from", "s@x.test");
	wire_add_str(&out, "received", "1700000000");
	wire_add_str(&out, "size", "9");
	wire_add_str(&out, "body", "7bit");
	wire_add_str(&out, "destination", "d.test");
	for (size_t i = 0; users[i] != NULL; i++) {
		wire_add_u64(&out, "rcpt", i);
		wire_addf(&out, "address", "%s@d.test", users[i]);
	}
	if (fd >= 0)
		wire_add_str(&out, "offset", "2");
	else
		out.payload = LITERAL("S: x\n\nhi\n");
	assert_int_equal(client_send(w->agent_client, &out, fd), 0);
}

static int
count(const struct world *w, const char *user, uid_t *owner)
{
	char path[200];
	struct dirent *e;
	struct stat st;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/home/%s/Maildir/new", w->domain, user);
	d = opendir(path);
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fstatat(dirfd(d), e->d_name, &st, 0), 0);
		if (owner != NULL)
			*owner = st.st_uid;
		n++;
	}
	closedir(d);
	return n;
}

/* Makes home/ as another owner than the domain's could not. */
static void
make_home(const struct world *w)
{
	char path[100];

	snprintf(path, sizeof path, "%s/home", w->domain);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chmod(path, 0777), 0);
}

static void
delivers_as_the_owner(void **state)
{
	static const char *const users[] = {
	    "bob", "gone", "other", "root", "nodir", "alice", NULL};
	struct world *w = *state;
	uid_t owner = 0;

	make_home(w);
	send_job(w, 1, -1, users);
	assert_true(testing_run_until(w->base, &w->answers, 1));
	assert_int_equal(w->asked, 6);
	assert_int_equal(count(w, "bob", &owner), 1);
	assert_int_equal(owner, w->uid);
	assert_int_equal(count(w, "alice", NULL), 1);
	assert_int_equal(count(w, "gone", NULL), -1);
	if (w->env.root) {
		assert_string_equal(
		    w->text, "0 ok 1 permanent 2 ok 3 temporary 4 temporary 5 ok ");
		assert_int_equal(count(w, "other", &owner), 1);
		assert_int_equal(owner, w->uid + 1);
		assert_int_equal(count(w, "root", NULL), -1);
	} else {
		assert_string_equal(w->text, "0 ok 1 permanent 2 ok 3 ok 4 temporary 5 ok ");
	}
}

static void
passes_a_file_on(void **state)
{
	static const char *const users[] = {"bob", "alice", NULL};
	struct world *w = *state;
	int fd = open(w->top, O_RDWR | O_TMPFILE, 0600);

	if (fd < 0)
		skip();
	make_home(w);
	assert_int_equal(write(fd, "xxS: x\n\nhi\nyy", 13), 13);
	send_job(w, 1, fd, users);
	assert_true(testing_run_until(w->base, &w->answers, 1));
	assert_string_equal(w->text, "0 ok 1 ok ");
	assert_int_equal(count(w, "alice", NULL), 1);
}

static void
many_jobs_at_once(void **state)
{
	static const char *const users[] = {"bob", NULL};
	struct world *w = *state;

	make_home(w);
	for (uint64_t id = 1; id <= 300; id++)
		send_job(w, id, -1, users);
	assert_true(testing_run_until(w->base, &w->answers, 300));
	assert_int_equal(count(w, "bob", NULL), 300);
	assert_null(strstr(w->text, "temporary"));
}

/* A directory that is restarting is asked again; nothing is lost and nothing bounces. */
static void
waits_for_the_directory(void **state)
{
	static const char *const users[] = {"bob", NULL};
	struct world *w = *state;

	make_home(w);
	w->silent = true;
	send_job(w, 1, -1, users);
	testing_run_for(w->base, 250);
	assert_true(w->asked >= 1);
	assert_int_equal(w->answers, 0);
	w->silent = false;
	assert_true(testing_run_until(w->base, &w->answers, 1));
	assert_string_equal(w->text, "0 ok ");
}

static pid_t
parent_of(pid_t pid)
{
	char path[64], line[64];
	pid_t parent = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && parent < 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "PPid:", 5) == 0)
			parent = (pid_t)strtol(line + 5, NULL, 10);
	if (f != NULL)
		fclose(f);
	return parent;
}

/* The child of our own spawner: its parent's parent is this test. */
static pid_t
find_child(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (found == 0 && (e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 0 && parent_of(parent_of(pid)) == getpid())
			found = pid;
	}
	closedir(d);
	return found;
}

/* What ps(1) shows of it. */
static void
check_title(pid_t pid)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	assert_string_equal(text, "local-child");
	fclose(f);
}

static void
survives_its_children(void **state)
{
	static const char *const users[] = {"bob", NULL};
	struct world *w = *state;
	pid_t child;

	make_home(w);
	send_job(w, 1, -1, users);
	assert_true(testing_run_until(w->base, &w->answers, 1));
	child = find_child();
	assert_true(child > 0);
	check_title(child);
	assert_int_equal(kill(child, SIGSTOP), 0);
	send_job(w, 2, -1, users);
	testing_run_for(w->base, 50);
	assert_int_equal(w->answers, 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(testing_run_until(w->base, &w->answers, 2));
	assert_string_equal(w->text, "0 ok 0 temporary ");
	send_job(w, 3, -1, users);
	assert_true(testing_run_until(w->base, &w->answers, 3));
	assert_string_equal(w->text, "0 ok 0 temporary 0 ok ");
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(delivers_as_the_owner),
	    WITH_WORLD(passes_a_file_on),
	    WITH_WORLD(many_jobs_at_once),
	    WITH_WORLD(waits_for_the_directory),
	    WITH_WORLD(survives_its_children),
	};

	if (argc > 1 && strcmp(argv[1], SPAWNER_WORD) == 0)
		return spawner_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
