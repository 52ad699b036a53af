/*
 * cmd_password: reads a password. See cmd_password.h. Called by cmd_user. Invariant:
 * the terminal shows what is typed again whatever happens here.
 */
#include "queue/cmd_password.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "queue/cmd.h"

/* One line of fd, without its end, octet by octet so that nothing behind it is taken. -1 if there is none or it is too long. */
static int
read_line(int fd, struct buf *out)
{
	char c;

	buf_clear(out);
	while (read(fd, &c, 1) == 1) {
		if (c == '\n')
			return 0;
		if (buf_add_char(out, c) != 0)
			return -1;
	}
	return out->len > 0 ? 0 : -1;
}

static int
ask_once(int tty, const char *prompt, struct buf *out)
{
	int r;

	dprintf(tty, "%s", prompt);
	r = read_line(tty, out);
	dprintf(tty, "\n");
	return r;
}

/* Asks twice with echo off; signals that would leave it off wait until it is on again. */
static int
ask_person(int tty, struct buf *out)
{
	struct termios shown, hidden;
	sigset_t signals, before;
	struct buf again;
	int r = -1;

	if (tcgetattr(tty, &shown) != 0)
		return cmd_fail(EX_IOERR, "the terminal cannot be used");
	hidden = shown;
	hidden.c_lflag &= (tcflag_t)~ECHO;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGTSTP);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	buf_init_secret(&again, CMD_PASSWORD_MAX);
	if (tcsetattr(tty, TCSAFLUSH, &hidden) == 0 &&
	    ask_once(tty, "New password: ", out) == 0)
		r = ask_once(tty, "Again: ", &again);
	tcsetattr(tty, TCSAFLUSH, &shown);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		r = cmd_fail(EX_NOINPUT, "no password was given");
	else if (!span_eq(buf_span(out), buf_span(&again)))
		r = cmd_fail(EX_DATAERR, "the two are not the same");
	buf_release(&again);
	return r;
}

int
cmd_password_read(bool from_stdin, struct buf *out)
{
	int r = 0;

	if (from_stdin || !isatty(STDIN_FILENO)) {
		if (read_line(STDIN_FILENO, out) != 0)
			r = cmd_fail(
			    EX_NOINPUT, "standard input has no line that could be a password");
	} else {
		r = ask_person(STDIN_FILENO, out);
	}
	if (r == 0 && (out->len == 0 || span_has_control(buf_span(out))))
		r = cmd_fail(
		    EX_DATAERR, "a password is not empty and holds no control characters");
	return r;
}
