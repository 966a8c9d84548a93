/* Writing beside, syncing together, exchanging. */
#include "engine/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

void durable_done(struct durable *durable)
{
	for (size_t i = 0; i < durable->n_fds; i++)
		close_fd(durable->fds[i]);
	free(durable->fds);
	*durable = DURABLE_INIT;
}

int durable_add(struct durable *durable, int fd)
{
	int *fds = reallocarray(durable->fds, durable->n_fds + 1, sizeof(*fds));

	if (!fds) {
		close_fd(fd);
		return -ENOMEM;
	}
	/* All are on their way before the first is waited for. */
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	durable->fds = fds;
	durable->fds[durable->n_fds++] = fd;
	return 0;
}

int durable_create(struct durable *durable, int dir_fd, const char *name, struct str text)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return -errno;
	r = file_write_fd(fd, text);
	if (r < 0)
		return r;
	return durable_add(durable, take_fd(&fd));
}

int durable_write_out(int fd)
{
	if (sync_file_range(fd, 0, 0,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) == 0)
		return 0;
	/* Where there is no such call, fsync does it all. An error is reported only once.
	 */
	return errno == EINVAL || errno == ESPIPE || errno == ENOSYS ? 0 : -errno;
}

int durable_write_out_all(const struct durable *durable)
{
	int ret = 0;

	for (size_t i = 0; i < durable->n_fds; i++) {
		int r = durable_write_out(durable->fds[i]);

		if (ret == 0)
			ret = r;
	}
	return ret;
}

int durable_sync(struct durable *durable)
{
	int r = durable_write_out_all(durable);

	for (size_t i = 0; i < durable->n_fds; i++)
		if (fsync(durable->fds[i]) < 0 && r == 0)
			r = -errno;
	durable_done(durable);
	return r;
}

int durable_sync_dir(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = file_open_dir(dir_fd, path);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

static bool exists(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int rename_at(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat(from_fd, from, to_fd, to) < 0 ? -errno : 0;
}

/* The place of an old thing while a new one moves in. */
static int old_name(const char *name, char ret[NAME_MAX + 1])
{
	if ((size_t)snprintf(ret, NAME_MAX + 1, "%s.old", name) > NAME_MAX)
		return -ENAMETOOLONG;
	return 0;
}

static int exchange_by_renames(int new_dir_fd, const char *new_name, int dir_fd,
			       const char *name)
{
	char old[NAME_MAX + 1];
	int r;

	r = old_name(name, old);
	if (r < 0)
		return r;
	r = rename_at(dir_fd, name, dir_fd, old);
	if (r < 0)
		return r;
	r = rename_at(new_dir_fd, new_name, dir_fd, name);
	if (r < 0) {
		(void)rename_at(dir_fd, old, dir_fd, name);
		return r;
	}
	return rename_at(dir_fd, old, new_dir_fd, new_name);
}

int durable_exchange(int new_dir_fd, const char *new_name, int dir_fd, const char *name)
{
	if (renameat2(new_dir_fd, new_name, dir_fd, name, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
		return -errno;

	if (!exists(dir_fd, name))
		return rename_at(new_dir_fd, new_name, dir_fd, name);
	if (!exists(new_dir_fd, new_name))
		return rename_at(dir_fd, name, new_dir_fd, new_name);
	return exchange_by_renames(new_dir_fd, new_name, dir_fd, name);
}

int durable_recover(int new_dir_fd, const char *new_name, int dir_fd, const char *name)
{
	char old[NAME_MAX + 1];
	int r;

	r = old_name(name, old);
	if (r < 0 || !exists(dir_fd, old))
		return r;
	if (!exists(dir_fd, name))
		return rename_at(dir_fd, old, dir_fd, name);
	r = exists(new_dir_fd, new_name) ? -EEXIST
					 : rename_at(dir_fd, old, new_dir_fd, new_name);
	/* One that nobody waits for any more. */
	return r == -EEXIST || r == -ENOENT ? file_remove_tree(dir_fd, old) : r;
}

/* Opens the directory @name of @len bytes under @dir_fd. */
static int open_step(int dir_fd, const char *name, size_t len, bool make)
{
	char step[NAME_MAX + 1];

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(step, name, len);
	step[len] = '\0';
	return make ? file_open_made_dir(dir_fd, step) : file_open_dir(dir_fd, step);
}

int durable_open_parent(int dir_fd, const char *path, bool make, const char **ret_name)
{
	_cleanup_close_ int fd = file_open_dir(dir_fd, ".");
	const char *slash;

	for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		int next = open_step(fd, path, (size_t)(slash - path), make);

		close_fd(fd);
		fd = next;
	}
	*ret_name = path;
	return take_fd(&fd);
}
