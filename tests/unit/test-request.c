/* What users write to `run` and `restart`: words, values, options, and mistakes. */
#include "engine/request.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "expect.h"

TestSuite(request);

/* Of the exact size, so that a sanitizer sees a read beyond the end. */
static int parse(const char *text, bool complete, struct request *ret, struct strbuf *why)
{
	size_t len = strlen(text);
	_cleanup_free_ char *copy = malloc(len + (len == 0));

	memcpy(copy, text, len);
	return request_parse((struct str){ copy, len }, complete, ret, why);
}

static void expect_flags(const struct request *request, const char *flags,
			 const char *about)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(flags_format(&request->flags, &text), 0);
	expect_text(strbuf_str(&text), flags, about);
}

Test(request, words_become_flags)
{
	static const struct {
		const char *text, *flags;
	} rows[] = {
		{ "", "" },
		{ "\n", "" },
		{ " \t\r\v\f\n\n", "" },
		{ "x=10\n", "x=10\n" },
		{ "x=10", "x=10\n" },
		{ "x=10\ny=3\n", "x=10\ny=3\n" },
		{ "y=3  x=10\tz=b\r\n", "x=10\ny=3\nz=b\n" },
		{ "x=1 x=2\nx=3", "x=3\n" },
		{ "# a comment x=1\n  # another\nx=2\n", "x=2\n" },
		{ "x=a#b", "x=a#b\n" },
		{ "x=", "x=''\n" },
		{ "x= y=1", "x=''\ny=1\n" },
		{ "x=a=b", "x=a=b\n" },
		{ "a.b-c:d/e=1", "a.b-c:d/e=1\n" },
		{ "--x=1", "--x=1\n" },
		{ "x='1'", "x='1'\n" },
		{ "x=\"1\"", "x='1'\n" },
		{ "x='a b' y=1", "x='a b'\ny=1\n" },
		{ "x='it''s one' y=1", "x='it''s one'\ny=1\n" },
		{ "x=\"a \\\" b\" y=1", "x='a \" b'\ny=1\n" },
		{ "x=\"a\\\\\" y=1", "x=a\\\ny=1\n" },
		{ "x=\"a\\nb\"", "x=\"a\\nb\"\n" },
		{ "x=it's y=1", "x=it's\ny=1\n" },
		{ "x=5\" y=1", "x=5\"\ny=1\n" },
		{ "x=[1, 2, 3] y=1", "x=[1, 2, 3]\ny=1\n" },
		{ "x=[1, [2, 3]] y=1", "x=[1, [2, 3]]\ny=1\n" },
		{ "x={a: 1, b: [2, 3]} y=1", "x={a: 1, b: [2, 3]}\ny=1\n" },
		{ "x=[it's, b] y=1", "x=[it's, b]\ny=1\n" },
		{ "x=['a]', \"b]\"] y=1", "x=['a]', 'b]']\ny=1\n" },
		{ "x=[ 'a ] b'] y=1", "x=['a ] b']\ny=1\n" },
		{ "x=['it''] s'] y=1", "x=[\"it\\x27\\x5D s\"]\ny=1\n" },
		{ "x={a: 'b } c'} y=1", "x={a: 'b } c'}\ny=1\n" },
		{ "x={\"a\":\"b } c\"} y=1", "x={a: 'b } c'}\ny=1\n" },
		{ "x={'a }': 1} y=1", "x={'a }': 1}\ny=1\n" },
		{ "x=[1, 2]*2 y=1", "x=[1, 2, 1, 2]\ny=1\n" },
		{ "x=a[1 y=1", "x='a[1'\ny=1\n" },
		{ "x=a] y=1", "x='a]'\ny=1\n" },
		{ "x=\xc3\xa9", "x=\"\\xE9\"\n" },
		{ "x=null y=yes z=1e-5", "x=null\ny=yes\nz=1.0e-05\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(request_done) struct request request = REQUEST_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(parse(rows[i].text, true, &request, &why), 0, "%s: %s",
			     rows[i].text, strbuf_cstr(&why));
		expect_flags(&request, rows[i].flags, rows[i].text);
		cr_expect_null(request.unfinished, "%s", rows[i].text);
	}
}

