/* What /proc says of a process. */
#include "engine/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

#define STAT_MAX_LEN 4096 /* of /proc/PID/stat: 52 numbers and a name of 64 bytes */

/* When the system started, by the clock that stamps files now. */
static int64_t boot_us(void)
{
	struct timespec now, since_boot;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)clock_gettime(CLOCK_BOOTTIME, &since_boot);
	return (int64_t)(now.tv_sec - since_boot.tv_sec) * 1000000 +
	       (now.tv_nsec - since_boot.tv_nsec) / 1000;
}

/*
 * Takes state, parent and start time (fields 3, 4 and 22) out of @text. Field 2, the name
 * in parentheses, may hold anything.
 */
static int parse_stat(struct str text, struct proc *ret)
{
	const char *end = memrchr(text.data, ')', text.len);
	struct str field, rest;
	int64_t ticks;

	if (!end)
		return -EBADMSG;
	rest.data = end + 1;
	rest.len = (size_t)(text.data + text.len - rest.data);
	(void)str_split(&rest, ' ', &field); /* what stands before the first blank: "" */
	if (!str_split(&rest, ' ', &field) || field.len != 1)
		return -EBADMSG;
	ret->state = field.data[0];
	if (!str_split(&rest, ' ', &field))
		return -EBADMSG;
	ret->parent = (pid_t)strtol(field.data, NULL, 10);
	for (int i = 5; i <= 22; i++)
		if (!str_split(&rest, ' ', &field))
			return -EBADMSG;
	ticks = strtoll(field.data, NULL, 10);
	ret->start_us = boot_us() + ticks * 1000000 / sysconf(_SC_CLK_TCK);
	return 0;
}

int proc_read(pid_t pid, struct proc *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read(AT_FDCWD, path, STAT_MAX_LEN, &text);
	if (r < 0)
		return r;
	ret->pid = pid;
	return parse_stat(strbuf_str(&text), ret);
}

bool proc_is_alive(const struct proc *proc)
{
	return proc->state != 'Z' && proc->state != 'X';
}

int proc_each(void (*fn)(void *userdata, const struct proc *proc), void *userdata)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct proc proc;

	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && proc_read((pid_t)pid, &proc) == 0)
			fn(userdata, &proc);
	}
	return 0;
}
