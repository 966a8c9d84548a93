/* The last answers of control files: each path its own, the last one wins, not too many.
 */
#include "fs/view.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define N_KEPT 65536

static struct view view;

static void make(void)
{
	view = (struct view){ 0 };
	view_init(&view);
}

static void finish(void)
{
	view_done(&view);
}

TestSuite(view, .init = make, .fini = finish);

static void expect_answer(const char *path, const char *text)
{
	struct str answer = view_answer(&view, path);

	cr_expect(str_is(answer, text), "%s: '%.*s' instead of '%s'", path,
		  (int)answer.len, answer.data ? answer.data : "", text);
}

/* Sets the answers of the files number @from to @to, each its own. */
static void answer_many(int from, int to)
{
	for (int i = from; i < to; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "runs/%d/restart", i);
		view_set_answer(&view, path, str_from(path));
	}
}

Test(view, a_file_that_nobody_has_asked_has_no_answer)
{
	expect_answer("runs/1/restart", "");
}

Test(view, the_last_answer_is_kept)
{
	view_set_answer(&view, "runs/1/restart", STR("Restarting 1\n"));
	expect_answer("runs/1/restart", "Restarting 1\n");
	view_set_answer(&view, "runs/1/restart", STR("error: no\n"));
	expect_answer("runs/1/restart", "error: no\n");
	cr_expect_eq(view.n_answers, 1);
}

Test(view, each_file_has_its_own_answer)
{
	view_set_answer(&view, "runs/1/restart", STR("one"));
	view_set_answer(&view, "runs/1/stop", STR("two"));
	view_set_answer(&view, "runs/11/restart", STR("three"));
	expect_answer("runs/1/restart", "one");
	expect_answer("runs/1/stop", "two");
	expect_answer("runs/11/restart", "three");
	expect_answer("runs/1", "");
}

Test(view, an_answer_may_be_a_piece_of_a_longer_text)
{
	view_set_answer(&view, "a", (struct str){ "abcdef", 3 });
	expect_answer("a", "abc");
}

Test(view, an_empty_answer_takes_the_place_of_another)
{
	view_set_answer(&view, "a", STR("error: no\n"));
	view_set_answer(&view, "a", STR(""));
	expect_answer("a", "");
}

Test(view, of_many_answers_the_oldest_go)
{
	answer_many(0, N_KEPT + 2);
	cr_expect_eq(view.n_answers, N_KEPT);
	expect_answer("runs/0/restart", "");
	expect_answer("runs/1/restart", "");
	expect_answer("runs/2/restart", "runs/2/restart");
	expect_answer("runs/65537/restart", "runs/65537/restart");
}

Test(view, a_file_that_answers_again_is_not_the_oldest_any_more)
{
	answer_many(0, N_KEPT);
	answer_many(0, 1);
	answer_many(N_KEPT, N_KEPT + 1);
	expect_answer("runs/0/restart", "runs/0/restart");
	expect_answer("runs/1/restart", "");
}
