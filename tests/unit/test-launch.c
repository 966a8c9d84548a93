/* Starting runs: what is judged, what is needed, and what is on disk when the answer
 * comes.
 */
#include "engine/launch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/project.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

#define ID    "0123456789abcdef0123456789abcdef"
#define GUILD "home/runs/" ID "/.guild"

static struct loop *loop;
static struct store *store;
static struct index *runs;
static struct python *python;
static struct project *project;
static struct launcher *launcher;
static struct launcher_config config;
static int answer_r; /* what the launch came to; 1: nothing yet */
static struct strbuf answer;
static char *helper, *op_main, *project_dir, *supervisor;

static void on_told(void *userdata)
{
	loop_stop(loop);
}

static void on_index(void *userdata)
{
	launcher_ask_again(launcher);
}

static void make_nouns(void)
{
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(index_new(loop, store, on_index, NULL, &runs), 0);
	cr_assert_eq(python_new(loop, helper, &python), 0);
	cr_assert_eq(project_new(python, project_dir, on_told, NULL, &project), 0);
	config = (struct launcher_config){
		.loop = loop,
		.store = store,
		.index = runs,
		.python = python,
		.project = project_dir,
		.supervisor = getenv("RUNFS_SUPERVISOR"),
		.op_main = op_main,
		.stop_timeout_us = 1000000,
	};
	cr_assert_eq(launcher_new(&config, &launcher), 0);
}

static void begin(void)
{
	const char *scripts = getenv("RUNFS_SCRIPTS");

	scratch_make();
	store = scratch_store();
	project_dir = scratch_path("p");
	cr_assert_gt(asprintf(&helper, "%s/python-flags.py", scripts), 0);
	cr_assert_gt(asprintf(&op_main, "%s/op-main.py", scripts), 0);
	scratch_put_program("p/say.sh", "#!/bin/sh\necho \"$@\"\n");
	scratch_put("p/plain.sh", "#!/bin/sh\n");
	scratch_put("p/guild.yml", "op: {exec: './say.sh ${flag_args}', flags: {x: 1, "
				   "'y': a}}\nlost: {exec: ./none}\n"
				   "plain: {exec: ./plain.sh}\nodd: {steps: 1}\n"
				   "ref: {exec: './say.sh ${z}'}\n");
	make_nouns();
}

static void end(void)
{
	launcher_free(launcher);
	project_free(project);
	python_free(python);
	index_free(runs);
	store_free(store);
	loop_free(loop);
	free(helper);
	free(op_main);
	free(project_dir);
	free(supervisor);
	strbuf_done(&answer);
	scratch_remove();
}

/* There posix_spawn() returns before the new process has executed its program. */
static void skip_under_valgrind(void)
{
	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind's posix_spawn() does not wait");
}

TestSuite(launch, .init = begin, .fini = end, .timeout = 600);

static void on_answer(void *userdata, int r, struct str text)
{
	cr_expect_eq(userdata, loop);
	cr_expect_eq(answer_r, 1, "called twice");
	answer_r = r;
	strbuf_reset(&answer);
	strbuf_addstr(&answer, text);
	loop_stop(loop);
}

static struct operation *find_op(const char *name)
{
	struct operation *operation = NULL;
	int r = project_operation(project, name, &operation);

	if (r == -EINPROGRESS) {
		run_patiently(loop);
		r = project_operation(project, name, &operation);
	}
	cr_assert_eq(r, 0, "%s", name);
	return operation;
}

/* Waits for the answer when something has been started. Returns what it came to. */
static int finish(int r)
{
	answer_r = 1;
	if (r != -EINPROGRESS)
		return r;
	run_patiently(loop);
	return answer_r;
}

static int start(const char *op_name, unsigned int needed, const char *text)
{
	_cleanup_(operation_unrefp) struct operation *operation = find_op(op_name);
	struct launch *launch = NULL;

	strbuf_reset(&answer);
	return finish(launch_run(launcher, operation, needed, str_from(text), on_answer,
				 loop, &launch, &answer));
}

