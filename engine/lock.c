/* The transition lock of a run, and its LOCK. */
#include "engine/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/proc.h"

#define PID_LEN	     10 /* of LOCK, as much as Guild reads (guild/run.py) */
#define LOCK_MAX_LEN 4096
#define SLACK_US     1000000 /* clock ticks, and a clock that was set a little */

int lock_try(int guild_fd)
{
	if (flock(guild_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

void lock_leave(int guild_fd)
{
	(void)flock(guild_fd, LOCK_UN);
}

/* Python's int() of the first characters: blanks around the digits are no matter. */
static pid_t parse_pid(struct str text)
{
	char digits[PID_LEN + 1];
	char *end;
	long pid;

	if (text.len > PID_LEN)
		text.len = PID_LEN;
	text = str_strip(text);
	if (text.len == 0 || text.data[0] < '0' || text.data[0] > '9')
		return 0;
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	pid = strtol(digits, &end, 10);
	return *end || pid > INT32_MAX ? 0 : (pid_t)pid;
}

static int is_at_work(int guild_fd, pid_t pid)
{
	struct stat dir;

	return fstatat(guild_fd, "..", &dir, 0) < 0 ? -errno : proc_works_in(pid, &dir);
}

/*
 * Whether @pid, which Guild may have written, still runs the run; never init, and never
 * we. Of another user's process only its start is known, which must be before @written.
 * Or the -errno of what we lack to see it.
 */
static int is_guild_s(int guild_fd, pid_t pid, const struct timespec *written)
{
	int64_t written_us = (int64_t)written->tv_sec * 1000000 + written->tv_nsec / 1000;
	struct proc proc;
	int r;

	if (pid <= 1 || pid == getpid())
		return 0;
	r = proc_read(pid, &proc);
	if (r < 0 || !proc_is_alive(&proc))
		return file_is_lack(r) ? r : 0;
	r = is_at_work(guild_fd, pid);
	if (file_is_lack(r))
		return r;
	return r < 0 ? proc.start_us <= written_us + SLACK_US : r > 0;
}

static int open_lock(int guild_fd)
{
	return file_open_beneath(guild_fd, "LOCK", O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/* Does somebody hold it exclusively? Or -errno. */
static int is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}

int lock_holder(int guild_fd, pid_t *ret_pid)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = open_lock(guild_fd);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP ? 0 : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	r = file_read_fd(fd, LOCK_MAX_LEN, &text);
	if (r < 0 && r != -EFBIG)
		return r;

	*ret_pid = parse_pid(strbuf_str(&text));
	r = is_locked(fd);
	return r != 0 ? r : is_guild_s(guild_fd, *ret_pid, &st.st_mtim);
}

int lock_check_holder(int guild_fd, pid_t pid)
{
	_cleanup_close_ int fd = open_lock(guild_fd);
	struct stat st;
	int r;

	if (pid <= 1 || pid == getpid())
		return -EPERM;
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = is_locked(fd);
	if (r < 0)
		return r;
	r = r > 0 ? proc_has_open(pid, &st) : is_at_work(guild_fd, pid);
	if (r == -ENOENT || file_is_lack(r))
		return r == -ENOENT ? -ESRCH : r;
	return r > 0 ? 0 : -EPERM;
}

int lock_is_held(int guild_fd)
{
	_cleanup_close_ int fd = open_lock(guild_fd);

	return fd >= 0 ? is_locked(fd) : file_is_lack(fd) ? fd : 0;
}

/* Makes LOCK.new, held, with our pid. Only who may start the run gets here. */
static int create_held(int guild_fd)
{
	_cleanup_close_ int fd = -1;
	char pid[16];
	int r;

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	r = file_remove(guild_fd, "LOCK.new");
	if (r < 0)
		return r;
	fd = openat(guild_fd, "LOCK.new",
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r == 0)
		r = file_write_fd(fd, str_from(pid));
	if (r < 0)
		(void)unlinkat(guild_fd, "LOCK.new", 0);
	return r < 0 ? r : take_fd(&fd);
}

int lock_take(int guild_fd)
{
	_cleanup_close_ int fd = -1;
	pid_t pid;
	int r;

	r = lock_holder(guild_fd, &pid);
	if (r != 0)
		return r < 0 ? r : -EBUSY;

	/* Written beside and renamed: no reader can probe it before it is held. */
	fd = create_held(guild_fd);
	if (fd < 0)
		return fd;
	if (renameat(guild_fd, "LOCK.new", guild_fd, "LOCK") < 0) {
		r = -errno;
		(void)unlinkat(guild_fd, "LOCK.new", 0);
		return r;
	}
	return take_fd(&fd);
}

void lock_remove(int guild_fd, int lock_fd)
{
	struct stat named, ours;

	if (fstatat(guild_fd, "LOCK", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(lock_fd, &ours) == 0 && named.st_dev == ours.st_dev &&
	    named.st_ino == ours.st_ino)
		(void)unlinkat(guild_fd, "LOCK", 0);
}
