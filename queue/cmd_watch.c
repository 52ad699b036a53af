/*
 * cmd_watch: a view that refreshes. See cmd_watch.h. Called by cmd_queue_*.c and cmd_status.c.
 * Invariant: whatever ends it, the terminal is given back as it was: signals are waited for here, and
 * the work is done by a child process that may be ended at any time.
 */
#include "queue/cmd_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "queue/blocking.h"

#define SECONDS_USUAL	2
#define SECONDS_MAX	86400
#define SCREEN_OCTETS	(1U << 20) /* what is shown of a view at most */
#define ENTER_SCREEN	"\033[?1049h\033[?25l"
#define LEAVE_SCREEN	"\033[?25h\033[?1049l"
#define HOME		"\033[H"
#define CLEAR_LINE_REST "\033[K"
#define CLEAR_REST	"\033[J"

struct view {
	struct cmd_context *ctx;
	int (*show)(struct cmd_context *ctx, void *arg);
	void *arg;
	unsigned seconds;
	bool terminal;
	sigset_t signals, before;
	int signalfd;
	struct buf text; /* what the last run wrote */
};

struct cmd_option
cmd_watch_option(struct cmd_watch *w)
{
	return (struct cmd_option){.name = "watch", .value = &w->seconds, .given = &w->given};
}

static void
write_str(const char *s)
{
	(void)blocking_write(STDOUT_FILENO, span_str(s));
}

/* What fits a line of that many columns, taking one for each character. */
static struct span
cut_line(struct span line, unsigned columns)
{
	size_t at = 0;

	for (unsigned n = 0; at < line.len && n < columns; n++) {
		size_t len = utf8_char(span_skip(line, at), NULL);

		at += len > 0 ? len : 1;
	}
	return span_first(line, at);
}

static void
draw(struct view *v)
{
	struct winsize size = {.ws_row = 0};
	struct span rest = buf_span(&v->text);
	struct buf out;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	buf_init(&out, 2 * SCREEN_OCTETS);
	buf_add_str(&out, HOME);
	for (unsigned row = 0; row < size.ws_row && rest.len > 0; row++) {
		struct span line = span_cut(&rest, '\n');

		if (row > 0)
			buf_add_str(&out, "\r\n");
		if (row + 1U == size.ws_row && rest.len > 0)
			line = span_str("...");
		buf_add_span(&out, cut_line(line, size.ws_col));
		buf_add_str(&out, CLEAR_LINE_REST);
	}
	buf_add_str(&out, CLEAR_REST);
	(void)blocking_write(STDOUT_FILENO, buf_span(&out));
	buf_release(&out);
}

