/* YAML documents, read and written as Guild's PyYAML does it. */
#include "engine/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"
#include "tests/unit/random-value.h"

#define N_RANDOM 3000

/* What Python would print for a document; "error: ..." for none. */
static char *read_document(struct str text)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf python = STRBUF_INIT;
	int r = yaml_parse(text, &value, &why);

	if (r < 0)
		strbuf_addf(&python, "error: %s: %s", strerrorname_np(-r),
			    strbuf_cstr(&why));
	else
		cr_assert_eq(value_encode_python(&value, &python), 0);
	return strbuf_take(&python);
}

static void expect_read(const char *text, const char *expected)
{
	_cleanup_free_ char *python = read_document(str_from(text));

	cr_expect_str_eq(python, expected, "%s\n gives %s\n, not %s", text, python,
			 expected);
}

static void expect_refused(const char *text, const char *error, const char *word)
{
	_cleanup_free_ char *python = read_document(str_from(text));

	cr_expect(str_starts(str_from(python), "error: "), "%s gives %s", text, python);
	cr_expect_not_null(strstr(python, error), "%s gives %s", text, python);
	cr_expect_not_null(strstr(python, word), "%s gives %s", text, python);
}

static void expect_written(const char *text, const char *expected)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf document = STRBUF_INIT;

	cr_assert_eq(yaml_parse(str_from(text), &value, &why), 0, "%s: %s", text,
		     strbuf_cstr(&why));
	cr_assert_eq(yaml_format(&value, &document), 0);
	cr_expect_str_eq(strbuf_cstr(&document), expected, "%s\n gives %s\n, not %s",
			 text, strbuf_cstr(&document), expected);
}

static void expect_string_written(struct str text, const char *expected)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf document = STRBUF_INIT;

	cr_assert_eq(value_string(&value, text), 0);
	cr_assert_eq(yaml_format(&value, &document), 0);
	cr_expect_str_eq(strbuf_cstr(&document), expected);
}

Test(yaml, an_empty_document_is_null)
{
	expect_read("", "None");
	expect_read("\n# nothing\n", "None");
	expect_read("---\n...\n", "None");
}

Test(yaml, words_of_yaml_1_1_are_booleans_and_null)
{
	expect_read("[yes, Yes, YES, no, on, Off, TRUE, false]",
		    "[True, True, True, False, True, False, True, False]");
	expect_read("[y, n, Y, N, yEs, tRue]", "['y', 'n', 'Y', 'N', 'yEs', 'tRue']");
	expect_read("[~, null, Null, NULL, nuLL, none]",
		    "[None, None, None, None, 'nuLL', 'none']");
}

Test(yaml, integers_come_in_all_bases)
{
	expect_read("[0b11, 0x1F, 017, 1_000, 1:30, -190:20:30]",
		    "[3, 31, 15, 1000, 90, -685230]");
	expect_read("00012345", "5349");
	expect_read("[0o17, 089, 0X1f, 1__, 0_]", "['0o17', '089', '0X1f', 1, 0]");
	expect_read("-0x123456789abcdef123456789", "-5634002667681019493488093065");
}

Test(yaml, floats_need_neither_a_point_nor_a_sign_of_the_exponent)
{
	expect_read("[1e3, 1e-3, +1e3, 1.e3, 1.5, .5, 1., 1_0.5]",
		    "[1000.0, 0.001, 1000.0, 1000.0, 1.5, 0.5, 1.0, 10.5]");
	expect_read("[.inf, -.Inf, +.INF, .nan, .NaN]", "[inf, -inf, inf, nan, nan]");
	expect_read("[1e, e3, -.5, .5e3, 1.2.3, inf, nan]",
		    "['1e', 'e3', '-.5', '.5e3', '1.2.3', 'inf', 'nan']");
	expect_read("1:30.5", "90.5");
}

