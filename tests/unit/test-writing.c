/*
 * When what is written is carried out: the requests that each kind of writer really
 * sends, as section 1.1 of fuse-facts.md has them, one row for each.
 */
#include "fs/writing.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "engine/cleanup.h"

enum request {
	END, /* of the steps */
	FLUSH,
	WRITE,
	READ,	 /* of the same open file */
	RELEASE, /* the last step, implied */
};

/* One request of process @pid, whose descriptors have the lock owner @owner. */
struct step {
	enum request request;
	pid_t pid;
	uint64_t owner;
	const char *text; /* of a WRITE */
	const char *due;  /* what is carried out now; NULL: nothing */
};

struct writer {
	const char *name;
	pid_t opener;
	struct step steps[12];
	const char *due_at_release;
};

/* A shell, a child of it, and a program that it started. */
#define SHELL 100, 1
#define CHILD 101, 2
#define OTHER 102, 3

/* clang-format off */
static const struct writer writers[] = {
	{ "bash, dash: echo x=1 > f", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "x=1\n" },
	    { FLUSH, SHELL, .due = "x=1\n" } } },
	{ "bash: printf of two lines is two writes", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a=1\n" }, { WRITE, SHELL, "b=2\n" },
	    { FLUSH, SHELL, .due = "a=1\nb=2\n" } } },
	{ "{ echo a; echo b; } > f", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a\n" }, { WRITE, SHELL, "b\n" },
	    { FLUSH, SHELL, .due = "a\nb\n" } } },
	{ "tee, cp, node, Python: no flush before", 100,
	  { { WRITE, SHELL, "a=1\nb=2\n" }, { FLUSH, SHELL, .due = "a=1\nb=2\n" } } },
	{ "cat > f of a shell's child, which opens it", 101,
	  { { FLUSH, CHILD }, { WRITE, CHILD, "a=1\n" },
	    { FLUSH, CHILD, .due = "a=1\n" } } },
	{ "Python without a buffer splits even a line", 100,
	  { { WRITE, SHELL, "a=1" }, { WRITE, SHELL, "\n" },
	    { FLUSH, SHELL, .due = "a=1\n" } } },
	{ "{ echo a=1; /bin/true; echo b=2; } > f", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a=1\n" }, { FLUSH, CHILD },
	    { WRITE, SHELL, "b=2\n" }, { FLUSH, SHELL, .due = "a=1\nb=2\n" } } },
	{ "{ /bin/true; echo a=1; } > f: a flush of a child before any data", 100,
	  { { FLUSH, SHELL }, { FLUSH, CHILD }, { WRITE, SHELL, "a=1\n" },
	    { FLUSH, CHILD }, { FLUSH, SHELL, .due = "a=1\n" } } },
	{ "{ /bin/echo a=1; /bin/echo b=2; } > f: children write", 100,
	  { { FLUSH, SHELL }, { WRITE, CHILD, "a=1\n" }, { FLUSH, CHILD },
	    { WRITE, OTHER, "b=2\n" }, { FLUSH, OTHER },
	    { FLUSH, SHELL, .due = "a=1\nb=2\n" } } },
	{ "exec 5>f; echo a >&5; echo b >&5: two requests", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a\n" }, { FLUSH, SHELL, .due = "a\n" },
	    { WRITE, SHELL, "b\n" }, { FLUSH, SHELL, .due = "b\n" },
	    { FLUSH, SHELL } } },
	{ "exec 5>f; /bin/true; echo a >&5", 100,
	  { { FLUSH, SHELL }, { FLUSH, CHILD }, { WRITE, SHELL, "a\n" },
	    { FLUSH, SHELL, .due = "a\n" }, { FLUSH, SHELL } } },
	{ "exec 3<>f; echo a >&3; read <&3: carried out once", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a\n" }, { FLUSH, SHELL, .due = "a\n" },
	    { READ }, { FLUSH, SHELL } } },
	{ "Python: write, then read of the same file", 100,
	  { { WRITE, SHELL, "a\n" }, { READ, .due = "a\n" }, { FLUSH, SHELL } } },
	{ ": > f", 100, { { FLUSH, SHELL }, { FLUSH, SHELL } } },
	{ "touch", 100, { { FLUSH, SHELL } } },
	{ "echo > f: one empty line", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "\n" }, { FLUSH, SHELL, .due = "\n" } } },
	{ "a write of nothing is an empty request", 100,
	  { { WRITE, SHELL, "" }, { FLUSH, SHELL, .due = "" } } },
	{ "a writer that is killed ends as others do", 100,
	  { { FLUSH, SHELL }, { WRITE, SHELL, "a=" }, { FLUSH, SHELL, .due = "a=" } } },
	{ "a descriptor that was passed on: at the release", 100,
	  { { FLUSH, SHELL }, { WRITE, CHILD, "a\n" }, { FLUSH, CHILD } }, "a\n" },
	{ "a thread is no other process", 100,
	  { { WRITE, 200, 1, "a\n" }, { FLUSH, 201, 1, .due = "a\n" } } },
	{ "the opener has gone before the writer writes", 100,
	  { { WRITE, CHILD, "a\n" }, { FLUSH, SHELL },
	    { FLUSH, CHILD, .due = "a\n" } } },
	{ "nobody flushes", 100, { { WRITE, SHELL, "a\n" } }, "a\n" },
};
/* clang-format on */

