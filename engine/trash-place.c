/* Where deleted runs are, and how they get there. */
#include "engine/trash-place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/path.h"

#define TRASH_DIR    "trash/runs"
#define DISCARD_DIR  "cache/runfs/purge"
#define TRIES	     16
#define DISCARD_SIZE 17 /* 16 hex digits and NUL */
#define ASIDE_SIZE   10 /* "_", 8 hex digits and NUL, as Guild's */

/* Opens a directory of the home for reading, by whatever links lead there. */
static int open_place(int home_fd, const char *path)
{
	_cleanup_close_ int path_fd = path_open(home_fd, path);
	int fd;

	if (path_fd < 0)
		return path_fd;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_made_place(int home_fd, const char *path)
{
	int fd = open_place(home_fd, path), r;

	if (fd != -ENOENT)
		return fd;
	r = file_make_dirs(home_fd, path, 0755);
	return r < 0 ? r : open_place(home_fd, path);
}

int trash_place_open(int home_fd, bool make)
{
	return make ? open_made_place(home_fd, TRASH_DIR)
		    : open_place(home_fd, TRASH_DIR);
}

int trash_place_move(int from_fd, const char *id, int to_fd, const char *name)
{
	if (renameat2(from_fd, id, to_fd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Without flags a directory that has something in it isn't replaced either. */
	if (file_exists(to_fd, name))
		return -EEXIST;
	if (renameat(from_fd, id, to_fd, name) == 0)
		return 0;
	return errno == ENOTEMPTY ? -EEXIST : -errno;
}

/* Moves the deleted run @id out of the way of another of that ID. */
static int move_aside(int trash_fd, const char *id)
{
	int r = -EEXIST;

	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		char name[NAME_MAX + 1];
		uint32_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -errno;
		/* An ID may be as long as a name can be; Guild would fail there. */
		(void)snprintf(name, sizeof(name), "%.*s_%08x", NAME_MAX + 1 - ASIDE_SIZE,
			       id, random);
		r = trash_place_move(trash_fd, id, trash_fd, name);
	}
	return r == -ENOENT ? 0 : r;
}

int trash_place_put(int home_fd, int runs_fd, const char *id)
{
	_cleanup_close_ int trash_fd = trash_place_open(home_fd, true);
	int r = -EEXIST;

	if (trash_fd < 0)
		return trash_fd;
	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		r = trash_place_move(runs_fd, id, trash_fd, id);
		if (r == -EEXIST && move_aside(trash_fd, id) < 0)
			return r;
	}
	return r;
}

int trash_place_discard(int home_fd, const char *id)
{
	_cleanup_close_ int trash_fd = trash_place_open(home_fd, false);
	_cleanup_close_ int discard_fd = -1;
	int r = -EEXIST;

	if (trash_fd < 0)
		return trash_fd;
	discard_fd = open_made_place(home_fd, DISCARD_DIR);
	if (discard_fd < 0)
		return discard_fd;
	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		char name[DISCARD_SIZE];
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -errno;
		(void)snprintf(name, sizeof(name), "%016jx", (uintmax_t)random);
		r = trash_place_move(trash_fd, id, discard_fd, name);
	}
	return r;
}

static int sync_place(int home_fd, const char *path)
{
	_cleanup_close_ int fd = open_place(home_fd, path);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return fsync(fd) < 0 ? -errno : 0;
}

/* First where a run has come to: a crash in between may show it twice, but not never. */
int trash_place_sync(int home_fd)
{
	static const char *const places[] = { DISCARD_DIR, TRASH_DIR, "runs" };
	int ret = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int r = sync_place(home_fd, places[i]);

		if (ret == 0)
			ret = r;
	}
	return ret;
}

/*
 * Goes over what is discarded, and removes it if it is to; how much is gone then, and how
 * much is still there.
 */
static void look_over(int discard_fd, bool remove, size_t *ret_gone, size_t *ret_left)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(discard_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret_gone = *ret_left = 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove && file_remove_tree(discard_fd, entry->d_name) == 0)
			(*ret_gone)++;
		else
			(*ret_left)++;
	}
}

bool trash_place_has_discarded(int home_fd)
{
	_cleanup_close_ int fd = open_place(home_fd, DISCARD_DIR);
	size_t n_gone, n_left = 0;

	if (fd >= 0)
		look_over(fd, false, &n_gone, &n_left);
	return n_left > 0;
}

void trash_place_sweep(int home_fd)
{
	_cleanup_close_ int fd = open_place(home_fd, DISCARD_DIR);
	size_t n_gone, n_stuck, n_left;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		do {
			look_over(fd, true, &n_gone, &n_stuck);
		} while (n_gone > 0);
		(void)flock(fd, LOCK_UN);
		/* Whoever came while it was held has left us what that had discarded. */
		look_over(fd, false, &n_gone, &n_left);
		if (n_left <= n_stuck)
			return;
	}
}
