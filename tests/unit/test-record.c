/* The steps of a record, and that each can be the last without a trace. */
#include "engine/record.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "supervised.h"

#define GUILD "runs/" RUN_ID "/.guild"
#define BUILD "cache/runfs/new/" RUN_ID

static struct job job;

static void make_old_run(void)
{
	home_make();
	cr_assert_eq(file_make_dirs(home_fd, GUILD "/attrs", 0755), 0);
	run_write(".guild/attrs/flags", "x: 1\n");
	run_write(".guild/attrs/exit_status", "0\n");
	run_write(".guild/attrs/started", "1\n");
	run_write(".guild/opref", "old");
	run_write(".guild/output", "old\n");
	run_write("a.py", "old\n");
	job_init(&job, false, "true");
	cr_assert_eq(job_add_attr(&job, "flags", STR("x: 2\n")), 0);
}

static void remove_all(void)
{
	job_done(&job);
	home_remove();
}

TestSuite(record, .init = make_old_run, .fini = remove_all);

static void add_source(void)
{
	int fd;

	cr_assert_gt(asprintf(&job.source.root, "%s/project", home_path), 0);
	cr_assert_eq(mkdirat(home_fd, "project", 0755), 0);
	fd = openat(home_fd, "project/a.py", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(file_write_fd(fd, STR("new\n")), 0);
	close_fd(fd);
}

static void prepare(struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(record_begin(record, &job, home_fd,
				  job.is_new ? -1 : run_open_guild(), &why),
		     0, "%s", strbuf_cstr(&why));
	cr_assert_eq(record_prepare(record, &why), 0, "%s", strbuf_cstr(&why));
}

static void expect_as_before(void)
{
	expect_file(".guild/attrs/flags", "x: 1\n");
	expect_file(".guild/attrs/exit_status", "0\n");
	expect_file(".guild/opref", "old");
	expect_file(".guild/output", "old\n");
	expect_file("a.py", "old\n");
	cr_expect_not(run_has(".guild/manifest"));
	cr_expect_not(run_has(".guild/output.index"));
	cr_expect_not(run_has(".guild/LOCK"));
	cr_expect_not(run_has(".guild/start"));
	cr_expect_not(run_has(".guild/attempts"));
}

Test(record, until_the_commit_nothing_is_seen)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;

	add_source();
	prepare(&record);
	expect_file(".guild/attrs/flags", "x: 1\n");
	expect_file(".guild/output", "old\n");
	expect_file("a.py", "old\n");
	record_done(&record);
	expect_as_before();
}

Test(record, a_commit_that_fails_is_taken_back)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	add_source();
	run_write(".guild/STAGED", "");
	prepare(&record);
	cr_assert_eq(mkdirat(home_fd, GUILD "/" REPLACE_DIR "/STAGED", 0755), 0);
	cr_expect_eq(record_commit(&record, &why), -EISDIR);
	cr_expect_str_eq(strbuf_cstr(&why),
			 "cannot replace STAGED and PENDING: Is a directory");
	expect_file("a.py", "new\n");
	record_done(&record);
	expect_as_before();
}

Test(record, who_can_not_take_a_run_out_of_the_queue_leaves_it_staged)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int guild_fd = run_open_guild();
	struct replace replace = { .written = 1u << REPLACE_ATTRS };

	run_write(".guild/STAGED", "");
	cr_assert_eq(mkdirat(home_fd, GUILD "/PENDING", 0755), 0);
	cr_assert_eq(replace_begin(guild_fd), 0);
	cr_assert_eq(file_make_dir(guild_fd, replace_beside_name(REPLACE_ATTRS), 0755),
		     0);
	cr_expect_eq(replace_commit(&replace, guild_fd, &why), -EISDIR);
	replace_undo(&replace, guild_fd);
	cr_expect(run_has(".guild/STAGED"));
	expect_file(".guild/attrs/flags", "x: 1\n");
}

Test(record, what_is_staged_anew_is_cleared_before_others_may_start_it)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	job.kind = JOB_STAGE;
	prepare(&record);
	cr_assert_eq(record_commit(&record, &why), 0);
	cr_expect(run_has(".guild/" REPLACE_DIR));
	record_settle(&record);
	cr_expect_not(run_has(".guild/" REPLACE_DIR));
}

