/* The earlier starts of a run, as numbered directories. */
#include "engine/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/file.h"

#define NUMBER_SIZE 16
#define LAST_NUMBER (UINT_MAX - 1)

static bool has(int dir_fd, const char *path)
{
	return faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Guild writes a `started` when it only stages, too; what has run has more than that. Of
 * a run that is still staged it is its flags that have been replaced.
 */
static bool was_started(int guild_fd, int dir_fd)
{
	if (!has(dir_fd, "attrs/started"))
		return false;
	return has(dir_fd, "output") ||
	       (has(dir_fd, "attrs/exit_status") && !has(guild_fd, "STAGED"));
}

/* 0 for what is no number that we give. */
static unsigned int parse_number(const char *name)
{
	unsigned long number;
	char *end;

	if (*name < '1' || *name > '9')
		return 0;
	errno = 0;
	number = strtoul(name, &end, 10);
	return *end || errno || number > LAST_NUMBER ? 0 : (unsigned int)number;
}

bool attempts_is_number(const char *name)
{
	return parse_number(name) > 0;
}

/* Opens `attempts`; NULL with @ret_r 0 when there is none. */
static DIR *open_all(int guild_fd, int *ret_r)
{
	int fd = file_open_dir(guild_fd, ATTEMPTS_DIR);
	DIR *dir;

	*ret_r = fd == -ENOENT || fd >= 0 ? 0 : fd;
	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir) {
		*ret_r = -errno;
		close_fd(fd);
	}
	return dir;
}

static unsigned int find_last(DIR *dir)
{
	unsigned int last = 0;

	rewinddir(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		unsigned int number = parse_number(entry->d_name);

		if (number > last)
			last = number;
	}
	return last;
}

int attempts_add(int guild_fd, const char *name)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int attempt_fd = file_open_dir(guild_fd, name);
	char number[NUMBER_SIZE];
	unsigned int last;
	int r;

	if (attempt_fd < 0)
		return attempt_fd;
	if (!was_started(guild_fd, attempt_fd))
		return -ENOENT;
	r = file_make_dir(guild_fd, ATTEMPTS_DIR, 0755);
	if (r < 0)
		return r;
	dir = open_all(guild_fd, &r);
	if (!dir)
		return r;
	last = find_last(dir);
	if (last == LAST_NUMBER)
		return -ENOENT;
	(void)snprintf(number, sizeof(number), "%u", last + 1);
	return renameat(guild_fd, name, dirfd(dir), number) < 0 ? -errno : 0;
}

/* Removes all of an attempt, or, when it is @kept, what it does not need. */
static int empty(DIR *dir, const char *name, bool kept)
{
	static const struct {
		const char *name;
		bool is_needed;
	} parts[] = {
		{ "attrs", true },   { "output", true }, { "output.index", true },
		{ "source", false }, { "opref", false }, { "manifest", false },
		{ "ENV", false },
	};
	_cleanup_close_ int fd = file_open_dir(dirfd(dir), name);
	int ret = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int r = kept && parts[i].is_needed ? 0
						   : file_remove_tree(fd, parts[i].name);

		if (ret == 0)
			ret = r;
	}
	return ret;
}

int attempts_prune(int guild_fd, unsigned int n_kept)
{
	_cleanup_closedir_ DIR *dir = NULL;
	unsigned int last;
	int ret;

	dir = open_all(guild_fd, &ret);
	if (!dir)
		return ret;
	last = find_last(dir);
	rewinddir(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		unsigned int number = parse_number(entry->d_name);
		/* One that is added meanwhile has a higher number, and is kept. */
		bool kept = (unsigned long)number + n_kept > last;
		int r;

		if (number == 0)
			continue;
		r = kept || number == last ? empty(dir, entry->d_name, kept)
					   : file_remove_tree(dirfd(dir), entry->d_name);
		if (ret == 0)
			ret = r;
	}
	return ret;
}

int attempts_open(int guild_fd, const char *number)
{
	char path[sizeof(ATTEMPTS_DIR "/") + NUMBER_SIZE];
	_cleanup_close_ int fd = -1;

	if (!attempts_is_number(number))
		return -ENOENT;
	(void)snprintf(path, sizeof(path), ATTEMPTS_DIR "/%s", number);
	fd = file_open_beneath(guild_fd, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOTDIR || fd == -ELOOP ? -ENOENT : fd;
	return has(fd, "attrs") ? take_fd(&fd) : -ENOENT;
}

int attempts_each(int guild_fd, void (*fn)(void *userdata, const char *number),
		  void *userdata)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int r;

	dir = open_all(guild_fd, &r);
	if (!dir)
		return r;
	for (struct dirent *entry; (entry = readdir(dir));) {
		int fd = attempts_open(guild_fd, entry->d_name);

		close_fd(fd);
		if (fd >= 0)
			fn(userdata, entry->d_name);
	}
	return 0;
}
