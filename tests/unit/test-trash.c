/* Deleted runs: moved as Guild moves them, none lost, and the alive left alone. */
#include "engine/trash.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/trash-place.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static struct loop *loop;
static struct store *store;
static struct spawner *spawner;
static struct trash *trash;

static void begin(void)
{
	scratch_make();
	store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(spawner_new(loop, store_fd(store), getenv("RUNFS_SUPERVISOR"),
				 &spawner),
		     0);
	cr_assert_eq(trash_new(store, spawner, &trash), 0);
	scratch_put_run("r1");
	scratch_put("home/runs/r1/mark", "first");
}

static void end(void)
{
	trash_free(trash);
	spawner_free(spawner);
	loop_free(loop);
	store_free(store);
	while (waitpid(-1, NULL, 0) > 0)
		;
	scratch_remove();
}

TestSuite(trash, .init = begin, .fini = end, .timeout = 60);

typedef int (*change_fn)(struct trash *trash, const char *id, struct strbuf *ret_why);

static void expect_change(change_fn change, const char *id, int result, const char *part)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(change(trash, id, &why), result, "%s: %s", id, strbuf_cstr(&why));
	if (part)
		expect_sentence(&why, part, id);
	else
		cr_expect_eq(why.len, 0, "%s: %s", id, strbuf_cstr(&why));
}

static void expect_mark(const char *path, const char *mark)
{
	_cleanup_free_ char *text = scratch_get(path);

	cr_assert_not_null(text, "%s is not there", path);
	cr_expect_str_eq(text, mark, "%s", path);
}

static void add_id(void *userdata, const char *id)
{
	strbuf_addf(userdata, "%s\n", id);
}

/* The names in the trash that begin with @prefix. */
static void list(const char *prefix, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf all = STRBUF_INIT;
	struct str rest, line;

	cr_assert_eq(trash_each(store, add_id, &all), 0);
	rest = strbuf_str(&all);
	while (str_split(&rest, '\n', &line)) {
		if (str_starts(line, prefix))
			strbuf_addstr(ret, line);
	}
}

Test(trash, a_run_is_deleted_restored_and_purged)
{
	_cleanup_(run_freep) struct run *run = NULL;

	cr_expect_eq(trash_find(store, "r1", &run), -ENOENT);
	expect_change(trash_delete, "r1", 0, NULL);
	expect_mark("home/trash/runs/r1/mark", "first");
	cr_expect_not(scratch_has("home/runs/r1"));
	cr_expect_eq(trash_find(store, "r1", &run), 0);

	expect_change(trash_restore, "r1", 0, NULL);
	expect_mark("home/runs/r1/mark", "first");
	expect_change(trash_move_in, "r1", 0, NULL);
	expect_mark("home/trash/runs/r1/mark", "first");
	expect_change(trash_purge, "r1", 0, NULL);
	cr_expect_not(scratch_has("home/trash/runs/r1"));
}

Test(trash, what_is_not_there_can_not_be_moved)
{
	scratch_put("home/trash/runs/none/file", "");
	expect_change(trash_delete, "r2", -ENOENT, "cannot delete the run r2");
	expect_change(trash_delete, "../runs", -EINVAL, "cannot delete");
	expect_change(trash_restore, "r1", -ENOENT, "cannot restore the run r1");
	expect_change(trash_purge, "none", -ENOENT, "cannot purge the run none");
	expect_mark("home/trash/runs/none/file", "");
}

Test(trash, of_two_runs_of_one_id_none_is_lost)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, path = STRBUF_INIT;

	expect_change(trash_delete, "r1", 0, NULL);
	scratch_put_run("r1");
	scratch_put("home/runs/r1/mark", "second");
	expect_change(trash_restore, "r1", -EEXIST, "delete that one first");
	expect_change(trash_move_in, "r1", -EEXIST, "keeps both");
	expect_mark("home/runs/r1/mark", "second");
	expect_mark("home/trash/runs/r1/mark", "first");

	expect_change(trash_delete, "r1", 0, NULL);
	expect_mark("home/trash/runs/r1/mark", "second");
	list("r1_", &name);
	cr_assert_eq(name.len, strlen("r1_01234567"), "%s", strbuf_cstr(&name));
	strbuf_addf(&path, "home/trash/runs/%s/mark", strbuf_cstr(&name));
	expect_mark(strbuf_cstr(&path), "first");
}