Test(request, options_stand_among_the_flags)
{
	static const struct {
		const char *text;
		bool needed, force_flags, force_sourcecode;
	} rows[] = {
		{ "x=1", false, false, false },
		{ "--needed", true, false, false },
		{ "x=1 --force-flags\n", false, true, false },
		{ "--force-sourcecode x=1", false, false, true },
		{ "--needed --needed\n--force-flags --force-sourcecode", true, true,
		  true },
		{ "# --needed", false, false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(request_done) struct request request = REQUEST_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(parse(rows[i].text, true, &request, &why), 0);
		cr_expect_eq(request.needed, rows[i].needed, "%s", rows[i].text);
		cr_expect_eq(request.force_flags, rows[i].force_flags, "%s",
			     rows[i].text);
		cr_expect_eq(request.force_sourcecode, rows[i].force_sourcecode, "%s",
			     rows[i].text);
	}
}

/* A mistake is one whether or not more may come: each line here is whole. */
Test(request, a_mistake_is_named)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{ "x=1 y\n", "'y' is neither name=value nor one of the options" },
		{ "--need\n", "'--need' is neither" },
		{ "--needed=1 x\n", "'x' is neither" },
		{ "-n\n", "'-n' is neither" },
		{ "x=1 # comment\n", "'#' begins with '#': a comment has its own" },
		{ "x=1 #y=2\n", "'#y' begins with '#'" },
		{ "=5\n", "begins with '='" },
		{ "x = 5\n", "'x' is neither" },
		{ "x='a\n", "the value of 'x' begins with '" },
		{ "x=\"a\\\"\ny=1\n", "the value of 'x' begins with \"" },
		{ "x=[1, 2\n3]\n", "the value of 'x' begins with [" },
		{ "x={a: 1\n", "the value of 'x' begins with {" },
		{ "x=['a]\n", "the value of 'x' begins with [" },
		{ "x='a'b c'\n", "'c'' is neither" },
	};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct request request = { .needed = true };
		const char *text = rows[i / 2].text;

		cr_expect_eq(parse(text, i % 2, &request, &why), -EINVAL, "%s", text);
		expect_sentence(&why, rows[i / 2].sentence, text);
		cr_expect(request.needed && request.flags.n_items == 0,
			  "%s changed the request", text);
	}
}

Test(request, an_unfinished_value_is_not_judged)
{
	static const struct {
		const char *text, *flags, *unfinished;
	} rows[] = {
		{ "x=1", "", "x" },
		{ "x=", "", "x" },
		{ "y=2 x='a b", "y=2\n", "x" },
		{ "y=2\nx=[1, 2", "y=2\n", "x" },
		{ "x=[1, 2]", "", "x" },
		{ "x='a b'", "", "x" },
		{ "x=\"a\\", "", "x" },
		{ "x=1 ", "x=1\n", NULL },
		{ "x=1\n", "x=1\n", NULL },
		{ "x=1 y", "x=1\n", NULL },
		{ "--nee", "", NULL },
		{ "x=1 --force-fla", "x=1\n", NULL },
		{ "# x", "", NULL },
		{ "x=1 x=2", "x=1\n", "x" },
		{ "x=\xc3", "", "x" },
		{ "x=\xf0\x9f\x98", "", "x" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(request_done) struct request request = REQUEST_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		const char *unfinished;

		cr_expect_eq(parse(rows[i].text, false, &request, &why), 0, "%s: %s",
			     rows[i].text, strbuf_cstr(&why));
		expect_flags(&request, rows[i].flags, rows[i].text);
		unfinished = request.unfinished ? request.unfinished : "(none)";
		cr_expect_str_eq(unfinished,
				 rows[i].unfinished ? rows[i].unfinished : "(none)", "%s",
				 rows[i].text);
	}
}

Test(request, what_no_more_text_can_mend_is_judged_at_once)
{
	static const char *const rows[] = { "y x=1", "x='a\ny=1", "=",
					    "-x ",   "x=\xff",	  "x=1 #" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(request_done) struct request request = REQUEST_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(parse(rows[i], false, &request, &why), -EINVAL, "%s",
			     rows[i]);
		cr_expect_gt(why.len, 0);
	}
}

Test(request, it_is_text)
{
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(request_parse(STR("x=a\0b\n"), true, &request, &why), -EINVAL);
	expect_sentence(&why, "no NUL", "");
	strbuf_reset(&why);
	cr_expect_eq(request_parse(STR("x=\xff\n"), true, &request, &why), -EINVAL);
	expect_sentence(&why, "UTF-8", "");
	cr_expect_eq(request_parse(STR("x=\xc3"), true, &request, &why), -EINVAL);
	cr_expect_eq(request_parse(STR("x=\xc3\n"), false, &request, &why), -EINVAL);
}

Test(request, a_mebibyte_is_the_most)
{
	_cleanup_free_ char *text = malloc(REQUEST_MAX_LEN + 1);
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	memset(text, '\n', REQUEST_MAX_LEN + 1);
	memcpy(text, "x=1", 3);
	cr_expect_eq(request_parse((struct str){ text, REQUEST_MAX_LEN }, true, &request,
				   &why),
		     0);
	cr_expect_eq(request.flags.n_items, 1);
	request_done(&request);
	cr_expect_eq(request_parse((struct str){ text, REQUEST_MAX_LEN + 1 }, true,
				   &request, &why),
		     -E2BIG);
	expect_sentence(&why, "at most 1048576 bytes", "");
}

/* What the file `flags` of a run shows can be written to another. */
Test(request, shown_flags_can_be_written_back)
{
	static const char sample[] =
		"{a: 1, b: '1', c: 1.0, d: 'a b', e: '', f: null, g: 'null', h: [1, a b],"
		" i: {x: '] }'}, j: \"two\\nlines\", k: it's, l: \"'\", m: '[', n: '\"',"
		" o: 2020-01-01, p: -0.0, q: .inf, r: 'x  ', s: '# c', t: \"\\t\", u: "
		"[]}";
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;

	flags_of(sample, &flags);
	cr_assert_eq(flags_format(&flags, &text), 0);
	cr_assert_eq(request_parse(strbuf_str(&text), true, &request, &why), 0, "%s",
		     strbuf_cstr(&why));
	cr_expect(flags_equal(&flags, &request.flags), "%s", strbuf_cstr(&text));
}
