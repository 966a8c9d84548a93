/*
 * Output scalars: which patterns find what, at which step; what is kept of an output, and
 * when it is read again.
 */
#include "engine/scalars.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "engine/file.h"
#include "engine/output-lines.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

#define CACHE "home/cache/runfs/scalars/r1"

static struct loop *loop;
static struct store *store;
static struct scalars *scalars;
static size_t n_told;

static void on_answer(void *userdata)
{
	n_told++;
	loop_stop(loop);
}

static void make(void)
{
	scratch_make();
	store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(scalars_new(loop, store, on_answer, NULL, &scalars), 0);
}

static void finish(void)
{
	scalars_free(scalars);
	loop_free(loop);
	store_free(store);
	scratch_remove();
}

TestSuite(scalars, .init = make, .fini = finish, .timeout = 120);

/* As if by another mount, which knows nothing but the disk. */
static void start_again(void)
{
	scalars_free(scalars);
	cr_assert_eq(scalars_new(loop, store, on_answer, NULL, &scalars), 0);
}

/* The run r1 with output-scalars @spec and flags lr and epochs; it has ended. */
static void put_run(const char *spec, const char *output)
{
	_cleanup_(strbuf_done) struct strbuf op = STRBUF_INIT;

	strbuf_addf(&op, "output-scalars: %s\n", spec);
	scratch_put_run("r1");
	scratch_put_attr("r1", "op", strbuf_cstr(&op));
	scratch_put_attr("r1", "flags", "{lr: 0.1, epochs: 3}\n");
	scratch_put_attr("r1", "started", "1769860800000000\n");
	scratch_put_attr("r1", "exit_status", "0\n");
	if (output)
		scratch_put_guild("r1", "output", output);
}

