/*
 * Configuration files that take flags: what Guild's own tests have of them, and the three
 * formats that they may be in.
 */
#include "engine/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/arg-split.h"
#include "engine/cleanup.h"
#include "engine/ini.h"
#include "engine/json-value.h"
#include "engine/placed.h"
#include "expect.h"

#define YAML                                                                             \
	"i: 123\nf: 1.123\ns: Howdy Guild\nb: no\nl:\n  - 1\n  - 1.2\n  - blue\n"        \
	"  - yes\nd: {}\n"
#define NESTED                                                                           \
	"a:\n  b:\n    c: 123\n  d: 1.123\ne:\n  f: hello\ng.h: 999\n"                   \
	"i.j:\n  k.l: 2\n"
#define JSON                                                                             \
	"{\"i\": 456, \"f\": 2.234, \"s\": \"flu flam\", \"b\": true,\n"                 \
	" \"l\": [1, 2, \"abc\"], \"d\": {\"a\": \"A\", \"b\": \"B\"}}\n"
#define INI                                                                              \
	"[DEFAULT]\n# Where sections say nothing\ni = 123\nf = 1.123\n"                  \
	"s = hello there\nb = yes\n\n[a.b]\ni = 456\ns = bye\nb = 0\n\n"                 \
	"[a.b.c]\ni.1 = 789\ni.2 = 012\nS: hi.again\n"

