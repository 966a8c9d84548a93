/*
 * Values as users type them and programs get them. The value table holds what Guild
 * itself made of 186 texts; each row is asked in each direction.
 */
#include "engine/value-text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/yaml.h"
#include "tests/unit/random-value.h"

#define N_RANDOM 4000

static struct value decode(struct str text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct value value = VALUE_INIT;

	cr_assert_eq(value_decode(text, &value, &why), 0, "%s", strbuf_cstr(&why));
	return value;
}

static void expect_decoded(const char *text, const char *expected)
{
	_cleanup_(value_done) struct value value = decode(str_from(text));
	_cleanup_(strbuf_done) struct strbuf python = STRBUF_INIT;

	cr_assert_eq(value_encode_python(&value, &python), 0);
	cr_expect_str_eq(strbuf_cstr(&python), expected, "%s gives %s, not %s", text,
			 strbuf_cstr(&python), expected);
}

typedef int (*encode_fn)(const struct value *value, struct strbuf *ret);

static void expect_encoded(encode_fn encode, const char *text, const char *expected)
{
	_cleanup_(value_done) struct value value = decode(str_from(text));
	_cleanup_(strbuf_done) struct strbuf encoded = STRBUF_INIT;

	cr_assert_eq(encode(&value, &encoded), 0);
	cr_expect_str_eq(strbuf_cstr(&encoded), expected, "%s gives %s, not %s", text,
			 strbuf_cstr(&encoded), expected);
}

/*
 * The value table, one JSON object a line: what types JSON lacks are objects of one
 * member, {"float": "1e-05"}.
 */
static struct value value_from_json(const json_t *json);

static struct value typed_from_json(const char *type, const json_t *content)
{
	struct value value = VALUE_INIT;
	size_t i;
	json_t *pair;

	if (strcmp(type, "map") != 0)
		value = decode(str_from(json_string_value(content)));
	else
		value.type = VALUE_MAP;
	if (strcmp(type, "datetime") == 0)
		value.text.data[strlen("2020-01-01")] = ' ';
	json_array_foreach(strcmp(type, "map") == 0 ? content : NULL, i, pair)
	{
		struct value key = value_from_json(json_array_get(pair, 0));
		struct value item = value_from_json(json_array_get(pair, 1));

		cr_assert_eq(value_add_pair(&value, &key, &item), 0);
	}
	return value;
}

static struct value value_from_json(const json_t *json)
{
	struct value value = VALUE_INIT;
	size_t i;
	json_t *item;

	if (json_is_boolean(json))
		value_bool(&value, json_is_true(json));
	else if (json_is_integer(json))
		cr_assert_eq(value_int(&value, json_integer_value(json)), 0);
	else if (json_is_string(json))
		cr_assert_eq(value_string(&value, str_from(json_string_value(json))), 0);
	else if (json_is_array(json))
		value.type = VALUE_LIST;
	else
		cr_assert(json_is_null(json));
	json_array_foreach(json, i, item)
	{
		struct value member = VALUE_INIT;
		const char *type = json_object_iter_key(json_object_iter(item));

		if (type)
			member = typed_from_json(type, json_object_get(item, type));
		else
			member = value_from_json(item);
		cr_assert_eq(value_append(&value, &member), 0);
	}
	return value;
}

/* One row: the text, and all that Guild makes of it. */
struct row {
	json_t *json;
	const char *text;
	struct value value;
};

static void row_done(struct row *row)
{
	value_done(&row->value);
	json_decref(row->json);
}

static void for_each_row(void (*check)(const struct row *row))
{
	_cleanup_(strbuf_done) struct strbuf table = STRBUF_INIT;
	const char *fixtures = getenv("RUNFS_FIXTURES");
	struct str rest, line;
	size_t n = 0;

	cr_assert_not_null(fixtures, "RUNFS_FIXTURES names no directory");
	_cleanup_close_ int dir = file_open_dir(AT_FDCWD, fixtures);
	cr_assert_eq(file_read(dir, "flag-values.jsonl", 1u << 20, &table), 0);
	rest = strbuf_str(&table);
	for (; str_split(&rest, '\n', &line); n++) {
		_cleanup_(row_done) struct row row = {
			.json = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL),
		};
		_cleanup_(value_done) struct value wrapped = VALUE_INIT;
		json_auto_t *list = NULL;

		cr_assert_not_null(row.json);
		list = json_pack("[O]", json_object_get(row.json, "value"));
		wrapped = value_from_json(list);
		row.text = json_string_value(json_object_get(row.json, "text"));
		cr_assert_eq(value_copy(wrapped.list.items, &row.value), 0);
		check(&row);
	}
	cr_expect_eq(n, 186, "the table has %zu rows", n);
}