static int restart(const char *text)
{
	struct launch *launch = NULL;

	strbuf_reset(&answer);
	return finish(launch_restart(launcher, ID, str_from(text), on_answer, loop,
				     &launch, &answer));
}

static bool has_ended(const void *userdata)
{
	_cleanup_(run_freep) struct run *run = NULL;

	return store_find(store, userdata, &run) == 0 &&
	       !run_status_is_live(run_status(run));
}

static void expect_in_run(const char *id, const char *path, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf whole = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;

	strbuf_addf(&whole, "home/runs/%s/%s", id, path);
	text = scratch_get(strbuf_cstr(&whole));
	expect_text(str_from(text ? text : "(none)"), expected, path);
}

/* The run that the answer names, when it has ended. */
static const char *await_answered_run(void)
{
	const char *id = strbuf_cstr(&answer);

	if (strncmp(id, "Restarting ", 11) == 0)
		id += 11;
	await(has_ended, id, "the end of the run");
	return id;
}

static void expect_latest(const char *op_name, const char *expected)
{
	const char *id = "(none)";

	while (index_latest(runs, op_name, &id) == -EINPROGRESS)
		run_for(loop, 1000);
	cr_expect_str_eq(id, expected);
}

Test(launch, a_run_is_on_disk_when_its_id_is_told)
{
	_cleanup_(run_freep) struct run *run = NULL;
	const char *id;

	cr_assert_eq(start("op", 0, "x=10\n"), 0, "%s", strbuf_cstr(&answer));
	cr_expect_eq(answer.len, 32);
	cr_assert_eq(store_find(store, strbuf_cstr(&answer), &run), 0);
	expect_latest("op", strbuf_cstr(&answer));
	id = await_answered_run();
	cr_expect_eq(run_status(run), RUN_COMPLETED);
	expect_in_run(id, ".guild/output", "--x 10 --y a\n");
	expect_in_run(id, ".guild/attrs/flags", "x: 10\n'y': a\n");
	expect_in_run(id, ".guild/attrs/user_flags", "x: 10\n");
	expect_in_run(id, ".guild/attrs/label", "x=10 y=a\n");
}

Test(launch, a_program_gets_flags_by_its_environment)
{
	const char *id;

	scratch_put_program("p/env.sh", "#!/bin/sh\necho \"$FLAG_A $0 $PWD\"\n");
	cr_assert_eq(start("env.sh", 0, "a=b"), 0, "%s", strbuf_cstr(&answer));
	id = await_answered_run();
	expect_latest("op", "(none)");
	expect_latest("env.sh", id);
	expect_in_run(id, "env.sh", "#!/bin/sh\necho \"$FLAG_A $0 $PWD\"\n");
}

Test(launch, a_python_script_gets_its_globals)
{
	const char *id;

	scratch_put("p/echo.py", "x = 1.0\nz = 'a'\nprint(repr(x), repr(z))\n");
	cr_assert_eq(start("echo.py", 0, "x=10 z='1'"), 0, "%s", strbuf_cstr(&answer));
	id = await_answered_run();
	expect_in_run(id, ".guild/output", "10 '1'\n");
}

struct refusal {
	const char *what, *text;
	int r;
	const char *sentence;
};

static void expect_no_runs(void)
{
	cr_expect_not(scratch_has("home/runs"), "a run was made");
}

Test(launch, a_run_that_can_not_be_is_refused_before_anything_is_made)
{
	static const struct refusal rows[] = {
		{ "op", "z=1\n", -EINVAL, "unsupported flag 'z': op takes x, y" },
		{ "op", "x=1 z=", -EINVAL, "unsupported flag 'z'" },
		{ "op", "x\n", -EINVAL, "'x' is neither name=value" },
		{ "op", "x='a\n", -EINVAL, "still open at the end of the line" },
		{ "odd", "\n", -EINVAL, "guild.yml: line 4: operation odd: 'steps'" },
		{ "lost", "\n", -ENOENT, "'./none' is not there" },
		{ "plain", "\n", -EACCES, "'./plain.sh' is not executable" },
		{ "ref", "\n", -EINVAL, "the reference 'z'" },
		{ "broken.py", "\n", -EINVAL, "broken.py: line 1" },
	};

	scratch_put("p/broken.py", "x = (\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *op = find_op(rows[i].what);
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(launch_check_run(launcher, op, 0, str_from(rows[i].text),
					      &why),
			     rows[i].r, "%s %s", rows[i].what, rows[i].text);
		expect_sentence(&why, rows[i].sentence, rows[i].what);
		cr_expect_eq(start(rows[i].what, 0, rows[i].text), rows[i].r, "%s %s",
			     rows[i].what, rows[i].text);
		expect_sentence(&answer, rows[i].sentence, rows[i].what);
	}
	expect_no_runs();
}

