/* Job slots: the limit as text and in the home, and who gets a slot. */
#include "engine/jobs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/claim.h"
#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/strv.h"
#include "expect.h"
#include "scratch.h"

static struct store *store;
static int home_fd;

static void begin(void)
{
	scratch_make();
	store = scratch_store();
	home_fd = store_fd(store);
}

static void end(void)
{
	store_free(store);
	scratch_remove();
}

TestSuite(jobs, .init = begin, .fini = end);

static void set(const char *text)
{
	scratch_put("home/runfs/jobs", text);
}

/* The slot of @id as a supervisor would take it. */
static int take(const char *id, bool in_turn)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct job job = { .id = (char *)(uintptr_t)id, .in_turn = in_turn };

	return jobs_take_slot(home_fd, &job, &why);
}

Test(jobs, a_limit_reads_as_it_is_written)
{
	static const char *const rows[] = { "0", "1", "12", "999999999", "max", "pause" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT,
						     why = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT;
		struct jobs jobs, read;

		strbuf_addf(&line, " %s\n", rows[i]);
		cr_assert_eq(jobs_parse(strbuf_str(&line), false, &jobs, &why), 0);
		cr_assert_eq(jobs_write(home_fd, &jobs), 0);
		cr_assert_eq(jobs_read(home_fd, &read, &why), 0);
		cr_assert_eq(jobs_format(&read, &text), 0);
		expect_text(strbuf_str(&text), strbuf_cstr(&line) + 1, rows[i]);
	}
}

Test(jobs, what_is_no_limit_is_refused_with_what_would_be_one)
{
	static const char *const rows[] = { "",	   "-1",	 "1.5", "1 2",
					    "few", "1234567890", "MAX" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct jobs jobs;

		cr_expect_eq(jobs_parse(str_from(rows[i]), true, &jobs, &why), -EINVAL);
		expect_sentence(&why, "0 or max for no limit", rows[i]);
	}
}

Test(jobs, a_word_that_may_go_on_is_not_judged_yet)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct jobs jobs;

	cr_expect_eq(jobs_parse(STR("pau"), false, &jobs, &why), 0);
	cr_expect_eq(jobs_parse(STR("pau\n"), false, &jobs, &why), -EINVAL);
}

Test(jobs, a_home_has_no_limit_of_its_own)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct jobs jobs;

	cr_assert_eq(jobs_read(home_fd, &jobs, &why), 0);
	cr_expect_eq(jobs.kind, JOBS_NUMBER);
	cr_expect_eq(jobs.number, 0);
	set("nonsense\n");
	cr_assert_eq(jobs_read(home_fd, &jobs, &why), 0);
	cr_expect(jobs_admit(&jobs, 1000));
}

Test(jobs, what_is_no_file_is_named_and_replaced_by_a_limit)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, taken = STRBUF_INIT;
	struct jobs jobs = { .kind = JOBS_MAX };
	struct job job = { .id = (char *)(uintptr_t) "a" };

	scratch_make_dir("home/runfs");
	cr_assert_eq(mkfifoat(home_fd, "runfs/jobs", 0644), 0);
	cr_expect_eq(jobs_read(home_fd, &jobs, &why), -EINVAL);
	expect_sentence(&why, "runfs/jobs of the home can't be read: it is no regular",
			"");
	cr_expect_eq(jobs_take_slot(home_fd, &job, &taken), -EINVAL);
	expect_text(strbuf_str(&taken), strbuf_cstr(&why), "");
	cr_assert_eq(jobs_write(home_fd, &jobs), 0);
	cr_expect_eq(jobs_read(home_fd, &jobs, &why), 0);
}

Test(jobs, there_are_as_many_slots_as_the_limit_says)
{
	_cleanup_close_ int first = -1, second = -1;

	set("2\n");
	first = take("a", false);
	second = take("b", false);
	cr_assert_geq(first, 0);
	cr_assert_geq(second, 0);
	cr_expect_eq(jobs_count(home_fd), 2);
	cr_expect_eq(take("c", false), -EAGAIN);
	jobs_leave_slot(home_fd, "a", take_fd(&first));
	cr_expect_not(scratch_has("home/runfs/slots/a"));
	first = take("c", false);
	cr_expect_geq(first, 0);
}

Test(jobs, a_slot_that_nobody_holds_is_free)
{
	_cleanup_close_ int fd = -1;

	set("1\n");
	close_fd(take("a", false));
	cr_expect(scratch_has("home/runfs/slots/a"));
	cr_expect_eq(jobs_count(home_fd), 0);
	fd = take("b", false);
	cr_expect_geq(fd, 0);
	cr_expect_not(scratch_has("home/runfs/slots/a"), "and what is left of it goes");
}

Test(jobs, a_pause_gives_none)
{
	set("pause\n");
	cr_expect_eq(take("a", false), -EAGAIN);
	cr_expect_eq(take("a", true), -EAGAIN);
}

Test(jobs, who_comes_while_others_wait_waits_behind_them)
{
	_cleanup_close_ int waiting = -1, fd = -1;

	set("5\n");
	waiting = claim_make(home_fd, JOBS_QUEUE_DIR, "w", STR("1\n"), false);
	cr_assert_geq(waiting, 0);
	cr_expect_eq(take("a", false), -EAGAIN);
	fd = take("w", true);
	cr_expect_geq(fd, 0);
}

Test(jobs, a_run_of_guilds_counts_while_it_goes_on)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	char *others[] = { (char[]){ "g" }, NULL };
	struct job job = { .id = (char[]){ "a" }, .others = others };
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int fd = -1;
	pid_t child;
	char pid[16];

	set("1\n");
	scratch_put_run("g");
	dir = scratch_path("home/runs/g");
	cr_assert_eq(chdir(dir), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	cr_assert_eq(chdir("/"), 0);
	(void)snprintf(pid, sizeof(pid), "%d", (int)child);
	scratch_put_guild("g", "LOCK", pid);
	cr_expect(jobs_is_other(home_fd, "g"));
	cr_expect_eq(jobs_take_slot(home_fd, &job, &why), -EAGAIN);
	scratch_delete("home/runs/g/.guild/LOCK");
	cr_expect_not(jobs_is_other(home_fd, "g"));
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	fd = jobs_take_slot(home_fd, &job, &why);
	cr_expect_geq(fd, 0);
}

Test(jobs, an_error_of_the_home_is_no_full_house)
{
	scratch_put("home/locks", "no directory");
	cr_expect_eq(take("a", false), -ENOTDIR);
	scratch_delete("home/locks");
	scratch_put("home/runfs", "no directory");
	cr_expect_eq(take("a", false), -ENOTDIR);
}
