/*
 * Names, what the kernel remembers of them, and attributes: through the tables of the
 * mount, on a home with the runs that a test puts there.
 */
#include "fs/node.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "client.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "patience.h"

TestSuite(node, .init = client_make, .fini = client_remove, .timeout = 120);

/* One name that must not be there. */
static void expect_absent(const char *path)
{
	struct node *node;

	cr_expect_eq(client_look(path, &node), -ENOENT, "%s is there", path);
}

static struct node *look(struct node *dir, const char *name)
{
	struct node *node = NULL;

	cr_assert_eq(node_lookup(nodes, dir, name, &node), 0, "%s", name);
	return node;
}

static void put_run(const char *id)
{
	scratch_put_run(id);
	scratch_put_attr(id, "initialized", "1769860800000000\n");
	scratch_put_attr(id, "started", "1769860800123456\n");
	scratch_put_attr(id, "stopped", "1769860802623456\n");
	scratch_put_attr(id, "exit_status", "0\n");
	scratch_put_attr(id, "flags", "{x: 1, y: a b}\n");
	scratch_put_attr(id, "op", "op-cmd: {cmd-args: [./x.sh], cmd-flags: {x: {}}}\n");
	scratch_put_attr(id, "cmd", "[./x.sh, a b]\n");
	scratch_put_attr(id, "env", "{A: b c}\n");
	scratch_put_attr(id, "label", "x=1\n");
	scratch_put_attr(id, "tags", "[b, a]\n");
	scratch_put_attr(id, "comments", "[{body: one}, {body: two}]\n");
	scratch_put_guild(id, "output", "printed\n");
	scratch_put_guild(id, "needed", "completed\n");
}

Test(node, the_same_name_is_the_same_node_and_counts)
{
	struct node *dir = look(node_root(nodes), "runs");
	struct node *again = look(node_root(nodes), "runs");

	cr_expect_eq(dir, again);
	cr_expect_eq(dir->n_lookups, 2);
	node_forget(nodes, dir, 1);
	cr_expect_eq(dir->n_lookups, 1);
	cr_expect_eq(look(node_root(nodes), "runs"), dir);
	node_forget(nodes, dir, 2);
}

Test(node, a_node_is_found_by_its_path_while_it_is_known)
{
	struct node *dir = look(node_root(nodes), "runs"), *run;

	put_run("a");
	cr_expect_null(node_find(nodes, "runs/a"));
	run = look(dir, "a");
	cr_expect_eq(node_find(nodes, "runs/a"), run);
	cr_expect_eq(run->n_lookups, 1, "that was no look-up");
	cr_expect_null(node_find(nodes, "runs/a/flags"));
	node_forget(nodes, run, 1);
	cr_expect_null(node_find(nodes, "runs/a"));
}

/* What the kernel may believe for a while, whatever the run does meanwhile. */
Test(node, directories_and_what_an_ended_run_has_stand_still)
{
	static const struct {
		const char *path;
		bool is_still, is_still_alive;
	} rows[] = {
		{ "runs", true, true },
		{ "runs/a", true, true },
		{ "runs/a/attrs", true, true },
		{ "runs/a/series", true, true },
		{ "runs/a/cmd", true, false },
		{ "runs/a/started", true, false },
		{ "runs/a/files", true, false },
		{ "runs/a/status", false, false },
		{ "runs/a/output", false, false },
		{ "runs/a/wait", false, false },
		{ "runs/a/restart", false, false },
		{ "runs/a/needed", false, false },
		{ "runs/a/label", false, false },
		{ "runs/a/attrs/label", false, false },
		{ "latest", false, false },
	};
	static const char *const markers[] = { "LOCK", "PENDING", "LOCK.remote" };
	_cleanup_close_ int guild_fd = -1;

	put_run("a");
	guild_fd = openat(scratch_fd, "home/runs/a/.guild", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct node *node = client_node(rows[i].path);

		cr_expect_eq(node_is_still(node), rows[i].is_still, "%s", rows[i].path);
		for (size_t j = 0; j < sizeof(markers) / sizeof(markers[0]); j++) {
			scratch_put_guild("a", markers[j], "");
			cr_expect_eq(node_is_still(node), rows[i].is_still_alive,
				     "%s with %s", rows[i].path, markers[j]);
			cr_assert_eq(unlinkat(guild_fd, markers[j], 0), 0);
		}
	}
}