static void add_output(const char *text)
{
	_cleanup_close_ int fd = openat(scratch_fd, "home/runs/r1/.guild/output",
					O_WRONLY | O_APPEND | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

static int format(const char *id, struct strbuf *ret)
{
	int r;

	while ((r = scalars_format(scalars, id, ret)) == -EINPROGRESS)
		run_patiently(loop);
	return r;
}

static void expect_scalars(const char *expected, const char *about)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = format("r1", &text);

	cr_assert_eq(r, 0, "%s: %s", about, strerror(-r));
	expect_text((struct str){ strbuf_cstr(&text), text.len }, expected, about);
}

/* With blanks between the lines, and ':' for the tab. */
static void expect_series(const char *name, const char *expected, const char *about)
{
	_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT;
	struct str text = { NULL, 0 };
	int r;

	while ((r = scalars_find(scalars, "r1", name, &text)) == -EINPROGRESS)
		run_patiently(loop);
	cr_assert(r == 0 || r == -ENOENT, "%s: %s", about, strerror(-r));
	for (size_t i = 0; i < text.len; i++)
		strbuf_addc(&shown, text.data[i] == '\t'   ? ':'
				    : text.data[i] == '\n' ? ' '
							   : text.data[i]);
	expect_text((struct str){ strbuf_cstr(&shown), shown.len }, expected, about);
}

static void remove_run(void)
{
	scratch_delete("home/runs/r1");
	scalars_run_listed(scalars, "r1");
	cr_assert_not(scratch_has(CACHE), "a run that is gone has a cache");
}

static void wait_for_cache(void)
{
	for (int i = 0; i < 1000 && !scratch_has(CACHE); i++)
		run_for(loop, 2000);
	cr_assert(scratch_has(CACHE), "no cache comes");
}

Test(scalars, guilds_own_patterns)
{
	static const struct {
		const char *output, *scalars;
	} rows[] = {
		{ "loss: 0.5\n", "loss=0.5\n" },
		{ "loss:\t 0.5\n", "loss=0.5\n" },
		{ "loss: 0.5   \r\n", "loss=0.5\n" },
		{ "loss:0.5\n", "" },
		{ " loss: 0.5\n", "" },
		{ "loss: 1.2.3\n", "" },
		{ "loss: \n", "" },
		{ "loss: -\n", "" },
		{ "loss: .\n", "" },
		{ "the loss: 1\n", "" },
		{ "1loss: 1\n", "" },
		{ "_l-o/s.s: 1\n", "_l-o/s.s=1.0\n" },
		{ "a:b: 1\n", "a:b=1.0\n" },
		{ "loss: 1 (was 2)\n", "loss=1.0\n" },
		{ "loss: 1 and more\n", "" },
		{ "loss: 1 (step 7)\n", "loss=1.0\n" },
		{ "loss: 1\nloss: 2\nacc: 3\n", "acc=3.0\nloss=2.0\n" },
		{ "Z: 1\na: 2\n_: 3\nB: 4\n", "B=4.0\nZ=1.0\n_=3.0\na=2.0\n" },
		/* The last line has no end yet. */
		{ "loss: 1\nloss: 2", "loss=1.0\n" },
		{ "", "" },
		{ "\n\n", "" },
		/* Flags, and the step, are no scalars. */
		{ "lr: 1\nepochs: 2\nlearning: 3\n", "learning=3.0\n" },
		{ "step: 1\n", "" },
		/* Bytes that are dropped. */
		{ "\bl\1os\2s: 0.\3"
		  "5\n",
		  "loss=0.5\n" },
		{ "l\xff\xfeoss\xe2\x82: 1\n", "loss=1.0\n" },
		{ "l\xc3\xb6ss: 1\n", "l\xc3\xb6ss=1.0\n" },
		{ "loss: 1\xc2\xa0\xe3\x80\x80\n", "loss=1.0\n" },
		{ "loss:\xc2\xa0"
		  "1\n",
		  "loss=1.0\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_run("null", rows[i].output);
		expect_scalars(rows[i].scalars, rows[i].output);
		remove_run();
	}
}

Test(scalars, values_are_shown_as_python_shows_a_float)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "1", "1.0" },
		{ "0", "0.0" },
		{ "-0", "-0.0" },
		{ "00", "0.0" },
		{ "007", "7.0" },
		{ "+1.50", "1.5" },
		{ "-1.50", "-1.5" },
		{ ".5", "0.5" },
		{ "5.", "5.0" },
		{ "0.", "0.0" },
		{ "0.0", "0.0" },
		{ "0.800000", "0.8" },
		{ "10.00", "10.0" },
		{ "100", "100.0" },
		{ "0.0001", "0.0001" },
		{ "0.00010", "0.0001" },
		{ "0.00001", "1e-05" },
		{ "0.000012", "1.2e-05" },
		{ "1e3", "1000.0" },
		{ "1E-7", "1e-07" },
		{ "123456789012345", "123456789012345.0" },
		{ "12345678901234567890", "1.2345678901234567e+19" },
		{ "0.1234567890123456789", "0.12345678901234568" },
		{ "1e999", "inf" },
		{ "-inf", "-inf" },
		{ "InF", "inf" },
		{ "NaN", "nan" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

		strbuf_addf(&output, "v: %s\n", rows[i].text);
		strbuf_addf(&expected, "v=%s\n", rows[i].shown);
		put_run("null", strbuf_cstr(&output));
		expect_scalars(strbuf_cstr(&expected), rows[i].text);
		remove_run();
	}
}

