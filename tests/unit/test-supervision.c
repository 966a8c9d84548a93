/* The supervisor while a run goes on: what it prints, how it ends, what others do to it.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "engine/loop.h"
#include "supervised.h"

TestSuite(supervision, .init = home_make, .fini = home_remove, .timeout = 60);

static void start(struct supervised *supervised, const char *script,
		  int64_t stop_timeout_us)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, script);
	job.stop_timeout_us = stop_timeout_us;
	supervised_start(supervised, &job);
	cr_assert_eq(supervised->result, 0, "%s", strbuf_cstr(&supervised->why));
}

static off_t run_size(const char *path)
{
	_cleanup_close_ int guild_fd = run_open_guild();
	struct stat st;

	cr_assert_eq(fstatat(guild_fd, path, &st, 0), 0);
	return st.st_size;
}

static void expect_end(struct supervised *supervised, const char *exit_status)
{
	cr_expect_eq(supervised_wait(supervised), 0);
	expect_file(".guild/attrs/exit_status", exit_status);
	cr_expect_not(run_has(".guild/LOCK"));
}

Test(supervision, each_line_has_a_record)
{
	_cleanup_free_ char *index = NULL;
	uint64_t ms;

	run_script(true,
		   "echo one; sleep .1; echo two >&2; sleep .1; printf '\\n\\nend'");
	expect_file(".guild/output", "one\ntwo\n\n\nend");
	cr_assert_eq(run_size("output.index"), 5 * 9);
	index = run_read(".guild/output.index");
	for (int i = 0; i < 5; i++)
		cr_expect_eq(index[i * 9 + 8], i == 1, "record %d", i);
	memcpy(&ms, index, sizeof(ms));
	cr_expect_lt(time(NULL) - (time_t)(be64toh(ms) / 1000), 30);
}

Test(supervision, bytes_of_any_kind_come_through)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;
	_cleanup_close_ int guild_fd = -1;

	run_script(true, "printf '\\000\\001\\377\\r\\200'");
	guild_fd = run_open_guild();
	cr_assert_eq(file_read(guild_fd, "output", 100, &output), 0);
	cr_expect(str_eq(strbuf_str(&output), STR("\0\1\377\r\200")));
	cr_expect_eq(run_size("output.index"), 9);
}

Test(supervision, a_long_output_is_whole)
{
	run_script(true, "yes 123456789012345 | head -n 1000000; exit 7");
	cr_expect_eq(run_size("output"), 16000000);
	cr_expect_eq(run_size("output.index"), 9000000);
	expect_file(".guild/attrs/exit_status", "7\n");
}

Test(supervision, term_ends_the_whole_group)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised, "sleep 100 & echo $! > sleeper; wait", 10000000);
	await_file("sleeper");
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	expect_end(&supervised, "-15\n");
}

Test(supervision, a_command_that_ignores_term_is_killed)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	int64_t begin_us;

	start(&supervised, "trap '' TERM; touch ready; while :; do sleep .1; done",
	      300000);
	await_file("ready");
	begin_us = loop_now_us();
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	expect_end(&supervised, "-9\n");
	cr_expect_geq(loop_now_us() - begin_us, 300000);
}

Test(supervision, without_a_timeout_it_is_killed_at_once)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised, "trap '' INT; touch ready; sleep 100", 0);
	await_file("ready");
	cr_assert_eq(kill(supervised.pid, SIGINT), 0);
	expect_end(&supervised, "-9\n");
}

Test(supervision, one_that_takes_its_time_to_stop_is_waited_for)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	/* A child that has not yet begun to be a program of its own has its parent's
	 * trap. */
	start(&supervised,
	      "(trap 'sleep 2; touch saved; exit 0' TERM; sh -c 'touch ready; exec sleep "
	      "100' & wait) &"
	      "exec sleep 100",
	      10000000);
	await_file("ready");
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	expect_end(&supervised, "-15\n");
	cr_expect(run_has("saved"));
}