Test(node, a_forget_of_too_much_is_harmless)
{
	struct node *dir = look(node_root(nodes), "runs");

	node_forget(nodes, dir, 1000);
	cr_expect_eq(look(node_root(nodes), "runs")->n_lookups, 1);
}

Test(node, the_root_is_never_forgotten)
{
	struct node *root = node_root(nodes);

	node_forget(nodes, root, 1000);
	cr_expect_eq(node_root(nodes), root);
	cr_expect_str_eq(root->path, "");
	cr_expect_eq(root->ino, 1);
}

Test(node, a_table_frees_what_nobody_forgot)
{
	scratch_put_run("r1");
	(void)client_node("runs/r1/status");
	(void)client_node("runs/r1");
}

Test(node, a_node_knows_its_path_its_run_and_its_operation)
{
	struct node *node;

	scratch_put_run("r1");
	scratch_put("project/guild.yml", "t: {exec: /bin/true}\n");
	node = client_node("runs/r1/status");
	cr_expect_str_eq(node->path, "runs/r1/status");
	cr_expect_str_eq(node->run_id, "r1");
	cr_expect_null(node->op_name);
	node = client_node("ops/t/run");
	cr_expect_str_eq(node->path, "ops/t/run");
	cr_expect_str_eq(node->op_name, "t");
	cr_expect_null(node->run_id);
}

Test(node, inode_numbers_come_from_paths)
{
	struct node *dir, *one, *two;

	scratch_put_run("r1");
	scratch_put_run("r2");
	dir = client_node("runs/r1");
	one = client_node("runs/r1/status");
	two = client_node("runs/r2/status");
	cr_expect_neq(one->ino, two->ino);
	cr_expect_eq(node_entry_ino(dir, "status"), one->ino);
	cr_expect_eq(node_entry_ino(node_root(nodes), "runs"), client_node("runs")->ino);
	cr_expect_gt(one->ino, 1);
}

Test(node, what_is_not_there_is_not_found_at_once)
{
	static const char *const paths[] = {
		"nothing",	    "README/x",
		"runs/r2",	    "runs/.",
		"runs/..",	    "runs/.hidden",
		"runs/r1/x",	    "runs/r1/Status",
		"runs/r1/needed",   "runs/r1/attrs/none",
		"ops/none",	    "ops/none/run",
		"runs/no-run",	    "latest/status",
		"runs/r1/status/x", "ops/..",
		"runs/r1/attrs/..", "runs/a\nb",
	};

	scratch_put_run("r1");
	scratch_make_dir("home/runs/no-run/.guild");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect_absent(paths[i]);
}

Test(node, a_name_that_came_and_went_is_seen_at_each_look)
{
	expect_absent("runs/r1");
	expect_absent("runs/r1/needed");
	scratch_put_run("r1");
	(void)client_node("runs/r1/status");
	expect_absent("runs/r1/needed");
	scratch_put_guild("r1", "needed", "completed\n");
	(void)client_node("runs/r1/needed");
	scratch_delete("home/runs/r1/.guild/needed");
	expect_absent("runs/r1/needed");
	scratch_delete("home/runs/r1");
	expect_absent("runs/r1");
}

