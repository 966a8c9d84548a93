/* What a flag takes: each type from each kind of text, choices, limits, mistakes. */
#include "engine/flag-def.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/value-text.h"
#include "expect.h"
#include "scratch.h"

TestSuite(flag_def, .init = scratch_make, .fini = scratch_remove);

static void define(const char *yaml, struct flag_def *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value body = VALUE_INIT;

	value_of(yaml, &body);
	cr_assert_eq(flag_def_read(STR("f"), &body, ret, &why), 0, "%s: %s", yaml,
		     strbuf_cstr(&why));
}

static void shown(const struct value *value, struct strbuf *ret)
{
	cr_assert_eq(value_encode_request(value, ret), 0);
}

/* @shown: what `flags` shows of the value; after "!" a refusal's sentence. */
static void expect_decoded(const char *yaml, const char *text, const char *expected)
{
	_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
	_cleanup_(strbuf_done) struct strbuf about = STRBUF_INIT, result = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	strbuf_addf(&about, "%s: %s", yaml, text);
	define(yaml, &flag_def);
	r = flag_def_decode(&flag_def, str_from(text), "/dir", &value, &why);
	if (expected[0] == '!') {
		cr_expect_eq(r, -EINVAL, "%s", strbuf_cstr(&about));
		expect_text(strbuf_str(&why), expected + 1, strbuf_cstr(&about));
		cr_expect_eq(value.type, VALUE_NULL);
		return;
	}
	cr_assert_eq(r, 0, "%s: %s", strbuf_cstr(&about), strbuf_cstr(&why));
	shown(&value, &result);
	expect_text(strbuf_str(&result), expected, strbuf_cstr(&about));
}

#define NO_INT(text)                                                                     \
	"!invalid value " text                                                           \
	" for f: invalid value for type 'int': write a whole number"
#define NO_FLOAT(text)                                                                   \
	"!invalid value " text " for f: invalid value for type 'float': write a number"
#define NO_NUMBER(text)                                                                  \
	"!invalid value " text " for f: invalid value for type 'number': write a number"

Test(flag_def, a_text_is_decoded_by_the_flag_s_type)
{
	static const struct {
		const char *text, *automatic, *string, *integer, *real, *number, *boolean;
	} rows[] = {
		{ "1", "1", "'1'", "1", "1.0", "1", "yes" },
		{ "0", "0", "'0'", "0", "0.0", "0", "no" },
		{ "007", "7", "'007'", "7", "7.0", "7", "yes" },
		{ "-3", "-3", "'-3'", "-3", "-3.0", "-3", "yes" },
		{ "1.5", "1.5", "'1.5'", NO_INT("1.5"), "1.5", "1.5", "yes" },
		{ "0.0", "0.0", "'0.0'", NO_INT("0.0"), "0.0", "0.0", "no" },
		{ "1e3", "1000.0", "'1e3'", NO_INT("1000.0"), "1000.0", "1000.0", "yes" },
		{ "yes", "yes", "'yes'", "1", "1.0", "yes", "yes" },
		{ "no", "no", "'no'", "0", "0.0", "no", "no" },
		{ "abc", "abc", "abc", NO_INT("abc"), NO_FLOAT("abc"), NO_NUMBER("abc"),
		  "yes" },
		{ "", "''", "''", NO_INT("''"), NO_FLOAT("''"), NO_NUMBER("''"), "no" },
		{ "'1'", "'1'", "'1'", "1", "1.0", "1", "yes" },
		{ "null", "null", "'null'", "null", "null", "null", "null" },
		{ "[1, 2]", "[1, 2]", "['1', '2']", "[1, 2]", "[1.0, 2.0]", "[1, 2]",
		  "[yes, yes]" },
		{ "[1, null]", "[1, null]", "['1', null]", "[1, null]", "[1.0, null]",
		  "[1, null]", "[yes, null]" },
		{ "inf", ".inf", "'inf'", NO_INT(".inf"), ".inf", ".inf", "yes" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_decoded("{}", rows[i].text, rows[i].automatic);
		expect_decoded("{type: auto}", rows[i].text, rows[i].automatic);
		expect_decoded("{type: string}", rows[i].text, rows[i].string);
		expect_decoded("{type: int}", rows[i].text, rows[i].integer);
		expect_decoded("{type: float}", rows[i].text, rows[i].real);
		expect_decoded("{type: number}", rows[i].text, rows[i].number);
		expect_decoded("{type: boolean}", rows[i].text, rows[i].boolean);
	}
}

Test(flag_def, a_path_is_seen_from_the_user_s_directory)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "a", "/dir/a" },  { "./a", "/dir/a" },
		{ "/a/b", "/a/b" }, { "~/a", "/home/u/a" },
		{ "~", "/home/u" }, { "~other/a", "~other/a" },
		{ "1", "/dir/1" },  { "'a b'", "'/dir/a b'" },
		{ "", "''" },
	};

	setenv("HOME", "/home/u", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_decoded("{type: path}", rows[i].text, rows[i].path);
}

