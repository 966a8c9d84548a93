/*
 * A run's label, tags and comments: which text is taken, and what Guild has of it then.
 */
#include "engine/metadata.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/amend.h"
#include "engine/lock.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static void begin(void)
{
	scratch_make();
	scratch_put_run("r1");
	cr_assert_eq(setenv("HOST", "here", 1), 0);
	cr_assert_eq(setenv("USER", "me", 1), 0);
}

TestSuite(metadata, .init = begin, .fini = scratch_remove, .timeout = 60);

/* What @text makes of the attribute that is @old (NULL: none); NULL: it stays. */
static void expect_made(enum metadata which, const char *old, const char *text,
			const char *attr)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = scratch_run("r1");
	int r;

	if (old)
		scratch_put_attr("r1", metadata_attr(which), old);
	r = metadata_make(run, which, str_from(text), &made, &why);
	cr_assert_eq(r, attr != NULL, "'%s': %d %s", text, r, strbuf_cstr(&why));
	if (attr)
		expect_text(strbuf_str(&made), attr, text);
}

static void expect_read(enum metadata which, const char *attr, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf read = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = scratch_run("r1");

	scratch_put_attr("r1", metadata_attr(which), attr);
	cr_assert_eq(metadata_read(run, which, &read), 0);
	expect_text(strbuf_str(&read), text, attr);
}

Test(metadata, each_is_read_as_text)
{
	expect_read(METADATA_LABEL, "a b\n", "a b\n");
	expect_read(METADATA_LABEL, "\"two\\nlines\"\n", "two lines\n");
	expect_read(METADATA_LABEL, "12\n", "12\n");
	expect_read(METADATA_LABEL, "null\n", "");
	expect_read(METADATA_TAGS, "[b, 1, a]\n", "b\n1\na\n");
	expect_read(METADATA_TAGS, "none\n", "");
	expect_read(METADATA_COMMENT, "[{body: one}, {user: v}, {body: \"two\\n2\"}]\n",
		    "one\ntwo\n2\n");
}

Test(metadata, a_label_is_one_line)
{
	expect_made(METADATA_LABEL, NULL, "a b\n", "a b\n");
	expect_made(METADATA_LABEL, NULL, "yes", "'yes'\n");
	expect_made(METADATA_LABEL, NULL, " x ", "' x '\n");
	expect_made(METADATA_LABEL, NULL, "", NULL);
	expect_made(METADATA_LABEL, "old\n", "old\n", NULL);
	expect_made(METADATA_LABEL, "old\n", "\n", "");
	expect_made(METADATA_LABEL, "old\n", " ", "");
}

Test(metadata, tags_are_set_or_changed)
{
	expect_made(METADATA_TAGS, NULL, "b a b\n", "- a\n- b\n");
	expect_made(METADATA_TAGS, "[b, a]\n", "a\nb\n", NULL);
	expect_made(METADATA_TAGS, "[b, a]\n", "+c -a\n", "- b\n- c\n");
	expect_made(METADATA_TAGS, "[a]\n", "+a -x", NULL);
	expect_made(METADATA_TAGS, "[a]\n", "b\n+c\n-b\n", "- c\n");
	expect_made(METADATA_TAGS, "[a]\n", "-a", "[]\n");
	expect_made(METADATA_TAGS, "[a]\n", "\n", "[]\n");
	expect_made(METADATA_TAGS, "[a, 1]\n", "+b", "- '1'\n- a\n- b\n");
}

/* A comment of ours, without its time, which is what is left to @ret_rest. */
static void expect_ours(struct str *rest, const char *body)
{
	_cleanup_(strbuf_done) struct strbuf start = STRBUF_INIT;
	struct str line;

	strbuf_addf(&start, "- body: %s\n  host: here\n", body);
	cr_assert(str_starts(*rest, strbuf_cstr(&start)), "'%s' has no '%s'", rest->data,
		  strbuf_cstr(&start));
	rest->data += start.len;
	rest->len -= start.len;
	cr_assert(str_split(rest, '\n', &line));
	cr_expect(str_starts(line, "  time: 1"), "%.*s", (int)line.len, line.data);
	cr_assert(str_split(rest, '\n', &line));
	cr_expect(str_is(line, "  user: me"));
}