Test(node, the_name_of_a_script_may_become_a_directory)
{
	struct node *node;

	scratch_put_program("project/x", "#!/bin/sh\n");
	node = client_node("ops/x");
	(void)client_node("ops/x/run");
	scratch_delete("project/x");
	scratch_put_program("project/x/y.sh", "#!/bin/sh\n");
	cr_expect_neq(client_node("ops/x"), node, "what is open there stays what it was");
	(void)client_node("ops/x/y.sh/run");
	expect_absent("ops/x/run");
}

static void expect_list(const char *path, const char *names)
{
	_cleanup_free_ char *list = client_list(path);

	cr_expect_str_eq(list, names, "%s lists\n%s", path, list);
}

Test(node, a_listing_has_the_rows_that_are_there)
{
	scratch_put_run("r1");
	scratch_put_run("r0");
	scratch_put("project/guild.yml", "t: {exec: /bin/true}\n");
	scratch_put_program("project/a.sh", "#!/bin/sh\n");
	scratch_put("project/notes.txt", "");
	expect_list("", "README\nlatest\njobs\nops\nruns\ntrash\n");
	expect_list("runs", "r0\nr1\n");
	expect_list("ops", "a.sh\nt\n");
	expect_list("ops/t", "run\nstage\nflags\nhelp\nruns\n");
	expect_list("runs/r1/attrs", "");
	expect_list(
		"runs/r1",
		"restart\nflags\noutput\nstatus\nexit_status\nwait\nstop\nop\n"
		"label\ntags\ncomment\ncmd\nenv\npid\ninitialized\nstarted\n"
		"stopped\nelapsed\nsource\nscalars\nseries\nattempts\nattrs\nfiles\n");
}

Test(node, an_empty_home_lists_nothing)
{
	expect_list("", "README\njobs\nops\nruns\ntrash\n");
	expect_list("trash", "");
	expect_list("runs", "");
	expect_list("ops", "");
}

/* A name of a listing is found, and is what the listing says that it is. */
struct entry_check {
	const char *dir;
	size_t n;
};

static void check_entry(void *userdata, const char *name, mode_t mode)
{
	struct entry_check *check = userdata;
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_(handle_releasep) struct handle *handle = NULL;
	const struct node *node;
	struct stat st;

	strbuf_addf(&path, "%s/%s", check->dir, name);
	node = client_node(strbuf_cstr(&path));
	client_stat(node, &st);
	cr_expect_eq(st.st_mode & S_IFMT, mode & S_IFMT, "%s", node->path);
	cr_expect_eq(st.st_ino, node_entry_ino(client_node(check->dir), name), "%s",
		     node->path);
	check->n++;
	if (S_ISLNK(mode))
		cr_assert_eq(node->type->link(node, &text), 0);
	if (S_ISREG(mode)) {
		handle = client_open(strbuf_cstr(&path), O_RDONLY);
		cr_expect_eq(client_read_all(handle, 3, &text), 0, "%s", node->path);
		cr_expect_eq(st.st_mode & 0222, node_is_writable(node) ? 0200 : 0, "%s",
			     node->path);
	}
	if (node->type->kind != NODE_WAIT && !S_ISDIR(mode))
		cr_expect_eq((size_t)st.st_size, text.len, "%s: %jd, but reads %zu",
			     node->path, (intmax_t)st.st_size, text.len);
}

/* Reads all of @dir against its attributes; how many names that were. */
static size_t check_all(const char *dir)
{
	struct entry_check check = { .dir = dir };

	cr_assert_eq(node_list(client_node(dir), check_entry, &check), 0);
	return check.n;
}

Test(node, each_file_of_a_run_has_the_size_of_what_it_reads)
{
	put_run("r1");
	cr_expect_eq(check_all("runs/r1"), 25);
	cr_expect_eq(check_all("runs/r1/attrs"), 11);
	cr_expect_eq(check_all("runs"), 1);
}

Test(node, so_it_is_where_next_to_nothing_is_known_of_the_run)
{
	scratch_put_run("r1");
	cr_expect_eq(check_all("runs/r1"), 24);
}

