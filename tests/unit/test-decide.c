/* What requests come to: for a run that is there, when its turn comes, while staged. */
#include "engine/decide.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/loop.h"
#include "expect.h"
#include "scratch.h"

#define WAITS "runfs: waits for a job slot\norder 1\n\n"

static struct loop *loop;
static struct store *store;
static struct python *python;
static struct run *run;
static struct decision decision;
static struct strbuf why;
static struct decider decider;
static char *helper;

static void begin(void)
{
	scratch_make();
	store = scratch_store();
	cr_assert_gt(asprintf(&helper, "%s/python-flags.py", getenv("RUNFS_SCRIPTS")), 0);
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(python_new(loop, helper, &python), 0);
	decider = (struct decider){ .store = store, .python = python, .op_main = "/m" };
	scratch_put_run("r");
	scratch_put_guild("r", "opref", "guildfile:/p/guild.yml 1 '' t");
	scratch_put_program("home/runs/r/x.sh", "#!/bin/sh\n");
	scratch_put_attr("r", "flags", "{x: 1, y: a}\n");
	scratch_put_attr("r", "exit_status", "0\n");
	scratch_put_attr("r", "op", "op-cmd: {cmd-args: [./x.sh, '${x}']}\n");
	run = scratch_run("r");
}

static void end(void)
{
	decision_done(&decision);
	strbuf_done(&why);
	run_free(run);
	python_free(python);
	store_free(store);
	loop_free(loop);
	free(helper);
	scratch_remove();
}

TestSuite(decide, .init = begin, .fini = end, .timeout = 120);

static void forget(void)
{
	decision_done(&decision);
	decision = DECISION_INIT;
	strbuf_reset(&why);
}

static int restart(const char *text)
{
	forget();
	return decide_restart(&decider, run, str_from(text), true, &decision, &why);
}

static int turn(const char *text)
{
	forget();
	return decide_turn(&decider, run, str_from(text), &decision, &why);
}

static int write_flags(const char *text)
{
	forget();
	return decide_flags(&decider, run, str_from(text), true, &decision, &why);
}

static void expect_flags(const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(flags_format(&decision.flags, &text), 0);
	expect_text(strbuf_str(&text), expected, "flags");
}

Test(decide, a_restart_has_the_flags_written_over_its_own)
{
	cr_assert_eq(restart("x=2\n"), 0, "%s", strbuf_cstr(&why));
	expect_flags("x=2\ny=a\n");
	cr_expect_str_eq(decision.command.argv[1], "2");
	cr_expect_not(decision.skip);
	cr_assert_eq(restart("--needed\n"), 0);
	cr_expect(decision.skip);
}

Test(decide, a_run_that_waits_is_busy_until_its_turn_comes)
{
	scratch_put_guild("r", "PENDING", WAITS);
	cr_expect_eq(restart("x=2\n"), -EBUSY);
	expect_sentence(&why, "is pending", "restart");
	cr_assert_eq(turn("x=2\n"), 0, "%s", strbuf_cstr(&why));
	expect_flags("x=2\ny=a\n");
}

Test(decide, needed_goes_by_what_the_run_was_before_it_waited)
{
	scratch_put_guild("r", "PENDING", WAITS);
	cr_assert_eq(turn("--needed\n"), 0);
	cr_expect(decision.skip);
	cr_assert_eq(turn("--needed x=2\n"), 0);
	cr_expect_not(decision.skip);
	scratch_put_guild("r", "STAGED", "");
	cr_assert_eq(turn("--needed\n"), 0);
	cr_expect_not(decision.skip, "it has never run");
}

Test(decide, a_command_that_is_gone_when_the_turn_comes_is_enoent)
{
	scratch_put_guild("r", "PENDING", WAITS);
	scratch_delete("home/runs/r/x.sh");
	cr_expect_eq(turn("\n"), -ENOENT);
	expect_sentence(&why, "'./x.sh' is not there", "turn");
}

Test(decide, flags_are_written_while_a_run_is_staged)
{
	cr_expect_eq(write_flags("x=2\n"), -EBUSY);
	expect_sentence(&why, "only while it is staged", "flags");
	scratch_put_guild("r", "STAGED", "");
	cr_assert_eq(write_flags("x=2\n"), 0, "%s", strbuf_cstr(&why));
	expect_flags("x=2\ny=a\n");
	scratch_delete("home/runs/r/x.sh");
	cr_expect_eq(write_flags("x=2\n"), 0, "nothing is started");
	cr_expect_eq(write_flags("z=2\n"), -EINVAL);
	cr_expect_eq(write_flags("--force-flags z=2\n"), 0);
	cr_expect_eq(write_flags("--needed\n"), -EINVAL);
	cr_expect_eq(write_flags("--force-sourcecode\n"), -EINVAL);
	expect_sentence(&why, "--force-sourcecode is for a start", "flags");
}
