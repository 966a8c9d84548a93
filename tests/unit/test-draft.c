/* A text file that is edited: what writes make of it, and when it is to be saved. */
#include "fs/draft.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"

#define OPENER 100
#define OWNER  1
#define OTHER  2

static struct draft draft;

static void begin(void)
{
	draft_init(&draft, OPENER);
	strbuf_adds(&draft.text, "one\ntwo\n");
}

static void end(void)
{
	draft_done(&draft);
}

TestSuite(draft, .init = begin, .fini = end);

static void expect_write(off_t offset, const char *data, const char *text, size_t len)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;

	cr_assert_eq(draft_write(&draft, offset, str_from(data), &made), 0);
	cr_expect(str_eq(strbuf_str(&made), (struct str){ text, len }), "%s at %jd: '%s'",
		  data, (intmax_t)offset, strbuf_cstr(&made));
}

static void write_all(const char *data)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;

	draft_owned(&draft, OWNER);
	cr_assert_eq(draft_write(&draft, 0, str_from(data), &made), 0);
	draft_accept(&draft, &made);
}

Test(draft, a_write_changes_its_place_only)
{
	expect_write(0, "ONE", "ONE\ntwo\n", 8);
	expect_write(4, "2", "one\n2wo\n", 8);
	expect_write(8, "three\n", "one\ntwo\nthree\n", 14);
	expect_write(6, "xyz", "one\ntwxyz", 9);
	expect_write(10, "x", "one\ntwo\n\0\0x", 11);
	expect_write(3, "", "one\ntwo\n", 8);
}

Test(draft, what_appends_is_at_the_end_wherever_the_kernel_has_it)
{
	draft.appends = true;
	expect_write(0, "three\n", "one\ntwo\nthree\n", 14);
	expect_write(100, "x", "one\ntwo\nx", 9);
}

Test(draft, it_can_be_cut_and_filled)
{
	_cleanup_(strbuf_done) struct strbuf cut = STRBUF_INIT, filled = STRBUF_INIT;

	cr_expect_eq(draft_resize(&draft, 4, &cut), 0);
	cr_expect_str_eq(strbuf_cstr(&cut), "one\n");
	cr_expect_eq(draft_resize(&draft, 10, &filled), 0);
	cr_expect(str_eq(strbuf_str(&filled), (struct str){ "one\ntwo\n\0", 10 }));
}

Test(draft, it_has_an_end)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;

	cr_expect_eq(draft_write(&draft, DRAFT_MAX_LEN, STR("x"), &made), -EFBIG);
	cr_expect_eq(draft_write(&draft, DRAFT_MAX_LEN - 1, STR("x"), &made), 0);
	strbuf_reset(&made);
	cr_expect_eq(draft_write(&draft, INT64_MAX, STR("xyz"), &made), -EFBIG);
	cr_expect_eq(draft_resize(&draft, DRAFT_MAX_LEN + 1, &made), -EFBIG);
}

Test(draft, it_is_saved_when_its_writer_closes_it)
{
	cr_expect_not(draft_flush(&draft, OWNER, OPENER + 1));
	write_all("x");
	cr_expect_not(draft_flush(&draft, OTHER, OPENER));
	cr_expect(draft_flush(&draft, OWNER, OPENER));
	draft.changed = false;
	cr_expect_not(draft_flush(&draft, OWNER, OPENER));
}

Test(draft, a_redirection_is_no_close)
{
	draft.changed = true; /* O_TRUNC */
	cr_expect_not(draft_flush(&draft, OWNER, OPENER));
	cr_expect(draft_flush(&draft, OWNER, OPENER), "`: > label` has a second one");
}

Test(draft, but_that_of_who_has_cut_it_is)
{
	_cleanup_(strbuf_done) struct strbuf cut = STRBUF_INIT;

	cr_assert_eq(draft_resize(&draft, 3, &cut), 0);
	draft_accept(&draft, &cut);
	cr_expect(draft_flush(&draft, OWNER, OPENER));
}

Test(draft, one_that_has_failed_is_dropped_until_its_writer_closes_it)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;

	write_all("x");
	draft_fail(&draft, -EINVAL);
	cr_expect_eq(draft_write(&draft, 0, STR("y"), &made), -EINVAL);
	cr_expect_eq(draft_resize(&draft, 0, &made), -EINVAL);
	cr_expect_not(draft_flush(&draft, OWNER, OPENER));
	cr_expect_eq(draft_write(&draft, 0, STR("y"), &made), 0);
}