Test(record, after_the_commit_all_is_new)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int guild_fd = run_open_guild();
	pid_t pid;

	add_source();
	prepare(&record);
	cr_assert_eq(record_commit(&record, &why), 0);
	record_settle(&record);
	record_clear(&record);
	expect_file(".guild/attrs/flags", "x: 2\n");
	cr_expect_not(run_has(".guild/attrs/exit_status"));
	expect_file(".guild/opref", "script:/p '' '' x.sh");
	expect_file(".guild/output", "");
	expect_file("a.py", "new\n");
	cr_expect_eq(lock_holder(guild_fd, &pid), 1);
	expect_file(".guild/attempts/1/attrs/flags", "x: 1\n");
	expect_file(".guild/attempts/1/attrs/exit_status", "0\n");
	expect_file(".guild/attempts/1/output", "old\n");
	cr_expect_not(run_has(".guild/start"));

	cr_expect_eq(record_end(&record, -15), 0);
	record_close(&record);
	expect_file(".guild/attrs/exit_status", "-15\n");
	cr_expect_eq(lock_holder(guild_fd, &pid), 0);
}

static void add_config(void)
{
	job.config.path = strdup("conf/f.yml");
	job.config.text = strdup("x: 2\n");
	job.config.source = strdup("a.py");
	job.config.uri = strdup("config:a.py");
}

/* The file it was made from is not copied; its line in the manifest is one. */
Test(record, a_file_that_is_made_for_the_run_takes_the_place_of_the_old_one)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	add_source();
	add_config();
	cr_assert_eq(file_make_dirs(home_fd, "runs/" RUN_ID "/conf", 0755), 0);
	run_write("conf/f.yml", "x: 1\n");
	run_write(".guild/manifest", "s gone.py 1 gone.py\nd conf/f.yml 1 config:a.py\n"
				     "d data 2 file:data\n");
	prepare(&record);
	expect_file("conf/f.yml", "x: 1\n");
	cr_assert_eq(record_commit(&record, &why), 0, "%s", strbuf_cstr(&why));
	record_settle(&record);
	record_clear(&record);
	expect_file("conf/f.yml", "x: 2\n");
	expect_file("a.py", "old\n");
	expect_file(".guild/manifest",
		    "d data 2 file:data\n"
		    "d conf/f.yml 95b0b519abe9a0736e329db2908de99805882f43"
		    " config:a.py\n");
	cr_expect_not(run_has(".guild/start"));
}

Test(record, what_it_was_made_from_is_not_copied_wherever_the_source_goes)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	add_source();
	add_config();
	job.source.dest = strdup("src/");
	prepare(&record);
	cr_assert_eq(record_commit(&record, &why), 0, "%s", strbuf_cstr(&why));
	expect_file("conf/f.yml", "x: 2\n");
	cr_expect_not(run_has("src/a.py"));
}

Test(record, a_file_that_is_made_for_the_run_can_be_taken_back)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	add_config();
	cr_assert_eq(file_make_dirs(home_fd, "runs/" RUN_ID "/conf", 0755), 0);
	run_write("conf/f.yml", "x: 1\n");
	run_write(".guild/STAGED", "");
	prepare(&record);
	cr_assert_eq(mkdirat(home_fd, GUILD "/" REPLACE_DIR "/STAGED", 0755), 0);
	cr_expect_eq(record_commit(&record, &why), -EISDIR);
	expect_file("conf/f.yml", "x: 2\n");
	record_done(&record);
	expect_file("conf/f.yml", "x: 1\n");
	expect_as_before();
}

Test(record, a_new_run_is_made_where_others_see_that_it_is_no_garbage)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(record_done) struct record second = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int guild_fd = -1;

	job.is_new = true;
	prepare(&record);
	guild_fd = file_open_dir(home_fd, BUILD "/.guild");
	cr_assert_geq(guild_fd, 0);
	cr_expect_eq(lock_try(guild_fd), -EBUSY);
	cr_expect_eq(record_begin(&second, &job, home_fd, -1, &why), -EBUSY);
	record_done(&second);
	cr_expect_eq(faccessat(home_fd, BUILD "/.guild/LOCK", F_OK, 0), 0);
	record_done(&record);
	cr_expect_eq(faccessat(home_fd, BUILD, F_OK, 0), -1);
	expect_as_before();
}

Test(record, garbage_of_the_same_name_is_no_part_of_a_new_run)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;

	cr_assert_eq(file_make_dirs(home_fd, BUILD "/.guild/attrs", 0755), 0);
	cr_assert_eq(file_make_dirs(home_fd, BUILD "/garbage", 0755), 0);
	job.is_new = true;
	prepare(&record);
	cr_expect_eq(faccessat(home_fd, BUILD "/garbage", F_OK, 0), -1);
}