static const char *column(const struct row *row, const char *name)
{
	return json_string_value(json_object_get(row->json, name));
}

/* The word behind "--f" in the row's argv, NULL when the flag is left out. */
static const char *argv_word(const struct row *row, const char *name)
{
	const json_t *argv = json_object_get(json_object_get(row->json, name), "argv");

	return json_string_value(json_array_get(argv, 1));
}

static void check_decoded(const struct row *row)
{
	_cleanup_(value_done) struct value value = decode(str_from(row->text));

	cr_expect(value_identical(&value, &row->value), "'%s'", row->text);
}

Test(value_text, the_table_is_decoded)
{
	for_each_row(check_decoded);
}

static void check_attribute(const struct row *row)
{
	_cleanup_(strbuf_done) struct strbuf document = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	_cleanup_(value_done) struct value copy = VALUE_INIT;

	cr_assert_eq(yaml_parse(str_from(column(row, "attr")), &flags, &why), 0);
	cr_expect(value_identical(value_get(&flags, "f"), &row->value), "%s", row->text);

	value_done(&flags);
	cr_assert_eq(value_copy(&row->value, &copy), 0);
	cr_assert_eq(value_put(&flags, STR("f"), &copy), 0);
	cr_assert_eq(yaml_format(&flags, &document), 0);
	cr_expect(str_ends(strbuf_str(&document), "\n"));
	strbuf_truncate(&document, document.len - 1);
	cr_expect_str_eq(strbuf_cstr(&document), column(row, "attr"));
}

Test(value_text, the_table_is_stored_and_loaded)
{
	for_each_row(check_attribute);
}

static void check_flag_text(const struct row *row)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(value_encode_flag(&row->value, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), column(row, "flag_text"));
}

Test(value_text, the_table_is_encoded_for_labels)
{
	for_each_row(check_flag_text);
}

static void check_arguments(const struct row *row)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const char *word = argv_word(row, "argv_args");
	const json_t *args = json_object_get(row->json, "argv_args");

	cr_assert_eq(value_encode_arg(&row->value, NULL, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), word ? word : "");
	cr_expect_str_eq(strbuf_cstr(&text),
			 json_string_value(json_object_get(args, "FLAG_F")));
}

Test(value_text, the_table_is_encoded_for_arguments_and_the_environment)
{
	for_each_row(check_arguments);
}

static void check_globals(const struct row *row)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const char *word = argv_word(row, "argv_globals");

	cr_expect_eq(word == NULL, row->value.type == VALUE_NULL);
	cr_assert_eq(yaml_format_inline(&row->value, &text), 0);
	if (word)
		cr_expect_str_eq(strbuf_cstr(&text), word);
}

Test(value_text, the_table_is_encoded_for_globals)
{
	for_each_row(check_globals);
}

static void check_equality(const struct row *row)
{
	cr_expect_eq(value_equal(&row->value, &row->value),
		     json_is_true(json_object_get(row->json, "again_equal")), "%s",
		     row->text);
}

Test(value_text, the_table_is_compared)
{
	for_each_row(check_equality);
}

/* The end of the quotes that begin at @i: '' and \" are inside. */
static size_t end_of_quotes(struct str text, size_t i)
{
	char quote = text.data[i];

	for (i++; i < text.len; i++) {
		if (quote == '"' && text.data[i] == '\\')
			i++;
		else if (text.data[i] == quote && quote == '\'' && i + 1 < text.len &&
			 text.data[i + 1] == '\'')
			i++;
		else if (text.data[i] == quote)
			return i + 1;
	}
	cr_assert_fail("open quotes: %.*s", (int)text.len, text.data);
	return 0;
}

/* The length of the value that a request takes off @text (interface.md, section 3). */
static size_t word_length(struct str text)
{
	size_t depth = 0;
	bool begins = true;
	bool brackets = text.len > 0 && strchr("[{", text.data[0]);
	size_t i = 0;

	while (i < text.len) {
		char c = text.data[i];

		cr_assert_neq(c, '\n');
		if (begins && (c == '"' || c == '\'')) {
			i = end_of_quotes(text, i);
			begins = false;
			continue;
		}
		if (c == ' ' && depth == 0)
			break;
		if (brackets && (c == '[' || c == '{'))
			depth++;
		if (brackets && (c == ']' || c == '}'))
			depth--;
		begins = depth > 0 && (strchr("[{,", c) ||
				       (c == ' ' && (begins || text.data[i - 1] == ':')));
		i++;
	}
	cr_assert_eq(depth, 0, "open brackets: %.*s", (int)text.len, text.data);
	return i;
}

