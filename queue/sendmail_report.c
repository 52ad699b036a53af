/*
 * sendmail_report: lines on standard error and the exit status. See
 * sendmail_report.h. Called by sendmail_main.c and sendmail_message.
 */
#include "queue/sendmail_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/log.h"

#define LINE_MAX_OCTETS 8192

void
sendmail_report_add(struct sendmail_report *r, int status, const char *fmt, ...)
{
	struct buf text, line;
	va_list ap;

	if (r->status == 0)
		r->status = status;
	if (r->quiet)
		return;
	buf_init(&text, LINE_MAX_OCTETS);
	buf_init(&line, 4 * LINE_MAX_OCTETS + 64);
	va_start(ap, fmt);
	if (buf_vaddf(&text, fmt, ap) != 0)
		buf_add_str(&text, "(an error too long to show)");
	va_end(ap);
	buf_add_str(&line, "sendmail: ");
	log_escape(&line, buf_span(&text));
	buf_add_char(&line, '\n');
	fputs(buf_str(&line), stderr);
	buf_release(&text);
	buf_release(&line);
}