Test(launch, a_limit_that_can_not_be_read_is_named)
{
	scratch_make_dir("home/runfs");
	cr_assert_eq(mkfifoat(scratch_fd, "home/runfs/jobs", 0644), 0);
	cr_expect_eq(start("op", 0, "\n"), -EINVAL);
	expect_sentence(&answer, "runfs/jobs of the home can't be read", "");
	expect_no_runs();
}

Test(launch, what_may_still_come_right_is_only_refused_at_the_end)
{
	_cleanup_(operation_unrefp) struct operation *op = find_op("op");
	static const char *const rows[] = { "x='a", "x=[1, ", "--forc", "z" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(launch_check_run(launcher, op, 0, str_from(rows[i]), &why),
			     0, "%s: %s", rows[i], strbuf_cstr(&why));
		cr_expect_eq(start("op", 0, rows[i]), -EINVAL, "%s", rows[i]);
	}
	expect_no_runs();
}

Test(launch, a_project_that_is_gone_is_enoent)
{
	_cleanup_(operation_unrefp) struct operation *op = find_op("op");
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	scratch_delete("p");
	cr_expect_eq(launch_check_run(launcher, op, 0, STR("\n"), &why), -ENOENT);
	expect_sentence(&why, "/p is not there any more", "");
}

Test(launch, a_python_that_is_gone_is_enoent)
{
	_cleanup_(operation_unrefp) struct operation *op = NULL;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	scratch_put("p/a.py", "x = 1\n");
	op = find_op("a.py");
	setenv("GUILD_PYTHON_EXE", "/none/python", 1);
	cr_expect_eq(launch_check_run(launcher, op, 0, STR("\n"), &why), -ENOENT);
	expect_sentence(&why, "'/none/python' is not there", "");
	cr_expect_eq(start("op", 0, "\n"), 0, "what is no Python's needs none");
	(void)await_answered_run();
}

/* Another launcher, with the program "supervisor" of the scratch directory. */
static int use_supervisor(void)
{
	free(supervisor);
	supervisor = scratch_path("supervisor");
	launcher_free(take_ptr(launcher));
	config.supervisor = supervisor;
	return launcher_new(&config, &launcher);
}

Test(launch, a_supervisor_that_can_not_be_started_changes_nothing)
{
	cr_expect_eq(use_supervisor(), -ENOENT);
	cr_expect_null(launcher);
	skip_under_valgrind();
	scratch_put("supervisor", "");
	cr_assert_eq(use_supervisor(), 0);
	cr_expect_eq(start("op", 0, "\n"), -EACCES);
	expect_sentence(&answer, "cannot start a run: ", "");
	expect_no_runs();
}

Test(launch, a_supervisor_that_dies_is_eio)
{
	scratch_put_program("supervisor", "#!/bin/sh\nexit 1\n");
	cr_assert_eq(use_supervisor(), 0);
	cr_expect_eq(start("op", 0, "\n"), -EIO);
	expect_sentence(&answer, "ended without an answer", "");
	expect_no_runs();
}

#define COMPLETED  (1u << RUN_COMPLETED)
#define TERMINATED (1u << RUN_TERMINATED)

