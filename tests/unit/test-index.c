/* Listings of runs: what is in the home now, whoever put it there. */
#include "engine/index.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/file.h"
#include "expect.h"
#include "scratch.h"

static struct store *store;
static struct index *runs;

static void begin(void)
{
	scratch_make();
	store = scratch_store();
	cr_assert_eq(index_new(store, &runs), 0);
}

static void end(void)
{
	index_free(runs);
	store_free(store);
	scratch_remove();
}

TestSuite(index, .init = begin, .fini = end);

#define TRAIN "guildfile:/p/guild.yml v '' train"
#define TEST  "guildfile:/p/guild.yml v '' test"

static void put_run(const char *id, const char *opref, const char *started)
{
	scratch_put_run(id);
	scratch_put_guild(id, "opref", opref);
	if (started)
		scratch_put_attr(id, "started", started);
}

static void add_id(void *userdata, const char *id)
{
	strbuf_addf(userdata, "%s ", id);
}

static void expect_runs(const char *op_name, const char *expected, const char *about)
{
	_cleanup_(strbuf_done) struct strbuf ids = STRBUF_INIT;

	cr_expect_eq(index_each(runs, op_name, add_id, &ids), 0);
	expect_text(strbuf_str(&ids), expected, about);
}

static void expect_id(const char *id, const char *expected, const char *about)
{
	expect_text(str_from(id ? id : "(none)"), expected, about);
}

Test(index, a_home_without_runs_has_none)
{
	expect_runs(NULL, "", "no runs/");
	cr_expect_null(index_latest(runs, NULL));
	index_free(NULL);
}

Test(index, runs_are_listed_by_id_and_by_operation)
{
	put_run("c", TRAIN, NULL);
	put_run("a", TEST, NULL);
	put_run("b", TRAIN, NULL);
	expect_runs(NULL, "a b c ", "all");
	expect_runs("train", "b c ", "train");
	expect_runs("test", "a ", "test");
	expect_runs("none", "", "none");
}

Test(index, only_runs_are_listed)
{
	put_run("a", TEST, NULL);
	put_run("odd", "no opref", NULL);
	scratch_make_dir("home/runs/empty/.guild/attrs");
	scratch_make_dir("home/runs/.hidden/.guild");
	scratch_put("home/runs/file", "");
	expect_runs(NULL, "a odd ", "all");
	expect_runs("test", "a ", "test");
}

Test(index, what_comes_and_goes_is_seen_when_it_is_told)
{
	put_run("b", TRAIN, NULL);
	expect_runs(NULL, "b ", "");
	put_run("a", TEST, NULL);
	put_run("c", TEST, NULL);
	index_list_changed(runs);
	expect_runs(NULL, "a b c ", "two have come");
	expect_runs("test", "a c ", "of test");
	scratch_delete("home/runs/b");
	index_list_changed(runs);
	expect_runs(NULL, "a c ", "one has gone");
	put_run("d", TRAIN, NULL);
	index_run_changed(runs, "d");
	expect_runs("train", "d ", "one that was not known");
}

Test(index, a_run_that_went_is_gone_when_it_is_told)
{
	put_run("a", TRAIN, "2\n");
	put_run("b", TRAIN, "1\n");
	expect_runs(NULL, "a b ", "");
	scratch_delete("home/runs/a");
	index_run_changed(runs, "a");
	expect_runs(NULL, "b ", "");
	expect_id(index_latest(runs, NULL), "b", "");
	index_run_changed(runs, "a");
	index_run_changed(runs, ".hidden");
	expect_runs(NULL, "b ", "told again");
}

/* As with cp -r: of what is made within the directory nobody tells. */
Test(index, a_directory_that_becomes_a_run_is_listed_at_once)
{
	expect_runs(NULL, "", "none");
	scratch_make_dir("home/runs/a/.guild/attrs");
	index_run_changed(runs, "a");
	expect_runs(NULL, "", "no run yet");
	cr_expect_not(index_has(runs, "train", "a"));
	scratch_put_guild("a", "opref", TRAIN);
	cr_expect(index_has(runs, "train", "a"));
	expect_runs(NULL, "a ", "one by now");
	scratch_make_dir("home/runs/b");
	index_run_changed(runs, "b");
	expect_runs(NULL, "a ", "not even .guild");
	scratch_put_guild("b", "opref", TRAIN);
	expect_runs(NULL, "a b ", "both");
}

Test(index, the_latest_is_the_one_started_last)
{
	put_run("a", TRAIN, "200\n");
	put_run("b", TEST, "300\n");
	put_run("c", TRAIN, "100\n");
	expect_id(index_latest(runs, NULL), "b", "all");
	expect_id(index_latest(runs, "train"), "a", "train");
	expect_id(index_latest(runs, "none"), "(none)", "none");
}

