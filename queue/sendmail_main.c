/*
 * sendmail: the command that local programs hand mail to (sendmail(1)); also mailq
 * and newaliases. No set-id program: it does what its caller may, submits
 * over the daemon's socket, and leaves a file in drop/ when nobody answers there.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "queue/sendmail_message.h"
#include "queue/sendmail_options.h"
#include "queue/sendmail_queue.h"
#include "queue/sendmail_relay.h"
#include "queue/sendmail_report.h"
#include "queue/sendmail_setup.h"

#define WHY_MAX 8192

/* Descriptors 0 to 2 are open in any case: what is opened later must not become one of them. */
static bool
open_standard_descriptors(void)
{
	bool no_input = fcntl(STDIN_FILENO, F_GETFD) < 0;

	for (;;) {
		int fd = open("/dev/null", O_RDWR);

		if (fd > STDERR_FILENO)
			close(fd);
		if (fd < 0 || fd > STDERR_FILENO)
			return no_input;
	}
}

static void
on_abort(int sig)
{
	(void)sig;
	_exit(EX_TEMPFAIL);
}

/* What the caller may have left us: timers, blocked or ignored signals, a umask. */
static void
reset_inheritance(void)
{
	static const int fatal_signals[] = {SIGABRT, SIGXCPU};
	struct itimerval none = {{0, 0}, {0, 0}};
	sigset_t empty;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		setitimer(which, &none, NULL);
	/* A broken pipe and a full file are errors to report, not ends of the program. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof fatal_signals / sizeof fatal_signals[0]; i++)
		signal(fatal_signals[i], on_abort);
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	umask(022);
}

static int
relay(const struct sendmail_setup *setup)
{
	char *path = sendmail_setup_path(setup, "sockets/submit/smtp");
	int status = sendmail_relay(path, STDIN_FILENO, STDOUT_FILENO, setup->config.hostname);

	free(path);
	return status;
}

static void
run(const struct sendmail_options *o, const struct sendmail_setup *setup, int input,
    struct sendmail_report *report)
{
	struct buf why;
	int status = 0;

	buf_init(&why, WHY_MAX);
	switch (o->mode) {
	case SENDMAIL_SUBMIT:
		sendmail_message_send(o, setup, input, report);
		break;
	case SENDMAIL_SMTP:
		status = relay(setup);
		break;
	case SENDMAIL_MAILQ:
		status = sendmail_queue_print(setup, o, stdout, &why);
		break;
	case SENDMAIL_RETRY:
	case SENDMAIL_HOLD:
	case SENDMAIL_RELEASE:
		status = sendmail_queue_act(setup, o, &why);
		break;
	case SENDMAIL_NEWALIASES:
		puts("Alias files are read as they stand: there is nothing to rebuild.");
		break;
	}
	if (status != 0 && why.len > 0)
		sendmail_report_add(report, status, "%s", buf_str(&why));
	else if (status != 0)
		report->status = status; /* -bs said it in SMTP */
	buf_release(&why);
}

int
main(int argc, char *argv[])
{
	int input = open_standard_descriptors() ? -1 : STDIN_FILENO, status;
	struct sendmail_report report = {.status = 0};
	struct sendmail_setup setup = {.login = NULL};
	struct sendmail_options o;
	struct buf why;

	reset_inheritance();
	log_init("sendmail", LOG_LEVEL_WARN);
	buf_init(&why, WHY_MAX);
	status = sendmail_options_parse(argc, argv, &o, &why);
	report.quiet = o.quiet;
	if (status == 0)
		status = sendmail_setup_init(&setup, &why);
	if (status == 0)
		run(&o, &setup, input, &report);
	else
		sendmail_report_add(&report, status, "%s", buf_str(&why));
	if (fflush(stdout) != 0)
		sendmail_report_add(&report, EX_IOERR, "standard output cannot be written");
	if (o.always_ok)
		report.status = 0;
	sendmail_setup_release(&setup);
	sendmail_options_release(&o);
	buf_release(&why);
	return report.status;
}
