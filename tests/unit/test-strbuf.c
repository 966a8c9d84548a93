/* Text: views that own nothing, and a buffer that grows and remembers a failure. */
#include "engine/strbuf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "engine/cleanup.h"

Test(str, views_compare_by_content)
{
	cr_expect(str_eq(STR("abc"), (struct str){ "abcd", 3 }));
	cr_expect_not(str_eq(STR("abc"), STR("abd")));
	cr_expect_not(str_eq(STR("abc"), STR("ab")));
	cr_expect(str_eq(STR(""), str_from(NULL)));
	cr_expect(str_eq((struct str){ NULL, 0 }, STR("")));
	cr_expect(str_is(STR("abc"), "abc"));
	cr_expect_not(str_is(STR("a\0c"), "a"));
}

Test(str, beginnings_and_ends_are_found)
{
	cr_expect(str_starts(STR("abc"), "ab"));
	cr_expect(str_starts(STR("abc"), ""));
	cr_expect_not(str_starts(STR("ab"), "abc"));
	cr_expect(str_ends(STR("abc"), "bc"));
	cr_expect(str_ends(STR("abc"), "abc"));
	cr_expect_not(str_ends(STR("abc"), "xabc"));
}

Test(str, stripping_takes_white_space_off_both_ends)
{
	cr_expect(str_is(str_strip(STR(" \t\r\n\v\fa b\n ")), "a b"));
	cr_expect(str_is(str_strip(STR("  \n")), ""));
	cr_expect(str_is(str_strip(STR("")), ""));
	cr_expect(str_is(str_strip(STR("a")), "a"));
}

Test(str, splitting_gives_each_piece_once)
{
	struct str rest = STR("a,,b,");
	struct str piece;

	cr_expect(str_split(&rest, ',', &piece));
	cr_expect(str_is(piece, "a"));
	cr_expect(str_split(&rest, ',', &piece));
	cr_expect(str_is(piece, ""));
	cr_expect(str_split(&rest, ',', &piece));
	cr_expect(str_is(piece, "b"));
	cr_expect_not(str_split(&rest, ',', &piece), "an empty last piece");
}

Test(str, only_well_formed_utf8_is_utf8)
{
	static const char *const good[] = { "",		 "abc",		 "\xc2\x80",
					    "\u65e5",	 "\xef\xbf\xbf", "\xed\x9f\xbf",
					    "\U0010ffff" };
	static const char *const bad[] = {
		"\x80",
		"\xc0\x80", /* a lone tail; NUL in two bytes */
		"\xc1\xbf",
		"\xe0\x9f\xbf", /* longer than needed */
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80", /* a surrogate; beyond the end */
		"\xf0\x8f\xbf\xbf",
		"\xf5\x80\x80\x80",
		"\xc2",
		"\xe2\x80",
		"a\xc2z",
		"\xff",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(str_is_utf8(str_from(good[i])), "good %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(str_is_utf8(str_from(bad[i])), "bad %zu", i);
	cr_expect_not(str_is_utf8(STR("a\0b")), "NUL");
}

Test(str, a_duplicate_is_terminated)
{
	_cleanup_free_ char *copy = str_dup((struct str){ "abcdef", 3 });
	_cleanup_free_ char *empty = str_dup((struct str){ NULL, 0 });

	cr_expect_str_eq(copy, "abc");
	cr_expect_str_eq(empty, "");
}

Test(strbuf, an_empty_buffer_is_an_empty_text)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	cr_expect_str_eq(strbuf_cstr(&buf), "");
	cr_expect_eq(strbuf_str(&buf).len, 0);
	cr_expect_eq(strbuf_error(&buf), 0);
	strbuf_reset(&buf);
	strbuf_truncate(&buf, 0);
}

Test(strbuf, additions_are_appended)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	cr_expect_eq(strbuf_adds(&buf, "one"), 0);
	cr_expect_eq(strbuf_addc(&buf, ' '), 0);
	cr_expect_eq(strbuf_addstr(&buf, STR("two")), 0);
	cr_expect_eq(strbuf_addf(&buf, " %d%s", 3, "!"), 0);
	cr_expect_eq(strbuf_add(&buf, "\0x", 2), 0);
	cr_expect_str_eq(strbuf_cstr(&buf), "one two 3!");
	cr_expect_eq(buf.len, strlen("one two 3!") + 2);
	cr_expect_eq(buf.data[buf.len], '\0');
	strbuf_truncate(&buf, 3);
	cr_expect_str_eq(strbuf_cstr(&buf), "one");
	strbuf_truncate(&buf, 100);
	cr_expect_str_eq(strbuf_cstr(&buf), "one");
	strbuf_reset(&buf);
	cr_expect_str_eq(strbuf_cstr(&buf), "");
}

