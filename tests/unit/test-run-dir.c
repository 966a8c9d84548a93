/*
 * runs/ID/: what each file says of a run, which requests it takes, and what they do; the
 * handlers are called from the table, without a mount.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "engine/file.h"
#include "engine/lock.h"

TestSuite(run_dir, .init = client_make, .fini = client_remove, .timeout = 120);

#define STARTED "1769860800123456\n"
#define STOPPED "1769860802623456\n"

/* The run r1 of an operation t that runs x.sh, which has ended well. */
static void put_run(const char *script)
{
	scratch_put_run("r1");
	scratch_put_guild("r1", "opref", "guildfile:/p/guild.yml 1 '' t");
	scratch_put_program("home/runs/r1/x.sh", script);
	scratch_put_attr("r1", "initialized", "1769860800000000\n");
	scratch_put_attr("r1", "started", STARTED);
	scratch_put_attr("r1", "stopped", STOPPED);
	scratch_put_attr("r1", "exit_status", "0\n");
	scratch_put_attr("r1", "flags", "{x: 1, y: a b}\n");
	scratch_put_attr("r1", "op", "op-cmd: {cmd-args: [./x.sh, '${x}', '${y}']}\n");
}

static void put_true(void)
{
	put_run("#!/bin/sh\n");
}

/* What the last request to @path was answered, when read on a fresh open. */
static void expect_answer(const char *path, const char *part)
{
	_cleanup_free_ char *text = client_cat(path);

	cr_expect_not_null(strstr(text, part), "%s: '%s' has no '%s'", path, text, part);
}

static void expect_refused(const char *path, const char *text, int result,
			   const char *part)
{
	int r = client_print(path, text);

	cr_expect_eq(r, result, "%s < %s: %d instead of %d", path, text, r, result);
	expect_answer(path, part);
}

Test(run_dir, each_file_says_what_the_run_has)
{
	static const struct {
		const char *attr, *yaml, *file, *content;
	} rows[] = {
		{ "flags", "{x: 1, y: a b, z: '1'}\n", "flags", "x=1\ny='a b'\nz='1'\n" },
		{ "label", "x=1 y=2\n", "label", "x=1 y=2\n" },
		{ "label", "\"two\\nlines\"\n", "label", "two lines\n" },
		{ "tags", "[b, a]\n", "tags", "b\na\n" },
		{ "tags", "none\n", "tags", "" },
		{ "comments", "[{body: one, user: u}, {user: v}, {body: two}]\n",
		  "comment", "one\ntwo\n" },
		{ "cmd", "[sh, -c, echo 'hi']\n", "cmd",
		  "sh -c 'echo '\"'\"'hi'\"'\"''\n" },
		{ "cmd", "[/usr/bin/python3, -um, train, 1]\n", "cmd",
		  "/usr/bin/python3 -um train 1\n" },
		{ "env", "{A: b c, B: d}\n", "env", "A='b c'\nB=d\n" },
		{ "initialized", STARTED, "initialized",
		  "2026-01-31T12:00:00.123456Z\n" },
		{ "started", STARTED, "started", "2026-01-31T12:00:00.123456Z\n" },
		{ "stopped", STOPPED, "stopped", "2026-01-31T12:00:02.623456Z\n" },
		{ "stopped", STOPPED, "elapsed", "2.500000\n" },
		{ "vcs_commit", "git:abc\n", "source", "commit=git:abc\n" },
		{ "sourcecode_digest", "123abc\n", "source",
		  "commit=git:abc\ndigest=123abc\n" },
		{ "random_seed", "12\n", "attrs/random_seed", "12\n" },
	};

	put_true();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64];

		scratch_put_attr("r1", rows[i].attr, rows[i].yaml);
		(void)snprintf(path, sizeof(path), "runs/r1/%s", rows[i].file);
		expect_content(path, rows[i].content);
	}
}

Test(run_dir, what_is_not_known_is_empty)
{
	static const char *const files[] = {
		"restart", "flags",	  "output",  "stop",	"label",
		"tags",	   "comment",	  "cmd",     "env",	"pid",
		"started", "initialized", "stopped", "elapsed", "source",
	};

	scratch_put_run("r1");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "runs/r1/%s", files[i]);
		expect_content(path, "");
	}
	expect_content("runs/r1/op", "x.sh\n");
	expect_content("runs/r1/status", "error\n");
}