Test(trash, the_longest_id_makes_room_too)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	char id[256], prefix[247];

	memset(id, 'a', sizeof(id) - 1);
	id[255] = '\0';
	memcpy(prefix, id, 246);
	prefix[246] = '\0';
	for (int i = 0; i < 2; i++) {
		scratch_put_run(id);
		expect_change(trash_delete, id, 0, NULL);
	}
	list(prefix, &name);
	cr_expect_eq(name.len, 2 * 255);
}

Test(trash, the_alive_stay_where_they_are)
{
	static const char *const markers[] = { "PENDING", "LOCK.remote" };

	for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

		scratch_put_guild("r1", markers[i], "");
		expect_change(trash_delete, "r1", -EBUSY, "stop it first");
		expect_change(trash_move_in, "r1", -EBUSY, "stop it first");
		strbuf_addf(&path, "home/runs/r1/.guild/%s", markers[i]);
		scratch_delete(strbuf_cstr(&path));
	}
	expect_change(trash_delete, "r1", 0, NULL);
	scratch_put("home/trash/runs/r1/.guild/PENDING", "");
	expect_change(trash_purge, "r1", -EBUSY, "is pending");
	expect_change(trash_restore, "r1", -EBUSY, "is pending");
}

Test(trash, a_deleted_run_waits_for_no_job_slot)
{
	expect_change(trash_delete, "r1", 0, NULL);
	scratch_put("home/trash/runs/r1/.guild/PENDING",
		    "runfs: waits for a job slot\norder 1\n\n");
	expect_change(trash_restore, "r1", 0, NULL);
	cr_expect_neq(faccessat(scratch_fd, "home/runs/r1/.guild/PENDING", F_OK, 0), 0);
}

Test(trash, so_does_one_that_somebody_is_changing)
{
	_cleanup_(run_freep) struct run *run = scratch_run("r1");

	cr_assert_eq(lock_try(run_guild_fd(run)), 0);
	expect_change(trash_delete, "r1", -EBUSY, "somebody is changing the run r1");
	lock_leave(run_guild_fd(run));
	expect_change(trash_delete, "r1", 0, NULL);
}

Test(trash, a_staged_run_waits_for_guild_s_queue)
{
	_cleanup_close_ int fd = -1;

	scratch_put_guild("r1", "STAGED", "");
	scratch_put("home/locks/run-status", "");
	fd = openat(scratch_fd, "home/locks/run-status", O_RDWR | O_CLOEXEC);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	expect_change(trash_delete, "r1", -EBUSY, "a queue is choosing");
	close_fd(take_fd(&fd));
	expect_change(trash_delete, "r1", 0, NULL);
}

static bool is_swept(const void *userdata)
{
	run_for(loop, 1000);
	return !trash_place_has_discarded(store_fd(store));
}

Test(trash, what_is_purged_goes_in_the_background)
{
	for (int i = 0; i < 5; i++) {
		scratch_put_run("r1");
		scratch_put("home/runs/r1/deep/down/file", "x");
		expect_change(trash_delete, "r1", 0, NULL);
		expect_change(trash_purge, "r1", 0, NULL);
	}
	await(is_swept, NULL, "the end of the sweep");
}

/* Without trash_delete(), which would sweep it away. */
static void discard_run(void)
{
	scratch_put("home/trash/runs/r1/file", "");
	cr_expect_eq(trash_place_discard(store_fd(store), "r1"), 0);
}

Test(trash, what_a_crash_has_left_is_swept_later)
{
	discard_run();
	cr_expect(trash_place_has_discarded(store_fd(store)));
	trash_recover(trash);
	await(is_swept, NULL, "the end of the sweep");
}

Test(trash, of_many_sweeps_the_lock_lets_one_work)
{
	_cleanup_close_ int fd = -1;

	discard_run();
	fd = openat(store_fd(store), "cache/runfs/purge", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	trash_place_sweep(store_fd(store));
	cr_expect(trash_place_has_discarded(store_fd(store)));
	close_fd(take_fd(&fd));
	trash_place_sweep(store_fd(store));
	cr_expect_not(trash_place_has_discarded(store_fd(store)));
}

Test(trash, the_trash_may_be_a_link)
{
	scratch_make_dir("elsewhere");
	scratch_put_link("home/trash", "../elsewhere");
	expect_change(trash_delete, "r1", 0, NULL);
	expect_mark("elsewhere/runs/r1/mark", "first");
	expect_change(trash_restore, "r1", 0, NULL);
	expect_mark("home/runs/r1/mark", "first");
}

Test(trash, a_restore_needs_no_directory_of_runs)
{
	expect_change(trash_delete, "r1", 0, NULL);
	scratch_delete("home/runs");
	expect_change(trash_restore, "r1", 0, NULL);
	expect_mark("home/runs/r1/mark", "first");
}
