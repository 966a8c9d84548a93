/* Deleted runs: found, restored, and deleted for good. */
#include "engine/trash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/path.h"
#include "engine/pending.h"
#include "engine/trash-place.h"

struct trash {
	struct store *store;
	struct spawner *spawner;
	struct spawn *sweep; /* the one under way, or NULL */
	bool is_due;	     /* something has been moved since it began */
};

int trash_new(struct store *store, struct spawner *spawner, struct trash **ret)
{
	struct trash *trash = calloc(1, sizeof(*trash));

	if (!trash)
		return -ENOMEM;
	trash->store = store;
	trash->spawner = spawner;
	*ret = trash;
	return 0;
}

void trash_free(struct trash *trash)
{
	if (!trash)
		return;
	spawn_forget(trash->sweep);
	free(trash);
}

int trash_find(const struct store *store, const char *id, struct run **ret)
{
	_cleanup_close_ int trash_fd = trash_place_open(store_fd(store), false);

	return trash_fd < 0 ? trash_fd : run_open(trash_fd, id, ret);
}

int trash_each(const struct store *store, trash_fn fn, void *userdata)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = trash_place_open(store_fd(store), false);
	struct stat st;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return -errno;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (run_id_is_valid(entry->d_name) &&
		    run_stat(dirfd(dir), entry->d_name, &st) == 0)
			fn(userdata, entry->d_name);
	}
	return 0;
}

int trash_path(const struct store *store, const char *id, struct strbuf *ret)
{
	return strbuf_addf(ret, "%s/trash/runs/%s", store_path(store), id);
}

static void sweep(struct trash *trash);

/* One more for all that has been moved meanwhile. */
static void on_swept(void *userdata, int r, struct str why)
{
	struct trash *trash = userdata;

	trash->sweep = NULL;
	if (trash->is_due)
		sweep(trash);
}

/* If there can't be one now, there is one after the next move, or at the next mount. */
static void sweep(struct trash *trash)
{
	const struct job job = { .kind = JOB_SWEEP };

	trash->is_due = trash->sweep != NULL;
	if (!trash->sweep)
		(void)spawn_job(trash->spawner, &job, -1, on_swept, trash, &trash->sweep);
}

void trash_recover(struct trash *trash)
{
	if (trash_place_has_discarded(store_fd(trash->store)))
		sweep(trash);
}

static int check_dead(const struct run *run, struct strbuf *ret_why)
{
	int status = run_status(run);

	if (status < 0)
		return status;
	if (run_status_is_live(status)) {
		strbuf_addf(ret_why, "the run %s is %s: stop it first (echo > stop)",
			    run_id(run), run_status_name(status));
		return -EBUSY;
	}
	return 0;
}

/*
 * Under this lock Guild's queues look for staged runs and take the oldest. Nobody holds
 * it where there is no such file.
 */
static int lock_run_status(const struct trash *trash, const struct run *run, int *ret_fd,
			   struct strbuf *ret_why)
{
	_cleanup_close_ int locks_fd = -1;

	int status = run_status(run);