Test(yaml, dates_and_times_are_recognized)
{
	expect_read("2020-01-01", "datetime.date(2020, 1, 1)");
	expect_read("2020-1-1", "'2020-1-1'");
	expect_read("2020-1-1 1:02:03", "datetime.datetime(2020, 1, 1, 1, 2, 3)");
	expect_read("2020-01-01T10:00:00.5Z",
		    "datetime.datetime(2020, 1, 1, 10, 0, 0, 500000, "
		    "tzinfo=datetime.timezone.utc)");
	expect_read("2020-01-01 10:00:00 -5:30",
		    "datetime.datetime(2020, 1, 1, 10, 0, tzinfo=datetime.timezone("
		    "datetime.timedelta(days=-1, seconds=66600)))");
	expect_refused("2019-02-29", "EBADMSG", "'2019-02-29' is no valid timestamp");
}

Test(yaml, tags_say_the_type)
{
	expect_read("[!!str 1, !!int '3', !!float 1, !!bool 'yEs', !!null x]",
		    "['1', 3, 1.0, True, None]");
	expect_read("[! 12, ! '12', !!seq [a], !!map {a: b}]",
		    "[12, 12, ['a'], {'a': 'b'}]");
	expect_refused("!!int x", "EBADMSG", "line 1: 'x' is no valid int");
	expect_refused("- a\n- !x y", "EBADMSG", "line 2: '!x' is no known type");
	expect_refused("!!set {a}", "EBADMSG", "is no type of a map");
	expect_refused("!!str [a]", "EBADMSG", "is no type of a list");
	expect_refused("!!python/name:os.system x", "EBADMSG", "is no known type");
}

Test(yaml, of_double_keys_the_last_wins)
{
	expect_read("a: 1\nb: 2\na: 3\n", "{'a': 3, 'b': 2}");
}

Test(yaml, merge_keys_add_what_a_map_has_not)
{
	expect_read("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n",
		    "{'a': {'x': 1, 'y': 2}, 'b': {'x': 1, 'y': 3}}");
	expect_read("- &a {x: 1}\n- &b {x: 2, z: 3}\n- <<: [*a, *b]\n",
		    "[{'x': 1}, {'x': 2, 'z': 3}, {'x': 1, 'z': 3}]");
	expect_read("{'<<': 1, =: 2}", "{'<<': 1, '=': 2}");
	expect_refused("{<<: 1}", "EBADMSG", "'<<' takes a map or a list of maps");
	expect_refused("{<<: [1]}", "EBADMSG", "'<<' takes a map or a list of maps");
	expect_refused("[<<]", "EBADMSG", "quote it");
	expect_refused("a: =", "EBADMSG", "quote it");
}

Test(yaml, anchors_and_aliases_are_copies)
{
	expect_read("a: &id001\n- 1\n- x\nb: *id001\n", "{'a': [1, 'x'], 'b': [1, 'x']}");
	expect_read("&a a: *a\n", "{'a': 'a'}");
	expect_refused("*a", "EBADMSG", "'a' is an alias without an anchor");
	expect_refused("[&a x, &a y]", "EBADMSG", "'a' is anchored twice");
	expect_refused("&a [*a]", "EBADMSG", "'a' is an alias inside of its anchor");
}

Test(yaml, keys_are_scalars)
{
	expect_read("{1: a, null: b, 2020-01-01: c}",
		    "{1: 'a', None: 'b', datetime.date(2020, 1, 1): 'c'}");
	expect_refused("{[a]: b}", "EBADMSG", "can't be a key");
	expect_refused("? {a: b}\n: c", "EBADMSG", "can't be a key");
}

Test(yaml, a_broken_document_is_refused_with_its_line)
{
	expect_refused("a: 1\nb: [1\nc: 2\n", "EBADMSG", "line 3: ");
	expect_refused("a\n---\nb\n", "EBADMSG", "line 2: a second document");
	expect_refused("a: \x01", "EBADMSG", "line 1: ");
	expect_refused("a: \xff", "EBADMSG", "line 1: ");
	expect_refused("a: 'b", "EBADMSG", "quoted scalar");
}

Test(yaml, values_know_their_lines)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(yaml_parse(STR("a: 1\nb:\n  - x\n  - y\n"), &value, &why), 0);
	cr_expect_eq(value.line, 1);
	cr_expect_eq(value.map.pairs[1].key.line, 2);
	cr_expect_eq(value_get(&value, "b")->list.items[1].line, 4);
}

static void expect_repeated_refused(const char *part, size_t n, const char *error)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *python = NULL;

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(strbuf_adds(&text, part), 0);
	python = read_document(strbuf_str(&text));
	cr_expect_not_null(strstr(python, error), "%zu times %s gives %.80s", n, part,
			   python);
}