Test(launch, a_needed_run_that_is_there_is_told_instead)
{
	_cleanup_free_ char *first = NULL;
	static const struct {
		unsigned int needed;
		const char *text;
		bool same;
	} rows[] = {
		{ COMPLETED, "x=10", true },
		{ COMPLETED, "x=10.0", true },
		{ COMPLETED, "x=10 y=a", true },
		{ 0, "x=10 --needed", true },
		{ TERMINATED, "x=10", false },
		{ 0, "x=10", false },
		{ COMPLETED, "x='10'", false },
		{ 0, "x=11 --needed", false },
		{ TERMINATED, "x=10 --needed", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scratch_delete("home/runs");
		index_list_changed(runs);
		cr_assert_eq(start("op", 0, "x=10"), 0);
		free(take_ptr(first));
		first = strdup(await_answered_run());
		cr_expect_eq(start("op", rows[i].needed, rows[i].text), 0, "%s",
			     strbuf_cstr(&answer));
		cr_expect_eq(strcmp(await_answered_run(), first) == 0, rows[i].same, "%s",
			     rows[i].text);
	}
}

/* A run that has been, of an operation that is recorded in it alone. */
static void put_run(const char *exit_status)
{
	scratch_delete("home/runs");
	scratch_put_run(ID);
	scratch_put_guild(ID, "opref", "guildfile:/gone/guild.yml v '' op");
	scratch_put_attr(ID, "op",
			 "op-cmd: {cmd-args: [./say.sh, __flag_args__], "
			 "cmd-flags: {x: {}, y: {}}, cmd-env: {PROJECT_DIR: /gone}}\n");
	scratch_put_attr(ID, "flags", "x: 1\n'y': a\n");
	scratch_put_attr(ID, "label", "x=1 y=a\n");
	scratch_put_attr(ID, "started", "1000\n");
	scratch_put_guild(ID, "output", "old\n");
	if (exit_status)
		scratch_put_attr(ID, "exit_status", exit_status);
	scratch_put_program("home/runs/" ID "/say.sh", "#!/bin/sh\necho \"own $@\"\n");
}

Test(launch, a_restart_puts_the_written_flags_over_the_run_s_own)
{
	put_run("0\n");
	cr_assert_eq(restart("x=10\n"), 0, "%s", strbuf_cstr(&answer));
	expect_text(strbuf_str(&answer), "Restarting " ID, "");
	(void)await_answered_run();
	expect_in_run(ID, ".guild/attrs/flags", "x: 10\n'y': a\n");
	expect_in_run(ID, ".guild/attrs/user_flags", "x: 10\n");
	expect_in_run(ID, ".guild/attrs/label", "x=10 y=a\n");
	expect_in_run(ID, ".guild/attrs/exit_status", "0\n");
	expect_in_run(ID, ".guild/output", "own --x 10 --y a\n");
	cr_assert_eq(restart("y=b"), 0, "%s", strbuf_cstr(&answer));
	(void)await_answered_run();
	expect_in_run(ID, ".guild/attrs/flags", "x: 10\n'y': b\n");
	expect_in_run(ID, ".guild/attrs/user_flags", "'y': b\n");
}

Test(launch, a_restart_is_skipped_when_it_is_not_needed)
{
	static const struct {
		const char *exit_status, *needed, *text; /* needed: NULL, no such file */
		bool skipped;
	} rows[] = {
		{ "0\n", NULL, "", false },
		{ "0\n", NULL, "--needed", true },
		{ "0\n", "", "", true },
		{ "0\n", "completed terminated\n", "x=1", true },
		{ "0\n", "completed\n", "x=1.0 y=a", true },
		{ "0\n", "terminated\n", "", false },
		{ "0\n", "terminated\n", "--needed", false },
		{ "0\n", "", "x='1'", false },
		{ "0\n", "", "x=2", false },
		{ "-15\n", "", "", true },
		{ "-15\n", "completed\n", "", false },
		{ "-15\n", NULL, "x=1 --needed", true },
		{ "1\n", "", "", false },
		{ "1\n", NULL, "--needed", false },
		{ NULL, "", "--needed", false },
		{ "0\n", NULL, "z=1 --needed --force-flags", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_run(rows[i].exit_status);
		if (rows[i].needed)
			scratch_put_guild(ID, "needed", rows[i].needed);
		cr_expect_eq(restart(rows[i].text), 0, "%s", strbuf_cstr(&answer));
		expect_text(strbuf_str(&answer),
			    rows[i].skipped
				    ? "Skipping run because flags have not changed "
				      "(--needed specified)"
				    : "Restarting " ID,
			    rows[i].text);
		if (rows[i].skipped)
			expect_in_run(ID, ".guild/output", "old\n");
		else
			await(has_ended, ID, "the end of the run");
	}
}

Test(launch, a_staged_run_is_always_started)
{
	put_run("0\n");
	scratch_put_guild(ID, "STAGED", "");
	scratch_put_guild(ID, "needed", "");
	cr_assert_eq(restart("\n"), 0, "%s", strbuf_cstr(&answer));
	expect_text(strbuf_str(&answer), "Restarting " ID, "");
	(void)await_answered_run();
	cr_expect_not(scratch_has(GUILD "/STAGED"));
}

static int check_restart(const char *text, struct strbuf *why)
{
	return launch_check_restart(launcher, ID, str_from(text), why);
}

static void expect_refused(const char *text, int r, const char *sentence)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(check_restart(text, &why), r, "%s", text);
	expect_sentence(&why, sentence, text);
	cr_expect_eq(restart(text), r, "%s", text);
	expect_sentence(&answer, sentence, text);
}

static void expect_untouched(void)
{
	expect_in_run(ID, ".guild/attrs/flags", "x: 1\n'y': a\n");
	expect_in_run(ID, ".guild/attrs/started", "1000\n");
	expect_in_run(ID, ".guild/output", "old\n");
}

Test(launch, a_refused_restart_changes_nothing)
{
	put_run("0\n");
	expect_refused("z=1\n", -EINVAL, "unsupported flag 'z': op takes x, y");
	expect_refused("x=1 z=", -EINVAL, "unsupported flag 'z'");
	expect_refused("--nope\n", -EINVAL, "'--nope' is neither");
	expect_refused("--force-sourcecode\n", 0, "");
	(void)await_answered_run();
	put_run("0\n");
	scratch_delete("home/runs/" ID "/say.sh");
	expect_refused("\n", -ENOENT, "'./say.sh' is not there");
	scratch_put("home/runs/" ID "/say.sh", "#!/bin/sh\n");
	expect_refused("\n", -EACCES, "'./say.sh' is not executable");
	expect_untouched();
	scratch_put_attr(ID, "op", "{}\n");
	expect_refused("\n", -EINVAL, "a YAML map with op-cmd");
	expect_untouched();
	scratch_delete("home/runs/" ID);
	expect_refused("\n", -ENOENT, "the run " ID " is not there any more");
}

Test(launch, a_live_run_is_ebusy_whatever_is_written)
{
	static const char *const rows[] = { "\n", "x=2\n", "--needed\n", "nonsense\n" };
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int lock_fd = -1;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_run("0\n");
		scratch_put_guild(ID, "PENDING", "");
		expect_refused(rows[i], -EBUSY, "the run " ID " is pending");
		cr_assert_eq(unlinkat(scratch_fd, GUILD "/PENDING", 0), 0);
		run = scratch_run(ID);
		lock_fd = lock_take(run_guild_fd(run));
		cr_assert_geq(lock_fd, 0);
		expect_refused(rows[i], -EBUSY, "the run " ID " is running");
		close_fd(take_fd(&lock_fd));
		run_free(take_ptr(run));
		expect_untouched();
	}
}

