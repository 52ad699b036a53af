/*
 * rcpt: how many RCPT decisions a second the directory makes, with few domains and with many: through
 * the function alone, and asked over its socket. Makes the domain directories itself, in an empty
 * directory, and takes them away again. One line of JSON. Started by hand:
 *
 *	rcpt --dir EMPTY-DIRECTORY --domains 10000 --users 10
 *
 * Each question names a domain and a user at random, so with many domains nothing is near in the caches.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/peer.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "conf/directory.h"
#include "conf/policy.h"
#include "tests/bench/cli.h"

/* Questions under way at once, as of a busy smtpd. */
#define WINDOW 64

struct rcpt {
	const char *dir;
	uint64_t domains, users, seconds;
	uint64_t random;
	char root[600];

	/* over the socket */
	struct event_base *base;
	struct peer *peer;
	uint64_t asked, answered, wrong, deadline;
};

static uint64_t
next_random(struct rcpt *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

static void
make_directory(struct rcpt *r, uint64_t domain, const char *below)
{
	char path[700];

	snprintf(path, sizeof path, "%s/d%llu.example%s", r->root, (unsigned long long)domain,
	    below);
	if (mkdir(path, 0755) != 0)
		err(71, "%s", path);
}

static void
make_passwd(struct rcpt *r, uint64_t domain, struct span text)
{
	char path[700];
	int fd;

	snprintf(path, sizeof path, "%s/d%llu.example/etc/passwd", r->root,
	    (unsigned long long)domain);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len)
		err(71, "%s", path);
	close(fd);
}

static void
make_domains(struct rcpt *r)
{
	struct buf passwd;

	buf_init(&passwd, 1 << 20);
	for (uint64_t u = 0; u < r->users; u++)
		buf_addf(&passwd,
		    "user%llu:$6$testsalt$"
		    "0123456789012345678901234567890123456789012345678901234567890123:::"
		    "User:/home/user%llu:\n",
		    (unsigned long long)u, (unsigned long long)u);
	snprintf(r->root, sizeof r->root, "%s/virtual", r->dir);
	if (mkdir(r->root, 0755) != 0)
		err(71, "%s", r->root);
	for (uint64_t i = 0; i < r->domains; i++) {
		make_directory(r, i, "");
		make_directory(r, i, "/etc");
		make_passwd(r, i, buf_span(&passwd));
	}
	buf_release(&passwd);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* An address that is there. */
static void
some_address(struct rcpt *r, char *out, size_t size)
{
	uint64_t domain = next_random(r) % r->domains, user = next_random(r) % r->users;

	snprintf(out, size, "user%llu@d%llu.example", (unsigned long long)user,
	    (unsigned long long)domain);
}

static struct config *
make_config(struct rcpt *r)
{
	struct config *c = xcalloc(1, sizeof *c);

	c->path = xstrdup("rcpt");
	c->hostname = xstrdup("mx.example");
	c->domains = xstrdup(r->root);
	return c;
}

/* One decision; false if it was not the expected one. */
static bool
decide(struct domains *domains, const struct resolve_env *env, const char *text)
{
	struct policy_client client = {.role = LISTENER_MX};
	struct address from = {.len = 0}, rcpt;
	struct policy_answer a;

	netaddr_parse(span_str("192.0.2.1"), &client.address);
	if (address_parse(span_str(text), ADDRESS_UTF8 | ADDRESS_POSTMASTER, &rcpt, NULL) != 0)
		return false;
	domains_begin(domains);
	policy_rcpt(env, &client, &from, &rcpt, NULL, &a);
	return a.verdict.kind == VERDICT_OK;
}

/* Decisions a second through the function, every domain loaded before. *load_us: what loading one took. *cpu_us: processor time of a
 * decision, which tells more than the clock on a busy machine. */
static double
measure_function(struct rcpt *r, double *load_us, double *cpu_us)
{
	const struct domains_limits limits = DOMAINS_LIMITS_DEFAULT;
	const struct domain_ids self = {geteuid(), getegid()};
	struct config *c = make_config(r);
	struct domains *domains = domains_new(r->root, &limits, NULL, NULL);
	struct resolve_env env;
	uint64_t began = cli_now_us(), n = 0, end;
	char text[200];

	directory_env(&env, c, domains, false, &self);
	for (uint64_t i = 0; i < r->domains; i++) {
		snprintf(text, sizeof text, "user0@d%llu.example", (unsigned long long)i);
		if (!decide(domains, &env, text))
			errx(70, "%s is refused", text);
	}
	*load_us = (double)(cli_now_us() - began) / (double)r->domains;
	*cpu_us = -cli_cpu() * 1e6;
	began = cli_now_us();
	end = began + r->seconds * 1000000;
	while (cli_now_us() < end) {
		for (unsigned i = 0; i < 100; i++, n++) {
			some_address(r, text, sizeof text);
			if (!decide(domains, &env, text))
				errx(70, "%s is refused", text);
		}
	}
	end = cli_now_us();
	*cpu_us = (*cpu_us + cli_cpu() * 1e6) / (double)n;
	domains_free(&domains);
	config_free(&c);
	return (double)n * 1e6 / (double)(end - began);
}

static void
on_question(struct client *c, struct wire_msg *m, void *arg)
{
	struct wire_out w;

	client_answer_init(&w, m);
	if (directory_answer(arg, client_service(c), m, &w) != 0)
		errx(70, "a question is refused");
	client_send(c, &w, -1);
}

static void
on_batch(struct client *c, void *arg)
{
	(void)c;
	directory_refresh(arg);
}

/* The directory process, without its frame. */
static void
serve(struct rcpt *r, int fd)
{
	static const struct service_ops ops = {.on_message = on_question, .on_batch = on_batch};
	const struct domain_ids self = {geteuid(), getegid()};
	struct directory *d = directory_new(false, &self);
	struct event_base *base = event_base_new();
	struct service *s;

	directory_configure(d, make_config(r));
	s = service_new(base, fd, "smtpd/directory", geteuid(), &ops, d);
	event_base_dispatch(base);
	service_free(&s);
	event_base_free(base);
	directory_free(&d);
}

static void ask(struct rcpt *r);

static void
on_answer(struct wire_msg *answer, void *arg)
{
	struct rcpt *r = arg;
	struct verdict v;

	r->answered++;
	r->wrong += answer == NULL || wire_get_verdict(answer, &v) != 0 || v.kind != VERDICT_OK;
	if (r->deadline == 0 || cli_now_us() < r->deadline)
		ask(r);
	else if (r->answered == r->asked)
		event_base_loopbreak(r->base);
}

/* While the domains are being loaded each is asked for in turn. */
static void
ask(struct rcpt *r)
{
	struct wire_out w;
	char text[200];

	if (r->deadline == 0 && r->asked >= r->domains) {
		if (r->answered == r->asked)
			event_base_loopbreak(r->base);
		return;
	}
	if (r->deadline == 0)
		snprintf(
		    text, sizeof text, "user0@d%llu.example", (unsigned long long)r->asked);
	else
		some_address(r, text, sizeof text);
	wire_out_init(&w, "rcpt", peer_next_id(r->peer));
	wire_add_str(&w, "client", "192.0.2.1");
	wire_add_str(&w, "role", "mx");
	wire_add_str(&w, "helo", "client.example");
	wire_add_str(&w, "auth", "");
	wire_add_str(&w, "from", "sender@remote.example");
	wire_add_str(&w, "rcpt", text);
	r->asked++;
	peer_call(r->peer, &w, 60000, on_answer, r);
}

static void
on_up(struct peer *p, void *arg)
{
	struct rcpt *r = arg;

	(void)p;
	for (unsigned i = 0; i < WINDOW; i++)
		ask(r);
}

static int
listen_or_die(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof sun.sun_path)
		errx(64, "%s: expected a shorter --dir", path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof sun) != 0 || listen(fd, 16) != 0)
		err(71, "%s", path);
	return fd;
}

