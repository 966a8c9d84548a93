/* The runs that go on, and the ends of those that were let down. */
#include "engine/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/proc.h"

#define LIVE_DIR "runfs/live"
#define MAX_LEN	 65536
#define SLACK_US 1000000 /* clock ticks, and a clock that was set a little */

/* Whose processes are to be ended. */
struct left {
	pid_t session; /* that of the supervisor, which has led it */
	struct stat dir;
	int64_t since_us;
	int n_found;
};

int live_begin(int home_fd, const char *id, const char *cgroup, struct live *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *copy = strdup(id);
	int r;

	r = strbuf_addf(&text, "%d\n%s\n", (int)getpid(), cgroup);
	if (r < 0 || !copy)
		return -ENOMEM;
	dir_fd = file_open_made_dir(home_fd, LIVE_DIR);
	if (dir_fd < 0)
		return dir_fd;
	/* That of a start before, whose supervisor is about to go. */
	r = file_remove(dir_fd, id);
	if (r < 0)
		return r;
	fd = openat(dir_fd, id, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r == 0)
		r = file_write_fd(fd, strbuf_str(&text));
	if (r < 0) {
		(void)unlinkat(dir_fd, id, 0);
		return r;
	}
	*ret = (struct live){ take_fd(&dir_fd), take_fd(&fd), take_ptr(copy) };
	return 0;
}

/* Does the name still lead to the file that is open as @fd? */
static bool is_named(int dir_fd, const char *id, int fd)
{
	struct stat named, ours;

	return fstatat(dir_fd, id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &ours) == 0 && named.st_dev == ours.st_dev &&
	       named.st_ino == ours.st_ino;
}

void live_end(struct live *live)
{
	if (live->fd >= 0 && is_named(live->dir_fd, live->id, live->fd))
		(void)unlinkat(live->dir_fd, live->id, 0);
	close_fd(live->fd);
	close_fd(live->dir_fd);
	free(live->id);
	*live = LIVE_INIT;
}

static void kill_if_left(void *userdata, const struct proc *proc)
{
	struct left *left = userdata;
	_cleanup_close_ int pidfd = -1;
	struct proc still;

	if (!proc_is_alive(proc) || proc->session != left->session ||
	    proc->start_us + SLACK_US < left->since_us ||
	    proc_works_in(proc->pid, &left->dir) <= 0)
		return;
	/* Only now can the number not become another's any more. */
	pidfd = pidfd_open(proc->pid, 0);
	if (pidfd < 0 || proc_read(proc->pid, &still) < 0 ||
	    still.session != proc->session)
		return;
	left->n_found += syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
}

static int kill_cgroup(struct str name)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = CGROUP_INIT;
	_cleanup_free_ char *path = str_dup(name);
	int r;

	if (!path)
		return -ENOMEM;
	r = cgroup_open(path, &cgroup);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = cgroup_kill(&cgroup);
	if (r == 0)
		r = cgroup_remove(&cgroup);
	return r == -EBUSY ? -EAGAIN : r;
}

static int kill_session(int home_fd, const char *id, struct str pid, int64_t since_us)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct left left = { .since_us = since_us };
	int r;

	left.session = (pid_t)strtol(pid.data, NULL, 10);
	r = strbuf_addf(&path, "runs/%s", id);
	if (r < 0)
		return r;
	if (fstatat(home_fd, strbuf_cstr(&path), &left.dir, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = proc_each(kill_if_left, &left);
	return r == 0 && left.n_found > 0 ? -EAGAIN : r;
}

static int sweep(int home_fd, int dir_fd, const char *id)
{
	struct str rest, pid, cgroup;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = openat(dir_fd, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!is_named(dir_fd, id, fd))
		return 0;
	r = file_read_fd(fd, MAX_LEN, &text);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	rest = strbuf_str(&text);
	/* One that was not written to its end is from before there was a process. */
	if (str_split(&rest, '\n', &pid) && str_split(&rest, '\n', &cgroup) &&
	    str_ends(strbuf_str(&text), "\n")) {
		r = cgroup.len > 0 ? kill_cgroup(cgroup) : 0;
		/* The cgroup may not have come about. */
		if (r == 0)
			r = kill_session(home_fd, id, pid,
					 (int64_t)st.st_mtim.tv_sec * 1000000);
	}
	return r < 0 ? r : file_remove(dir_fd, id);
}

int live_sweep(int home_fd, const char *id)
{
	_cleanup_close_ int dir_fd = file_open_dir(home_fd, LIVE_DIR);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	return sweep(home_fd, dir_fd, id);
}

int live_sweep_all(int home_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = file_open_dir(home_fd, LIVE_DIR);
	int n_again = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return -ENOMEM;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' &&
		    sweep(home_fd, fd, entry->d_name) == -EAGAIN)
			n_again++;
	return n_again;
}