static void expect_due(struct writing *writing, bool is_due, const char *due,
		       const char *name, size_t step)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_expect_eq(is_due, due != NULL, "%s: step %zu is%s due", name, step,
		     is_due ? "" : " not");
	if (!is_due)
		return;
	text = writing_take(writing);
	cr_expect_not(writing->pending);
	if (due)
		cr_expect_str_eq(strbuf_cstr(&text), due, "%s: step %zu: '%s'", name,
				 step, strbuf_cstr(&text));
}

static void play(const struct writer *writer)
{
	_cleanup_(writing_done) struct writing writing;
	size_t i = 0;

	writing_init(&writing, writer->opener);
	for (; writer->steps[i].request != END; i++) {
		const struct step *step = &writer->steps[i];
		bool is_due = false;

		if (step->request == WRITE)
			cr_expect_eq(writing_add(&writing, step->owner,
						 str_from(step->text)),
				     0);
		else if (step->request == FLUSH)
			is_due = writing_flush(&writing, step->owner, step->pid);
		else
			is_due = writing.pending;
		expect_due(&writing, is_due, step->due, writer->name, i);
	}
	expect_due(&writing, writing.pending, writer->due_at_release, writer->name, i);
}

Test(writing, each_kind_of_writer_makes_its_one_request)
{
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		play(&writers[i]);
}

Test(writing, a_refused_write_drops_the_whole_request)
{
	_cleanup_(writing_done) struct writing writing;

	writing_init(&writing, 100);
	cr_expect_eq(writing_add(&writing, 1, STR("a=1\n")), 0);
	cr_expect_eq(writing_add(&writing, 1, STR("bad\n")), 0);
	writing_fail(&writing, -EINVAL);
	cr_expect_not(writing.pending);
	cr_expect_eq(writing.text.len, 0);
	cr_expect_not(writing_flush(&writing, 1, 100));
}

Test(writing, a_write_that_is_sent_twice_fails_twice)
{
	_cleanup_(writing_done) struct writing writing;

	writing_init(&writing, 100);
	cr_expect_eq(writing_add(&writing, 1, STR("bad\n")), 0);
	writing_fail(&writing, -EINVAL);
	cr_expect_eq(writing_add(&writing, 1, STR("bad\n")), -EINVAL);
	cr_expect_eq(writing_add(&writing, 2, STR("b=2\n")), -EINVAL);
	cr_expect_not(writing.pending);
}