Test(supervision, a_held_command_can_be_ended)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised, "touch ready; kill -STOP $$", 10000000);
	await_file("ready");
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	expect_end(&supervised, "-15\n");
}

Test(supervision, any_signal_can_be_sent_to_the_group)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	union sigval value = { .sival_int = SIGHUP };

	/* Builtins only: the group has no other members, which a signal would end. */
	start(&supervised,
	      "trap 'echo hup' HUP; trap 'echo usr1; exit 5' USR1; mkfifo go; touch "
	      "ready;"
	      "while :; do :; done",
	      10000000);
	await_file("ready");
	cr_assert_eq(kill(supervised.pid, SIGHUP), 0);
	cr_assert_eq(sigqueue(supervised.pid, SIGRTMIN, value), 0);
	while (run_size("output") == 0)
		(void)poll(NULL, 0, 5);
	cr_assert_eq(kill(supervised.pid, SIGUSR1), 0);
	expect_end(&supervised, "5\n");
	expect_file(".guild/output", "hup\nusr1\n");
}

/* Gone, or a zombie that init has not come to yet. */
static bool is_dead(const char *pid)
{
	_cleanup_(strbuf_done) struct strbuf command = STRBUF_INIT;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", strtol(pid, NULL, 10));
	return file_read(AT_FDCWD, path, 4096, &command) < 0 || command.len == 0;
}

/* The process whose number the run has in the file @path did not outlive it. */
static void expect_dead(const char *path)
{
	_cleanup_free_ char *pid = run_read(path);

	cr_assert_not_null(pid);
	cr_expect(is_dead(pid), "%s goes on", path);
}

Test(supervision, what_is_left_behind_is_waited_for_while_it_prints)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	int64_t begin_us = loop_now_us();

	start(&supervised,
	      "(sleep .7; echo one; sleep .7; echo two; sleep 100) & echo $! > left; "
	      "exit 4",
	      10000000);
	expect_end(&supervised, "4\n");
	expect_file(".guild/output", "one\ntwo\n");
	/* By its silence, long before the ten seconds that end it in any case. */
	cr_expect_lt(loop_now_us() - begin_us, 9000000);
	expect_dead("left");
}

Test(supervision, what_is_left_behind_and_never_quiet_ends_after_ten_seconds)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	int64_t begin_us = loop_now_us();

	start(&supervised, "(while sleep .1; do echo x; done) & echo $! > left",
	      10000000);
	expect_end(&supervised, "0\n");
	cr_expect_geq(loop_now_us() - begin_us, 9900000);
	expect_dead("left");
}

Test(supervision, what_is_left_behind_can_say_goodbye)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised,
	      "(trap 'echo bye; exit' TERM; touch ready; while :; do :; done) &"
	      "until [ -e ready ]; do sleep .05; done; exit 6",
	      10000000);
	expect_end(&supervised, "6\n");
	expect_file(".guild/output", "bye\n");
}

Test(supervision, what_is_left_behind_and_ignores_term_is_killed)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised,
	      "(trap '' TERM; echo $$; while :; do sleep .05; done) > left 2>&1 &"
	      "until [ -s left ]; do sleep .05; done; echo $! > left; exit 6",
	      10000000);
	expect_end(&supervised, "6\n");
	expect_dead("left");
}

Test(supervision, what_has_left_the_session_is_ended_too)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised,
	      "setsid sh -c 'setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! >writing;"
	      " mv writing left'; until [ -e left ]; do sleep .05; done; sleep 1000",
	      10000000);
	await_file("left");
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	expect_end(&supervised, "-15\n");
	expect_dead("left");
}

Test(supervision, kill_ends_all_at_once)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	union sigval value = { .sival_int = SIGKILL };

	start(&supervised,
	      "trap '' TERM; setsid sleep 1000 & echo $! > writing; mv writing left; "
	      "wait",
	      10000000);
	await_file("left");
	cr_assert_eq(sigqueue(supervised.pid, SIGRTMIN, value), 0);
	expect_end(&supervised, "-9\n");
	expect_dead("left");
}