Test(launch, what_was_found_ready_is_decided_again)
{
	put_run("0\n");
	cr_assert_eq(launch_check_restart(launcher, ID, STR("x=1\n"), &answer), 0);
	scratch_put_guild(ID, "needed", "");
	cr_expect_eq(restart("x=1\n"), 0);
	expect_in_run(ID, ".guild/output", "old\n");
	cr_assert_eq(unlinkat(scratch_fd, GUILD "/needed", 0), 0);

	cr_assert_eq(launch_check_restart(launcher, ID, STR("x=1\n"), &answer), 0);
	scratch_put_guild(ID, "PENDING", "");
	expect_refused("x=1\n", -EBUSY, "the run " ID " is pending");
	expect_untouched();
}

Test(launch, a_run_that_guild_left_pending_before_the_boot_starts)
{
	const struct timespec long_ago[] = { { .tv_sec = 1000000000 },
					     { .tv_sec = 1000000000 } };

	put_run("0\n");
	scratch_put_guild(ID, "PENDING", "");
	cr_assert_eq(utimensat(scratch_fd, GUILD "/PENDING", long_ago, 0), 0);
	expect_refused("\n", 0, "");
	(void)await_answered_run();
	cr_expect_not(scratch_has(GUILD "/PENDING"));
}

Test(launch, of_two_who_start_a_run_one_does)
{
	_cleanup_close_ int guild_fd = -1;
	struct launch *launch = NULL;
	_cleanup_(strbuf_done) struct strbuf other = STRBUF_INIT;

	put_run("0\n");
	guild_fd = file_open_dir(scratch_fd, GUILD);
	cr_assert_eq(lock_try(guild_fd), 0);
	cr_expect_eq(restart("\n"), -EBUSY);
	expect_sentence(&answer, "is being started by somebody else", "");
	expect_untouched();
	lock_leave(guild_fd);

	answer_r = 1;
	cr_expect_eq(launch_restart(launcher, ID, STR("x=2"), on_answer, loop, &launch,
				    &answer),
		     -EINPROGRESS);
	cr_expect_eq(launch_restart(launcher, ID, STR("x=3"), on_answer, loop, &launch,
				    &other),
		     -EBUSY);
	run_patiently(loop);
	(void)await_answered_run();
	expect_in_run(ID, ".guild/attrs/flags", "x: 2\n'y': a\n");
}