static void expect_request_gives(const struct value *value)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf request = STRBUF_INIT;
	_cleanup_(value_done) struct value again = VALUE_INIT;
	size_t len;

	cr_assert_eq(value_encode_request(value, &text), 0);
	cr_assert_eq(strbuf_addf(&request, "%s next=1", strbuf_cstr(&text)), 0);
	len = word_length(strbuf_str(&request));
	cr_assert_eq(len, text.len, "%s", strbuf_cstr(&text));
	again = decode(strbuf_str(&text));
	cr_assert(value_identical(value, &again), "%s", strbuf_cstr(&text));
}

static void check_request(const struct row *row)
{
	expect_request_gives(&row->value);
}

Test(value_text, the_table_can_be_written_into_a_request)
{
	for_each_row(check_request);
}

Test(value_text, any_value_can_be_written_into_a_request)
{
	struct random random = { 20260201 };

	for (int i = 0; i < N_RANDOM; i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT;

		cr_assert_eq(random_value(&random, 3, &value), 0);
		expect_request_gives(&value);
	}
}

/* What a user may type, without NUL, which is refused. */
static void random_text(struct random *random, struct strbuf *ret)
{
	static const char *const words[] = {
		"1",	      "-0", "1_000", "12:30", "0x1f",	"yes",
		"Null",	      "~",  ".inf",  "1e400", "nan",	"007",
		"- ",	      "? ", "&a ",   "*a",    "!!str ", "2020-01-01",
		"range[1:3]", "*2", "a",     "="
	};
	size_t n = 1 + random_below(random, 4);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(value_done) struct value string = VALUE_INIT;

		if (random_below(random, 2) == 0) {
			strbuf_adds(ret, RANDOM_OF(random, words));
			continue;
		}
		cr_assert_eq(random_string(random, &string), 0);
		for (size_t k = 0; k < string.text.len; k++) {
			if (string.text.data[k] != '\0')
				strbuf_addc(ret, string.text.data[k]);
		}
	}
}

/* Decoded, shown and decoded again; and stored, and loaded. */
Test(value_text, any_text_comes_back_as_the_same_value, .timeout = 120)
{
	struct random random = { 20261128 };

	for (int i = 0; i < N_RANDOM; i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf document = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(value_done) struct value value = VALUE_INIT;
		_cleanup_(value_done) struct value loaded = VALUE_INIT;

		random_text(&random, &text);
		value = decode(strbuf_str(&text));
		expect_request_gives(&value);
		cr_assert_eq(yaml_format(&value, &document), 0);
		cr_assert_eq(yaml_parse(strbuf_str(&document), &loaded, &why), 0,
			     "%s: %s", strbuf_cstr(&text), strbuf_cstr(&why));
		cr_assert(value_identical(&value, &loaded), "%s is stored as %s",
			  strbuf_cstr(&text), strbuf_cstr(&document));
	}
}

Test(value_text, any_string_can_be_written_into_a_request)
{
	struct random random = { 42 };

	for (int i = 0; i < N_RANDOM; i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT;

		cr_assert_eq(random_string(&random, &value), 0);
		expect_request_gives(&value);
	}
}

