/* Files relative to a held directory: whole reads, writes by rename. */
#include "engine/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"

#define READ_STEP	4096
#define TEMPORARY_TRIES 16
#define TEMPORARY_AGE_S 60
#define RANDOM_LEN	8 /* hex digits at the end of a temporary name */

/* What is under a held directory is on its mount; a path from the root may cross some. */
static int open_resolved(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = resolve };
	long fd;

	if (dir_fd != AT_FDCWD)
		how.resolve |= RESOLVE_NO_XDEV;
	fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* older than Linux 5.6, or under valgrind */
		fd = openat(dir_fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

bool file_is_lack(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

int file_open_dir(int dir_fd, const char *path)
{
	return open_resolved(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

/*
 * Reads to the end. A short read that comes to @size, what stat says of a regular file,
 * is the last; it is 0 where that says nothing, as in /proc.
 */
static int read_to_end(int fd, off_t size, size_t max_len, struct strbuf *ret)
{
	size_t start = ret->len;
	bool at_end = false;
	off_t offset = 0;
	ssize_t n;
	char *end;

	while (!at_end) {
		end = strbuf_reserve(ret, READ_STEP);
		if (!end)
			return -ENOMEM;
		n = pread(fd, end, READ_STEP, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		offset += n;
		strbuf_grew(ret, (size_t)n);
		if (ret->len - start > max_len) {
			strbuf_truncate(ret, start);
			return -EFBIG;
		}
		at_end = n == 0 || (n < READ_STEP && offset == size);
	}
	return 0;
}

int file_read_fd(int fd, size_t max_len, struct strbuf *ret)
{
	return read_to_end(fd, 0, max_len, ret);
}

int file_open_beneath(int dir_fd, const char *path, int flags)
{
	return open_resolved(dir_fd, path, flags | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
}

int file_stat(int dir_fd, const char *path, struct stat *ret)
{
	_cleanup_close_ int fd = file_open_beneath(dir_fd, path, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

bool file_exists(int dir_fd, const char *name)
{
	struct statx stx;

	/* Asks no other file system that may be mounted there. */
	return statx(dir_fd, name,
		     AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		     STATX_TYPE, &stx) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

int file_read(int dir_fd, const char *name, size_t max_len, struct strbuf *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = file_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return read_to_end(fd, st.st_size, max_len, ret);
}

int file_write_fd(int fd, struct str text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text.data += n;
		text.len -= (size_t)n;
	}
	return 0;
}

/* Creates a file of a name that nobody has. Returns the descriptor or -errno. */
static int create_temporary(int dir_fd, const char *name, mode_t mode, char *ret_name,
			    size_t size)
{
	int fd = -1;

	for (int i = 0; i < TEMPORARY_TRIES && fd < 0; i++) {
		uint32_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -errno;
		if ((size_t)snprintf(ret_name, size, ".%s.%08x", name, random) >= size)
			return -ENAMETOOLONG;
		fd = openat(dir_fd, ret_name,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	return fd < 0 ? -EEXIST : fd;
}

int file_write(int dir_fd, const char *name, struct str text, mode_t mode, bool durable)
{
	_cleanup_close_ int fd = -1;
	char temporary[NAME_MAX + 1];
	int r;

	fd = create_temporary(dir_fd, name, mode, temporary, sizeof(temporary));
	if (fd < 0)
		return fd;

	r = file_write_fd(fd, text);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, temporary, 0);
	return r;
}

bool file_is_temporary(const char *name)
{
	const char *random = strrchr(name, '.');

	return name[0] == '.' && random > name + 1 &&
	       strspn(random + 1, "0123456789abcdef") == RANDOM_LEN &&
	       strlen(random + 1) == RANDOM_LEN;
}

static void clear_temporary(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_mtim.tv_sec + TEMPORARY_AGE_S < time(NULL))
		(void)unlinkat(dir_fd, name, 0);
}

void file_clear_temporaries(int dir_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = file_open_dir(dir_fd, ".");

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (file_is_temporary(entry->d_name))
			clear_temporary(dir_fd, entry->d_name);
}

int file_make_dir(int dir_fd, const char *path, mode_t mode)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(dir_fd, path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	fd = open_resolved(dir_fd, path, O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? fd : 0;
}

int file_make_dirs(int dir_fd, const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);
	int r;

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = file_make_dir(dir_fd, copy, mode);
		if (r < 0)
			return r;
		*slash = '/';
	}
	return file_make_dir(dir_fd, copy, mode);
}

int file_open_made_dir(int dir_fd, const char *path)
{
	int fd = file_open_dir(dir_fd, path);
	int r;

	if (fd != -ENOENT)
		return fd;
	r = file_make_dirs(dir_fd, path, 0755);
	return r < 0 ? r : file_open_dir(dir_fd, path);
}

int file_remove(int dir_fd, const char *name)
{
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int remove_children(int dir_fd, const char *name)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -1;
	int r, ret = 0;

	fd = file_open_dir(dir_fd, name);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)take_fd(&fd);

	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = file_remove_tree(dirfd(dir), entry->d_name);
		if (r < 0 && ret == 0)
			ret = r;
	}
	return ret;
}

int file_remove_tree(int dir_fd, const char *name)
{
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;

	r = remove_children(dir_fd, name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT && r == 0)
		r = -errno;
	return r;
}

int file_read_link(int dir_fd, const char *name, struct strbuf *ret)
{
	char *target = strbuf_reserve(ret, PATH_MAX);
	ssize_t n;

	if (!target)
		return -ENOMEM;
	n = readlinkat(dir_fd, name, target, PATH_MAX);
	if (n < 0)
		return -errno;
	strbuf_grew(ret, (size_t)n);
	return 0;
}

void file_stamp_of(const struct stat *st, struct file_stamp *ret)
{
	*ret = (struct file_stamp){ .dev = st->st_dev,
				    .ino = st->st_ino,
				    .size = st->st_size,
				    .mtime = st->st_mtim,
				    .ctime = st->st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}
