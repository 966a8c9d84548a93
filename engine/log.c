/* Messages of a program: stderr in the foreground, syslog in the background. */
#include "engine/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>

static struct {
	const char *program;
	bool syslog;
} config = { .program = "runfs" };

void log_init(const char *program)
{
	config.program = program;
}

void log_use_syslog(void)
{
	openlog(config.program, LOG_PID, LOG_DAEMON);
	config.syslog = true;
}

static void __attribute__((format(printf, 2, 0)))
log_line(int priority, const char *format, va_list args)
{
	if (config.syslog) {
		vsyslog(priority, format, args);
		return;
	}
	(void)fprintf(stderr, "%s: ", config.program);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_ERR, format, args);
	va_end(args);
}