Test(writing, only_the_writers_own_flush_ends_a_failed_request)
{
	_cleanup_(writing_done) struct writing writing;

	writing_init(&writing, 100);
	cr_expect_not(writing_flush(&writing, 1, 100));
	cr_expect_eq(writing_add(&writing, 1, STR("bad\n")), 0);
	writing_fail(&writing, -EBUSY);
	cr_expect_not(writing_flush(&writing, 2, 101));
	cr_expect_eq(writing_add(&writing, 1, STR("x=1\n")), -EBUSY);
	cr_expect_not(writing_flush(&writing, 1, 100));
	cr_expect_eq(writing_add(&writing, 1, STR("x=1\n")), 0);
	cr_expect(writing_flush(&writing, 1, 100));
}

Test(writing, a_read_ends_a_failed_request_too)
{
	_cleanup_(writing_done) struct writing writing;

	writing_init(&writing, 100);
	cr_expect_eq(writing_add(&writing, 1, STR("bad\n")), 0);
	writing_fail(&writing, -EINVAL);
	writing_end_failed(&writing);
	cr_expect_not(writing.pending);
	cr_expect_eq(writing_add(&writing, 1, STR("x=1\n")), 0);
	cr_expect(writing_flush(&writing, 1, 100));
}

Test(writing, what_was_taken_is_not_due_again)
{
	_cleanup_(writing_done) struct writing writing;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	writing_init(&writing, 100);
	cr_expect_eq(writing_add(&writing, 1, STR("x=1\n")), 0);
	text = writing_take(&writing);
	cr_expect_not(writing_flush(&writing, 1, 100));
	cr_expect_eq(writing_add(&writing, 1, STR("y=2\n")), 0);
	cr_expect(str_is(strbuf_str(&writing.text), "y=2\n"));
}

/* Writes @piece @n times; how many bytes have been given to judge in all. */
static size_t judge_many(struct writing *writing, const char *piece, size_t n)
{
	size_t n_judged = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_(strbuf_done) struct strbuf scratch = STRBUF_INIT;
		struct str text;

		cr_assert_eq(writing_add(writing, 1, str_from(piece)), 0);
		text = writing_to_judge(writing, &scratch);
		n_judged += text.len;
		if (text.len > 0)
			cr_assert_eq(writing_judged(writing), 0);
	}
	return n_judged;
}

Test(writing, what_is_judged_grows_as_what_is_written)
{
	static const char *const pieces[] = { "name=value of no length\n", "x", "a=1 b=2",
					      "--needed\n", "a\nb" };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct writing one, four;
		size_t n_one, n_four;

		writing_init(&one, 100);
		writing_init(&four, 100);
		n_one = judge_many(&one, pieces[i], 20000);
		n_four = judge_many(&four, pieces[i], 80000);
		cr_expect_lt(n_four, 6 * n_one, "%s: %zu and %zu", pieces[i], n_one,
			     n_four);
		writing_done(&one);
		writing_done(&four);
	}
}

Test(writing, a_line_is_judged_whole_and_after_the_options)
{
	_cleanup_(strbuf_done) struct strbuf scratch = STRBUF_INIT;
	struct writing writing;

	writing_init(&writing, 100);
	judge_many(&writing, "--force-flags x=1 --needed\n", 1);
	judge_many(&writing, "# a comment -- that is long\nname=value\n", 1000);
	cr_assert_eq(writing_add(&writing, 1, STR("half=a")), 0);
	cr_expect(str_is(writing_to_judge(&writing, &scratch),
			 "--needed\n--force-flags\nhalf=a"));
	cr_assert_eq(writing_judged(&writing), 0);
	cr_assert_eq(writing_add(&writing, 1, STR("bc d=1\n")), 0);
	cr_expect(str_is(writing_to_judge(&writing, &scratch),
			 "--needed\n--force-flags\nhalf=abc d=1\n"));
	writing_done(&writing);
}
