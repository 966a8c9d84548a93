/* Listings of runs: what is in the home now, whoever put it there. */
#include "engine/index.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "engine/file.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static struct loop *loop;
static struct store *store;
static struct index *runs;
static void (*ask)(void); /* what who waits for the index does when that is told */

static void on_index(void *userdata)
{
	if (ask)
		ask();
	loop_stop(loop);
}

static void begin(void)
{
	scratch_make();
	store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(index_new(loop, store, on_index, NULL, &runs), 0);
}

static void end(void)
{
	index_free(runs);
	store_free(store);
	loop_free(loop);
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

	int r;

	while ((r = index_each(runs, op_name, add_id, &ids)) == -EINPROGRESS)
		run_patiently(loop);
	cr_expect_eq(r, 0);
	expect_text(strbuf_str(&ids), expected, about);
}

static void expect_latest(const char *op_name, const char *expected, const char *about)
{
	const char *id = "(none)";

	while (index_latest(runs, op_name, &id) == -EINPROGRESS)
		run_patiently(loop);
	expect_text(str_from(id), expected, about);
}

Test(index, a_home_without_runs_has_none)
{
	expect_runs(NULL, "", "no runs/");
	expect_latest(NULL, "(none)", "no runs/");
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
	expect_latest(NULL, "b", "");
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
	expect_latest(NULL, "b", "all");
	expect_latest("train", "a", "train");
	expect_latest("none", "(none)", "none");
}

Test(index, one_that_was_never_started_counts_from_its_making)
{
	put_run("a", TRAIN, "200\n");
	put_run("b", TRAIN, NULL);
	expect_latest(NULL, "a", "b has no time");
	scratch_put_attr("b", "initialized", "300\n");
	index_run_changed(runs, "b");
	expect_latest(NULL, "b", "b is newer");
	scratch_put_attr("b", "started", "100\n");
	index_run_changed(runs, "b");
	expect_latest(NULL, "a", "b was started earlier");
}

Test(index, a_start_makes_a_run_the_latest)
{
	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	expect_latest(NULL, "b", "before");
	scratch_put_attr("a", "started", "300\n");
	index_run_changed(runs, "a");
	expect_latest(NULL, "a", "after");
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
	expect_latest(NULL, "b", "before");
	scratch_put_attr("a", "started", "300\n");
	scratch_put_guild("a", "PENDING", ""); /* a start changes .guild itself */
	wait_ms(1100);
	expect_latest(NULL, "a", "after");
}

Test(index, a_run_that_went_is_gone_within_a_second)
{
	put_run("a", TRAIN, "2\n");
	put_run("b", TRAIN, "1\n");
	expect_runs(NULL, "a b ", "before");
	scratch_delete("home/runs/a");
	wait_ms(1100);
	expect_runs(NULL, "b ", "after");
	expect_latest(NULL, "b", "after");
}

Test(index, a_change_within_the_grain_of_time_is_not_missed)
{
	struct timespec times[2];

	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	/* As if it had changed just now, however long the look at it takes. */
	(void)clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec += 60;
	times[1] = times[0];
	cr_assert_eq(utimensat(scratch_fd, "home/runs/a/.guild", times, 0), 0);
	expect_latest(NULL, "b", "before");
	/* Without another change to .guild: its times may stand still for a tick. */
	scratch_put_attr("a", "started", "300\n");
	wait_ms(1100);
	expect_latest(NULL, "a", "after");
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
		const char *id = "(none)";

		flags_of(rows[i].flags, &flags);
		while (index_match(runs, rows[i].opref, &flags, rows[i].statuses, &id) ==
		       -EINPROGRESS)
			run_patiently(loop);
		expect_text(str_from(id), rows[i].expected, rows[i].flags);
	}
}

Test(index, without_descriptors_it_lists_nothing_rather_than_too_little)
{
	_cleanup_(strbuf_done) struct strbuf ids = STRBUF_INIT;
	int r = -EMFILE;

	put_run("a", TRAIN, "100\n");
	put_run("b", TRAIN, "200\n");
	cr_assert_geq(store_runs_fd(store), 0);
	for (int n = 0; r == -EMFILE; n++) {
		strbuf_reset(&ids);
		descriptors_leave(n);
		r = index_each(runs, NULL, add_id, &ids);
		descriptors_leave(-1);
	}
	cr_expect_eq(r, 0);
	expect_text(strbuf_str(&ids), "a b ", "all, once it is no error");
}

/* More than one slice takes: a scan of them is not through when it is asked for. */
#define N_MANY 200

static void put_many(void)
{
	char id[8];

	for (int i = 0; i < N_MANY; i++) {
		(void)snprintf(id, sizeof(id), "%04d", (i * 7) % N_MANY);
		put_run(id, TRAIN, "5\n");
	}
}

/* What the parked ask for, and what they are told. */
static struct strbuf told_ids;
static const char *told_latest;
static int told_r;

static void ask_for_all(void)
{
	strbuf_reset(&told_ids);
	told_r = index_each(runs, NULL, add_id, &told_ids);
	if (index_latest(runs, NULL, &told_latest) < 0)
		told_latest = "(none)";
}

