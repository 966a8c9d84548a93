/* The cgroup of a run. */
#include "engine/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

#define TABLE_MAX_LEN 65536

void cgroup_done(struct cgroup *cgroup)
{
	free(cgroup->path);
	close_fd(cgroup->fd);
	*cgroup = CGROUP_INIT;
}

static bool is_cgroup2(const struct statfs *fs)
{
	return fs->f_type == CGROUP2_SUPER_MAGIC;
}

/* Appends where version 2 is mounted: alone, or beside version 1. */
static int add_mount_point(struct strbuf *ret)
{
	static const char *const points[] = { "/sys/fs/cgroup",
					      "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (statfs(points[i], &fs) == 0 && is_cgroup2(&fs))
			return strbuf_adds(ret, points[i]);
	return -ENOENT;
}

/* Appends the cgroup of this process, from the root of the tree: the line "0::PATH". */
static int add_own_path(struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest, line;
	char path[32];
	int r;

	/* /proc/self is a link, which is not followed. */
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)getpid());
	r = file_read(AT_FDCWD, path, TABLE_MAX_LEN, &text);
	if (r < 0)
		return r;
	rest = strbuf_str(&text);
	while (str_split(&rest, '\n', &line)) {
		if (!str_starts(line, "0::/"))
			continue;
		line.data += strlen("0::");
		line.len -= strlen("0::");
		return strbuf_addstr(ret, str_is(line, "/") ? STR("") : line);
	}
	return -ENOENT;
}

int cgroup_open(const char *path, struct cgroup *ret)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = CGROUP_INIT;
	struct statfs fs;

	cgroup.fd = file_open_dir(AT_FDCWD, path);
	if (cgroup.fd < 0)
		return cgroup.fd;
	if (fstatfs(cgroup.fd, &fs) < 0)
		return -errno;
	if (!is_cgroup2(&fs))
		return -ENOENT;
	cgroup.path = strdup(path);
	if (!cgroup.path)
		return -ENOMEM;
	*ret = cgroup;
	cgroup = CGROUP_INIT;
	return 0;
}

int cgroup_add_path(const char *name, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	if (add_mount_point(&path) < 0 || add_own_path(&path) < 0)
		return 0;
	return strbuf_addf(ret, "%s/%s", strbuf_cstr(&path), name);
}

int cgroup_make(const char *path, struct cgroup *ret)
{
	int r;

	if (mkdir(path, 0755) < 0)
		return -errno;
	r = cgroup_open(path, ret);
	if (r == 0 && faccessat(ret->fd, "cgroup.kill", W_OK, 0) < 0) {
		r = -errno;
		cgroup_done(ret);
	}
	if (r < 0)
		(void)rmdir(path);
	return r;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	_cleanup_close_ int fd = -1;

	if (!cgroup->path)
		return -ENOENT;
	fd = openat(cgroup->fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : file_write_fd(fd, STR("1"));
}

/* The files of a cgroup go with it: only directories need be removed. */
static int remove_below(int dir_fd, const char *name)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd;

	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	fd = file_open_dir(dir_fd, name);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return -EBUSY;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			(void)remove_below(fd, entry->d_name);
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int cgroup_remove(const struct cgroup *cgroup)
{
	return cgroup->path ? remove_below(AT_FDCWD, cgroup->path) : 0;
}