Test(launch, force_sourcecode_takes_the_project_s)
{
	put_run("0\n");
	cr_assert_eq(restart("--force-sourcecode"), 0, "%s", strbuf_cstr(&answer));
	(void)await_answered_run();
	expect_in_run(ID, ".guild/output", "--x 1 --y a\n");
}

Test(launch, without_a_project_there_is_no_source_to_take)
{
	launcher_free(take_ptr(launcher));
	config.project = NULL;
	cr_assert_eq(launcher_new(&config, &launcher), 0);
	put_run("0\n");
	expect_refused("--force-sourcecode\n", -ENOENT,
		       "the project /gone is not there any more");
	scratch_put_attr(ID, "op", "op-cmd: {cmd-args: [./say.sh]}\n");
	expect_refused("--force-sourcecode\n", -ENOENT, "there is no project to take");
	cr_expect_eq(restart("\n"), 0, "%s", strbuf_cstr(&answer));
	(void)await_answered_run();
	expect_in_run(ID, ".guild/output", "own \n");
}

Test(launch, a_script_that_the_run_has_lost_is_enoent)
{
	put_run("0\n");
	scratch_put_guild(ID, "opref", "script:/gone '' '' a.py");
	scratch_put_attr(ID, "op",
			 "op-cmd: {cmd-args: ['${python_exe}', -um, guild.op_main, a, "
			 "__flag_args__], cmd-env: {PYTHONPATH: ., FLAGS_DEST: globals}, "
			 "cmd-flags: {x: {}, 'y': {}}, flags-dest: globals}\n");
	scratch_put_guild(ID, "manifest", "s a.py 0 a.py\n");
	expect_refused("\n", -ENOENT, "the script a.py is not in the run's directory");
	scratch_put("home/runs/" ID "/a.py", "x = 5\nprint(x)\n");
	cr_expect_eq(restart("x=7"), 0, "%s", strbuf_cstr(&answer));
	(void)await_answered_run();
	expect_in_run(ID, ".guild/output", "7\n");
}

static bool has_new_flags(const void *userdata)
{
	_cleanup_free_ char *text = scratch_get(GUILD "/attrs/flags");

	return text && strcmp(text, "x: 2\n'y': a\n") == 0;
}

