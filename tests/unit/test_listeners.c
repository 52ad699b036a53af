/* test_listeners: binding, keeping and changing listening sockets, over loopback and in a temporary spool. */
#include "common/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spool_tree.h"
#include "tests/unit/testing.h"

static int
socket_of(const struct netaddr *a)
{
	int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* "127.0.0.1:port" with a port nobody has; text is kept by the caller. */
static struct listener_spec
free_spec(char text[NETADDR_TEXT_SIZE])
{
	struct listener_spec s = {.role = "mx", .tls = "none"};
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int fd;

	assert_int_equal(netaddr_parse_port(span_str("127.0.0.1:1"), &s.addr), 0);
	s.addr.port = 0;
	fd = socket_of(&s.addr);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&ss, netaddr_to_sockaddr(&s.addr, &ss)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(netaddr_from_sockaddr((struct sockaddr *)&ss, &s.addr), 0);
	close(fd);
	s.name = netaddr_format_port(&s.addr, text);
	return s;
}

static bool
can_connect(const struct netaddr *a)
{
	struct sockaddr_storage ss;
	int fd = socket_of(a);
	bool ok = connect(fd, (struct sockaddr *)&ss, netaddr_to_sockaddr(a, &ss)) == 0;

	close(fd);
	return ok;
}

static int
option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof v;

	assert_int_equal(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

static void
binds_one_socket_a_worker(void **state)
{
	char text[NETADDR_TEXT_SIZE];
	struct listener_spec spec = free_spec(text);
	struct listeners *l = listeners_open_tcp(&spec, 1, 3, NULL);
	const struct listener *one;

	(void)state;
	assert_non_null(l);
	one = listeners_find(l, text);
	assert_non_null(one);
	assert_null(listeners_find(l, "0.0.0.0:25"));
	assert_string_equal(one->served_by, "smtpd");
	assert_true(one->tcp);
	for (unsigned w = 0; w < 3; w++) {
		int fd = listener_fd(one, w);

		assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
		assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_int_not_equal(fd, listener_fd(one, (w + 1) % 3));
	}
	assert_true(can_connect(&spec.addr));
	listeners_free(&l);
	assert_null(l);
	assert_false(can_connect(&spec.addr));
}

/* SO_REUSEPORT must not let two instances share an address. */
static void
refuses_an_address_in_use(void **state)
{
	char text[2][NETADDR_TEXT_SIZE];
	struct listener_spec spec[2] = {free_spec(text[0]), free_spec(text[1])};
	struct listeners *l = listeners_open_tcp(&spec[1], 1, 2, NULL);

	(void)state;
	assert_non_null(l);
	assert_null(listeners_open_tcp(spec, 2, 2, NULL));
	assert_false(can_connect(&spec[0].addr)); /* nothing is left of the failed attempt */
	assert_true(can_connect(&spec[1].addr));
	listeners_free(&l);
}

static void
refuses_too_many(void **state)
{
	struct listener_spec specs[LISTENERS_TCP_MAX + 1];
	char text[NETADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < LISTENERS_TCP_MAX + 1; i++)
		specs[i] = free_spec(text);
	assert_null(listeners_open_tcp(specs, LISTENERS_TCP_MAX + 1, 1, NULL));
}

static void
keeps_ipv6_apart_from_ipv4(void **state)
{
	char text[2][NETADDR_TEXT_SIZE];
	struct listener_spec spec[2] = {free_spec(text[0])};
	struct listeners *l;

	(void)state;
	spec[1] = spec[0];
	snprintf(text[1], sizeof text[1], "[::]:%u", spec[0].addr.port);
	spec[1].name = text[1];
	assert_int_equal(netaddr_parse_port(span_str(text[1]), &spec[1].addr), 0);
	memset(spec[0].addr.ip, 0, sizeof spec[0].addr.ip);
	l = listeners_open_tcp(spec, 2, 1, NULL);
	assert_non_null(l); /* without IPv6 the second is left out */
	if (l->n == 2)
		assert_int_equal(
		    option(listener_fd(&l->v[1], 0), IPPROTO_IPV6, IPV6_V6ONLY), 1);
	listeners_free(&l);
}

struct changes {
	char text[512];
};

static void
note(const struct listener *l, bool added, void *arg)
{
	struct changes *c = arg;
	size_t len = strlen(c->text);

	snprintf(c->text + len, sizeof c->text - len, "%c%s/%s ", added ? '+' : '-', l->name,
	    l->role);
}

static void
changes_only_what_differs(void **state)
{
	char text[3][NETADDR_TEXT_SIZE], want[512];
	struct listener_spec spec[3] = {
	    free_spec(text[0]), free_spec(text[1]), free_spec(text[2])};
	struct listeners *was = listeners_open_tcp(spec, 2, 2, NULL), *now;
	struct listener_spec next[3] = {spec[0], spec[1], spec[2]};
	int kept = listener_fd(listeners_find(was, text[0]), 1);
	struct changes c = {""};

	(void)state;
	now = listeners_open_tcp(next, 3, 2, was);
	assert_non_null(now);
	listeners_tell_removed(now, was, note, &c);
	listeners_take_over(now, &was, note, &c);
	assert_null(was);
	snprintf(want, sizeof want, "+%s/mx ", text[2]);
	assert_string_equal(c.text, want);
	assert_int_equal(listener_fd(listeners_find(now, text[0]), 1), kept);

	/* The first goes, the second changes its role and keeps its socket, the third stays. */
	was = now;
	kept = listener_fd(listeners_find(was, text[1]), 0);
	next[1].role = "submission";
	c.text[0] = '\0';
	now = listeners_open_tcp(next + 1, 2, 2, was);
	assert_non_null(now);
	assert_true(can_connect(&spec[0].addr)); /* until it is taken over */
	listeners_tell_removed(now, was, note, &c);
	listeners_take_over(now, &was, note, &c);
	snprintf(want, sizeof want, "-%s/mx -%s/mx +%s/submission ", text[0], text[1], text[1]);
	assert_string_equal(c.text, want);
	assert_int_equal(listener_fd(listeners_find(now, text[1]), 0), kept);
	assert_false(can_connect(&spec[0].addr));
	assert_true(can_connect(&spec[1].addr));
	assert_true(can_connect(&spec[2].addr));
	listeners_free(&now);
}

static void
keeps_the_old_ones_if_a_new_one_fails(void **state)
{
	char text[3][NETADDR_TEXT_SIZE];
	struct listener_spec spec[3] = {
	    free_spec(text[0]), free_spec(text[1]), free_spec(text[2])};
	struct listeners *was = listeners_open_tcp(spec, 1, 1, NULL);
	struct listeners *foreign = listeners_open_tcp(&spec[2], 1, 1, NULL);

	(void)state;
	assert_null(listeners_open_tcp(spec, 3, 1, was));
	assert_true(can_connect(&spec[0].addr));
	assert_false(can_connect(&spec[1].addr));
	listeners_free(&was);
	listeners_free(&foreign);
}

/* "0.0.0.0:port" instead of "127.0.0.1:port" is a change one can make while it runs. */
static void
widens_an_address_on_its_own_port(void **state)
{
	char text[2][NETADDR_TEXT_SIZE];
	struct listener_spec narrow = free_spec(text[0]), wide = narrow;
	struct listeners *was = listeners_open_tcp(&narrow, 1, 2, NULL), *now;
	struct changes c = {""};

	(void)state;
	memset(wide.addr.ip, 0, sizeof wide.addr.ip);
	wide.name = netaddr_format_port(&wide.addr, text[1]);
	now = listeners_open_tcp(&wide, 1, 2, was);
	assert_non_null(now);
	listeners_tell_removed(now, was, note, &c);
	listeners_take_over(now, &was, note, &c);
	assert_true(can_connect(&narrow.addr));
	listeners_free(&now);
}

/* --- Unix sockets --- */

static void
check_socket(const char *spool, const struct process_ids *ids, const struct socket_row *row)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct process_ids *user = process_ids_find(ids, row->used_by);
	bool all = strcmp(row->used_by, "everybody") == 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	char *slash;

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/sockets/%s", spool, row->name);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	close(fd);
	assert_int_equal(lstat(sun.sun_path, &st), 0);
	check_row(row->name, S_ISSOCK(st.st_mode));
	check_row(row->name, (st.st_mode & 07777) == (all ? 0666 : 0660));
	check_row(row->name, st.st_uid == geteuid());
	check_row(row->name, st.st_gid == (user != NULL ? user->gid : getegid()));
	slash = strrchr(sun.sun_path, '/');
	*slash = '\0';
	assert_int_equal(lstat(sun.sun_path, &st), 0);
	check_row(row->name, (st.st_mode & 07777) == (all ? 0755 : 0750));
	check_row(row->name, st.st_uid == geteuid());
	check_row(row->name, st.st_gid == (user != NULL ? user->gid : getegid()));
}

static void
makes_the_sockets_of_the_table(void **state)
{
	char dir[] = "/tmp/prt-listeners-XXXXXX", spool[64], command[96];
	struct process_ids ids[16];
	size_t n, nsockets;
	const struct socket_row *sockets = socket_table(&nsockets);
	struct listeners *l;
	mode_t mask = umask(077);

	(void)state;
	process_table(&n);
	for (size_t i = 0; i < n; i++)
		ids[i] = (struct process_ids){
		    geteuid(), geteuid() == 0 ? 64001 + (gid_t)i : getegid()};
	assert_non_null(mkdtemp(dir));
	snprintf(spool, sizeof spool, "%s/spool", dir);
	assert_int_equal(spool_tree_check(spool), 0);
	assert_int_equal(spool_tree_make(spool, ids), 0);
	for (int round = 0; round < 2;
	     round++) { /* the second time over the remains of the first */
		l = listeners_open_unix(spool, ids);
		assert_non_null(l);
		assert_int_equal(l->n, nsockets);
		for (size_t i = 0; i < nsockets; i++) {
			const struct listener *one = listeners_find(l, sockets[i].name);

			assert_non_null(one);
			assert_string_equal(one->served_by, sockets[i].served_by);
			assert_int_equal(one->nfds, 1);
			assert_int_equal(listener_fd(one, 7), listener_fd(one, 0));
			check_socket(spool, ids, &sockets[i]);
		}
		assert_string_equal(listeners_find(l, "submit/smtp")->role, "submit");
		assert_string_equal(listeners_find(l, "smtpd/queue")->role, "smtpd");
		listeners_free(&l);
	}
	listeners_unlink_unix(spool);
	snprintf(command, sizeof command, "%s/sockets/submit/smtp", spool);
	assert_int_equal(faccessat(AT_FDCWD, command, F_OK, 0), -1);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	umask(mask);
}

static void
refuses_a_name_too_long_for_a_socket(void **state)
{
	struct process_ids ids[16] = {{0, 0}};
	char spool[200];

	(void)state;
	memset(spool, 'x', sizeof spool);
	spool[0] = '/';
	spool[sizeof spool - 1] = '\0';
	assert_null(listeners_open_unix(spool, ids));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(binds_one_socket_a_worker),
	    cmocka_unit_test(refuses_an_address_in_use),
	    cmocka_unit_test(refuses_too_many),
	    cmocka_unit_test(keeps_ipv6_apart_from_ipv4),
	    cmocka_unit_test(changes_only_what_differs),
	    cmocka_unit_test(keeps_the_old_ones_if_a_new_one_fails),
	    cmocka_unit_test(widens_an_address_on_its_own_port),
	    cmocka_unit_test(makes_the_sockets_of_the_table),
	    cmocka_unit_test(refuses_a_name_too_long_for_a_socket),
	};

	log_init("test_listeners", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