Test(node, and_where_no_attribute_can_be_read)
{
	static const char *const names[] = { "flags",	"op",	       "cmd",
					     "env",	"label",       "tags",
					     "started", "exit_status", "comments" };
	struct stat st;

	put_run("r1");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		scratch_put_attr("r1", names[i], "{[: -\n");
	cr_assert_eq(node_stat(client_node("runs/r1/flags"), &st), 0);
	cr_expect_eq(st.st_size, 0);
	expect_content("runs/r1/status", "error\n");
	expect_content("runs/r1/attrs/flags", "{[: -\n");
}

Test(node, each_file_of_an_operation_has_the_size_of_what_it_reads)
{
	static const char guildfile[] = "t:\n"
					"  description: Says hello\n"
					"  exec: echo ${x} ${y}\n"
					"  flags:\n"
					"    x: {description: How many, default: 1}\n"
					"    y: a b\n";

	scratch_put("project/guild.yml", guildfile);
	scratch_put_program("project/dir/a.sh", "#!/bin/sh\n");
	scratch_put_run("r1");
	scratch_put_guild("r1", "opref", "guildfile:/p 1 '' t");
	cr_expect_eq(check_all("ops/t"), 6);
	cr_expect_eq(check_all("ops/t/runs"), 1);
	cr_expect_eq(check_all("ops/dir/a.sh"), 5);
	cr_expect_eq(check_all("ops"), 1);
}

Test(node, python_is_asked_before_the_size_is_known)
{
	const struct node *node;
	struct stat st;
	int r;

	scratch_put("project/e.py", "x = 1.0\nprint(x)\n");
	node = client_node("ops/e.py/flags");
	r = node_stat(node, &st);
	cr_expect_eq(r, -EINPROGRESS, "%d", r);
	while ((r = node_stat(node, &st)) == -EINPROGRESS)
		run_patiently(loop);
	cr_expect_eq(r, 0);
	expect_content("ops/e.py/flags", "x=1.0\n");
}

Test(node, the_output_grows_and_wait_can_not_know_its_size)
{
	struct stat st;

	scratch_put_run("r1");
	cr_assert_eq(node_stat(client_node("runs/r1/output"), &st), 0);
	cr_expect_eq(st.st_size, 0);
	scratch_put_guild("r1", "output", "12345");
	cr_assert_eq(node_stat(client_node("runs/r1/output"), &st), 0);
	cr_expect_eq(st.st_size, 5);
	cr_assert_eq(node_stat(client_node("runs/r1/wait"), &st), 0);
	cr_expect_eq(st.st_size, 4096);
}

Test(node, the_time_of_a_run_is_when_it_started)
{
	struct stat st;

	put_run("r1");
	cr_assert_eq(node_stat(client_node("runs/r1"), &st), 0);
	cr_expect_eq(st.st_mtim.tv_sec, 1769860800);
	cr_expect_eq(st.st_mtim.tv_nsec, 123456000);
	cr_expect_eq(st.st_ctim.tv_nsec, 123456000);
	scratch_delete("home/runs/r1/.guild/attrs/started");
	cr_assert_eq(node_stat(client_node("runs/r1"), &st), 0);
	cr_expect_eq(st.st_mtim.tv_nsec, 0);
	cr_expect_eq(st.st_mtim.tv_sec, 1769860800);
}

Test(node, a_file_has_the_times_of_what_stands_behind_it)
{
	static const char *const rows[][2] = {
		{ "runs/r1/output", "home/runs/r1/.guild/output" },
		{ "runs/r1/flags", "home/runs/r1/.guild/attrs/flags" },
		{ "runs/r1/needed", "home/runs/r1/.guild/needed" },
		{ "runs/r1/status", "home/runs/r1/.guild" },
		{ "runs/r1/pid", "home/runs/r1/.guild" },
		{ "README", "home" },
	};

	put_run("r1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timespec times[2] = { { 1000, 1 }, { 2000 + (time_t)i, 7 } };
		struct stat st;

		cr_assert_eq(utimensat(scratch_fd, rows[i][1], times, 0), 0);
		cr_assert_eq(node_stat(client_node(rows[i][0]), &st), 0);
		cr_expect_eq(st.st_mtim.tv_sec, times[1].tv_sec, "%s", rows[i][0]);
		cr_expect_eq(st.st_mtim.tv_nsec, 7, "%s", rows[i][0]);
	}
}