Test(index, one_that_was_never_started_counts_from_its_making)
{
	put_run("a", TRAIN, "200\n");
	put_run("b", TRAIN, NULL);
	expect_id(index_latest(runs, NULL), "a", "b has no time");
	scratch_put_attr("b", "initialized", "300\n");
	index_run_changed(runs, "b");
	expect_id(index_latest(runs, NULL), "b", "b is newer");
	scratch_put_attr("b", "started", "100\n");
	index_run_changed(runs, "b");
	expect_id(index_latest(runs, NULL), "a", "b was started earlier");
}

Test(index, a_start_makes_a_run_the_latest)
{
	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	expect_id(index_latest(runs, NULL), "b", "before");
	scratch_put_attr("a", "started", "300\n");
	index_run_changed(runs, "a");
	expect_id(index_latest(runs, NULL), "a", "after");
}

static void wait_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL);
}

Test(index, a_start_that_nobody_told_is_seen_within_a_second)
{
	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	wait_ms(150);
	expect_id(index_latest(runs, NULL), "b", "before");
	scratch_put_attr("a", "started", "300\n");
	scratch_put_guild("a", "PENDING", ""); /* a start changes .guild itself */
	wait_ms(1100);
	expect_id(index_latest(runs, NULL), "a", "after");
}

Test(index, a_run_that_went_is_gone_within_a_second)
{
	put_run("a", TRAIN, "2\n");
	put_run("b", TRAIN, "1\n");
	expect_runs(NULL, "a b ", "before");
	scratch_delete("home/runs/a");
	wait_ms(1100);
	expect_runs(NULL, "b ", "after");
	expect_id(index_latest(runs, NULL), "b", "after");
}

Test(index, a_change_within_the_grain_of_time_is_not_missed)
{
	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	expect_id(index_latest(runs, NULL), "b", "before");
	/* Without another change to .guild: its times may stand still for a tick. */
	scratch_put_attr("a", "started", "300\n");
	wait_ms(1100);
	expect_id(index_latest(runs, NULL), "a", "after");
}

static void put_match(const char *id, const char *started, const char *flags,
		      const char *exit_status)
{
	put_run(id, TRAIN, started);
	scratch_put_attr(id, "flags", flags);
	scratch_put_attr(id, "exit_status", exit_status);
}

#define COMPLETED  (1u << RUN_COMPLETED)
#define TERMINATED (1u << RUN_TERMINATED)

Test(index, a_match_is_the_newest_equal_run_of_the_operation)
{
	static const struct {
		const char *opref, *flags;
		unsigned int statuses;
		const char *expected;
	} rows[] = {
		{ TRAIN, "{x: 1}", COMPLETED | TERMINATED, "terminated" },
		{ TRAIN, "{x: 1}", COMPLETED, "new" },
		{ TRAIN, "{x: 1.0}", COMPLETED, "new" },
		{ TRAIN, "{x: 1}", TERMINATED, "terminated" },
		{ TRAIN, "{x: 2}", COMPLETED, "other-flags" },
		{ TRAIN, "{x: '1'}", COMPLETED, "(none)" },
		{ TRAIN, "{x: 1, y: null}", COMPLETED, "(none)" },
		{ TRAIN, "{}", COMPLETED, "(none)" },
		{ TRAIN, "{x: 1}", 0, "(none)" },
		{ TEST, "{x: 1}", COMPLETED, "(none)" },
		{ "guildfile:/p/guild.yml w '' train", "{x: 1}", COMPLETED, "(none)" },
	};

	put_match("old", "100\n", "x: 1\n", "0\n");
	put_match("new", "200\n", "x: 1\n", "0\n");
	put_match("terminated", "300\n", "x: 1\n", "-15\n");
	put_match("error", "400\n", "x: 1\n", "1\n");
	put_match("other-flags", "500\n", "x: 2\n", "0\n");
	put_match("staged", "600\n", "x: 1\n", "0\n");
	scratch_put_guild("staged", "STAGED", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

		flags_of(rows[i].flags, &flags);
		expect_id(index_match(runs, rows[i].opref, &flags, rows[i].statuses),
			  rows[i].expected, rows[i].flags);
	}
}

Test(index, thousands_of_runs_are_listed_in_order)
{
	_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;
	char id[8];

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(id, sizeof(id), "%04d", (i * 7) % 2000);
		scratch_put_run(id);
		strbuf_addf(&expected, "%04d ", i);
	}
	expect_runs(NULL, strbuf_cstr(&expected), "2000 runs");
}