Test(scalars, patterns_of_the_operation)
{
	static const struct {
		const char *spec, *output, *scalars;
	} rows[] = {
		/* None at all. */
		{ "false", "loss: 1\n", "" },
		{ "[]", "loss: 1\n", "" },
		{ "no", "loss: 1\n", "" },
		/* A key that is given, and one group. */
		{ "[{loss: 'loss=(\\value)'}]", "x loss=1 y\n", "loss=1.0\n" },
		{ "{loss: 'loss=(\\value)', acc: 'acc=(\\value)'}", "loss=1 acc=2\n",
		  "acc=2.0\nloss=1.0\n" },
		/* They are flags only to Guild's own patterns. */
		{ "[{lr: 'lr=(\\value)'}]", "lr=1\n", "lr=1.0\n" },
		/* All matches of a line count; the last wins. */
		{ "[{loss: 'loss=(\\value)'}]", "loss=1 loss=2 loss=x\n", "loss=2.0\n" },
		/* Two groups: the key and the value. */
		{ "['(\\key)=(\\value)']", "a=1 b=2\n", "a=1.0\nb=2.0\n" },
		{ "'(\\key) is (\\value)'", "a is 1\n", "a=1.0\n" },
		/* Two groups beat the key that is given. */
		{ "[{x: '(\\key)=(\\value)'}]", "a=1\n", "a=1.0\n" },
		/* Named groups are keys; others don't count beside them. */
		{ "['(?P<loss>\\value) (\\S+) (?P<acc>\\value)']", "1 2 3\n",
		  "acc=3.0\nloss=1.0\n" },
		/* But for _key and _val. */
		{ "['(?P<_val>\\value) (?P<_key>\\key)']", "1 loss\n", "loss=1.0\n" },
		{ "['(?P<_key>\\key) (?P<n>\\value)']", "loss 1\n", "n=1.0\n" },
		/* A group that takes no part, and one that is no number. */
		{ "['(?P<a>\\value)|x(?P<b>\\S+)']", "xy\n", "" },
		{ "[{a: '(\\S+)'}]", "one 2 three\n", "a=2.0\n" },
		{ "[{a: 'a=(.*)'}]", "a= 1_000 \n", "a=1000.0\n" },
		/* Python's ways. */
		{ "[{a: 'a\\Z(\\value)|(?P<b>\\d+)\\Z'}]", "a 12\n", "b=12.0\n" },
		{ "[{a: '\\u0061=(\\value)'}]", "a=1\n", "a=1.0\n" },
		{ "[{a: '[[:alpha:]](\\value)'}]", ":]7\n", "a=7.0\n" },
		{ "[{a: '[]x](\\value)'}]", "]7\n", "a=7.0\n" },
		{ "[{a: 'a{,2}=(\\value)$'}]", "aa=7\n", "a=7.0\n" },
		{ "[{a: '(?i)LOSS(?#comment): (\\value)'}]", "loss: 1\n", "a=1.0\n" },
		{ "[{a: '(?<=x)(\\value)'}]", "1 x2\n", "a=2.0\n" },
		{ "[{a: '^.=(\\value)'}]", "\xc3\xb6=1\n", "a=1.0\n" },
		/* `step` is no scalar. */
		{ "[{step: 's=(\\step)'}, {a: 'a=(\\value)'}]", "s=1 a=2\n", "a=2.0\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_run(rows[i].spec, rows[i].output);
		expect_scalars(rows[i].scalars, rows[i].spec);
		remove_run();
	}
}

Test(scalars, each_value_has_its_step)
{
	static const struct {
		const char *spec, *output, *series;
	} rows[] = {
		/* Implied: it grows when a name comes again. */
		{ "null", "a: 1\na: 2\na: 3\n", "0:1.0 1:2.0 2:3.0 " },
		{ "null", "a: 1\nb: 1\na: 2\nb: 2\n", "0:1.0 1:2.0 " },
		{ "null", "b: 1\nb: 1\na: 2\nb: 2\n", "1:2.0 " },
		{ "null", "b: 1\nb: 1\na: 2\nb: 2\na: 3\n", "1:2.0 2:3.0 " },
		/* Names that are flags count for that. */
		{ "null", "lr: 1\nlr: 2\na: 3\n", "1:3.0 " },
		/* Said: it holds until the next. */
		{ "null", "step: 5\na: 1\na: 2\nstep: 7\na: 3\n", "5:1.0 5:2.0 7:3.0 " },
		{ "null", "a: 1\na: 2\nstep: 5\na: 3\n", "0:1.0 1:2.0 5:3.0 " },
		{ "null", "step: 5\nstep: 4\na: 1\n", "4:1.0 " },
		{ "null", "step: 2.9\na: 1\n", "2:1.0 " },
		{ "null", "step: -3\na: 1\n", "-3:1.0 " },
		{ "null", "step: nan\na: 1\n", "0:1.0 " },
		{ "null", "step: 1e30\na: 1\n", "0:1.0 " },
		/* Said behind the value. */
		{ "null", "a: 1 (step 7)\na: 2 (9)\na: 3\n", "7:1.0 9:2.0 9:3.0 " },
		{ "null", "a: 1 (step x)\n", "0:1.0 " },
		/* By a pattern of one's own, in any place of the line. */
		{ "[{step: 's=(\\step)', a: 'a=(\\value)'}]", "a=1 s=4\na=2\n",
		  "4:1.0 4:2.0 " },
		{ "['a=(?P<a>\\value) s=(?P<step>\\step)']", "a=1 s=4\n", "4:1.0 " },
		/* All of a line have one step. */
		{ "['(\\key)=(\\value)']", "a=1 b=1\nb=2 a=2\n", "0:1.0 1:2.0 " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_run(rows[i].spec, rows[i].output);
		expect_series("a", rows[i].series, rows[i].output);
		remove_run();
	}
}

Test(scalars, what_is_no_pattern_is_named_and_the_others_work)
{
	static const struct {
		const char *spec, *why;
	} rows[] = {
		{ "[{a: 'a=(\\value'}, {b: 'b=(\\value)'}]",
		  "missing closing parenthesis" },
		{ "['(\\value)', {b: 'b=(\\value)'}]", "no key" },
		{ "[{a: '\\value'}, {b: 'b=(\\value)'}]", "0 groups" },
		{ "[{a: '(a)(b)(c)'}, {b: 'b=(\\value)'}]", "3 groups" },
		{ "[{a: 1}, {b: 'b=(\\value)'}]", "a pattern is a text" },
		{ "[1, {b: 'b=(\\value)'}]", "a pattern is a text" },
		{ "[{a: 'x\\h(.)'}, {b: 'b=(\\value)'}]", "bad escape '\\h'" },
		{ "[{a: '\\x1'}, {b: 'b=(\\value)'}]", "incomplete escape" },
		{ "[{a: '(.)\\'}, {b: 'b=(\\value)'}]", "ends with a backslash" },
		{ "[{a: '(?R)(.)'}, {b: 'b=(\\value)'}]", "unknown extension '(?R)'" },
		{ "[{a: '(*LIMIT_MATCH=1)(.)'}, {b: 'b=(\\value)'}]",
		  "nothing to repeat" },
		{ "[{a: '(?#x'}, {b: 'b=(\\value)'}]", "no end of the comment" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		put_run(rows[i].spec, "a=1 b=2\n");
		cr_assert_eq(format("r1", &text), 0, "%s", rows[i].spec);
		cr_expect(str_starts(strbuf_str(&text), "# output-scalars: '"), "%s: %s",
			  rows[i].spec, text.data);
		expect_sentence(&text, rows[i].why, rows[i].spec);
		cr_expect(str_ends(strbuf_str(&text), "\nb=2.0\n"), "%s: %s",
			  rows[i].spec, text.data);
		remove_run();
	}
}

Test(scalars, a_pattern_that_takes_too_long_is_given_up)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT, text = STRBUF_INIT;

	for (int i = 0; i < 100; i++)
		strbuf_adds(&output,
			    "b=1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n");
	put_run("[{a: '(?:(?:a|aa)+)+()$'}, {b: 'b=(\\value)'}]", strbuf_cstr(&output));
	cr_assert_eq(format("r1", &text), 0);
	expect_sentence(&text, "takes too long in 10 lines, so nothing more", "");
	cr_expect(str_ends(strbuf_str(&text), "\nb=1.0\n"), "%s", text.data);
}

Test(scalars, an_output_that_grows_is_followed)
{
	put_run("null", "a: 1\na: ");
	expect_scalars("a=1.0\n", "");
	add_output("2");
	expect_scalars("a=1.0\n", "half a line");
	add_output("5\nb: 1\n");
	expect_scalars("a=25.0\nb=1.0\n", "");
	expect_series("a", "0:1.0 1:25.0 ", "");
}

Test(scalars, the_output_is_not_read_twice)
{
	_cleanup_close_ int fd = -1;
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;

	strbuf_adds(&output, "a: 1\n");
	for (int i = 0; i < 1000; i++)
		strbuf_adds(&output, "nothing\n");
	put_run("null", strbuf_cstr(&output));
	expect_scalars("a=1.0\n", "");
	wait_for_cache();

	/* Behind our back, where nobody looks any more. */
	fd = openat(scratch_fd, "home/runs/r1/.guild/output", O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, "a: 9\n", 5, 0), 5);
	expect_scalars("a=1.0\n", "in memory");
	start_again();
	expect_scalars("a=1.0\n", "from the cache");
	add_output("a: 2\n");
	expect_series("a", "0:1.0 1:2.0 ", "only what has come");

	scratch_delete(CACHE);
	start_again();
	expect_series("a", "0:9.0 1:2.0 ", "the cache is gone");
}

Test(scalars, a_cache_that_is_not_good_counts_for_nothing)
{
	static const char *const bad[] = { "", "\n", "garbage\n", "runfs scalars 1\n",
					   "runfs scalars 1\n0000000000000000\n" };
	_cleanup_free_ char *good = NULL;

	put_run("null", "a: 1\na: 2\n");
	expect_scalars("a=2.0\n", "");
	wait_for_cache();
	good = scratch_get(CACHE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		scratch_put(CACHE, bad[i]);
		start_again();
		expect_series("a", "0:1.0 1:2.0 ", bad[i]);
	}
	for (size_t i = 0; i < strlen(good); i++) {
		_cleanup_free_ char *torn = str_dup((struct str){ good, i });
		_cleanup_free_ char *changed = strdup(good);

		scratch_put(CACHE, torn);
		start_again();
		expect_series("a", "0:1.0 1:2.0 ", torn);
		changed[i] = changed[i] == '9' ? '8' : '9';
		scratch_put(CACHE, changed);
		start_again();
		expect_series("a", "0:1.0 1:2.0 ", changed);
	}
	scratch_delete(CACHE);
	scratch_make_dir(CACHE);
	start_again();
	expect_series("a", "0:1.0 1:2.0 ", "a directory");
}

Test(scalars, another_start_begins_anew)
{
	put_run("null", "a: 1\n");
	expect_scalars("a=1.0\n", "");
	wait_for_cache();

	/* As Guild does it, in the same file. */
	scratch_put_attr("r1", "started", "1769860900000000\n");
	scratch_put_guild("r1", "output", "a: 2\nb: 3\n");
	expect_scalars("a=2.0\nb=3.0\n", "");
	expect_series("a", "0:2.0 ", "");
	scratch_put_guild("r1", "output", "c: 2\n");
	expect_scalars("c=2.0\n", "shorter");
	scratch_put_guild("r1", "output", "d: 2\ne: 3\n");
	expect_scalars("d=2.0\ne=3.0\n", "longer, of other content");
	scratch_put_attr("r1", "op", "output-scalars: [{x: 'd: (\\value)'}]\n");
	expect_scalars("x=2.0\n", "other patterns");
	scratch_delete("home/runs/r1/.guild/output");
	expect_scalars("", "no output");
	scratch_put_guild("r1", "output", "d: 4\n");
	expect_scalars("x=4.0\n", "an output again");
}

Test(scalars, a_home_that_cannot_be_written_only_costs_time)
{
	scratch_put("home/cache", "no directory");
	put_run("null", "a: 1\n");
	expect_scalars("a=1.0\n", "");
	add_output("a: 2\n");
	expect_scalars("a=2.0\n", "");
}

Test(scalars, a_link_in_the_place_of_the_cache_leads_nowhere)
{
	scratch_make_dir("elsewhere");
	scratch_make_dir("home/cache");
	scratch_put_link("home/cache/runfs", "../../elsewhere");
	put_run("null", "a: 1\n");
	expect_scalars("a=1.0\n", "");
	run_for(loop, 20000);
	cr_expect_not(scratch_has("elsewhere/scalars"));
}

Test(scalars, a_live_run_is_not_written_down_each_time)
{
	put_run("null", "a: 1\n");
	scratch_put_guild("r1", "PENDING", "");
	expect_scalars("a=1.0\n", "");
	run_for(loop, 20000);
	cr_expect_not(scratch_has(CACHE));
	scratch_delete("home/runs/r1/.guild/PENDING");
	expect_scalars("a=1.0\n", "");
	wait_for_cache();
}

Test(scalars, much_is_worked_through_in_slices_and_told)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT, text = STRBUF_INIT;

	for (int i = 0; i < 300000; i++)
		strbuf_adds(&output, "a: 1\nnothing: that would be a number\n");
	put_run("null", strbuf_cstr(&output));
	cr_expect_eq(scalars_format(scalars, "r1", &text), -EINPROGRESS);
	cr_expect_eq(scalars_format(scalars, "r1", &text), -EINPROGRESS);
	cr_expect_eq(text.len, 0);
	run_patiently(loop);
	cr_expect_eq(n_told, 1);
	cr_expect_eq(scalars_format(scalars, "r1", &text), 0);
	expect_text(strbuf_str(&text), "a=1.0\n", "");
}