Test(flag_def, an_existing_path_is_there)
{
	_cleanup_free_ char *there = scratch_path("there");

	scratch_put("there", "");
	expect_decoded("{type: existing-path}", there, there);
	expect_decoded("{type: existing-path}", "/none",
		       "!invalid value /none for f: /none does not exist: write the path "
		       "of what is there, seen"
		       " from the project");
}

Test(flag_def, a_value_of_another_type_is_made_the_flag_s)
{
	static const struct {
		const char *type, *value, *expected;
	} rows[] = {
		{ "string", "1.0", "'1.0'" },
		{ "string", "yes", "'True'" },
		{ "string", "2020-01-01", "'2020-01-01'" },
		{ "string", "{a: 1}", "'{''a'': 1}'" },
		{ "int", "'5'", "5" },
		{ "float", "5", "5.0" },
		{ "number", "'5.5'", "5.5" },
		{ "boolean", "[]", "[]" },
		{ "boolean", "{}", "no" },
		{ "boolean", "{a: 1}", "yes" },
		{ "boolean", "2020-01-01", "yes" },
		{ "int", "null", "null" },
		{ "int", "['5', 6]", "[5, 6]" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf yaml = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf result = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(value_done) struct value value = VALUE_INIT;

		strbuf_addf(&yaml, "{type: %s}", rows[i].type);
		define(strbuf_cstr(&yaml), &flag_def);
		value_of(rows[i].value, &value);
		cr_expect_eq(flag_def_coerce(&flag_def, "/dir", &value, &why), 0, "%s",
			     strbuf_cstr(&why));
		shown(&value, &result);
		expect_text(strbuf_str(&result), rows[i].expected, rows[i].value);
	}
}

#define CHOICES                                                                          \
	"choices: [a, 2, {value: 0.5, alias: half}, {value: [1], description: One}]"
#define UNSUPPORTED "Unsupported value for 'f' - supported values are: a, 2, half, [1]"

Test(flag_def, a_value_is_among_the_choices_and_in_the_range)
{
	static const struct {
		const char *yaml, *value;
		int r;
		const char *sentence;
	} rows[] = {
		{ "{" CHOICES "}", "a", 0, "" },
		{ "{" CHOICES "}", "2", 0, "" },
		{ "{" CHOICES "}", "2.0", 0, "" },
		{ "{" CHOICES "}", "half", 0, "" },
		{ "{" CHOICES "}", "0.5", 0, "" },
		{ "{" CHOICES "}", "b", -EINVAL, UNSUPPORTED },
		{ "{" CHOICES "}", "'2'", -EINVAL, UNSUPPORTED },
		{ "{" CHOICES "}", "yes", -EINVAL, UNSUPPORTED },
		{ "{" CHOICES "}", "0", 0, "" },
		{ "{" CHOICES "}", "0.0", 0, "" },
		{ "{" CHOICES "}", "''", 0, "" },
		{ "{" CHOICES "}", "no", 0, "" },
		{ "{" CHOICES "}", "null", 0, "" },
		{ "{" CHOICES "}", "[]", 0, "" },
		{ "{" CHOICES "}", "{}", 0, "" },
		{ "{" CHOICES "}", "[a, 2]", 0, "" },
		{ "{" CHOICES "}", "[a, b]", -EINVAL, UNSUPPORTED },
		{ "{" CHOICES ", allow-other: yes}", "b", 0, "" },
		{ "{min: 0, max: 10}", "0", 0, "" },
		{ "{min: 0, max: 10}", "10", 0, "" },
		{ "{min: 0, max: 10}", "-1", -ERANGE,
		  "invalid value -1 for f: out of range (less than min 0): write a"
		  " number from 0 up to 10" },
		{ "{min: 0, max: 10}", "10.5", -ERANGE,
		  "invalid value 10.5 for f: out of range (greater than max 10): write"
		  " a number from 0 up to 10" },
		{ "{min: 0}", "-0.5", -ERANGE,
		  "invalid value -0.5 for f: out of range (less than min 0): write a"
		  " number from 0" },
		{ "{max: 0.5}", "1", -ERANGE,
		  "invalid value 1 for f: out of range (greater than max 0.5): write a"
		  " number up to 0.5" },
		{ "{min: 0}", "[1, -1]", -ERANGE,
		  "invalid value -1 for f: out of range (less than min 0): write a"
		  " number from 0" },
		{ "{min: 0, max: 10}", "text", 0, "" },
		{ "{min: 0, max: 10}", "null", 0, "" },
		{ "{" CHOICES ", min: 1}", "half", 0, "" },
		{ "{" CHOICES ", min: 1}", "0.5", -ERANGE,
		  "invalid value 0.5 for f: out of range (less than min 1): write a"
		  " number from 1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(value_done) struct value value = VALUE_INIT;

		define(rows[i].yaml, &flag_def);
		value_of(rows[i].value, &value);
		cr_expect_eq(flag_def_check(&flag_def, &value, &why), rows[i].r, "%s %s",
			     rows[i].yaml, rows[i].value);
		expect_text(strbuf_str(&why), rows[i].sentence, rows[i].value);
	}
}

/* What each of several values in one text comes to; with '!' a refusal. */
Test(flag_def, the_parts_of_a_text_are_values_each)
{
	static const struct {
		const char *yaml, *text, *expected;
	} rows[] = {
		{ "{type: int, arg-split: yes}", "1 2", "1 2" },
		{ "{type: int, arg-split: yes}", "'01'", "1" },
		{ "{type: float, arg-split: yes}", "1 2.5", "1.0 2.5" },
		{ "{type: float, arg-split: ','}", "1,,2.5", "1.0,2.5" },
		{ "{type: string, arg-split: yes}", "a 'b c' 1", "a 'b c' 1" },
		{ "{type: int, arg-split: yes}", "1 x",
		  "!invalid value x for f: invalid value for type 'int': write a whole" },
		{ "{type: int, arg-split: yes}", "it's",
		  "!invalid value it's for f: a quote is open: write words" },
		{ "{arg-split: yes, max: 2}", "1 3",
		  "!invalid value 3 for f: out of range (greater than max 2)" },
		{ "{arg-split: ',', choices: [a, b]}", "a,c",
		  "!Unsupported value for 'f' - supported values are: a, b" },
		{ "{arg-split: ',', choices: [a, b]}", "b,a", "b,a" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT,
						     text = STRBUF_INIT;
		_cleanup_(value_done) struct value value = VALUE_INIT;
		bool is_refused = rows[i].expected[0] == '!';
		int r;

		define(rows[i].yaml, &flag_def);
		r = flag_def_decode(&flag_def, str_from(rows[i].text), scratch, &value,
				    &why);
		if (r == 0)
			r = flag_def_check(&flag_def, &value, &why);
		cr_expect_eq(r < 0, is_refused, "%s %s: %s", rows[i].yaml, rows[i].text,
			     strbuf_cstr(&why));
		if (is_refused) {
			expect_sentence(&why, rows[i].expected + 1, rows[i].text);
			continue;
		}
		cr_assert_eq(value_encode_arg(&value, NULL, &text), 0);
		expect_text(strbuf_str(&text), rows[i].expected, rows[i].text);
	}
}

Test(flag_def, a_mistake_names_the_attribute_and_what_would_be_right)
{
	static const struct {
		const char *yaml, *sentence;
	} rows[] = {
		{ "{type: text}", "'type' is one of string, int, float, number," },
		{ "{type: 5}", "'type' is one of" },
		{ "{required: maybe}", "'required' is yes or no" },
		{ "{allow-other: 1}", "'allow-other' is yes or no" },
		{ "{min: low}", "'min' is a number" },
		{ "{max: [1]}", "'max' is a number" },
		{ "{choices: a}", "'choices' is a list of values" },
		{ "{choices: [{value: a, flags: [b]}]}", "'flags' of a choice is a map" },
		{ "{choices: [{value: a, alias: [b]}]}", "'alias' is a text" },
		{ "{description: [a]}", "'description' is a text" },
		{ "{alias: {a: b}}", "'alias' is a text" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(value_done) struct value body = VALUE_INIT;

		value_of(rows[i].yaml, &body);
		cr_expect_eq(flag_def_read(STR("f"), &body, &flag_def, &why), -EINVAL);
		expect_sentence(&why, rows[i].sentence, rows[i].yaml);
		cr_expect_null(flag_def.name, "what failed leaves nothing");
	}
}

Test(flag_def, what_is_no_map_is_the_default)
{
	static const char *const rows[] = { "1", "text", "null", "[1, 2]", "0.5", "no" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(value_done) struct value body = VALUE_INIT;

		define(rows[i], &flag_def);
		value_of(rows[i], &body);
		cr_expect(value_identical(&flag_def.default_value, &body), "%s", rows[i]);
		cr_expect_eq(flag_def.source.type, VALUE_NULL);
		cr_expect_null(flag_type_name(flag_def.type));
	}
}

Test(flag_def, attributes_that_are_none_of_ours_are_kept)
{
	_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;

	define("{default: 1, distribution: uniform, alias: g}", &flag_def);
	expect_document(&flag_def.source, "alias: g\ndefault: 1\ndistribution: uniform\n",
			"");
	cr_expect_str_eq(flag_def.alias, "g");
}

Test(flag_def, a_name_can_be_written_in_a_request)
{
	static const struct str rows[] = {
		{ "", 0 }, { "a b", 3 }, { "a=b", 3 }, { "a\nb", 3 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct value none = VALUE_INIT;

		cr_expect_eq(flag_def_read(rows[i], &none, &flag_def, &why), -EINVAL);
		expect_sentence(&why, "a flag's name has no blank", rows[i].data);
	}
}
