/* Arrays of texts, and how a shell's command line becomes one. */
#include "engine/strv.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/cleanup.h"
#include "expect.h"

TestSuite(strv);

Test(strv, none_has_no_length_and_can_be_freed)
{
	char *empty[] = { NULL };

	cr_expect_eq(strv_length(NULL), 0);
	cr_expect_eq(strv_length(empty), 0);
	strv_free(NULL);
}

Test(strv, texts_are_appended_in_order_and_copied)
{
	_cleanup_(strv_freep) char **strv = NULL;
	char text[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		cr_assert_eq(strv_append(&strv, str_from(text)), 0);
		cr_expect_eq(strv_length(strv), (size_t)i + 1);
	}
	for (int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		cr_expect_str_eq(strv[i], text);
	}
}

Test(strv, only_the_view_is_copied)
{
	_cleanup_(strv_freep) char **strv = NULL;

	cr_assert_eq(strv_append(&strv, (struct str){ "number", 3 }), 0);
	cr_expect_str_eq(strv[0], "num");
}

Test(strv, to_take_what_could_not_be_made_is_enomem)
{
	_cleanup_(strv_freep) char **strv = NULL;

	cr_expect_eq(strv_take(&strv, NULL), -ENOMEM);
	cr_expect_null(strv);
	cr_assert_eq(strv_take(&strv, strdup("a")), 0);
	cr_expect_eq(strv_take(&strv, NULL), -ENOMEM);
	cr_expect_eq(strv_length(strv), 1);
}

/* What Python's shlex.split() gives. */
Test(strv, words_are_split_as_by_a_shell)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "" },
		{ " \t\n\r ", "" },
		{ "a", "a" },
		{ "  a \t b\nc\r", "a | b | c" },
		{ "'a b' \"c d\"", "a b | c d" },
		{ "a'b c'd", "ab cd" },
		{ "''", "" },
		{ "a '' b", "a |  | b" },
		{ "a\\ b", "a b" },
		{ "a\\\nb", "a\nb" },
		{ "'a\\b'", "a\\b" },
		{ "\"a\\b\"", "a\\b" },
		{ "\"a\\\"b\\\\c\"", "a\"b\\c" },
		{ "\"a\\$b\"", "a\\$b" },
		{ "\"it's\" 'say \"hi\"'", "it's | say \"hi\"" },
		{ "$HOME `x` a#b #c *", "$HOME | `x` | a#b | #c | *" },
		{ "a;b|c", "a;b|c" },
		{ "a\vb", "a\vb" },
		{ "\xc3\xa9 \xc3\xbc", "\xc3\xa9 | \xc3\xbc" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strv_freep) char **words = NULL;

		cr_expect_eq(strv_split_shell(str_from(rows[i].text), &words), 0, "%s",
			     rows[i].text);
		cr_expect_not_null(words, "%s", rows[i].text);
		expect_words(words, rows[i].words, rows[i].text);
	}
}

Test(strv, an_empty_word_is_a_word)
{
	_cleanup_(strv_freep) char **words = NULL;

	cr_assert_eq(strv_split_shell(STR("'' \"\""), &words), 0);
	cr_expect_eq(strv_length(words), 2);
}

Test(strv, an_open_quote_is_einval)
{
	static const char *const rows[] = { "'",   "\"",   "a 'b",  "a \"b\\\"",
					    "a\\", "\"\\", "'it's'" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char **words = NULL;

		cr_expect_eq(strv_split_shell(str_from(rows[i]), &words), -EINVAL, "%s",
			     rows[i]);
		cr_expect_null(words, "%s", rows[i]);
	}
}

Test(strv, what_is_quoted_for_a_shell_is_one_word_again)
{
	static const char *const rows[] = { "",	  "a",	"a b", "it's", "'", "\"",
					    "\\", "$x", "\n",  "'a'",  "#" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(strv_freep) char **words = NULL;

		cr_assert_eq(strbuf_add_shell(&text, str_from(rows[i])), 0);
		cr_assert_eq(strv_split_shell(strbuf_str(&text), &words), 0);
		cr_assert_eq(strv_length(words), 1, "%s", strbuf_cstr(&text));
		cr_expect_str_eq(words[0], rows[i]);
	}
}