Test(value_text, a_request_shows_values_as_guild_does_where_it_can)
{
	static const char *const rows[][2] = {
		{ "1e-5", "1.0e-05" },
		{ "true", "yes" },
		{ "[1, 'b c']", "[1, b c]" },
		{ "uniform[0:1]", "uniform[0:1]" },
		{ "'1'", "'1'" },
		{ "''", "''" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_encoded(value_encode_request, rows[i][0], rows[i][1]);
}

Test(value_text, a_request_quotes_what_would_be_read_otherwise)
{
	static const char *const rows[][2] = {
		{ "'a b'", "'a b'" },
		{ "\"it's 5\"", "'it''s 5'" },
		{ "it's", "it's" },
		{ "\"a\\nb\"", "\"a\\nb\"" },
		{ "'-.5'", "'-.5'" },
		{ "\"'a\"", "'''a'" },
		{ "2020-01-01 10:00:00", "2020-01-01T10:00:00" },
		{ "[a: b, \"c:d\"]", "[{a: b}, c:d]" },
		{ "[\"a\\x3Ab\"]", "[\"a\\x3Ab\"]" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_encoded(value_encode_request, rows[i][0], rows[i][1]);
}

Test(value_text, python_numbers_are_taken_before_yaml)
{
	expect_decoded("0777", "777");
	expect_decoded(" 1 ", "1");
	expect_decoded("-.5", "-0.5");
	expect_decoded("Infinity", "inf");
	expect_decoded("NAN", "nan");
	expect_decoded("1e400", "inf");
	expect_decoded("0x10", "16");
	expect_decoded("0x1p3", "'0x1p3'");
	expect_decoded("+-1", "'+-1'");
}

Test(value_text, colons_and_underscores_make_no_numbers)
{
	expect_decoded("10:30", "'10:30'");
	expect_decoded("1_000", "'1_000'");
	expect_decoded("0x_1", "'0x_1'");
	expect_decoded("!!int 1_000", "1000");
	expect_decoded("[10:30, 1_000]", "[630, 1000]");
}

Test(value_text, sequences_are_expanded)
{
	expect_decoded("range[3]", "[0, 1, 2]");
	expect_decoded("range[1:5:2]", "[1, 3, 5]");
	expect_decoded("range[3:1:-1]", "[3, 2, 1]");
	expect_decoded("range[1:1.5:0.25]", "[1.0, 1.25, 1.5]");
	expect_decoded("range[ 1 : 3 ] ", "[1, 2, 3]");
	expect_decoded("linspace[0:1]", "[0.0, 0.25, 0.5, 0.75, 1.0]");
	expect_decoded("linspace[0:1:0]", "[]");
	expect_decoded("linspace[2:9:1]", "[2.0]");
	expect_decoded("linspace[0:1:4]", "[0.0, 0.33333333, 0.66666667, 1.0]");
	expect_decoded("logspace[0:3:4:2]", "[1.0, 2.0, 4.0, 8.0]");
}

Test(value_text, functions_with_bad_arguments_stay_text)
{
	static const char *const texts[] = {
		"range[]",	     "range[a:b]",	 "range[1:]",
		"range[1:2:0]",	     "range[1:inf]",	 "linspace[1]",
		"linspace[0:1:2.5]", "linspace[0:1:-1]", "logspace[0:1:2:x]",
		"geomspace[1:2:3]",  "uniform[0:1]",	 "[0:1]",
		"foo[1]x",	     "['a:b']",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(value_done) struct value value = decode(str_from(texts[i]));

		cr_expect(value_is_string(&value, texts[i]), "%s", texts[i]);
	}
}

Test(value_text, lists_are_repeated)
{
	expect_decoded("[1,2]*2", "[1, 2, 1, 2]");
	expect_decoded(" [a] * 3 ", "['a', 'a', 'a']");
	expect_decoded("[[1]]*2", "[[1], [1]]");
	expect_decoded("[1]*0", "[]");
	expect_decoded("[1:2]*2", "'[1:2]*2'");
	expect_decoded("[1]*-2", "'[1]*-2'");
}

static void expect_refused(struct str text, const char *what)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct value value = VALUE_INIT;

	cr_expect_eq(value_decode(text, &value, &why), -EINVAL);
	cr_expect_eq(value.type, VALUE_NULL);
	cr_expect_not_null(strstr(strbuf_cstr(&why), what), "%s", strbuf_cstr(&why));
}

static void expect_repeated_refused(const char *part, size_t n, const char *what)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < n; i++)
		strbuf_adds(&text, part);
	expect_refused(strbuf_str(&text), what);
}

Test(value_text, what_is_too_large_is_refused_at_once, .timeout = 120)
{
	expect_repeated_refused("a", 1u << 20, "less than 1 MiB");
	expect_repeated_refused("[", 10000, "too deep");
	expect_repeated_refused("{a: ", 100000, "too deep");
	expect_refused(STR("range[0:1e9]"), "expands to too much");
	expect_refused(STR("range[0:1:1e-9]"), "expands to too much");
	expect_refused(STR("linspace[0:1:1000000000]"), "expands to too much");
	expect_refused(STR("[1]*100000000000000000000000"), "expands to too much");
	expect_refused(STR("[[1, 2, 3]]*9999999"), "expands to too much");
}

/* Of each digit, in time that the length is proportional to. */
Test(value_text, a_whole_number_of_any_length_is_kept, .timeout = 60)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, encoded = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	strbuf_addc(&text, '-');
	for (size_t i = 1; i < VALUE_TEXT_MAX_LEN; i++)
		strbuf_addc(&text, (char)('1' + i % 9));
	value = decode(strbuf_str(&text));
	cr_expect_eq(value.type, VALUE_INT);
	expect_request_gives(&value);
	cr_assert_eq(value_encode_arg(&value, NULL, &encoded), 0);
	cr_expect_str_eq(strbuf_cstr(&encoded), strbuf_cstr(&text));
	cr_expect(value_equal(&value, &value));
}