Test(node, everything_belongs_to_whom_the_mount_says)
{
	struct stat st;

	view.uid = 7;
	view.gid = 8;
	scratch_put_run("r1");
	cr_assert_eq(node_stat(client_node("runs/r1/status"), &st), 0);
	cr_expect(st.st_uid == 7 && st.st_gid == 8 && st.st_nlink == 1);
	cr_assert_eq(node_stat(client_node("runs/r1"), &st), 0);
	cr_expect(st.st_uid == 7 && st.st_gid == 8 && st.st_nlink == 2);
}

Test(node, a_node_whose_run_has_gone_has_no_attributes)
{
	const struct node *node;
	struct stat st;
	struct run *run;

	scratch_put_run("r1");
	node = client_node("runs/r1/status");
	scratch_delete("home/runs/r1");
	cr_expect_eq(node_stat(node, &st), -ENOENT);
	cr_expect_eq(node_run(node, &run), -ENOENT);
	cr_expect_eq(node_run(node_root(nodes), &run), -ENOENT);
}

Test(node, what_is_held_of_a_run_goes_with_it)
{
	struct node *root = node_root(nodes);
	struct node *runs = look(root, "runs"), *trash = look(root, "trash");
	struct node *other, *other_status, *dir, *status, *found;

	put_run("r1");
	put_run("r1-2");
	dir = look(runs, "r1");
	status = look(dir, "status");
	other = look(runs, "r1-2");
	other_status = look(other, "status");
	scratch_make_dir("home/trash/runs");
	cr_assert_eq(renameat(scratch_fd, "home/runs/r1", scratch_fd,
			      "home/trash/runs/r1"),
		     0);
	cr_expect_eq(node_move(nodes, runs, "r1", trash), 0);
	cr_expect_str_eq(status->path, "trash/r1/status");
	cr_expect(status->trashed);
	found = look(trash, "r1");
	cr_expect_eq(found, dir);
	cr_expect_eq(look(found, "status"), status);
	expect_absent("runs/r1");
	cr_expect_str_eq(other_status->path, "runs/r1-2/status");
	cr_expect_eq(look(other, "status"), other_status);
	node_forget(nodes, status, 2);
	node_forget(nodes, dir, 2);
	cr_expect_eq(client_look("trash/r1/status", &found), 0);
}

/* As with a run that was restored while somebody still had its directory from before. */
Test(node, what_is_moved_is_what_has_the_name)
{
	struct node *root = client_node(""), *runs, *trash, *old, *dir;

	put_run("r1");
	runs = look(root, "runs");
	trash = look(root, "trash");
	old = look(runs, "r1");
	scratch_make_dir("home/trash/runs");
	cr_assert_eq(renameat(scratch_fd, "home/runs/r1", scratch_fd,
			      "home/trash/runs/r1"),
		     0);
	dir = look(trash, "r1");
	cr_expect_eq(node_move(nodes, trash, "r1", runs), 0);
	cr_expect_not(dir->trashed);
	cr_expect_eq(node_find(nodes, "runs/r1"), dir);
	cr_expect_eq(node_move(nodes, runs, "r1", trash), 0);
	cr_expect(dir->trashed);
	cr_expect_eq(node_move(nodes, trash, "r1", runs), 0);
	cr_expect_not(dir->trashed);
	cr_expect_not(old->trashed);
	node_forget(nodes, old, 1);
	cr_expect_eq(node_find(nodes, "runs/r1"), dir);
	node_forget(nodes, dir, 1);
	cr_expect_null(node_find(nodes, "runs/r1"));
}