static void add_number(struct strbuf *ret, int number)
{
	strbuf_addf(ret, "%04d ", number);
}

static void expect_told_all_but(int left_out, const char *last)
{
	_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

	for (int i = 0; i < N_MANY; i++) {
		if (i != left_out)
			add_number(&expected, i);
	}
	strbuf_adds(&expected, last);
	cr_expect_eq(told_r, 0);
	expect_text(strbuf_str(&told_ids), strbuf_cstr(&expected), "what is told");
	strbuf_done(&told_ids);
}

/* Asks for what is not known yet, to be told it when the loop runs. */
static void begin_scan(void)
{
	ask_for_all();
	cr_assert_eq(told_r, -EINPROGRESS);
	expect_text(strbuf_str(&told_ids), "", "nothing by halves");
	ask = ask_for_all;
}

Test(index, who_asks_for_many_runs_waits_and_is_told_all)
{
	put_many();
	begin_scan();
	run_patiently(loop);
	expect_told_all_but(-1, "");
	expect_text(str_from(told_latest), "0000", "the first of equals");
}

Test(index, what_comes_and_goes_while_all_are_looked_at_is_told)
{
	put_many();
	begin_scan();
	put_run("new", TRAIN, "6\n");
	index_run_changed(runs, "new");
	scratch_delete("home/runs/0000");
	index_run_changed(runs, "0000");
	scratch_delete("home/runs/0199");
	index_run_changed(runs, "0199");
	put_run("0199", TRAIN, "7\n");
	index_run_changed(runs, "0199");
	run_patiently(loop);
	expect_told_all_but(0, "new ");
	expect_text(str_from(told_latest), "0199", "");
}

static void ask_for_match(void)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	flags_of("{x: 1.0}", &flags);
	told_latest = "(none)";
	told_r = index_match(runs, TRAIN, &flags, COMPLETED, &told_latest);
}

Test(index, who_asks_for_a_match_among_many_runs_waits)
{
	put_many();
	put_match("0008", "6\n", "x: 1\n", "0\n");
	put_match("0007", "7\n", "x: 1\n", "1\n");
	expect_latest(NULL, "0007", "known, but for the flags");
	ask_for_match();
	cr_assert_eq(told_r, -EINPROGRESS);
	ask = ask_for_match;
	run_patiently(loop);
	cr_expect_eq(told_r, 0);
	expect_text(str_from(told_latest), "0008", "the one that was no error");
	put_match("0009", "8\n", "x: 1\n", "0\n");
	index_run_changed(runs, "0009");
	while ((ask_for_match(), told_r) == -EINPROGRESS)
		run_patiently(loop);
	expect_text(str_from(told_latest), "0009", "one that was told of");
	scratch_put_attr("0009", "flags", "x: 2\n");
	index_run_changed(runs, "0009");
	scratch_put_attr("0007", "exit_status", "0\n");
	index_run_changed(runs, "0007");
	while ((ask_for_match(), told_r) == -EINPROGRESS)
		run_patiently(loop);
	expect_text(str_from(told_latest), "0007", "one that was made good");
}

/* Its names and times changed, and an overflow has lost of which runs. */
Test(index, a_change_of_all_while_they_are_looked_at_is_told)
{
	put_many();
	begin_scan();
	scratch_delete("home/runs/0000");
	put_run("0000.old", TRAIN, "6\n");
	index_list_changed(runs);
	run_patiently(loop);
	cr_expect_eq(told_r, 0);
	expect_text(str_from(told_latest), "0000.old", "");
	cr_expect_eq(strncmp(strbuf_cstr(&told_ids), "0000.old 0001 ", 14), 0);
	strbuf_done(&told_ids);
}

static void change_all(void *userdata, uint32_t events)
{
	struct loop_source **timer = userdata;

	index_list_changed(runs);
	loop_timer_set(*timer, 0);
}

/* As where inotify fails, on a slow machine. */
Test(index, who_waits_is_told_though_all_changes_again_and_again)
{
	_cleanup_(loop_source_freep) struct loop_source *timer = NULL;

	put_many();
	begin_scan();
	cr_assert_eq(loop_add_timer(loop, change_all, &timer, &timer), 0);
	loop_timer_set(timer, 0);
	run_patiently(loop);
	expect_told_all_but(-1, "");
}

Test(index, whether_there_is_one_run_is_known_at_once)
{
	put_many();
	cr_expect(index_has(runs, "train", "0007"));
	cr_expect_not(index_has(runs, "test", "0007"));
	cr_expect_not(index_has(runs, "train", "none"));
	begin_scan();
	cr_expect(index_has(runs, "train", "0008"));
	run_patiently(loop);
	expect_told_all_but(-1, "");
}

Test(index, a_home_that_goes_while_it_is_looked_at_has_no_runs)
{
	put_many();
	begin_scan();
	scratch_delete("home/runs");
	index_list_changed(runs);
	run_patiently(loop);
	cr_expect_eq(told_r, 0);
	expect_text(strbuf_str(&told_ids), "", "no runs");
	expect_text(str_from(told_latest), "(none)", "");
}