Test(config, a_file_is_known_by_its_name)
{
	static const struct {
		const char *dest, *file, *target;
	} rows[] = {
		{ "config:flags.yml", "flags.yml", "flags.yml" },
		{ "config:sub/flags.YAML", "sub/flags.YAML", "sub/flags.YAML" },
		{ "config:a.json.in", "a.json.in", "a.json" },
		{ "config:a.cfg", "a.cfg", "a.cfg" },
		{ "config:a.ini.in", "a.ini.in", "a.ini" },
		{ "globals", "", "" },
		{ "config:", "", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT,
						     target = STRBUF_INIT;
		struct str file = config_file(str_from(rows[i].dest));

		expect_text(file, rows[i].file, rows[i].dest);
		if (file.len == 0)
			continue;
		cr_expect_eq(config_check(file, &why), 0, "%s", strbuf_cstr(&why));
		cr_expect_eq(config_add_target(file, &target), 0);
		expect_text(strbuf_str(&target), rows[i].target, rows[i].dest);
	}
}

Test(config, what_is_no_such_file_is_refused)
{
	static const struct {
		const char *file, *sentence;
	} rows[] = {
		{ "params.badext", "config type for params.badext not supported: the" },
		{ "flags.in", "config type for flags.in not supported" },
		{ ".yml", "config type for .yml not supported" },
		{ "/etc/x.yml", "names a file of the project" },
		{ "../x.yml", "names a file of the project" },
		{ "a/./x.yml", "names a file of the project" },
		{ "a//x.yml", "names a file of the project" },
		{ ".guild/x.yml", "names a file of the project" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(config_check(str_from(rows[i].file), &why), -EINVAL);
		expect_sentence(&why, rows[i].sentence, rows[i].file);
	}
}

static void expect_flags(const char *file, const char *text, const char *expected)
{
	_cleanup_(value_done) struct value document = VALUE_INIT, flags = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(config_parse(str_from(file), str_from(text), &document, &why), 0,
		     "%s", strbuf_cstr(&why));
	cr_assert_eq(config_flags(&document, &flags, &why), 0, "%s", strbuf_cstr(&why));
	expect_document(&flags, expected, file);
}

Test(config, its_values_are_flags_with_types)
{
	expect_flags("f.yml", YAML,
		     "b:\n  default: false\n  type: boolean\n"
		     "f:\n  default: 1.123\n  type: number\n"
		     "i:\n  default: 123\n  type: number\n"
		     "l:\n  arg-split: true\n  default: 1 1.2 blue true\n"
		     "s:\n  default: Howdy Guild\n  type: string\n");
	expect_flags("f.yml", NESTED,
		     "a.b.c:\n  default: 123\n  type: number\n"
		     "a.d:\n  default: 1.123\n  type: number\n"
		     "e.f:\n  default: hello\n  type: string\n"
		     "g.h:\n  default: 999\n  type: number\n"
		     "i.j.k.l:\n  default: 2\n  type: number\n");
	expect_flags("f.json", "{\"o\": null, \"l\": [\"1\", \"a b\", []], \"e\": []}",
		     "e:\n  arg-split: true\n  default: ''\n"
		     "l:\n  arg-split: true\n  default: '\"''1''\" ''a b'' ''[]'''\n"
		     "o:\n  default: null\n");
	expect_flags("f.ini", INI,
		     "DEFAULT.b:\n  default: true\n  type: boolean\n"
		     "DEFAULT.f:\n  default: 1.123\n  type: number\n"
		     "DEFAULT.i:\n  default: 123\n  type: number\n"
		     "DEFAULT.s:\n  default: hello there\n  type: string\n"
		     "a.b.b:\n  default: 0\n  type: number\n"
		     "a.b.c.i.1:\n  default: 789\n  type: number\n"
		     "a.b.c.i.2:\n  default: 12\n  type: number\n"
		     "a.b.c.s:\n  default: hi.again\n  type: string\n"
		     "a.b.i:\n  default: 456\n  type: number\n"
		     "a.b.s:\n  default: bye\n  type: string\n");
	/* What no flag can be called, and what no flag can be. */
	expect_flags("f.yml", "'a b': 1\n'c=d': 1\n1: 2\nday: 2020-01-01\nx: 1\n",
		     "x:\n  default: 1\n  type: number\n");
	expect_flags("f.yml", "", "{}\n");
}

static void expect_rendered(const char *file, const char *text, const char *flags_yaml,
			    const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf rendered = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value cmd_flags = VALUE_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	flags_of(flags_yaml, &flags);
	value_of("{l: {arg-split: true}, c: {arg-split: ','}, other: {arg-name: a.d}}",
		 &cmd_flags);
	cr_assert_eq(config_render(str_from(file), str_from(text), &cmd_flags, &flags,
				   &rendered, &why),
		     0, "%s: %s", flags_yaml, strbuf_cstr(&why));
	expect_text(strbuf_str(&rendered), expected, flags_yaml);
}

Test(config, flags_stand_in_it_where_they_belong)
{
	expect_rendered("f.yml", YAML, "{b: yes, f: 4.456, l: 'a b 123', s: hi}",
			"b: true\nd: {}\nf: 4.456\ni: 123\nl:\n- a\n- b\n- 123\ns: hi\n");
	expect_rendered("f.yml", "l: []\n", "{l: 5}", "l:\n- 5\n");
	expect_rendered("f.yml", YAML, "{b: null, c: '1,,2', d: x}",
			"b: false\nc:\n- 1\n- 2\nd: x\nf: 1.123\ni: 123\n"
			"l:\n- 1\n- 1.2\n- blue\n- true\ns: Howdy Guild\n");
	expect_rendered("f.yml", NESTED, "{a.b.c: 888, g.h: 777, i.j.k.l: 666, other: 5}",
			"a:\n  b:\n    c: 888\n  d: 5\ne:\n  f: hello\ng.h: 777\n"
			"i.j:\n  k.l: 666\n");
	expect_rendered("f.yml", NESTED, "{y: 1, z.1: 2, z.2: 3, a.e: 4}",
			"a:\n  b:\n    c: 123\n  d: 1.123\n  e: 4\ne:\n  f: hello\n"
			"g.h: 999\ni.j:\n  k.l: 2\n'y': 1\nz:\n  '1': 2\n  '2': 3\n");
	expect_rendered("f.json.in", JSON, "{s: abc, l: \"2 1 'a b' d\"}",
			"{\"b\": true, \"d\": {\"a\": \"A\", \"b\": \"B\"}, \"f\": 2.234,"
			" \"i\": 456, \"l\": [2, 1, \"a b\", \"d\"], \"s\": \"abc\"}\n");
	expect_rendered("f.cfg", INI,
			"{DEFAULT.i: 222, DEFAULT.b: no, a.b.i: 333, a.b.new: 444,"
			" a.b.c.i.1: 888, a.b.c.s: 'bye again', z.a.b: x}",
			"[DEFAULT]\nb = False\nf = 1.123\ni = 222\ns = hello there\n\n"
			"[a.b]\nb = 0\ni = 333\nnew = 444\ns = bye\n\n"
			"[a.b.c]\ni.1 = 888\ni.2 = 12\ns = bye again\n\n"
			"[z]\na.b = x\n\n");
	expect_rendered("f.ini", "[DEFAULT]\nx=1\n", "{x: 2}", "[DEFAULT]\nx = 2\n\n");
	expect_rendered("f.ini", "", "{x: '100%'}", "[DEFAULT]\nx = 100%%\n\n");
}

Test(config, what_does_not_fit_is_refused)
{
	static const struct {
		const char *file, *text, *flags, *sentence;
	} rows[] = {
		{ "f.yml", NESTED, "{g.h.i: 444}",
		  "f.yml: 'g.h.i' cannot be nested: conflicts with {'g.h': 999}" },
		{ "f.json", "{\"a\": [1]}", "{a.b: 444}",
		  "'a.b' cannot be nested: conflicts with {'a': [1]}" },
		{ "f.yml", "- 1\n", "{}", "f.yml is no map: write NAME: VALUE lines" },
		{ "f.yml", "a: [\n", "{}", "f.yml: line 2: " },
		{ "f.json", "{\n\"a\": }", "{}", "f.json: line 2: " },
		{ "f.json", "", "{}", "f.json: line 1: " },
		{ "f.json", "{\"a\": 100000000000000000000}", "{}", "too big integer" },
		{ "f.ini", "a = 1\n", "{}", "line 1: a [SECTION] must come before" },
		{ "f.ini", "[a]\nb\n", "{}", "f.ini: line 2: an option is NAME = VALUE" },
		{ "f.ini", "[a]\n[a]\n", "{}", "line 2: the section is there already" },
		{ "f.ini", "[a]\nb=1\nB=2\n", "{}", "an option of [a] is there twice" },
		{ "f.ini", "[a]\nb=%(a)s\n", "{}",
		  "the reference %(a)s is to no option" },
		{ "f.ini", "[a]\nb=%(b)s\n", "{}", "%(b)s is one of too many, or leads" },
		{ "f.ini", "[a]\nb=5%\n", "{}", "a '%' that stands for itself is '%%'" },
		{ "f.ini", "[a.b]\nc=1\n", "{a.b: 1}",
		  "'a.b' is a section: a flag of it" },
		{ "f.ini", "[]\n", "{}", "line 1: a section is [NAME]" },
		{ "f.yml", "a: 1\n", "{l: \"it's\"}", "the value of l can't be split" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf rendered = STRBUF_INIT,
						     why = STRBUF_INIT;
		_cleanup_(value_done) struct value cmd_flags = VALUE_INIT;
		_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

		flags_of(rows[i].flags, &flags);
		value_of("{l: {arg-split: true}}", &cmd_flags);
		cr_expect_eq(config_render(str_from(rows[i].file), str_from(rows[i].text),
					   &cmd_flags, &flags, &rendered, &why),
			     -EINVAL, "%s", rows[i].text);
		expect_sentence(&why, rows[i].sentence, rows[i].text);
		cr_expect_eq(rendered.len, 0);
	}
}

Test(config, it_does_not_grow_without_bounds)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value document = VALUE_INIT, flags = VALUE_INIT;

	for (int i = 0; i <= CONFIG_MAX_FLAGS; i++)
		strbuf_addf(&text, "x%d: 1\n", i);
	cr_assert_eq(config_parse(STR("f.yml"), strbuf_str(&text), &document, &why), 0);
	cr_expect_eq(config_flags(&document, &flags, &why), -EINVAL);
	expect_sentence(&why, "it has more than 1000 values", "");

	value_done(&document);
	strbuf_reset(&text);
	strbuf_reset(&why);
	for (int i = 0; i < 2000; i++)
		strbuf_addc(&text, '[');
	cr_expect_eq(config_parse(STR("f.json"), strbuf_str(&text), &document, &why),
		     -EINVAL);
	cr_expect_eq(config_parse(STR("f.yml"), strbuf_str(&text), &document, &why),
		     -EINVAL);
}

Test(placed, a_name_with_too_many_dots_is_refused)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value map = { .type = VALUE_MAP };
	struct value item = VALUE_INIT;

	for (int i = 0; i <= PLACED_MAX_DEPTH; i++)
		strbuf_addc(&name, '.');
	value_bool(&item, true);
	cr_expect_eq(placed_put(&map, strbuf_str(&name), &item, &why), -EINVAL);
	expect_sentence(&why, "has more than 100 dots", "");
	cr_expect_eq(placed_put(&map, STR("a..b"), &item, &why), 0);
	expect_document(&map, "a:\n  ? ''\n  : b: null\n", "a..b");
}

static void expect_ini(const char *text, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	cr_assert_eq(ini_parse(str_from(text), &value, &why), 0, "%s: %s", text,
		     strbuf_cstr(&why));
	expect_document(&value, expected, text);
}

/* Each as Python 3.11's configparser reads it. */
Test(ini, it_is_read_as_python_reads_it)
{
	expect_ini("", "{}\n");
	expect_ini("[a]\n", "a: {}\n");
	expect_ini("; c\n[a] ignored\nx=1\n y: 2\n", "a:\n  x: '1\n\n    y: 2'\n");
	expect_ini("[a]\nx = 1 # no comment\n", "a:\n  x: '1 # no comment'\n");
	expect_ini("[a]\nx = a\n  # a comment\n  b\n\n  c\n\nz =\n",
		   "a:\n  x: 'a\n\n    b\n\n\n    c'\n  z: ''\n");
	expect_ini("[a]\nX Y = p=q:r\n", "a:\n  x y: p=q:r\n");
	expect_ini("[DEFAULT]\nd=/x\n[a]\np=%(D)s/%(q)s\nq=50%%\n",
		   "DEFAULT:\n  d: /x\na:\n  p: /x/50%\n  q: 50%\n");
	expect_ini("[a]\ni=-1\nf=1e3\nb=Off\no=none\nh=0x10\nu=1_000\n",
		   "a:\n  b: false\n  f: 1000.0\n  h: '0x10'\n  i: -1\n  o: none\n"
		   "  u: 1000\n");
	expect_ini("[a]\r\nx = 1\r\n", "a:\n  x: 1\n");
	expect_ini("[a]b]\nx=1\n", "a]b:\n  x: 1\n");
}

Test(ini, what_is_written_is_read_as_the_same)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT, again = VALUE_INIT;

	value_of("{DEFAULT: {x: 1}, a: {m: \"l1\\nl2\", p: '%(x)s', b: true, e: ''}}",
		 &value);
	cr_assert_eq(ini_format(&value, &text), 0);
	expect_text(strbuf_str(&text),
		    "[DEFAULT]\nx = 1\n\n[a]\nb = True\ne = \nm = l1\n\tl2\n"
		    "p = %%(x)s\n\n",
		    "");
	cr_assert_eq(ini_parse(strbuf_str(&text), &again, &why), 0);
	cr_expect(value_identical(&value, &again));
}