Test(run_dir, the_operation_is_named_as_guild_does)
{
	static const struct {
		const char *opref, *name;
	} rows[] = {
		{ "script:/p '' '' train.py", "train.py\n" },
		{ "guildfile:/p/guild.yml abc m t\n", "m:t\n" },
		{ "guildfile:/p/guild.yml abc '' t", "t\n" },
		{ "no opref", "?\n" },
	};

	scratch_put_run("r1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scratch_put_guild("r1", "opref", rows[i].opref);
		expect_content("runs/r1/op", rows[i].name);
	}
}

Test(run_dir, the_status_decides_what_is_known_of_the_end)
{
	static const struct {
		const char *marker, *exit_status;
		const char *status, *number, *result, *stopped;
	} rows[] = {
		{ NULL, "0\n", "completed\n", "0\n", "completed 0\n", "2026" },
		{ NULL, "3\n", "error\n", "3\n", "error 3\n", "2026" },
		{ NULL, "-15\n", "terminated\n", "-15\n", "terminated -15\n", "2026" },
		{ "STAGED", "0\n", "staged\n", "", "staged\n", "" },
		{ "PENDING", "0\n", "pending\n", "", NULL, "" },
		{ "LOCK.remote", "0\n", "running\n", "", NULL, "" },
	};

	put_true();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ char *stopped = NULL;
		char marker[64];

		(void)snprintf(marker, sizeof(marker), "home/runs/r1/.guild/%s",
			       rows[i].marker ? rows[i].marker : "none");
		scratch_put(marker, "");
		scratch_put_attr("r1", "exit_status", rows[i].exit_status);
		expect_content("runs/r1/status", rows[i].status);
		expect_content("runs/r1/exit_status", rows[i].number);
		stopped = client_cat("runs/r1/stopped");
		cr_expect_eq(strncmp(stopped, rows[i].stopped, 4), 0, "%zu: %s", i,
			     stopped);
		if (rows[i].result) {
			_cleanup_free_ char *result = client_cat("runs/r1/wait");

			cr_expect_str_eq(result, rows[i].result);
		}
		scratch_delete(marker);
	}
}

Test(run_dir, a_staged_run_was_never_started)
{
	put_true();
	scratch_put_guild("r1", "STAGED", "");
	expect_content("runs/r1/started", "");
	expect_content("runs/r1/elapsed", "");
	cr_expect_eq(client_print("runs/r1/restart", "\n"), 0);
	expect_content("runs/r1/restart", "Restarting r1\n");
	free(client_cat("runs/r1/wait"));
	expect_content("runs/r1/status", "completed\n");
}

Test(run_dir, the_end_of_an_earlier_start_counts_for_nothing)
{
	put_true();
	scratch_put_attr("r1", "started", "1769860900000000\n");
	expect_content("runs/r1/exit_status", "");
	expect_content("runs/r1/stopped", "");
	expect_content("runs/r1/elapsed", "");
	expect_content("runs/r1/status", "error\n");
}

Test(run_dir, a_run_that_is_held_is_running)
{
	_cleanup_close_ int guild_fd = -1;
	_cleanup_free_ char *elapsed = NULL;
	char pid[16];
	int lock_fd;

	put_true();
	guild_fd = file_open_dir(scratch_fd, "home/runs/r1/.guild");
	lock_fd = lock_take(guild_fd);
	cr_assert_geq(lock_fd, 0);
	(void)snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	expect_content("runs/r1/pid", pid);
	expect_content("runs/r1/status", "running\n");
	expect_content("runs/r1/exit_status", "");
	elapsed = client_cat("runs/r1/elapsed");
	cr_expect_gt(strtod(elapsed, NULL), 0.0);
	expect_refused("runs/r1/restart", "x=2\n", -EBUSY, "the run r1 is running");
	lock_remove(guild_fd, lock_fd);
	close_fd(lock_fd);
	expect_content("runs/r1/status", "completed\n");
	expect_content("runs/r1/pid", "");
}

Test(run_dir, files_leads_to_the_home)
{
	_cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT;
	_cleanup_free_ char *path = NULL;
	const struct node *node;

	put_true();
	node = client_node("runs/r1/files");
	cr_assert_eq(node->type->link(node, &target), 0);
	path = scratch_path("home/runs/r1");
	cr_expect_str_eq(strbuf_cstr(&target), path);
}

Test(run_dir, what_cannot_be_written_is_refused)
{
	static const char *const files[] = { "output", "status", "exit_status", "wait",
					     "op",     "cmd",	 "env",		"pid",
					     "source", "elapsed" };

	put_true();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "runs/r1/%s", files[i]);
		cr_expect_eq(client_print(path, "x\n"), -EACCES, "%s", path);
	}
}