Test(yaml, what_nests_too_deep_is_refused_at_once, .timeout = 120)
{
	expect_repeated_refused("[", 10000, "E2BIG");
	expect_repeated_refused("[", 1000000, "E2BIG");
	expect_repeated_refused("- ", 500000, "E2BIG");
	expect_repeated_refused("? ", 500000, "E2BIG");
	expect_repeated_refused("{a: ", 100000, "E2BIG");
	expect_repeated_refused("%FOO bar\n", 100000, "E2BIG");
	expect_repeated_refused("a", YAML_MAX_LEN + 1, "E2BIG");
}

Test(yaml, as_deep_as_allowed_is_read_and_written)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf again = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	for (size_t i = 0; i < 2 * YAML_MAX_DEPTH; i++)
		strbuf_addc(&text, i < YAML_MAX_DEPTH ? '[' : ']');
	cr_assert_eq(yaml_parse(strbuf_str(&text), &value, &why), 0);
	cr_assert_eq(yaml_format_line(&value, YAML_QUOTE_NEEDED, &again), 0);
	cr_expect_str_eq(strbuf_cstr(&again), strbuf_cstr(&text));
}

Test(yaml, an_alias_bomb_is_refused, .timeout = 120)
{
	_cleanup_(strbuf_done) struct strbuf bomb = STRBUF_INIT;

	strbuf_adds(&bomb, "- &a [x, x, x, x, x, x, x, x, x]\n");
	for (char c = 'b'; c < 'k'; c++)
		strbuf_addf(&bomb, "- &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c,
			    c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
	expect_refused(strbuf_cstr(&bomb), "E2BIG", "expand to too much");
}

Test(yaml, aliases_do_not_nest_without_limit, .timeout = 120)
{
	_cleanup_(strbuf_done) struct strbuf chain = STRBUF_INIT;

	strbuf_adds(&chain, "- &a0 [x]\n");
	for (int i = 0; i < 2000; i++)
		strbuf_addf(&chain, "- &a%d [*a%d]\n", i + 1, i);
	expect_refused(strbuf_cstr(&chain), "E2BIG", "line ");
}

Test(yaml, many_keys_take_no_quadratic_time, .timeout = 120)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	for (int i = 0; i < 100000; i++)
		strbuf_addf(&text, "k%d: 1\n", i);
	cr_assert_eq(yaml_parse(strbuf_str(&text), &value, &why), 0);
	cr_expect_eq(value.map.n_pairs, 100000);
	cr_expect(value_equal(&value, &value));
}

Test(yaml, integers_may_be_of_any_length, .timeout = 60)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *python = NULL;

	for (int i = 0; i < 1000000; i++)
		strbuf_addc(&text, '9');
	python = read_document(strbuf_str(&text));
	cr_expect_str_eq(python, strbuf_cstr(&text));
}

/* They have to be converted, which takes the square of the time. */
Test(yaml, integers_of_another_base_are_as_long_as_python_writes_them)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "0x");
	for (int i = 0; i < 4300; i++)
		strbuf_addc(&text, 'f');
	expect_refused(strbuf_cstr(&text), "EBADMSG", "is no valid int");
}

Test(yaml, scalars_are_plain_where_they_can_be)
{
	static const char *const plain[] = {
		"it's",
		"say \"hi\"",
		"a,b",
		"a:b",
		"c:\\x",
		"1,000",
		"0o17",
		"089",
		"1e",
		"0123456789abcdef",
		"+",
		"None",
		"a b",
		"-a",
		"?a",
		":a",
		"a#b",
		"${x}",
		"http://x/y?z=1",
		"[",
		"2020-1-1",
		"-.5",
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

		if (strcmp(plain[i], "[") == 0)
			strbuf_adds(&expected, "'['\n");
		else
			strbuf_addf(&expected, "%s\n", plain[i]);
		expect_string_written(str_from(plain[i]), strbuf_cstr(&expected));
	}
}

