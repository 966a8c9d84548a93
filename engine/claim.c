/* Names that processes hold. */
#include "engine/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

static int fill(int fd, struct str text, bool durable)
{
	int r = 0;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (ftruncate(fd, 0) < 0)
		return -errno;
	if (text.len > 0)
		r = file_write_fd(fd, text);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* A file without a name: nothing is left of it if we die before it gets one. */
static int make_nameless(int dir_fd, const char *id, struct str text, bool durable)
{
	_cleanup_close_ int fd =
		openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int r;

	if (fd < 0)
		return -errno;
	r = fill(fd, text, durable);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	while (linkat(AT_FDCWD, path, dir_fd, id, AT_SYMLINK_FOLLOW) < 0) {
		if (errno != EEXIST)
			return -errno;
		r = file_remove(dir_fd, id);
		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

static int make_beside(int dir_fd, const char *id, struct str text, bool durable)
{
	_cleanup_close_ int fd = -1;
	char beside[NAME_MAX + 1];
	int r;

	if ((size_t)snprintf(beside, sizeof(beside), ".%s", id) >= sizeof(beside))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, beside, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fill(fd, text, durable);
	if (r == 0 && renameat(dir_fd, beside, dir_fd, id) < 0)
		r = -errno;
	if (r < 0 && r != -EBUSY)
		(void)unlinkat(dir_fd, beside, 0);
	return r < 0 ? r : take_fd(&fd);
}

int claim_make(int home_fd, const char *dir, const char *id, struct str text,
	       bool durable)
{
	_cleanup_close_ int dir_fd = file_open_made_dir(home_fd, dir);
	int fd;

	if (dir_fd < 0)
		return dir_fd;
	fd = make_nameless(dir_fd, id, text, durable);
	/* A file system that has no such files, or a system without /proc. */
	if (fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL || fd == -ENOENT)
		fd = make_beside(dir_fd, id, text, durable);
	if (fd >= 0 && durable)
		(void)fsync(dir_fd);
	return fd;
}

int claim_is_held(int dir_fd, const char *id)
{
	_cleanup_close_ int fd =
		openat(dir_fd, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}

int claim_remove(int home_fd, const char *dir, const char *id)
{
	_cleanup_close_ int dir_fd = file_open_dir(home_fd, dir);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	return file_remove(dir_fd, id);
}

int claim_each(int home_fd, const char *dir,
	       void (*fn)(void *userdata, int dir_fd, const char *id), void *userdata)
{
	_cleanup_closedir_ DIR *names = NULL;
	int fd = file_open_dir(home_fd, dir);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	names = fdopendir(fd);
	if (!names) {
		int r = -errno;

		close_fd(fd);
		return r;
	}
	for (struct dirent *entry; (entry = readdir(names));) {
		if (entry->d_name[0] != '.')
			fn(userdata, dirfd(names), entry->d_name);
	}
	return 0;
}