Test(run_dir, the_flags_of_a_staged_run_can_be_written)
{
	put_run("#!/bin/sh\necho \"$1 $2\"\n");
	scratch_put_guild("r1", "STAGED", "");
	cr_expect_eq(client_print("runs/r1/flags", "x=2\n"), 0);
	expect_content("runs/r1/flags", "x=2\ny='a b'\n");
	expect_content("runs/r1/status", "staged\n");
	expect_content("runs/r1/cmd", "./x.sh 2 'a b'\n");
	cr_expect_eq(client_print("runs/r1/flags", "z=2\n"), -EINVAL);
	cr_expect_eq(client_print("runs/r1/flags", "--needed\n"), -EINVAL);
	expect_content("runs/r1/flags", "x=2\ny='a b'\n");
}

Test(run_dir, the_flags_of_another_run_can_not_be_written)
{
	static const char *const markers[] = { "PENDING", NULL };

	put_true();
	for (size_t i = 0; i < 2; i++) {
		if (markers[i])
			scratch_put_guild("r1", markers[i], "");
		cr_expect_eq(client_print("runs/r1/flags", "x=2\n"), -EBUSY);
		if (markers[i])
			scratch_delete("home/runs/r1/.guild/PENDING");
	}
	expect_content("runs/r1/flags", "x=1\ny='a b'\n");
}

Test(run_dir, a_restart_starts_the_run_again_with_the_flags_over_its_own)
{
	put_run("#!/bin/sh\necho \"$1 $2\"\n");
	cr_expect_eq(client_print("runs/r1/restart", "x=10\n"), 0);
	expect_content("runs/r1/restart", "Restarting r1\n");
	expect_content("runs/r1/output", "10 a b\n");
	free(client_cat("runs/r1/wait"));
	expect_content("runs/r1/flags", "x=10\ny='a b'\n");
	expect_content("runs/r1/status", "completed\n");
	cr_expect_eq(client_print("runs/r1/restart", "\n"), 0);
	expect_content("runs/r1/output", "10 a b\n");
}

Test(run_dir, the_answer_is_read_on_the_same_open_file)
{
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;

	put_true();
	cr_expect_eq(client_ask("runs/r1/restart", "x=10\n", &answer), 0);
	cr_expect_str_eq(strbuf_cstr(&answer), "Restarting r1\n");
	free(client_cat("runs/r1/wait"));
	cr_expect_eq(client_ask("runs/r1/restart", "q=1\n", &answer), -EINVAL);
}

Test(run_dir, a_failed_end_can_be_waited_for_and_restarted)
{
	_cleanup_free_ char *result = NULL;

	put_run("#!/bin/sh\nexit 3\n");
	cr_expect_eq(client_print("runs/r1/restart", "\n"), 0);
	result = client_cat("runs/r1/wait");
	cr_expect_str_eq(result, "error 3\n");
	expect_content("runs/r1/exit_status", "3\n");
	scratch_put_program("home/runs/r1/x.sh", "#!/bin/sh\nkill -9 $$\n");
	cr_expect_eq(client_print("runs/r1/restart", "\n"), 0);
	free(result);
	result = client_cat("runs/r1/wait");
	cr_expect_str_eq(result, "terminated -9\n");
}

Test(run_dir, a_restart_that_is_not_needed_is_skipped)
{
	static const char skipped[] =
		"Skipping run because flags have not changed (--needed specified)\n";
	static const char *const requests[] = { "\n", "x=1\n", "x=1.0 y='a b'\n",
						"--needed\n" };

	put_true();
	cr_expect_eq(client_print("runs/r1/restart", "--needed x=1\n"), 0);
	expect_content("runs/r1/restart", skipped);
	scratch_put_guild("r1", "needed", "");
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		cr_expect_eq(client_print("runs/r1/restart", requests[i]), 0, "%s",
			     requests[i]);
		expect_content("runs/r1/restart", skipped);
	}
	expect_content("runs/r1/started", "2026-01-31T12:00:00.123456Z\n");
	cr_expect_eq(client_print("runs/r1/restart", "x='1'\n"), 0);
	expect_content("runs/r1/restart", "Restarting r1\n");
	free(client_cat("runs/r1/wait"));
}