Test(record, an_exchange_that_was_interrupted_is_completed)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;

	/* As durable_exchange() leaves it where it must rename three times. */
	cr_assert_eq(renameat(home_fd, GUILD "/attrs", home_fd, GUILD "/attrs.old"), 0);
	run_write(".guild/output.old", "older\n");
	prepare(&record);
	expect_file(".guild/attrs/flags", "x: 1\n");
	cr_expect_not(run_has(".guild/attrs.old"));
	cr_expect_not(run_has(".guild/output.old"));
}

/* The last step of such an exchange is lacking: what was replaced is not lost. */
Test(record, an_exchange_that_was_nearly_through_is_completed)
{
	_cleanup_(record_done) struct record first = RECORD_INIT;
	_cleanup_(record_done) struct record second = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	prepare(&first);
	cr_assert_eq(record_commit(&first, &why), 0);
	cr_assert_eq(renameat(home_fd, GUILD "/start/attrs", home_fd, GUILD "/attrs.old"),
		     0);
	record_close(&first);
	lock_leave(first.transition_fd);
	prepare(&second);
	expect_file(".guild/attempts/1/attrs/flags", "x: 1\n");
	expect_file(".guild/attempts/1/output", "old\n");
	expect_file(".guild/attrs/flags", "x: 2\n");
	cr_expect_not(run_has(".guild/attrs.old"));
}

/*
 * A start that died right after its @n_exchanges-th exchange: what it replaced is an
 * attempt after the next one, or is still the run's own.
 */
static void expect_recovered(size_t n_exchanges)
{
	_cleanup_(record_done) struct record first = RECORD_INIT;
	_cleanup_(record_done) struct record second = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	static const char *const parts[] = { "attrs", "opref", "output", "output.index" };

	run_write(".guild/output.index", "old index");
	prepare(&first);
	cr_assert_eq(record_commit(&first, &why), 0);
	for (size_t i = n_exchanges; i < sizeof(parts) / sizeof(parts[0]); i++) {
		_cleanup_free_ char *beside = NULL;
		_cleanup_free_ char *place = NULL;

		cr_assert_gt(asprintf(&beside, GUILD "/start/%s", parts[i]), 0);
		cr_assert_gt(asprintf(&place, GUILD "/%s", parts[i]), 0);
		cr_assert_eq(renameat2(home_fd, beside, home_fd, place, RENAME_EXCHANGE),
			     0);
	}
	record_close(&first);
	lock_leave(first.transition_fd);

	prepare(&second);
	if (n_exchanges == 0) {
		cr_expect_not(run_has(".guild/attempts"));
		expect_file(".guild/attrs/flags", "x: 1\n");
		expect_file(".guild/output", "old\n");
		expect_file(".guild/opref", "old");
	} else {
		expect_file(".guild/attempts/1/attrs/flags", "x: 1\n");
		expect_file(".guild/attempts/1/output", "old\n");
		expect_file(".guild/attempts/1/output.index", "old index");
		expect_file(".guild/attrs/flags", "x: 2\n");
		expect_file(".guild/output", "");
	}
	record_done(&second);
	cr_expect_not(run_has(".guild/start"));
}

Test(record, a_start_that_died_before_its_first_exchange_has_not_happened)
{
	expect_recovered(0);
}

Test(record, a_start_that_died_between_two_exchanges_has_happened)
{
	expect_recovered(1);
}

Test(record, a_start_that_died_before_its_last_exchange_has_happened)
{
	expect_recovered(3);
}

Test(record, a_start_that_died_before_it_made_an_attempt_has_happened)
{
	expect_recovered(4);
}

Test(record, what_was_only_staged_makes_no_attempt)
{
	_cleanup_(record_done) struct record record = RECORD_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(unlinkat(home_fd, GUILD "/output", 0), 0);
	cr_assert_eq(unlinkat(home_fd, GUILD "/attrs/exit_status", 0), 0);
	run_write(".guild/STAGED", "");
	prepare(&record);
	cr_assert_eq(record_commit(&record, &why), 0);
	record_settle(&record);
	record_clear(&record);
	cr_expect_not(run_has(".guild/attempts"));
	cr_expect_not(run_has(".guild/start"));
	cr_expect_not(run_has(".guild/STAGED"));
}
