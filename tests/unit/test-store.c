/* A home: where its runs are, new IDs, and what runfs keeps beside the runs. */
#include "engine/store.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/file.h"
#include "expect.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

TestSuite(store, .init = scratch_make, .fini = scratch_remove);

Test(store, a_home_must_be_a_directory)
{
	_cleanup_free_ char *none = scratch_path("none"), *file = scratch_path("file");
	struct store *store = NULL;

	scratch_put("file", "");
	cr_expect_eq(store_open(none, &store), -ENOENT);
	cr_expect_eq(store_open(file, &store), -ENOTDIR);
	cr_expect_null(store);
	store_free(NULL);
}

Test(store, its_path_is_absolute_and_without_links)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_free_ char *link = scratch_path("link"), *home = scratch_path("home");
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	scratch_make_dir("home");
	scratch_put_link("link", "home/../home/");
	cr_assert_eq(file_make_dir(scratch_fd, "home/x", 0755), 0);
	cr_assert_eq(store_open(link, &store), 0);
	cr_expect_str_eq(store_path(store), home);
	cr_expect_eq(faccessat(store_fd(store), "x", F_OK, 0), 0);
	cr_expect_eq(store_run_path(store, ID, &path), 0);
	cr_expect(str_starts(strbuf_str(&path), home));
	cr_expect(str_ends(strbuf_str(&path), "/home/runs/" ID));
}

Test(store, runs_may_come_into_being_later)
{
	_cleanup_(store_freep) struct store *store = scratch_store();
	_cleanup_(run_freep) struct run *run = NULL;

	cr_expect_eq(store_runs_fd(store), -ENOENT);
	cr_expect_eq(store_find(store, ID, &run), -ENOENT);
	scratch_put_run(ID);
	cr_expect_geq(store_runs_fd(store), 0);
	cr_expect_eq(store_find(store, ID, &run), 0);
	cr_expect_str_eq(run_id(run), ID);
}

Test(store, a_run_that_was_found_may_have_been_moved)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(run_freep) struct run *run = NULL;

	scratch_put_run(ID);
	store = scratch_store();
	cr_assert_eq(store_find(store, ID, &run), 0);
	cr_expect_eq(store_has(store, run), 0);
	cr_assert_eq(renameat(store_runs_fd(store), ID, store_fd(store), "moved"), 0);
	cr_expect_eq(store_has(store, run), -ENOENT);
	scratch_put_run(ID); /* another of its name */
	cr_expect_eq(store_has(store, run), -ENOENT);
}

Test(store, runs_that_are_replaced_are_noticed)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(run_freep) struct run *run = NULL;

	scratch_put_run(ID);
	store = scratch_store();
	cr_assert_eq(store_find(store, ID, &run), 0);
	run_free(take_ptr(run));
	cr_assert_eq(renameat(scratch_fd, "home/runs", scratch_fd, "home/old"), 0);
	scratch_put_run("another");
	cr_expect_eq(store_find(store, ID, &run), -ENOENT);
	cr_expect_eq(store_find(store, "another", &run), 0);
}

Test(store, a_new_id_is_a_uuid_of_32_hex_digits)
{
	char id[STORE_ID_LEN + 1], last[STORE_ID_LEN + 1] = "";

	for (int i = 0; i < 50; i++) {
		cr_assert_eq(store_new_id(id), 0);
		cr_expect_eq(strlen(id), 32);
		cr_expect_eq(strspn(id, "0123456789abcdef"), 32, "%s", id);
		cr_expect_eq(id[12], '4', "%s", id);
		cr_expect_not_null(strchr("89ab", id[16]), "%s", id);
		cr_expect_str_neq(id, last);
		memcpy(last, id, sizeof(id));
	}
}

#define COMPLETED  (1u << RUN_COMPLETED)
#define TERMINATED (1u << RUN_TERMINATED)