Test(strbuf, a_buffer_grows_as_far_as_needed)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	for (int i = 0; i < 100000; i++)
		cr_assert_eq(strbuf_addc(&buf, (char)('a' + i % 26)), 0);
	cr_expect_eq(buf.len, 100000);
	cr_expect_eq(buf.data[99999], 'a' + 99999 % 26);
	cr_expect_eq(strlen(buf.data), 100000);
}

Test(strbuf, after_a_failure_the_text_stays_and_all_additions_fail)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	strbuf_adds(&buf, "kept");
	cr_expect_null(strbuf_reserve(&buf, SIZE_MAX / 2));
	cr_expect_eq(strbuf_adds(&buf, "lost"), -ENOMEM);
	cr_expect_eq(strbuf_addf(&buf, "%d", 1), -ENOMEM);
	cr_expect_eq(strbuf_error(&buf), -ENOMEM);
	cr_expect_str_eq(strbuf_cstr(&buf), "kept");
	cr_expect_null(strbuf_take(&buf));
	cr_expect_eq(strbuf_error(&buf), 0, "a taken buffer is a new one");
}

Test(strbuf, a_reset_forgets_a_failure)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	cr_expect_null(strbuf_reserve(&buf, SIZE_MAX / 2));
	strbuf_reset(&buf);
	cr_expect_eq(strbuf_adds(&buf, "new"), 0);
	cr_expect_str_eq(strbuf_cstr(&buf), "new");
}

Test(strbuf, reserved_room_is_filled_by_the_caller)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;
	char *room;

	strbuf_adds(&buf, "a");
	room = strbuf_reserve(&buf, 1000);
	cr_assert_not_null(room);
	memset(room, 'b', 1000);
	strbuf_grew(&buf, 2);
	cr_expect_str_eq(strbuf_cstr(&buf), "abb");
}

Test(strbuf, a_taken_text_is_the_callers)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *empty = NULL;

	strbuf_adds(&buf, "mine");
	text = strbuf_take(&buf);
	cr_expect_str_eq(text, "mine");
	cr_expect_eq(buf.len, 0);
	empty = strbuf_take(&buf);
	cr_expect_str_eq(empty, "", "an empty buffer gives an empty text");
}

static void expect_shell(const char *text, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	cr_expect_eq(strbuf_add_shell(&buf, str_from(text)), 0);
	cr_expect_str_eq(strbuf_cstr(&buf), expected);
}

Test(strbuf, shell_words_are_quoted_as_by_shlex)
{
	expect_shell("a/b-c_d.e,f:g@h%i+j=k", "a/b-c_d.e,f:g@h%i+j=k");
	expect_shell("", "''");
	expect_shell("a b", "'a b'");
	expect_shell("it's", "'it'\"'\"'s'");
	expect_shell("$x;*~", "'$x;*~'");
	expect_shell("\u00e9", "'\u00e9'");
}

static void expect_quoted(struct str text, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;

	cr_expect_eq(strbuf_add_quoted(&buf, text), 0);
	cr_expect_str_eq(strbuf_cstr(&buf), expected);
}

Test(strbuf, quoted_words_are_short_and_printable)
{
	char wide[3 * 65];

	expect_quoted(STR("abc"), "'abc'");
	expect_quoted(STR("a\n\0\x7f\xff"), "'a\\x0a\\x00\\x7f\\xff'");
	expect_quoted(STR("\u65e5"), "'\u65e5'");
	expect_quoted(STR("0123456789012345678901234567890123456789"
			  "012345678901234567890123"),
		      "'0123456789012345678901234567890123456789"
		      "012345678901234567890123'");
	expect_quoted(STR("0123456789012345678901234567890123456789"
			  "0123456789012345678901234"),
		      "'0123456789012345678901234567890123456789"
		      "012345678901234567890123...'");
	for (size_t i = 0; i < sizeof(wide); i += 3)
		memcpy(wide + i, "\u65e5", 3);
	_cleanup_(strbuf_done) struct strbuf buf = STRBUF_INIT;
	strbuf_add_quoted(&buf, (struct str){ wide, sizeof(wide) });
	cr_expect_eq(buf.len, 64 * 3 + strlen("''..."), "characters count, not bytes");
}
