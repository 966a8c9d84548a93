/* What /proc says of a process. */
#include "engine/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/path.h"

/* Of files in /proc/PID. */
#define STAT_MAX_LEN	4096	   /* 52 numbers and a name of 64 bytes */
#define STATUS_MAX_LEN	(1u << 20) /* with lists of groups and processors */
#define ENVIRON_MAX_LEN (8u << 20) /* the kernel's limit is 6 MiB */

/* By the clock that stamps files now. */
int64_t proc_boot_us(void)
{
	struct timespec now, since_boot;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)clock_gettime(CLOCK_BOOTTIME, &since_boot);
	return (int64_t)(now.tv_sec - since_boot.tv_sec) * 1000000 +
	       (now.tv_nsec - since_boot.tv_nsec) / 1000;
}

/*
 * Takes state, parent, session, start time and pending signals (fields 3, 4, 6, 22 and
 * 31) out of @text. Field 2, the name in parentheses, may hold anything.
 */
static int parse_stat(struct str text, struct proc *ret)
{
	const char *end = memrchr(text.data, ')', text.len);
	struct str field, rest;
	int64_t ticks = 0;

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
	for (int i = 5; i <= 31; i++) {
		if (!str_split(&rest, ' ', &field))
			return -EBADMSG;
		if (i == 6)
			ret->session = (pid_t)strtol(field.data, NULL, 10);
		if (i == 22)
			ticks = strtoll(field.data, NULL, 10);
	}
	ret->is_killed = strtoul(field.data, NULL, 10) >> (SIGKILL - 1) & 1;
	ret->start_us = proc_boot_us() + ticks * 1000000 / sysconf(_SC_CLK_TCK);
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

bool proc_catches(pid_t pid, int signal)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest, line;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(AT_FDCWD, path, STATUS_MAX_LEN, &text) < 0)
		return false;
	rest = strbuf_str(&text);
	while (str_split(&rest, '\n', &line))
		if (str_starts(line, "SigCgt:"))
			return strtoull(line.data + strlen("SigCgt:"), NULL, 16) >>
				       (signal - 1) &
			       1;
	return false;
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

static bool is_place(int fd, const struct stat *st)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stx) == 0 &&
	       stx.stx_ino == st->st_ino &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) == st->st_dev;
}

/* The directory that RUN_DIR names in an environment, with O_PATH, or -errno. */
static int open_run_dir(struct str environment)
{
	_cleanup_free_ char *path = NULL;
	struct str word;

	while (str_split(&environment, '\0', &word)) {
		if (!str_starts(word, "RUN_DIR=/"))
			continue;
		word.data += strlen("RUN_DIR=");
		word.len -= strlen("RUN_DIR=");
		path = str_dup(word);
		return path ? path_open(AT_FDCWD, path) : -ENOMEM;
	}
	return -ENOENT;
}

int proc_works_in(pid_t pid, const struct stat *dir)
{
	_cleanup_(strbuf_done) struct strbuf environment = STRBUF_INIT;
	_cleanup_close_ int cwd_fd = -1, run_fd = -1;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	cwd_fd = open(path, O_PATH | O_CLOEXEC);
	if (cwd_fd < 0)
		return -errno;
	if (is_place(cwd_fd, dir))
		return 1;
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	r = file_read(AT_FDCWD, path, ENVIRON_MAX_LEN, &environment);
	if (r < 0)
		return r;
	run_fd = open_run_dir(strbuf_str(&environment));
	return run_fd >= 0 && is_place(run_fd, dir);
}

int proc_has_open(pid_t pid, const struct stat *file)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		_cleanup_close_ int fd =
			openat(dirfd(dir), entry->d_name, O_PATH | O_CLOEXEC);

		if (fd < 0 && file_is_lack(-errno))
			return -errno;
		if (entry->d_name[0] != '.' && fd >= 0 && is_place(fd, file))
			return 1;
	}
	return 0;
}