Test(yaml, strings_that_would_be_something_else_are_quoted)
{
	static const char *const quoted[] = {
		"1",	"1.0", "1e-3",	     "1_000", "12:30", "0x10",	"0777", "yes",
		"null", "~",   "2020-01-01", "=",     "<<",    "y",	"n",	"Y",
		"N",	"",    " a",	     "a ",    "# c",   "a # c", "a: b", "a:",
		"- a",	"-",   "? a",	     "---",   "...",   "@x",	"`x",	"%x",
		"!x",	"&a",  "*a",	     "[1:2]", "{",     ".inf",	"._",
	};

	for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

		strbuf_addf(&expected, "'%s'\n", quoted[i]);
		expect_string_written(str_from(quoted[i]), strbuf_cstr(&expected));
	}
}

Test(yaml, a_hex_id_that_looks_like_a_float_is_quoted)
{
	expect_string_written(STR("51e00000000000000000000000000000"),
			      "'51e00000000000000000000000000000'\n");
	expect_string_written(STR("12345678901234567890123456789012"),
			      "'12345678901234567890123456789012'\n");
	expect_string_written(STR("51e0000000000000000000000000000f"),
			      "51e0000000000000000000000000000f\n");
}

Test(yaml, text_that_is_not_printable_ascii_is_escaped)
{
	expect_string_written(STR("\u00e9\u65e5\U0001f600"),
			      "\"\\xE9\\u65E5\\U0001F600\"\n");
	expect_string_written(STR("a\tb\0c\x1b\"\\"), "\"a\\tb\\0c\\e\\\"\\\\\"\n");
	expect_string_written(STR("\u2028\ufeff\x7f"), "\"\\L\\uFEFF\\x7F\"\n");
	expect_string_written(STR("a\nb"), "'a\n\n  b'\n");
	expect_string_written(STR("a \nb"), "\"a \\nb\"\n");
}

Test(yaml, lists_and_maps_are_written_as_guild_writes_them)
{
	expect_written("{b: [1, [2, 3], {d: [], c: 1}], a: {}}",
		       "a: {}\nb:\n- 1\n- - 2\n  - 3\n- c: 1\n  d: []\n");
	expect_written("[]", "[]\n");
	expect_written("{y: 2, n: 'n'}", "'n': 'n'\n'y': 2\n");
	expect_written("{'': [1]}", "? ''\n: - 1\n");
	expect_written("{a: {b: {c: 2020-01-01 10:00:00}}}",
		       "a:\n  b:\n    c: 2020-01-01 10:00:00\n");
}

Test(yaml, long_text_is_folded_at_column_80)
{
	expect_written(
		"k: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
		"cccccccccccccccccccc d e\n",
		"k: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
		"cccccccccccccccccccc\n  d e\n");
	expect_written(
		"k: \"\\taaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
		"cccccccccccccccccccc d e\"\n",
		"k: \"\\taaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
		"cccccccccccccccccccc\\\n  \\ d e\"\n");
}

Test(yaml, text_that_is_folded_beyond_the_width_keeps_its_blanks)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 45; i++)
		strbuf_adds(&text, "- ");
	strbuf_adds(&text, "\"x\\xE9\\\n");
	for (int i = 0; i < 2; i++)
		strbuf_addf(&text, "%90s\\ %s\n", "", i == 0 ? "\\" : "x\"");
	expect_written(strbuf_cstr(&text), strbuf_cstr(&text));
}

Test(yaml, long_keys_stand_alone)
{
	char key[124] = "";
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	memset(key, 'k', sizeof(key) - 1);
	strbuf_addf(&text, "? %s\n: 1\n", key);
	expect_written(strbuf_cstr(&text), strbuf_cstr(&text));
	strbuf_reset(&text);
	strbuf_addf(&text, "%s: 1\n", key + 1);
	expect_written(strbuf_cstr(&text), strbuf_cstr(&text));
}