Test(value_text, aliases_that_explode_stay_text)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	struct value value = VALUE_INIT;

	strbuf_adds(&text, "[&a0 [x]");
	for (int i = 1; i < 60; i++)
		strbuf_addf(&text, ", &a%d [*a%d, *a%d]", i, i - 1, i - 1);
	strbuf_addc(&text, ']');
	cr_expect_eq(value_decode(strbuf_str(&text), &value, &why), -EINVAL);
	expect_refused(strbuf_str(&text), "too");
}

Test(value_text, what_is_no_text_is_refused)
{
	expect_refused(STR("a\xff"), "no UTF-8");
	expect_refused(STR("a\0b"), "no UTF-8");
	expect_refused(STR("\xed\xa0\x80"), "no UTF-8");
}

Test(value_text, the_longest_value_is_taken, .timeout = 120)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	for (size_t i = 0; i < VALUE_TEXT_MAX_LEN; i++)
		strbuf_addc(&text, 'a');
	value = decode(strbuf_str(&text));
	cr_expect_eq(value_str(&value).len, VALUE_TEXT_MAX_LEN);
}

Test(value_text, labels_cut_floats_and_quote_blanks)
{
	static const char *const rows[][2] = {
		{ "0.1666666666", "0.16666" },
		{ "0.99999999", "0.99999" },
		{ "123456789012345678.0", "1.23456e+17" },
		{ "1.5", "1.5" },
		{ "1e-5", "1.0e-05" },
		{ ".inf", ".inf" },
		{ "a b", "'a b'" },
		{ "\"it's so\"", "\"it's so\"" },
		{ "'a: b'", "'a: b'" },
		{ "[a b]", "[a b]" },
		{ "yes", "yes" },
		{ "''", "''" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_encoded(value_encode_label, rows[i][0], rows[i][1]);
}

static int encode_joined_by_comma(const struct value *value, struct strbuf *ret)
{
	return value_encode_arg(value, ",", ret);
}

static int encode_for_shell(const struct value *value, struct strbuf *ret)
{
	return value_encode_arg(value, NULL, ret);
}

Test(value_text, list_arguments_are_joined)
{
	expect_encoded(encode_joined_by_comma, "[1, b c, yes]", "1,b c,yes");
	expect_encoded(encode_for_shell, "[1, b c, '']", "1 'b c' \"''\"");
	expect_encoded(encode_for_shell, "['1', '!$x']", "\"'1'\" ''\"'\"'!$x'\"'\"''");
	expect_encoded(encode_for_shell, "[]", "");
}

Test(value_text, python_prints_the_same)
{
	static const char *const rows[][2] = {
		{ "\"it's\"", "\"it's\"" },
		{ "\"it's \\\"x\\\"\"", "'it\\'s \"x\"'" },
		{ "\"a\\n\\t\\r\\\\\\x01\\x7f\"", "'a\\n\\t\\r\\\\\\x01\\x7f'" },
		{ "\u00e9\u65e5\U0001f600", "'\u00e9\u65e5\U0001f600'" },
		{ "\"\\xa0\\u200b\\ufeff\\U000e0001\"",
		  "'\\xa0\\u200b\\ufeff\\U000e0001'" },
		{ "1e-5", "1e-05" },
		{ "1e16", "1e+16" },
		{ "[.inf, .nan, -0.0]", "[inf, nan, -0.0]" },
		{ "{b: [1, null], a: yes}", "{'b': [1, None], 'a': True}" },
		{ "2020-01-01 10:00:01.5",
		  "datetime.datetime(2020, 1, 1, 10, 0, 1, 500000)" },
		{ "2020-01-01 10:00:00 +1:30",
		  "datetime.datetime(2020, 1, 1, 10, 0, tzinfo=datetime.timezone("
		  "datetime.timedelta(seconds=5400)))" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_encoded(value_encode_python, rows[i][0], rows[i][1]);
}
