/* All runs of a home. */
#include "engine/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/path.h"

#define GARBAGE_AGE_S 60

struct store {
	char *path;
	int fd;
	int runs_fd;
	struct stat runs_place; /* of runs_fd */
	unsigned int
		n_changes; /* how often runs/ has turned out to be another directory */
};

int store_open(const char *path, struct store **ret)
{
	_cleanup_(store_freep) struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->fd = store->runs_fd = -1;
	store->path = realpath(path, NULL);
	if (!store->path)
		return -errno;
	store->fd = file_open_dir(AT_FDCWD, store->path);
	if (store->fd < 0)
		return store->fd;
	*ret = take_ptr(store);
	return 0;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	close_fd(store->runs_fd);
	close_fd(store->fd);
	free(store->path);
	free(store);
}

const char *store_path(const struct store *store)
{
	return store->path;
}

int store_fd(const struct store *store)
{
	return store->fd;
}

/*
 * Is runs/ itself what is held open? One look does, for what is no link and no mount, and
 * asks no other file system.
 */
static bool is_in_place(const struct store *store)
{
	struct statx now;

	return store->runs_fd >= 0 &&
	       statx(store->fd, "runs",
		     AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		     STATX_INO, &now) == 0 &&
	       store->runs_place.st_ino == now.stx_ino &&
	       store->runs_place.st_dev == makedev(now.stx_dev_major, now.stx_dev_minor);
}

/* Somebody may have moved runs/ away and made another, or what a link leads to. */
static bool is_current(const struct store *store, const struct stat *now)
{
	return store->runs_fd >= 0 && store->runs_place.st_ino == now->st_ino &&
	       store->runs_place.st_dev == now->st_dev;
}

/* Where runs/ is now, with O_PATH. It may be a link or a mount, which takes longer. */
static int find_runs(const struct store *store)
{
	int fd = file_open_beneath(store->fd, "runs", O_PATH | O_DIRECTORY);

	return fd == -ELOOP || fd == -ENOTDIR || fd == -EXDEV
		       ? path_open(store->fd, "runs")
		       : fd;
}

int store_runs_fd(struct store *store)
{
	_cleanup_close_ int path_fd = -1;
	struct stat now;

	if (is_in_place(store))
		return store->runs_fd;
	path_fd = find_runs(store);
	if (path_fd >= 0 && fstat(path_fd, &now) == 0 && is_current(store, &now))
		return store->runs_fd;
	if (store->runs_fd >= 0)
		store->n_changes++;
	close_fd(take_fd(&store->runs_fd));
	if (path_fd < 0)
		return path_fd;
	store->runs_fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->runs_fd < 0)
		return -errno;
	store->n_changes++;
	store->runs_place = now;
	return store->runs_fd;
}

unsigned int store_n_changes(struct store *store)
{
	(void)store_runs_fd(store);
	return store->n_changes;
}

int store_find(struct store *store, const char *id, struct run **ret)
{
	int runs_fd = store_runs_fd(store);

	return runs_fd < 0 ? runs_fd : run_open(runs_fd, id, ret);
}

int store_has(struct store *store, const struct run *run)
{
	_cleanup_(run_freep) struct run *named = NULL;
	struct stat there, ours;
	int r = store_find(store, run_id(run), &named);

	if (r < 0)
		return r;
	if (fstat(run_guild_fd(named), &there) < 0 || fstat(run_guild_fd(run), &ours) < 0)
		return -errno;
	return there.st_dev == ours.st_dev && there.st_ino == ours.st_ino ? 0 : -ENOENT;
}

int store_new_id(char ret_id[STORE_ID_LEN + 1])
{
	unsigned char random[STORE_ID_LEN / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	random[6] = (random[6] & 0x0f) | 0x40; /* a version 4 UUID, as Guild's uuid4() */
	random[8] = (random[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(&ret_id[2 * i], 3, "%02x", random[i]);
	return 0;
}

int store_run_path(const struct store *store, const char *id, struct strbuf *ret)
{
	return strbuf_addf(ret, "%s/runs/%s", store->path, id);
}

static void clean_one(int new_fd, const char *id)
{
	_cleanup_close_ int guild_fd = -1;
	char path[NAME_MAX + sizeof("/.guild")];
	struct stat st;

	/* One whose maker has not come to locking it yet is new. */
	if (file_stat(new_fd, id, &st) < 0 ||
	    st.st_mtim.tv_sec + GARBAGE_AGE_S > time(NULL))
		return;
	(void)snprintf(path, sizeof(path), "%s/.guild", id);
	guild_fd = file_open_dir(new_fd, path);
	if (guild_fd >= 0 && lock_try(guild_fd) < 0)
		return;
	(void)file_remove_tree(new_fd, id);
}

static void clean_needed(int needed_fd, const char *name)
{
	_cleanup_close_ int fd = file_open_dir(needed_fd, name);

	if (fd >= 0)
		file_clear_temporaries(fd);
}

static void for_each_in(const struct store *store, const char *path,
			void (*fn)(int dir_fd, const char *name))
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = file_open_dir(store->fd, path);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (run_id_is_valid(entry->d_name))
			fn(dirfd(dir), entry->d_name);
	}
}

void store_clean(struct store *store)
{
	for_each_in(store, "cache/runfs/new", clean_one);
	for_each_in(store, "runfs/needed", clean_needed);
}

/* The directory of a project's needed files, by the hash of its path, and the file's
 * name. */
static int needed_place(const char *project, const char *op_name, char ret_dir[64],
			struct strbuf *ret_name)
{
	char hash[MD5_DIGEST_STRING_LENGTH];

	if (!project)
		return -ENOENT;
	(void)MD5Data((const uint8_t *)project, strlen(project), hash);
	(void)snprintf(ret_dir, 64, "runfs/needed/%s", hash);
	for (; *op_name; op_name++) {
		if (*op_name == '/')
			strbuf_adds(ret_name, "%2F");
		else if (*op_name == '%')
			strbuf_adds(ret_name, "%25");
		else
			strbuf_addc(ret_name, *op_name);
	}
	return strbuf_error(ret_name);
}

int store_op_needed(const struct store *store, const char *project, const char *op_name,
		    unsigned int *ret_statuses)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	char dir[64];
	int r = needed_place(project, op_name, dir, &name);

	if (r < 0)
		return r;
	dir_fd = file_open_dir(store->fd, dir);
	if (dir_fd < 0)
		return dir_fd;
	r = file_read(dir_fd, strbuf_cstr(&name), RUN_ATTR_MAX_LEN, &text);
	if (r < 0)
		return r;
	if (run_needed_parse(strbuf_str(&text), true, ret_statuses, &why) < 0)
		*ret_statuses = run_needed_default();
	return 0;
}

int store_set_op_needed(const struct store *store, const char *project,
			const char *op_name, unsigned int statuses)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	char dir[64];
	int r = needed_place(project, op_name, dir, &name);

	if (r == 0)
		r = run_needed_format(statuses, &text);
	if (r < 0)
		return r;
	dir_fd = file_open_made_dir(store->fd, dir);
	if (dir_fd < 0)
		return dir_fd;
	return file_write(dir_fd, strbuf_cstr(&name), strbuf_str(&text), 0644, false);
}

int store_remove_op_needed(const struct store *store, const char *project,
			   const char *op_name)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	char dir[64];
	int r = needed_place(project, op_name, dir, &name);

	if (r < 0)
		return r;
	dir_fd = file_open_dir(store->fd, dir);
	return dir_fd < 0 ? dir_fd : file_remove(dir_fd, strbuf_cstr(&name));
}