Test(yaml, floats_are_the_shortest_that_read_back)
{
	static const struct {
		double real;
		const char *text;
	} rows[] = {
		{ 0.1, "0.1\n" },
		{ 1e-05, "1.0e-05\n" },
		{ 0.0001, "0.0001\n" },
		{ 1e15, "1000000000000000.0\n" },
		{ 1e16, "1.0e+16\n" },
		{ 1.5e300, "1.5e+300\n" },
		{ -0.0, "-0.0\n" },
		{ 5e-324, "5.0e-324\n" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308\n" },
		/* 2 to the -44: the nearest 16 digits would be another number. */
		{ 0x1p-44, "5.684341886080802e-14\n" },
		{ 100.0, "100.0\n" },
		{ 123456789012345680.0, "1.2345678901234568e+17\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		struct value value = VALUE_INIT;

		value_float(&value, rows[i].real);
		cr_assert_eq(yaml_format(&value, &text), 0);
		cr_expect_str_eq(strbuf_cstr(&text), rows[i].text);
	}
}

Test(yaml, a_comma_locale_changes_nothing)
{
	static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE" };
	const char *set = NULL;

	for (size_t i = 0; !set && i < sizeof(names) / sizeof(names[0]); i++)
		set = setlocale(LC_ALL, names[i]);
	if (!set)
		cr_skip_test("no such locale here");
	expect_read("[1.5, 1:30.25, 1.25e-7]", "[1.5, 90.25, 1.25e-07]");
	expect_written("1.5", "1.5\n");
}

Test(yaml, flow_style_is_folded_between_items)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	cr_assert_eq(
		yaml_parse(STR("{a: [1, 'x y', '?', 2020-01-01 10:00:00], y: a\\:b}"),
			   &value, &why),
		0);
	cr_assert_eq(yaml_format_inline(&value, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text),
			 "{a: [1, x y, '?', !!timestamp '2020-01-01 10:00:00'], "
			 "y: 'a\\:b'}");
}

/* Whether what @format writes is read as the same value. */
static void expect_round_trip(const struct value *value,
			      int (*format)(const struct value *, struct strbuf *))
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value again = VALUE_INIT;

	cr_assert_eq(format(value, &text), 0);
	cr_assert_eq(yaml_parse(strbuf_str(&text), &again, &why), 0, "%s\n%s",
		     strbuf_cstr(&text), strbuf_cstr(&why));
	cr_assert(value_identical(value, &again), "%s", strbuf_cstr(&text));
}

static int format_line(const struct value *value, struct strbuf *ret)
{
	int r = yaml_format_line(value, YAML_QUOTE_NEEDED, ret);

	cr_expect(!ret->data || !strchr(ret->data, '\n'), "%s", ret->data);
	return r;
}

static int format_quoted(const struct value *value, struct strbuf *ret)
{
	return yaml_format_line(value, YAML_QUOTE_ALL, ret);
}

/* It is read without a parser. */
Test(yaml, a_word_alone_is_what_it_is_in_a_list)
{
	static const char *const words[] = {
		"0",
		"12",
		"1_000",
		"007",
		"0x1f",
		"0b101",
		"0o17",
		"1.5",
		"1.",
		"1e5",
		"1.5e+3",
		"190:20:30",
		"12.5.6",
		"a.b-c+d",
		"1-2",
		"yes",
		"y",
		"null",
		"Null",
		"True",
		"a_b",
		"0x",
		"1__",
		"2026-01-31",
		"2026-13-99",
		"2026-1-1T1",
		"12a",
		"e5",
		"1e",
		"a--",
		"a...",
		"off",
		"inf",
		"NaN",
		"0.0.0",
		"9999999999999999999999",
		"1795887337673227",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf list = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT;
		_cleanup_free_ char *in_list = NULL;
		_cleanup_free_ char *alone = NULL;

		strbuf_addf(&list, "[%s]", words[i]);
		strbuf_addf(&line, "%s\n", words[i]);
		in_list = read_document(strbuf_str(&list));
		alone = read_document(strbuf_str(&line));
		if (str_starts(str_from(in_list), "error: ")) {
			cr_expect_str_eq(alone, in_list);
			continue;
		}
		in_list[strlen(in_list) - 1] = '\0';
		cr_expect_str_eq(alone, in_list + 1, "%s: %s, in a list %s", words[i],
				 alone, in_list + 1);
		expect_read(words[i], alone);
	}
}

Test(yaml, what_is_written_is_read_back)
{
	struct random random = { 20260131 };

	for (int i = 0; i < N_RANDOM; i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT;

		cr_assert_eq(random_value(&random, 4, &value), 0);
		expect_round_trip(&value, yaml_format);
		expect_round_trip(&value, yaml_format_inline);
		expect_round_trip(&value, format_line);
		expect_round_trip(&value, format_quoted);
	}
}