Test(metadata, what_others_have_said_stays_theirs)
{
	static const char her[] = "- body: one\n  host: h\n  time: 1\n  user: her\n";
	static const char him[] = "- body: 'two\n\n    2'\n  host: h\n  time: 2\n"
				  "  user: him\n";
	static const struct {
		const char *text, *before, *ours, *after;
	} rows[] = {
		{ "one\ntwo\n2\nthree\n", "ht", "three", "" },
		{ "one\ntwo\n2\nthree", "ht", "three", "" },
		{ "zero\none\ntwo\n2\n", "", "zero", "ht" },
		{ "one\nmore\ntwo\n2\n", "h", "more", "t" },
		{ "ONE\ntwo\n2\n", "", "ONE", "t" },
		{ "one\nTWO\n", "h", "TWO", "" },
		{ "new\n", "", "new", "" },
	};
	_cleanup_(run_freep) struct run *run = scratch_run("r1");
	_cleanup_(strbuf_done) struct strbuf both = STRBUF_INIT;

	strbuf_addf(&both, "%s%s", her, him);
	scratch_put_attr("r1", "comments", strbuf_cstr(&both));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT,
						     why = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf after = STRBUF_INIT;
		struct str rest;

		cr_assert_eq(metadata_make(run, METADATA_COMMENT, str_from(rows[i].text),
					   &made, &why),
			     1, "%s", rows[i].text);
		rest = strbuf_str(&made);
		for (const char *c = rows[i].before; *c; c++) {
			const char *entry = *c == 'h' ? her : him;

			cr_assert(str_starts(rest, entry), "%s: %s", rows[i].text,
				  rest.data);
			rest.data += strlen(entry);
			rest.len -= strlen(entry);
		}
		expect_ours(&rest, rows[i].ours);
		for (const char *c = rows[i].after; *c; c++)
			strbuf_adds(&after, *c == 'h' ? her : him);
		expect_text(rest, strbuf_cstr(&after), rows[i].text);
	}
	expect_made(METADATA_COMMENT, NULL, "one\ntwo\n2\n", NULL);
	expect_made(METADATA_COMMENT, NULL, "one\n", her);
	expect_made(METADATA_COMMENT, NULL, "\n", "");
}

Test(metadata, what_is_no_text_is_refused)
{
	static const struct {
		enum metadata which;
		const char *text;
		bool complete;
		int result;
	} rows[] = {
		{ METADATA_LABEL, "a\nb", false, -EINVAL },
		{ METADATA_LABEL, "a\n\n", false, -EINVAL },
		{ METADATA_LABEL, "\xc3", true, -EINVAL },
		{ METADATA_LABEL, "\xc3", false, 0 },
		{ METADATA_LABEL, "\xe2\x82", false, 0 },
		{ METADATA_LABEL, "\xff", false, -EINVAL },
		{ METADATA_LABEL, "\xff x", false, -EINVAL },
		{ METADATA_COMMENT, "a\xc3\n", false, -EINVAL },
		{ METADATA_COMMENT, "any\n\nlines", true, 0 },
		{ METADATA_TAGS, "a +", false, 0 },
		{ METADATA_TAGS, "a +", true, -EINVAL },
		{ METADATA_TAGS, "a + ", false, -EINVAL },
		{ METADATA_TAGS, "- a", false, -EINVAL },
		{ METADATA_TAGS, "--x", true, 0 },
	};
	_cleanup_(strbuf_done) struct strbuf longest = STRBUF_INIT, why = STRBUF_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf sentence = STRBUF_INIT;

		cr_expect_eq(metadata_check(rows[i].which, str_from(rows[i].text),
					    rows[i].complete, &sentence),
			     rows[i].result, "'%s'", rows[i].text);
		cr_expect_eq(sentence.len > 0, rows[i].result < 0, "'%s'", rows[i].text);
	}
	for (size_t i = 0; i < METADATA_MAX_LEN; i++)
		strbuf_addc(&longest, 'x');
	cr_expect_eq(metadata_check(METADATA_COMMENT, strbuf_str(&longest), true, &why),
		     0);
	strbuf_addc(&longest, 'x');
	cr_expect_eq(metadata_check(METADATA_COMMENT, strbuf_str(&longest), true, &why),
		     -EFBIG);
	cr_expect_eq(metadata_check(METADATA_LABEL, (struct str){ "a\0b", 3 }, true,
				    &why),
		     -EINVAL);
}

/* Writing it: under the lock, and on the disk. */
static struct loop *loop;
static struct store *store;
static struct spawner *spawner;
static struct amender *amender;
static int written;

static void begin_with(const char *program)
{
	cr_assert_eq(spawner_new(loop, store_fd(store), program, &spawner), 0);
	cr_assert_eq(amender_new(loop, store, spawner, &amender), 0);
}

static void end_with(void)
{
	amender_free(amender);
	spawner_free(spawner);
}

static void begin_amending(void)
{
	begin();
	store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	begin_with(getenv("RUNFS_SUPERVISOR"));
	written = 1;
}