Test(scalars, who_waits_for_a_run_that_goes_is_told)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT, text = STRBUF_INIT;

	for (int i = 0; i < 300000; i++)
		strbuf_adds(&output, "a: 1\nnothing: that would be a number\n");
	put_run("null", strbuf_cstr(&output));
	cr_expect_eq(scalars_format(scalars, "r1", &text), -EINPROGRESS);
	remove_run();
	run_patiently(loop);
	cr_expect_eq(scalars_format(scalars, "r1", &text), -ENOENT);
}

Test(scalars, a_line_that_is_too_long_is_passed_over)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;

	strbuf_adds(&output, "a: 1\na: 2");
	for (unsigned int i = 0; i < OUTPUT_LINE_MAX + 10; i++)
		strbuf_addc(&output, ' ');
	put_run("null", strbuf_cstr(&output));
	expect_scalars("a=1.0\n", "");
	wait_for_cache();
	start_again();
	add_output("  \na: 3\n");
	expect_scalars("a=3.0\n", "");
	expect_series("a", "0:1.0 1:3.0 ", "");
}

Test(scalars, a_line_of_some_length_is_not)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;

	strbuf_adds(&output, "a: 2");
	for (unsigned int i = 0; i < OUTPUT_LINE_MAX - 10; i++)
		strbuf_addc(&output, ' ');
	strbuf_adds(&output, "\n");
	put_run("null", strbuf_cstr(&output));
	expect_scalars("a=2.0\n", "");
}