Test(supervision, the_command_dies_with_its_supervisor)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_close_ int guild_fd = -1;
	_cleanup_free_ char *command = NULL;
	pid_t holder;

	start(&supervised, "echo $$ > writing; mv writing pid; exec sleep 100", 10000000);
	await_file("pid");
	command = run_read("pid");
	guild_fd = run_open_guild();
	cr_assert_eq(kill(supervised.pid, SIGKILL), 0);
	cr_expect_eq(supervised_wait(&supervised), -SIGKILL);
	while (!is_dead(command))
		(void)poll(NULL, 0, 5);
	cr_expect_eq(lock_holder(guild_fd, &holder), 0);
	cr_expect_not(run_has(".guild/attrs/exit_status"));
	run_script(false, "true");
	expect_file(".guild/attrs/exit_status", "0\n");
}

/* Can the system have a cgroup of a run? Then the run that goes on has one. */
static bool has_cgroup(void)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(file_read(home_fd, "runfs/live/" RUN_ID, 4096, &text), 0);
	return strchr(strbuf_cstr(&text), '/') != NULL;
}

static void expect_ended_by_the_next_start(const char *script, bool needs_cgroup)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	start(&supervised, script, 10000000);
	await_file("left");
	if (needs_cgroup && !has_cgroup()) {
		cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
		(void)supervised_wait(&supervised);
		cr_skip_test("no cgroup can be made here");
	}
	cr_assert_eq(kill(supervised.pid, SIGKILL), 0);
	cr_expect_eq(supervised_wait(&supervised), -SIGKILL);
	run_script(false, "true");
	expect_dead("left");
	cr_expect_eq(faccessat(home_fd, "runfs/live/" RUN_ID, F_OK, 0), -1);
}

Test(supervision, what_a_dead_supervisor_leaves_is_ended_before_the_next_start)
{
	expect_ended_by_the_next_start("sleep 1000 & echo $! > writing; mv writing left;"
				       " wait",
				       false);
}

Test(supervision, what_had_left_the_session_too_if_there_is_a_cgroup)
{
	expect_ended_by_the_next_start("cd /; setsid env -i sleep 1000 & cd $OLDPWD;"
				       "echo $! > writing; mv writing left; wait",
				       true);
}

Test(supervision, on_a_full_disk_nothing_is_lost)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_close_ int filler_fd = -1;

	home_make_on_small_disk(1024);
	filler_fd = openat(home_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(posix_fallocate(filler_fd, 0, 600 * 1024), 0);
	start(&supervised, "yes 1234567 | head -n 60000; exit 3", 10000000);
	while (run_size("output") < 100000)
		(void)poll(NULL, 0, 5);
	(void)poll(NULL, 0, 1500);
	cr_expect(run_has(".guild/LOCK"));
	cr_expect_lt(run_size("output"), 480000);
	cr_assert_eq(ftruncate(filler_fd, 0), 0);
	/* 540 KiB of index, too: full again, until somebody makes room for good. */
	cr_expect_eq(unlinkat(home_fd, "filler", 0), 0);
	expect_end(&supervised, "3\n");
	cr_expect_eq(run_size("output"), 480000);
	cr_expect_eq(run_size("output.index"), 540000);
}

Test(supervision, on_a_full_disk_the_end_waits_for_room)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	home_make_on_small_disk(256);
	start(&supervised, "cat /dev/zero > ../../filler; exit 3", 10000000);
	(void)poll(NULL, 0, 1500);
	cr_expect(run_has(".guild/LOCK"));
	cr_expect_not(run_has(".guild/attrs/exit_status"));
	cr_assert_eq(unlinkat(home_fd, "filler", 0), 0);
	expect_end(&supervised, "3\n");
}