Test(node, what_comes_where_a_directory_was_removed_is_another)
{
	struct node *runs = look(node_root(nodes), "runs"), *old, *old_status, *dir,
		    *other;

	put_run("r1");
	put_run("r1-2");
	other = look(runs, "r1-2");
	old = look(runs, "r1");
	old_status = look(old, "status");
	node_remove(nodes, runs, "r1");
	cr_expect_null(node_find(nodes, "runs/r1"));
	cr_expect_null(node_find(nodes, "runs/r1/status"));
	dir = look(runs, "r1");
	cr_expect_neq(dir, old);
	cr_expect_neq(look(dir, "status"), old_status);
	cr_expect_eq(look(runs, "r1-2"), other);
	node_forget(nodes, old_status, 1);
	node_forget(nodes, old, 1);
	cr_expect_eq(node_find(nodes, "runs/r1"), dir);
}

Test(node, of_a_deleted_run_everything_can_be_read_and_nothing_written)
{
	_cleanup_free_ char *result = NULL;
	struct stat st;

	put_run("r1");
	scratch_make_dir("home/trash/runs");
	cr_assert_eq(renameat(scratch_fd, "home/runs/r1", scratch_fd,
			      "home/trash/runs/r1"),
		     0);
	client_stat(client_node("trash/r1/restart"), &st);
	cr_expect_eq(st.st_mode, S_IFREG | 0444);
	client_stat(client_node("trash/r1/needed"), &st);
	cr_expect_eq(st.st_mode, S_IFREG | 0444);
	client_stat(client_node("trash/r1/files"), &st);
	cr_expect_eq(st.st_mode, S_IFLNK | 0777);
	expect_content("trash/r1/tags", "b\na\n");
	expect_content("trash/r1/exit_status", "0\n");
	result = client_cat("trash/r1/wait");
	cr_expect_str_eq(result, "completed 0\n");
	cr_expect_eq(client_print("trash/r1/restart", "x=2\n"), -EACCES);
	expect_content("trash/r1/restart",
		       "error: the run r1 is deleted: restore it first (mv trash/r1"
		       " runs/)\n");
	cr_expect_null(node_creatable(client_node("trash/r1"), "needed"));
}

Test(node, only_needed_can_be_created)
{
	static const char *const no[] = { "x", "status", "restart", "attrs" };

	scratch_put_run("r1");
	scratch_put("project/guild.yml", "t: {exec: /bin/true}\n");
	cr_expect_not_null(node_creatable(client_node("runs/r1"), "needed"));
	cr_expect_not_null(node_creatable(client_node("ops/t"), "needed"));
	cr_expect_null(node_creatable(client_node("runs"), "needed"));
	cr_expect_null(node_creatable(node_root(nodes), "needed"));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		cr_expect_null(node_creatable(client_node("runs/r1"), no[i]), "%s",
			       no[i]);
}

Test(node, a_name_that_becomes_another_kind_of_thing_is_another_node)
{
	static const struct node_type file = { NULL, S_IFREG | 0444 };
	struct node *runs = look(node_root(nodes), "runs");
	const struct node_type *was;
	struct node *old, *new;

	put_run("r1");
	old = look(runs, "r1");
	was = old->type;
	/* As if the look-up had found a file there before. */
	old->type = &file;
	new = look(runs, "r1");
	cr_expect_neq(new, old);
	cr_expect_eq(new->type, was);
	cr_expect_eq(old->type, &file, "who has it open keeps it");
	node_forget(nodes, old, 1);
	cr_expect_eq(look(runs, "r1"), new);
	old = look(runs, "r1");
	old->type = &file;
	cr_expect_neq(look(runs, "r1"), old, "and goes with the table at the latest");
}