	if (status != RUN_STAGED)
		return status < 0 ? status : 0;
	locks_fd = path_open(store_fd(trash->store), "locks");
	*ret_fd = locks_fd < 0 ? locks_fd
			       : file_open_beneath(locks_fd, "run-status",
						   O_RDWR | O_NONBLOCK);
	if (*ret_fd < 0)
		return *ret_fd == -ENOENT ? 0 : *ret_fd;
	if (flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	strbuf_adds(ret_why, "a queue is choosing among the staged runs: try again");
	return -EBUSY;
}

/* What moves a run, under its lock. */
typedef int (*move_fn)(const struct trash *trash, const char *id);

/*
 * Guild deletes a run of ours that waits for a job slot, too, and in the trash nobody can
 * stop it: so it waits no more.
 */
static int waits_in_vain(const struct run *run, bool is_trashed)
{
	return is_trashed ? pending_is_ours(run_guild_fd(run)) : 0;
}

static int move_locked(const struct trash *trash, const struct run *run, bool is_trashed,
		       move_fn move, struct strbuf *ret_why)
{
	_cleanup_close_ int guild_fd = file_open_dir(run_guild_fd(run), ".");
	_cleanup_close_ int status_fd = -1;
	int r;

	if (guild_fd < 0)
		return guild_fd;
	r = waits_in_vain(run, is_trashed);
	if (r == 0)
		r = check_dead(run, ret_why);
	if (r < 0)
		return r;
	r = lock_try(guild_fd);
	if (r == -EBUSY)
		strbuf_addf(ret_why, "somebody is changing the run %s: try again",
			    run_id(run));
	if (r == 0)
		r = waits_in_vain(run, is_trashed);
	if (r > 0)
		r = file_remove(guild_fd, "PENDING");
	if (r == 0)
		r = lock_run_status(trash, run, &status_fd, ret_why);
	if (r == 0)
		r = check_dead(run, ret_why);
	return r < 0 ? r : move(trash, run_id(run));
}

static int explain(int r, const char *id, const char *verb, struct strbuf *ret_why)
{
	if (r == -EXDEV) {
		strbuf_addf(ret_why,
			    "cannot %s the run %s: the home's directories runs, trash and"
			    " cache must be on one file system",
			    verb, id);
		return -EOPNOTSUPP;
	}
	if (r < 0 && ret_why->len == 0)
		strbuf_addf(ret_why, "cannot %s the run %s: %s", verb, id, strerror(-r));
	return r;
}

static int move_run(struct trash *trash, const struct run *run, bool is_trashed,
		    move_fn move, const char *verb, struct strbuf *ret_why)
{
	int r = move_locked(trash, run, is_trashed, move, ret_why);

	if (r == 0)
		sweep(trash);
	return explain(r, run_id(run), verb, ret_why);
}

static int put(const struct trash *trash, const char *id)
{
	int runs_fd = store_runs_fd(trash->store);

	return runs_fd < 0 ? runs_fd
			   : trash_place_put(store_fd(trash->store), runs_fd, id);
}

static int move_in(const struct trash *trash, const char *id)
{
	_cleanup_close_ int trash_fd = trash_place_open(store_fd(trash->store), true);
	int runs_fd = store_runs_fd(trash->store);

	if (trash_fd < 0 || runs_fd < 0)
		return trash_fd < 0 ? trash_fd : runs_fd;
	return trash_place_move(runs_fd, id, trash_fd, id);
}

static int move_out(const struct trash *trash, const char *id)
{
	_cleanup_close_ int trash_fd = trash_place_open(store_fd(trash->store), false);
	int runs_fd = store_runs_fd(trash->store);

	if (trash_fd < 0 || runs_fd < 0)
		return trash_fd < 0 ? trash_fd : runs_fd;
	return trash_place_move(trash_fd, id, runs_fd, id);
}

static int discard(const struct trash *trash, const char *id)
{
	return trash_place_discard(store_fd(trash->store), id);
}

int trash_delete(struct trash *trash, const char *id, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = store_find(trash->store, id, &run);

	return r < 0 ? explain(r, id, "delete", ret_why)
		     : move_run(trash, run, false, put, "delete", ret_why);
}

int trash_move_in(struct trash *trash, const char *id, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = store_find(trash->store, id, &run);

	if (r < 0)
		return explain(r, id, "delete", ret_why);
	r = move_run(trash, run, false, move_in, "delete", ret_why);
	if (r == -EEXIST)
		strbuf_addf(ret_why,
			    " in trash/: rmdir runs/%s deletes this one and keeps both, "
			    "rmdir trash/%s purges that one",
			    id, id);
	return r;
}

int trash_restore(struct trash *trash, const char *id, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = trash_find(trash->store, id, &run);

	if (r == 0)
		r = file_make_dir(store_fd(trash->store), "runs", 0755);
	if (r < 0)
		return explain(r, id, "restore", ret_why);
	r = move_run(trash, run, true, move_out, "restore", ret_why);
	if (r == -EEXIST)
		strbuf_addf(ret_why, " in runs/: delete that one first (rmdir runs/%s)",
			    id);
	return r;
}

int trash_purge(struct trash *trash, const char *id, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = trash_find(trash->store, id, &run);

	return r < 0 ? explain(r, id, "purge", ret_why)
		     : move_run(trash, run, true, discard, "purge", ret_why);
}