Test(scalars, many_runs_are_forgotten_and_found_again)
{
	for (int i = 0; i < 200; i++) {
		_cleanup_(strbuf_done) struct strbuf id = STRBUF_INIT, text = STRBUF_INIT;

		strbuf_addf(&id, "run%d", i % 100);
		if (i < 100) {
			scratch_put_run(strbuf_cstr(&id));
			scratch_put_guild(strbuf_cstr(&id), "output", "a: 1\n");
		}
		cr_assert_eq(format(strbuf_cstr(&id), &text), 0);
		expect_text(strbuf_str(&text), "a=1.0\n", strbuf_cstr(&id));
	}
}

Test(scalars, what_cannot_be_read_is_an_error)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_expect_eq(format("r1", &text), -ENOENT);
	put_run("null", NULL);
	expect_scalars("", "no output");
	scratch_make_dir("home/runs/r1/.guild/output");
	cr_expect_eq(format("r1", &text), -EIO);
	scratch_delete("home/runs/r1/.guild/output");
	scratch_put_attr("r1", "op", "{\n");
	cr_expect_eq(format("r1", &text), -EBADMSG);
	scratch_delete("home/runs/r1/.guild/attrs/op");
	scratch_put_guild("r1", "output", "a: 1\n");
	expect_scalars("a=1.0\n", "no attribute op: Guild's own patterns");
}