/* In the child. */
static int
run_once(struct view *v, int out)
{
	struct winsize size;
	int status;

	sigprocmask(SIG_SETMASK, &v->before, NULL);
	if (v->terminal) {
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
			v->ctx->rows = size.ws_row;
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	status = v->show(v->ctx, v->arg);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

/* The signal that came, 0 if none did within these milliseconds or before fd has something to read. */
static int
wait_signal(const struct view *v, int fd, int ms)
{
	struct pollfd p[2] = {
	    {.fd = v->signalfd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	struct signalfd_siginfo info;

	if (poll(p, 2, ms) > 0 && p[0].revents != 0 &&
	    read(v->signalfd, &info, sizeof info) == sizeof info)
		return (int)info.ssi_signo;
	return 0;
}

/* Reads what the child writes until it closes. A signal that came meanwhile, or 0. */
static int
collect(struct view *v, int fd)
{
	char piece[16384];
	int sig;

	buf_clear(&v->text);
	for (;;) {
		ssize_t n;

		sig = wait_signal(v, fd, -1);
		if (sig != 0 && sig != SIGWINCH)
			return sig;
		if (sig != 0)
			continue;
		n = read(fd, piece, sizeof piece);
		if (n <= 0)
			return 0;
		(void)buf_add(&v->text, piece, (size_t)n); /* what is too much is not shown */
	}
}

/* One run. Its exit status in *status; a signal that ended it, or 0. */
static int
refresh(struct view *v, int *status)
{
	int ends[2], sig, how = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		*status = cmd_fail(EX_OSERR, "cannot start a process: %s", strerror(errno));
		return 0;
	}
	if (pid == 0)
		_exit(run_once(v, ends[1]));
	close(ends[1]);
	sig = collect(v, ends[0]);
	close(ends[0]);
	if (sig != 0)
		kill(pid, SIGKILL);
	(void)waitpid(pid, &how, 0);
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : EX_SOFTWARE;
	if (sig == 0 && v->terminal)
		draw(v);
	return sig;
}

/* Waits until it is time again. A signal that came, or 0. */
static int
pause_view(struct view *v)
{
	uint64_t until = clock_mono_ms() + v->seconds * UINT64_C(1000), now;
	int sig = 0;

	while (sig == 0 && (now = clock_mono_ms()) < until) {
		sig = wait_signal(v, -1, (int)(until - now));
		if (sig == SIGWINCH) {
			sig = 0;
			draw(v);
		}
	}
	return sig;
}

/* Stops as the terminal's stop character asks, with the terminal as it was, and goes on later. */
static void
stop_for_now(struct view *v)
{
	if (v->terminal)
		write_str(LEAVE_SCREEN);
	raise(SIGSTOP);
	if (v->terminal)
		write_str(ENTER_SCREEN);
}

static void
watch_signals(struct view *v)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

	sigemptyset(&v->signals);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		sigaddset(&v->signals, wanted[i]);
	if (v->terminal)
		sigaddset(&v->signals, SIGWINCH);
	sigprocmask(SIG_BLOCK, &v->signals, &v->before);
	v->signalfd = signalfd(-1, &v->signals, SFD_CLOEXEC);
}

/* Runs it until the end; the signal that ended it, or 0 with *status. */
static int
loop(struct view *v, int *status)
{
	for (;;) {
		int sig = refresh(v, status);

		if (sig == 0 && (*status == EX_USAGE || *status == EX_IOERR))
			return 0; /* another time will be no better */
		if (sig == 0)
			sig = pause_view(v);
		if (sig == SIGTSTP)
			stop_for_now(v);
		else if (sig != 0)
			return sig;
	}
}

static int
watch(struct view *v)
{
	int status = 0, sig;

	watch_signals(v);
	if (v->signalfd < 0)
		return cmd_fail(EX_OSERR, "cannot wait for signals: %s", strerror(errno));
	if (v->terminal)
		write_str(ENTER_SCREEN);
	sig = loop(v, &status);
	if (v->terminal)
		write_str(LEAVE_SCREEN);
	close(v->signalfd);
	/* What was said last stays to be read: it is why there is an end. */
	if (v->terminal && sig == 0)
		(void)blocking_write(STDERR_FILENO, buf_span(&v->text));
	sigprocmask(SIG_SETMASK, &v->before, NULL);
	if (sig != 0) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
	return status;
}

int
cmd_watch_run(struct cmd_context *ctx, const struct cmd_watch *w,
    int (*show)(struct cmd_context *ctx, void *arg), void *arg)
{
	struct view v = {.ctx = ctx, .show = show, .arg = arg};
	uint64_t seconds = SECONDS_USUAL;
	int r;

	if (!w->given)
		return show(ctx, arg);
	if (w->seconds != NULL &&
	    (span_to_u64(span_str(w->seconds), SECONDS_MAX, &seconds) != 0 || seconds == 0))
		return cmd_fail_usage(ctx, "--watch wants seconds, from 1 to %d", SECONDS_MAX);
	v.seconds = (unsigned)seconds;
	v.terminal = isatty(STDOUT_FILENO) != 0;
	buf_init(&v.text, SCREEN_OCTETS);
	fflush(stdout);
	r = watch(&v);
	buf_release(&v.text);
	return r;
}