Test(json, values_are_written_as_python_writes_them)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "null", "null" },
		{ "[true, no, 1, -1.5, 1.0e-05, .inf, -.inf, .nan]",
		  "[true, false, 1, -1.5, 1e-05, Infinity, -Infinity, NaN]" },
		{ "\"a\\\"\\\\\\n\\t\\x01\\u00e9\\u20ac\\U0001f600/\"",
		  "\"a\\\"\\\\\\n\\t\\u0001\\u00e9\\u20ac\\ud83d\\ude00/\"" },
		{ "{b: {}, a: [], 1: x}", "{\"b\": {}, \"a\": [], \"1\": \"x\"}" },
		{ "{b: {}, a: []}", "{\"a\": [], \"b\": {}}" },
		{ "2020-01-01", "\"2020-01-01\"" },
		{ "123456789012345678901234567890", "123456789012345678901234567890" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(value_done) struct value value = VALUE_INIT;

		value_of(rows[i].yaml, &value);
		cr_assert_eq(json_value_format(&value, &text), 0);
		expect_text(strbuf_str(&text), rows[i].json, rows[i].yaml);
	}
}

/* A text in parts, and the parts as values. */
Test(arg_split, a_text_has_parts)
{
	static const struct {
		const char *value, *split, *words, *list;
	} rows[] = {
		{ "\"1 'b c' x\"", "true", "1 | b c | x", "- 1\n- b c\n- x\n" },
		{ "\"1 'b c' x\"", "shlex", "1 | b c | x", "- 1\n- b c\n- x\n" },
		{ "1,yes,,a b", "','", "1 | yes | a b", "- 1\n- true\n- a b\n" },
		{ "a--b--", "'--'", "a | b", "- a\n- b\n" },
		{ "[1, 'b c']", "true", "1 | b c", "- 1\n- b c\n" },
		{ "[1, 'b c']", "','", "1 | b c", "- 1\n- b c\n" },
		{ "[yes, '1']", "true", "yes | '1'", "- true\n- '1'\n" },
		{ "''", "true", "", "[]\n" },
		{ "5", "true", "5", "- 5\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT, split = VALUE_INIT;
		_cleanup_(value_done) struct value list = { .type = VALUE_LIST };
		_cleanup_(strv_freep) char **words = NULL;

		value_of(rows[i].value, &value);
		value_of(rows[i].split, &split);
		cr_expect(arg_split_is_on(&split));
		cr_expect_eq(arg_split_words(&value, &split, &words), 0);
		expect_words(words, rows[i].words, rows[i].value);
		cr_expect_eq(arg_split_list(&value, &split, &list), 0);
		expect_document(&list, rows[i].list, rows[i].value);
	}
	cr_expect_not(arg_split_is_on(NULL));
}

Test(arg_split, a_list_is_joined_so_that_it_comes_back)
{
	static const char *const lists[] = {
		"[]",
		"[1, 1.5, yes, null, '']",
		"['1', 'yes', 'a b', \"it's\", '\"', '$x', '\\']",
		"[[1, 2], {a: 1}, 'x,y']",
		"[\"l1\\nl2\", '~', '#']",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		_cleanup_(value_done) struct value list = VALUE_INIT, text = VALUE_INIT;
		_cleanup_(value_done) struct value again = { .type = VALUE_LIST };
		struct value yes;

		value_bool(&yes, true);
		value_of(lists[i], &list);
		cr_assert_eq(arg_split_join(&list, &text), 0);
		cr_assert_eq(arg_split_list(&text, &yes, &again), 0);
		cr_expect(value_identical(&list, &again), "%s by way of %s", lists[i],
			  value_str(&text).data);
	}
}
