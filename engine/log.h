/*
 * Messages of a program to whoever runs it: stderr in the foreground, syslog in the
 * background. Only programs call this; the library tells by what it returns.
 */
#pragma once

/* @program is what each line begins with; it must live on. */
void log_init(const char *program);
void log_use_syslog(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