Test(launch, who_has_forgotten_hears_nothing_and_the_run_goes_on)
{
	struct launch *launch = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	put_run("0\n");
	answer_r = 1;
	cr_assert_eq(launch_restart(launcher, ID, STR("x=2"), on_answer, loop, &launch,
				    &text),
		     -EINPROGRESS);
	launch_forget(launch);
	launch_forget(NULL);
	await(has_new_flags, NULL, "the start");
	await(has_ended, ID, "the end of the run");
	run_for(loop, 500000);
	cr_expect_eq(answer_r, 1);
}

Test(launch, a_start_goes_on_without_its_launcher)
{
	struct launch *launch = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	skip_under_valgrind();
	put_run("0\n");
	answer_r = 1;
	cr_assert_eq(launch_restart(launcher, ID, STR("x=2"), on_answer, loop, &launch,
				    &text),
		     -EINPROGRESS);
	launcher_free(take_ptr(launcher));
	await(has_new_flags, NULL, "the start");
	await(has_ended, ID, "the end of the run");
	cr_expect_eq(answer_r, 1);
}

/* So many that it takes more than a slice of the loop to look at them. */
static void put_many_runs(void)
{
	char id[8];

	for (int i = 0; i < 300; i++) {
		(void)snprintf(id, sizeof(id), "%04d", i);
		scratch_put_run(id);
		scratch_put_guild(id, "opref", "script:/nowhere '' '' other");
	}
	index_list_changed(runs);
}

Test(launch, what_needs_to_know_all_runs_waits_until_they_are_known)
{
	_cleanup_(operation_unrefp) struct operation *operation = find_op("op");
	_cleanup_free_ char *first = NULL;
	struct launch *launch = NULL;

	cr_assert_eq(start("op", 0, "x=10"), 0, "%s", strbuf_cstr(&answer));
	first = strdup(await_answered_run());
	put_many_runs();
	answer_r = 1;
	cr_assert_eq(launch_run(launcher, operation, COMPLETED, STR("x=10"), on_answer,
				loop, &launch, &answer),
		     -EINPROGRESS);
	run_patiently(loop);
	cr_expect_eq(answer_r, 0);
	expect_text(strbuf_str(&answer), first, "the one that is needed");

	index_list_changed(runs);
	cr_expect_eq(start("op", COMPLETED, "x=11"), 0, "%s", strbuf_cstr(&answer));
	cr_expect_str_neq(await_answered_run(), first);

	index_list_changed(runs);
	cr_expect_eq(start("lost", COMPLETED, ""), -ENOENT);
}

Test(launch, with_a_limit_a_restart_waits_until_the_live_runs_are_known)
{
	put_run("0\n");
	put_many_runs();
	scratch_put("home/runfs/jobs", "1\n");
	cr_expect_eq(restart("x=3"), 0, "%s", strbuf_cstr(&answer));
	expect_text(strbuf_str(&answer), "Restarting " ID, "");
	(void)await_answered_run();
	expect_in_run(ID, ".guild/attrs/flags", "x: 3\n'y': a\n");
}

static bool is_started(const char *op_name)
{
	const char *id;

	return index_latest(runs, op_name, &id) == 0;
}

/* Who asked has gone; it is carried out all the same. */
Test(launch, what_waits_may_be_forgotten)
{
	_cleanup_(operation_unrefp) struct operation *operation = find_op("op");
	struct launch *launch = NULL;

	put_many_runs();
	answer_r = 1;
	cr_assert_eq(launch_run(launcher, operation, COMPLETED, STR("x=10"), on_answer,
				loop, &launch, &answer),
		     -EINPROGRESS);
	launch_forget(launch);
	while (!is_started("op"))
		run_for(loop, 5000);
	cr_expect_eq(answer_r, 1);
	launch = NULL;
	index_list_changed(runs);
	cr_assert_eq(launch_run(launcher, operation, COMPLETED, STR("x=12"), on_answer,
				loop, &launch, &answer),
		     -EINPROGRESS);
	/* And so may all that waits, at the end. */
}