Test(supervision, on_a_full_disk_it_does_not_wait_for_a_run_that_is_gone)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	home_make_on_small_disk(256);
	start(&supervised, "cat /dev/zero > ../../filler; yes", 10000000);
	(void)poll(NULL, 0, 500);
	cr_assert_eq(file_remove_tree(home_fd, "runs"), 0);
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	cr_expect_eq(supervised_wait(&supervised), 0);
}

Test(supervision, on_a_full_disk_a_stop_ends_the_processes_and_is_recorded_later)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	off_t size;

	home_make_on_small_disk(512);
	start(&supervised,
	      "yes | head -c 8192; until [ -s .guild/output ]; do sleep .01; done;"
	      "cat /dev/zero > ../../filler; exec yes",
	      10000000);
	while (run_size("output") == 0)
		(void)poll(NULL, 0, 5);
	(void)poll(NULL, 0, 300);
	size = run_size("output");
	cr_assert_eq(kill(supervised.pid, SIGTERM), 0);
	(void)poll(NULL, 0, 1500);
	cr_expect_eq(kill(supervised.pid, 0), 0, "it waits for room");
	cr_expect(run_has(".guild/LOCK"));
	cr_assert_eq(unlinkat(home_fd, "filler", 0), 0);
	expect_end(&supervised, "-15\n");
	cr_expect_geq(run_size("output"), size);
}

Test(supervision, a_truncated_or_deleted_output_is_no_harm)
{
	run_script(true, "echo 1; sleep .1; : > .guild/output; echo 2; sleep .1;"
			 "rm .guild/output; echo 3");
	cr_expect_not(run_has(".guild/output"));
	expect_file(".guild/attrs/exit_status", "0\n");
}

Test(supervision, a_run_that_is_gone_is_not_made_again)
{
	run_script(true, "rm -rf $PWD");
	cr_expect_eq(faccessat(home_fd, "runs/" RUN_ID, F_OK, 0), -1);
}

Test(supervision, a_run_that_is_moved_gets_its_end_there)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int guild_fd = -1;

	run_script(true, "mkdir ../../trash; mv $PWD ../../trash/run; exit 6");
	guild_fd = file_open_dir(home_fd, "trash/run/.guild");
	cr_assert_geq(guild_fd, 0);
	cr_expect_eq(file_read(guild_fd, "attrs/exit_status", 10, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "6\n");
}

/* Runs @script in a run that is to be deleted when it succeeds. */
static void run_once(const char *script)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, script);
	job.delete_on_success = true;
	run_through(&job);
}

Test(supervision, a_run_that_is_to_be_deleted_goes_to_the_trash)
{
	run_once("echo done");
	cr_expect_eq(faccessat(home_fd, "runs/" RUN_ID, F_OK, 0), -1);
	cr_expect_eq(faccessat(home_fd, "trash/runs/" RUN_ID "/.guild/output", F_OK, 0),
		     0);
	cr_expect_eq(faccessat(home_fd, "trash/runs/" RUN_ID "/.guild/LOCK", F_OK, 0),
		     -1);
}

Test(supervision, not_so_one_that_has_failed)
{
	run_once("exit 1");
	expect_file(".guild/attrs/exit_status", "1\n");
}

Test(supervision, nor_another_run_that_has_its_name_by_now)
{
	run_once(
		"mv $PWD ../moved; mkdir -p $PWD/.guild; echo other > $PWD/.guild/opref");
	expect_file(".guild/opref", "other\n");
	cr_expect_eq(faccessat(home_fd, "runs/moved/.guild/attrs/stopped", F_OK, 0), 0);
}

Test(supervision, a_lock_that_is_another_s_by_now_is_left_alone)
{
	run_script(true, "rm .guild/LOCK; echo 1 > .guild/LOCK");
	expect_file(".guild/LOCK", "1\n");
}

Test(supervision, stopped_is_never_before_started)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "true");
	cr_assert_eq(strcmp(job.attrs[0].name, "started"), 0);
	free(job.attrs[0].text);
	job.attrs[0].text = strdup("9000000000000000\n");
	run_through(&job);
	expect_file(".guild/attrs/stopped", "9000000000000000\n");
}