/* Decisions a second asked by another process over the socket. */
static double
measure_socket(struct rcpt *r)
{
	static const struct peer_ops ops = {.on_up = on_up};
	char path[700];
	uint64_t began;
	pid_t pid;
	int fd;

	snprintf(path, sizeof path, "%s/socket", r->dir);
	fd = listen_or_die(path);
	pid = fork();
	if (pid == 0) {
		serve(r, fd);
		_exit(0);
	}
	close(fd);
	r->base = event_base_new();
	r->asked = r->answered = r->deadline = 0;
	r->peer = peer_new(r->base, path, "smtpd", &ops, r);
	event_base_dispatch(r->base); /* until all are loaded */
	r->asked = r->answered = 0;
	began = cli_now_us();
	r->deadline = began + r->seconds * 1000000;
	for (unsigned i = 0; i < WINDOW; i++)
		ask(r);
	event_base_dispatch(r->base);
	began = cli_now_us() - began;
	peer_free(&r->peer);
	event_base_free(r->base);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (r->wrong > 0)
		errx(70, "%llu answers were wrong", (unsigned long long)r->wrong);
	return (double)r->answered * 1e6 / (double)began;
}

int
main(int argc, char **argv)
{
	struct rcpt r = {
	    .dir = ".", .domains = 10, .users = 10, .seconds = 3, .random = 88172645463325252};
	const struct cli_option options[] = {
	    {"dir", CLI_TEXT, &r.dir, 0, 0},
	    {"domains", CLI_NUMBER, &r.domains, 1, 1000000},
	    {"users", CLI_NUMBER, &r.users, 1, 1000},
	    {"time", CLI_NUMBER, &r.seconds, 1, 600},
	    {NULL, CLI_TEXT, NULL, 0, 0},
	};
	double function, over_socket, load_us, cpu_us;

	(void)argc;
	cli_parse(argv + 1, options,
	    "usage: rcpt --dir EMPTY-DIRECTORY [--domains N] [--users N] [--time SECONDS]\n");
	make_domains(&r);
	function = measure_function(&r, &load_us, &cpu_us);
	over_socket = measure_socket(&r);
	printf(
	    "{\"domains\": %llu, \"users\": %llu, \"load_us\": %.1f, \"function_per_s\": %.0f, "
	    "\"function_cpu_us\": %.2f, "
	    "\"socket_per_s\": %.0f}\n",
	    (unsigned long long)r.domains, (unsigned long long)r.users, load_us, function,
	    cpu_us, over_socket);
	nftw(r.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