Test(run_dir, needed_restarts_what_has_no_accepted_status)
{
	static const struct {
		const char *needed, *exit_status;
		bool skips;
	} rows[] = {
		{ "completed terminated\n", "0\n", true },
		{ "completed terminated\n", "-15\n", true },
		{ "completed\n", "-15\n", false },
		{ "terminated\n", "0\n", false },
		{ "completed terminated\n", "1\n", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_true();
		scratch_put_guild("r1", "needed", rows[i].needed);
		scratch_put_attr("r1", "exit_status", rows[i].exit_status);
		cr_expect_eq(client_print("runs/r1/restart", "\n"), 0);
		expect_answer("runs/r1/restart", rows[i].skips ? "Skipping" : "Restart");
		free(client_cat("runs/r1/wait"));
	}
}

Test(run_dir, a_restart_that_can_not_be_says_why_and_changes_nothing)
{
	static const struct {
		const char *request;
		int result;
		const char *part;
	} rows[] = {
		{ "q=1\n", -EINVAL, "error: unsupported flag 'q'" },
		{ "x\n", -EINVAL, "error: " },
		{ "=1\n", -EINVAL, "error: a word begins with '='" },
		{ "x='a\n", -EINVAL, "error: " },
		{ "x=[1\n", -EINVAL, "error: " },
		{ "--frob\n", -EINVAL, "error: " },
		{ "x=\xff\n", -EINVAL, "error: a request is UTF-8" },
		{ "--force-sourcecode q=1\n", -EINVAL, "error: unsupported flag 'q'" },
	};

	put_true();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused("runs/r1/restart", rows[i].request, rows[i].result,
			       rows[i].part);
	expect_content("runs/r1/flags", "x=1\ny='a b'\n");
	expect_content("runs/r1/started", "2026-01-31T12:00:00.123456Z\n");
	expect_content("runs/r1/status", "completed\n");
}

Test(run_dir, a_run_that_has_lost_what_a_start_needs_says_what)
{
	put_true();
	scratch_delete("home/runs/r1/x.sh");
	expect_refused("runs/r1/restart", "\n", -ENOENT, "x.sh");
	scratch_put("home/runs/r1/x.sh", "#!/bin/sh\n");
	expect_refused("runs/r1/restart", "\n", -EACCES, "x.sh");
	scratch_put_attr("r1", "op", "{[: -\n");
	expect_refused("runs/r1/restart", "\n", -EINVAL, "op can't be read");
	expect_content("runs/r1/status", "error\n");
	scratch_delete("home/runs/r1/.guild/attrs/op");
	expect_refused("runs/r1/restart", "\n", -EINVAL, "op is missing");
}

Test(run_dir, a_run_that_went_while_its_file_was_open_is_gone)
{
	struct handle *handle;

	put_true();
	handle = client_open("runs/r1/restart", O_WRONLY);
	scratch_delete("home/runs/r1");
	cr_expect_eq(handle_write(handle, 1, STR("\n")), -ENOENT);
	handle_release(handle);
}

Test(run_dir, needed_is_created_written_and_removed)
{
	const struct node_type *type;
	const struct node *dir;
	struct node *node;

	put_true();
	dir = client_node("runs/r1");
	cr_expect_eq(client_look("runs/r1/needed", &node), -ENOENT);
	type = node_creatable(dir, "needed");
	cr_assert_eq(type->create(dir), 0);
	expect_content("runs/r1/needed", "completed terminated\n");
	cr_expect_eq(client_print("runs/r1/needed", "completed\n"), 0);
	expect_content("runs/r1/needed", "completed\n");
	cr_expect_eq(client_print("runs/r1/needed", "terminated\ncompleted\n"), 0);
	expect_content("runs/r1/needed", "completed terminated\n");
	cr_expect_eq(client_print("runs/r1/needed", "running\n"), -EINVAL);
	cr_expect_eq(client_print("runs/r1/needed", "completed error\n"), -EINVAL);
	expect_content("runs/r1/needed", "completed terminated\n");
	cr_expect_eq(client_print("runs/r1/needed", "\n"), 0);
	expect_content("runs/r1/needed", "completed terminated\n");
	cr_assert_eq(type->remove(dir), 0);
	cr_expect_eq(client_look("runs/r1/needed", &node), -ENOENT);
	cr_expect_eq(type->remove(dir), 0);
}

Test(run_dir, stop_takes_a_signal_and_leaves_an_ended_run_alone)
{
	static const char *const requests[] = { "\n",	  "1\n",	"TERM\n",
						"SIGINT", "\nKILL\n\n", "USR1\n" };
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;

	put_true();
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		cr_expect_eq(client_print("runs/r1/stop", requests[i]), 0, "%s",
			     requests[i]);
	expect_content("runs/r1/status", "completed\n");
	cr_expect_eq(client_ask("runs/r1/stop", "\n", &answer), 0);
	cr_expect_str_eq(strbuf_cstr(&answer), "");
	expect_refused("runs/r1/stop", "FOO\n", -EINVAL, "error: 'FOO' is no signal");
	expect_refused("runs/r1/stop", "FOO", -EINVAL, "error: 'FOO' is no signal");
}

Test(run_dir, stop_ends_a_run)
{
	_cleanup_free_ char *result = NULL;

	/* It does not know pidfd_open(2). */
	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind can't signal through a pidfd");

	put_run("#!/bin/sh\nexec sleep 1000\n");
	cr_assert_eq(client_print("runs/r1/restart", "\n"), 0);
	expect_content("runs/r1/status", "running\n");
	cr_expect_eq(client_print("runs/r1/stop", "\n"), 0);
	result = client_cat("runs/r1/wait");
	cr_expect_str_eq(result, "terminated -15\n");
	expect_content("runs/r1/pid", "");
}

Test(run_dir, attributes_are_listed_and_read_as_they_are)
{
	_cleanup_free_ char *names = NULL;
	struct node *node;

	scratch_put_run("r1");
	expect_content("runs/r1/flags", "");
	scratch_put_attr("r1", "flags", "{x: 1} # so\n");
	scratch_put_attr("r1", ".hidden", "1\n");
	names = client_list("runs/r1/attrs");
	cr_expect_str_eq(names, "flags\n");
	expect_content("runs/r1/attrs/flags", "{x: 1} # so\n");
	cr_expect_eq(client_look("runs/r1/attrs/.hidden", &node), -ENOENT);
	cr_expect_eq(client_print("runs/r1/attrs/flags", "x\n"), -EACCES);
}

Test(run_dir, scalars_that_no_file_could_be_called_have_a_series_too)
{
	static const struct {
		const char *file, *content;
	} rows[] = {
		{ "a%2Fb", "0\t1.0\n" }, { "%2E", "0\t2.0\n" }, { "%2E%2E", "0\t3.0\n" },
		{ "%", "0\t4.0\n" },	 { "%25", "0\t5.0\n" }, { "...", "0\t6.0\n" },
	};
	static const char *const none[] = { "a%2fb", "%2", "%2G", "%61%2Fb", "%2E.",
					    "%00",   "b",  "%%",  ".%2E" };
	struct node *node;

	put_true();
	scratch_put_attr("r1", "op",
			 "output-scalars: ['(?P<_key>\\S*)=(?P<_val>\\value)']\n");
	scratch_put_guild("r1", "output", "a/b=1\n.=2\n..=3\n=4\n%=5\n...=6\n");
	expect_content("runs/r1/scalars",
		       "=4.0\n%=5.0\n.=2.0\n..=3.0\n...=6.0\na/b=1.0\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

		strbuf_addf(&path, "runs/r1/series/%s", rows[i].file);
		expect_content(strbuf_cstr(&path), rows[i].content);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

		strbuf_addf(&path, "runs/r1/series/%s", none[i]);
		cr_expect_eq(client_look(strbuf_cstr(&path), &node), -ENOENT, "%s",
			     none[i]);
	}
}

Test(run_dir, for_all_who_wait_a_run_is_looked_at_once)
{
	struct run_moment moment;

	put_true();
	view_keep_looks(&view, true);
	cr_assert_eq(view_look(&view, "r1", &moment), 0);
	cr_expect_eq(moment.status, RUN_COMPLETED);
	scratch_put_attr("r1", "exit_status", "3\n");
	cr_assert_eq(view_look(&view, "r1", &moment), 0);
	cr_expect_eq(moment.status, RUN_COMPLETED, "of the same event");
	cr_expect_eq(view_look(&view, "r2", &moment), -ENOENT);
	view_keep_looks(&view, false);
	cr_assert_eq(view_look(&view, "r1", &moment), 0);
	cr_expect_eq(moment.status, RUN_ERROR);
	cr_expect_eq(moment.exit_status, 3);
	scratch_make_dir("home/trash/runs");
	cr_assert_eq(renameat(scratch_fd, "home/runs/r1", scratch_fd,
			      "home/trash/runs/r1"),
		     0);
	cr_assert_eq(view_look(&view, "r1", &moment), 0,
		     "deleted, it has ended all the same");
	cr_expect_eq(moment.status, RUN_ERROR);
}
