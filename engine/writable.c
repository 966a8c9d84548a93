/* Whether the home takes what a request would write. */
#include "engine/writable.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

/* Nothing is left of a file without a name. */
static int try_to_fill(int dir_fd)
{
	static const char block[4096];
	_cleanup_close_ int fd =
		openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, block, sizeof(block));

	if (n < 0)
		return errno == ENOSPC || errno == EDQUOT ? -errno : 0;
	return n < (ssize_t)sizeof(block) ? -ENOSPC : 0;
}

/*
 * That nothing is free may mean that the rest is reserved for us, or that a quota is only
 * being warned of, and what is counted as 0 in all may not be counted at all.
 */
static int check_room(int dir_fd)
{
	struct statvfs st;

	if (fstatvfs(dir_fd, &st) < 0 || ((st.f_bavail > 0 || st.f_blocks == 0) &&
					  (st.f_favail > 0 || st.f_files == 0)))
		return 0;
	return try_to_fill(dir_fd);
}

static int check(int dir_fd, bool needs_room)
{
	if (faccessat(dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return -errno;
	return needs_room ? check_room(dir_fd) : 0;
}

static const char *remedy(int r)
{
	switch (r) {
	case -EROFS:
		return ": mount it read-write";
	case -EACCES:
		return ": give who has mounted this write permission";
	case -ENOSPC:
	case -EDQUOT:
		return ": make room";
	default:
		return "";
	}
}

static int refuse(int r, const char *what, const char *name, struct strbuf *ret_why)
{
	strbuf_addf(ret_why, "%s %s can't be written to: %s%s", what, name, strerror(-r),
		    remedy(r));
	return r;
}

int writable_run(const struct run *run, const char *path, bool needs_room,
		 struct strbuf *ret_why)
{
	_cleanup_close_ int fd = path ? file_open_dir(run_guild_fd(run), path) : -1;
	int r = check(fd < 0 ? run_guild_fd(run) : fd, needs_room);

	return r < 0 ? refuse(r, "the run", run_id(run), ret_why) : 0;
}

static int check_home(const struct store *store, int dir_fd, struct strbuf *ret_why)
{
	int r = check(dir_fd < 0 ? store_fd(store) : dir_fd, true);

	return r < 0 ? refuse(r, "the home", store_path(store), ret_why) : 0;
}

int writable_runs(struct store *store, struct strbuf *ret_why)
{
	return check_home(store, store_runs_fd(store), ret_why);
}

int writable_home(const struct store *store, const char *path, struct strbuf *ret_why)
{
	_cleanup_close_ int fd = file_open_dir(store_fd(store), path);

	return check_home(store, fd, ret_why);
}