static void end_amending(void)
{
	end_with();
	loop_free(loop);
	store_free(store);
	while (waitpid(-1, NULL, 0) > 0)
		;
	scratch_remove();
}

TestSuite(amend, .init = begin_amending, .fini = end_amending, .timeout = 60);

static void on_written(void *userdata, int r, struct str why)
{
	written = r;
	loop_stop(loop);
}

static int amend(const char *id, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	return amend_run(amender, id, METADATA_LABEL, str_from(text), on_written, NULL,
			 &why);
}

static void expect_label(const char *text)
{
	_cleanup_free_ char *label = scratch_get("home/runs/r1/.guild/attrs/label");

	if (!text)
		cr_expect_null(label);
	else
		cr_expect_str_eq(label, text);
}

Test(amend, what_is_written_is_told_when_it_is_on_the_disk)
{
	cr_assert_eq(amend("r1", "a label\n"), -EINPROGRESS);
	run_patiently(loop);
	cr_expect_eq(written, 0);
	expect_label("a label\n");
	cr_expect_eq(amend("r1", "a label\n"), 0);
	cr_assert_eq(amend("r1", "\n"), -EINPROGRESS);
	run_patiently(loop);
	cr_expect_eq(written, 0);
	expect_label(NULL);
}

Test(amend, what_does_not_reach_the_disk_is_taken_back)
{
	cr_assert_eq(amend("r1", "old\n"), -EINPROGRESS);
	run_patiently(loop);
	end_with();
	begin_with("/bin/false");
	cr_assert_eq(amend("r1", "new\n"), -EINPROGRESS);
	expect_label("new\n");
	run_patiently(loop);
	cr_expect_lt(written, 0);
	expect_label("old\n");

	/* But not what somebody else has written since. */
	cr_assert_eq(amend("r1", "new\n"), -EINPROGRESS);
	scratch_put_attr("r1", "label", "other\n");
	run_patiently(loop);
	cr_expect_lt(written, 0);
	expect_label("other\n");
	scratch_delete("home/runs/r1/.guild/attrs/label");
	cr_assert_eq(amend("r1", "new\n"), -EINPROGRESS);
	run_patiently(loop);
	expect_label(NULL);
}

Test(amend, a_run_without_attributes_gets_some)
{
	scratch_delete("home/runs/r1/.guild/attrs");
	cr_assert_eq(amend("r1", "x"), -EINPROGRESS);
	run_patiently(loop);
	cr_expect_eq(written, 0);
	expect_label("x\n");
}

Test(amend, what_can_not_be_written_says_so)
{
	cr_expect_eq(amend("r2", "x"), -ENOENT);
	cr_expect_eq(amend("r1", "x\ny"), -EINVAL);
	expect_label(NULL);
}

Test(amend, it_waits_for_whoever_has_the_lock)
{
	_cleanup_(run_freep) struct run *run = scratch_run("r1");

	cr_assert_eq(lock_try(run_guild_fd(run)), 0);
	cr_assert_eq(amend("r1", "x"), -EINPROGRESS);
	run_for(loop, 50000);
	cr_expect_eq(written, 1);
	expect_label(NULL);
	lock_leave(run_guild_fd(run));
	run_patiently(loop);
	cr_expect_eq(written, 0);
	expect_label("x\n");
	/* Nobody who starts the run finds the lock taken then. */
	cr_expect_eq(lock_try(run_guild_fd(run)), 0);
}

Test(amend, a_run_that_goes_meanwhile_is_not_made_again)
{
	_cleanup_(run_freep) struct run *run = scratch_run("r1");

	cr_assert_eq(lock_try(run_guild_fd(run)), 0);
	cr_assert_eq(amend("r1", "x"), -EINPROGRESS);
	scratch_delete("home/runs/r1");
	run_patiently(loop);
	cr_expect_eq(written, -ENOENT);
	cr_expect_not(scratch_has("home/runs/r1"));
}

static bool has_label(const void *userdata)
{
	return scratch_has("home/runs/r1/.guild/attrs/label");
}

Test(amend, what_waits_when_the_mount_ends_is_written_all_the_same)
{
	_cleanup_(run_freep) struct run *run = scratch_run("r1");

	cr_assert_eq(lock_try(run_guild_fd(run)), 0);
	cr_assert_eq(amend("r1", "late"), -EINPROGRESS);
	amender_free(amender);
	amender = NULL;
	expect_label(NULL);
	lock_leave(run_guild_fd(run));
	await(has_label, NULL, "the label");
	expect_label("late\n");
}