static void expect_op_needed(const struct store *store, const char *project,
			     const char *op_name, int expected_r, unsigned int expected)
{
	unsigned int statuses = 0;

	cr_expect_eq(store_op_needed(store, project, op_name, &statuses), expected_r,
		     "%s", op_name);
	cr_expect_eq(statuses, expected, "%s", op_name);
}

Test(store, needed_of_an_operation_belongs_to_its_project)
{
	_cleanup_(store_freep) struct store *store = scratch_store();

	expect_op_needed(store, "/p", "train", -ENOENT, 0);
	cr_expect_eq(store_set_op_needed(store, "/p", "train", COMPLETED), 0);
	expect_op_needed(store, "/p", "train", 0, COMPLETED);
	expect_op_needed(store, "/q", "train", -ENOENT, 0);
	expect_op_needed(store, "/p", "test", -ENOENT, 0);
	cr_expect_eq(store_set_op_needed(store, "/p", "train", TERMINATED), 0);
	expect_op_needed(store, "/p", "train", 0, TERMINATED);
	cr_expect_eq(store_remove_op_needed(store, "/p", "train"), 0);
	expect_op_needed(store, "/p", "train", -ENOENT, 0);
}

Test(store, needed_of_an_operation_outlives_the_store)
{
	_cleanup_(store_freep) struct store *store = scratch_store();

	cr_expect_eq(store_set_op_needed(store, "/p", "train", COMPLETED), 0);
	store_free(take_ptr(store));
	store = scratch_store();
	expect_op_needed(store, "/p", "train", 0, COMPLETED);
}

Test(store, needed_tells_names_with_odd_characters_apart)
{
	static const char *const names[] = {
		"a/b", "a%2Fb", "a%b", "a%25b", "a:b", "a b"
	};
	_cleanup_(store_freep) struct store *store = scratch_store();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		expect_op_needed(store, "/p", names[i], -ENOENT, 0);
		cr_expect_eq(store_set_op_needed(store, "/p", names[i], COMPLETED), 0);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_op_needed(store, "/p", names[i], 0, COMPLETED);
}

Test(store, without_a_project_no_operation_has_a_needed)
{
	_cleanup_(store_freep) struct store *store = scratch_store();

	expect_op_needed(store, NULL, "train", -ENOENT, 0);
	cr_expect_eq(store_set_op_needed(store, NULL, "train", COMPLETED), -ENOENT);
	cr_expect_eq(store_remove_op_needed(store, NULL, "train"), -ENOENT);
}

static void put_half_made(const char *id, time_t age_s)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct timespec times[2] = { { .tv_sec = time(NULL) - age_s },
				     { .tv_sec = time(NULL) - age_s } };

	strbuf_addf(&path, "home/cache/runfs/new/%s/.guild/attrs/x", id);
	scratch_put(strbuf_cstr(&path), "1\n");
	strbuf_truncate(&path, path.len - strlen("/.guild/attrs/x"));
	cr_assert_eq(utimensat(scratch_fd, strbuf_cstr(&path), times, 0), 0);
}

Test(store, half_made_runs_that_nobody_makes_are_removed)
{
	_cleanup_(store_freep) struct store *store = scratch_store();
	_cleanup_close_ int guild_fd = -1;

	store_clean(store);
	put_half_made("dead", 120);
	put_half_made("held", 120);
	put_half_made("young", 5);
	scratch_put_run(ID);
	guild_fd = file_open_dir(scratch_fd, "home/cache/runfs/new/held/.guild");
	cr_assert_eq(flock(guild_fd, LOCK_EX | LOCK_NB), 0);
	store_clean(store);
	cr_expect_not(scratch_has("home/cache/runfs/new/dead"));
	cr_expect(scratch_has("home/cache/runfs/new/held/.guild/attrs/x"));
	cr_expect(scratch_has("home/cache/runfs/new/young/.guild/attrs/x"));
	cr_expect(scratch_has("home/runs/" ID));
}
