/* Typed values: what they own, how they grow, and when two are equal. */
#include "engine/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/yaml.h"

/* The value of a YAML text, for tests of what holds between values. */
static struct value value_of(const char *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct value value = VALUE_INIT;

	cr_assert_eq(yaml_parse(str_from(text), &value, &why), 0, "%s: %s", text,
		     strbuf_cstr(&why));
	return value;
}

static bool equal(const char *text_a, const char *text_b)
{
	_cleanup_(value_done) struct value a = value_of(text_a);
	_cleanup_(value_done) struct value b = value_of(text_b);
	bool result = value_equal(&a, &b);

	cr_expect_eq(value_equal(&b, &a), result, "%s, %s: not symmetric", text_a,
		     text_b);
	cr_expect(!result || value_digest(&a) == value_digest(&b), "%s, %s", text_a,
		  text_b);
	return result;
}

static bool identical(const char *text_a, const char *text_b)
{
	_cleanup_(value_done) struct value a = value_of(text_a);
	_cleanup_(value_done) struct value b = value_of(text_b);

	return value_identical(&a, &b);
}

Test(value, a_zeroed_value_is_null_and_needs_no_end)
{
	struct value value = VALUE_INIT;

	cr_expect_eq(value.type, VALUE_NULL);
	value_done(&value);
	value_done(&value);
}

Test(value, a_list_keeps_its_items_in_order)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;

	for (int64_t i = 0; i < 100; i++) {
		_cleanup_(value_done) struct value item = VALUE_INIT;
		cr_assert_eq(value_int(&item, i), 0);
		cr_assert_eq(value_append(&list, &item), 0);
		cr_expect_eq(item.type, VALUE_NULL, "the item was not taken over");
	}
	cr_assert_eq(list.type, VALUE_LIST);
	cr_assert_eq(list.list.n_items, 100);
	for (int64_t i = 0; i < 100; i++) {
		int64_t number = -1;

		cr_expect(value_get_int(&list.list.items[i], &number));
		cr_expect_eq(number, i);
	}
}

Test(value, putting_a_key_again_replaces_its_value_in_place)
{
	_cleanup_(value_done) struct value map = VALUE_INIT;
	_cleanup_(value_done) struct value item = VALUE_INIT;

	value_bool(&item, true);
	cr_assert_eq(value_put(&map, STR("a"), &item), 0);
	cr_assert_eq(value_string(&item, STR("old")), 0);
	cr_assert_eq(value_put(&map, STR("b"), &item), 0);
	cr_assert_eq(value_string(&item, STR("new")), 0);
	cr_assert_eq(value_put(&map, STR("a"), &item), 0);

	cr_assert_eq(map.map.n_pairs, 2);
	cr_expect(value_is_string(&map.map.pairs[0].key, "a"));
	cr_expect(value_is_string(value_get(&map, "a"), "new"));
	cr_expect(value_is_string(value_get(&map, "b"), "old"));
}

Test(value, a_missing_key_and_a_value_that_is_no_map_give_nothing)
{
	_cleanup_(value_done) struct value map = value_of("{a: 1, 1: x}");
	_cleanup_(value_done) struct value list = value_of("[a]");

	cr_expect_null(value_get(&map, "b"));
	cr_expect_null(value_get(&map, "1"), "a number is no string key");
	cr_expect_null(value_get(&list, "a"));
}

Test(value, a_copy_is_equal_and_can_grow_on_its_own)
{
	_cleanup_(value_done) struct value value =
		value_of("[1, 2.5, x, [a, b, c], {k: [1], 2: null}, 2020-01-01, true]");
	_cleanup_(value_done) struct value copy = VALUE_INIT;
	_cleanup_(value_done) struct value item = VALUE_INIT;

	cr_assert_eq(value_copy(&value, &copy), 0);
	cr_expect(value_identical(&value, &copy));
	for (int i = 0; i < 20; i++)
		cr_assert_eq(value_append(&copy, &item), 0);
	cr_expect_eq(value.list.n_items, 7);
	cr_expect_eq(copy.list.n_items, 27);
}

Test(value, of_double_keys_the_last_value_wins_in_the_first_place)
{
	_cleanup_(value_done) struct value map =
		value_of("{a: 1, b: 2, a: 3, 1: x, 1.0: y}");
	int64_t number = 0;

	cr_assert_eq(map.map.n_pairs, 3);
	cr_expect(value_is_string(&map.map.pairs[0].key, "a"));
	cr_expect(value_get_int(&map.map.pairs[0].value, &number));
	cr_expect_eq(number, 3);
	cr_expect_eq(map.map.pairs[2].key.type, VALUE_INT, "the first key stays");
	cr_expect(value_is_string(&map.map.pairs[2].value, "y"));
}

Test(value, ints_and_floats_of_the_same_number_are_equal)
{
	cr_expect(equal("10", "10.0"));
	cr_expect(equal("0", "-0.0"));
	cr_expect(equal("100000000000000000000", "1.0e+20"));
	cr_expect(equal("-3", "-3.0"));
	cr_expect_not(equal("1", "1.5"));
	cr_expect_not(equal("-1", "-1.5"));
	cr_expect_not(equal("1", ".inf"));
}

Test(value, numbers_are_compared_exactly_and_not_as_floats)
{
	cr_expect_not(equal("9007199254740993", "9007199254740992.0"));
	cr_expect(equal("9007199254740992", "9007199254740992.0"));
	cr_expect_not(equal("100000000000000000001", "1.0e+20"));
}

Test(value, booleans_equal_only_booleans)
{
	cr_expect(equal("true", "yes"));
	cr_expect_not(equal("true", "1"));
	cr_expect_not(equal("false", "0.0"));
	cr_expect_not(equal("true", "false"));
}

Test(value, the_string_10_is_not_the_number_10)
{
	cr_expect_not(equal("'10'", "10"));
	cr_expect_not(equal("''", "null"));
	cr_expect_not(equal("2020-01-01", "'2020-01-01'"));
}

Test(value, nan_equals_nothing)
{
	cr_expect_not(equal(".nan", ".nan"));
	cr_expect_not(equal("[.nan]", "[.nan]"));
	cr_expect(identical(".nan", ".nan"));
	cr_expect(identical("[{a: .nan}]", "[{a: .nan}]"));
}

Test(value, maps_are_equal_in_any_order)
{
	cr_expect(equal("{a: 1, b: [x], 3: null}", "{3: null, b: [x], a: 1.0}"));
	cr_expect_not(equal("{a: 1}", "{a: 1, b: null}"));
	cr_expect_not(equal("{a: 1}", "{b: 1}"));
	cr_expect_not(equal("[1, 2]", "[2, 1]"));
	cr_expect_not(equal("[]", "{}"));
}

Test(value, times_are_equal_as_instants)
{
	cr_expect(equal("2020-01-01 10:00:00Z", "2020-01-01 12:00:00 +2"));
	cr_expect(equal("2020-01-01 00:30:00 +01:00", "2019-12-31 23:30:00Z"));
	cr_expect_not(equal("2020-01-01 10:00:00", "2020-01-01 10:00:00Z"));
	cr_expect_not(equal("2020-01-01", "2020-01-01 00:00:00"));
	cr_expect(equal("2020-1-1 1:00:00", "2020-01-01 01:00:00.0"));
}

Test(value, identical_values_have_the_same_types)
{
	cr_expect_not(identical("1", "1.0"));
	cr_expect_not(identical("0.0", "-0.0"));
	cr_expect(identical("{b: 1, a: 2}", "{a: 2, b: 1}"));
	cr_expect_not(identical("{a: 1}", "{a: 1.0}"));
}

static void expect_order(const char *text, const char *expected)
{
	_cleanup_(value_done) struct value map = value_of(text);
	_cleanup_(strbuf_done) struct strbuf order = STRBUF_INIT;
	_cleanup_free_ const struct value_pair **pairs = value_sorted_pairs(&map);

	cr_assert_not_null(pairs);
	for (size_t i = 0; i < map.map.n_pairs; i++) {
		strbuf_adds(&order, i > 0 ? " " : "");
		cr_assert_eq(yaml_format_inline(&pairs[i]->key, &order), 0);
	}
	cr_expect_str_eq(strbuf_cstr(&order), expected);
}

Test(value, keys_are_sorted_if_python_could)
{
	expect_order("{b: 1, a: 1, '': 1, B: 1, ab: 1}", "'' B a ab b");
	expect_order("{10: 1, 9.5: 1, -1: 1, 1.0e+30: 1, 99999999999999999999: 1}",
		     "-1 9.5 10 99999999999999999999 1.0e+30");
	expect_order("{2: 1, true: 1, 0: 1}", "0 true 2");
	expect_order("{2020-01-02: 1, 2020-01-01: 1}", "2020-01-01 2020-01-02");
	expect_order("{}", "");
}

Test(value, keys_that_cannot_be_compared_stay_in_order)
{
	expect_order("{b: 1, 1: 1, a: 1}", "b 1 a");
	expect_order("{null: 1, a: 1}", "null a");
	expect_order("{2020-01-02: 1, 2020-01-01 10:00:00: 1}",
		     "2020-01-02 2020-01-01 10:00:00");
}

Test(value, only_whole_numbers_that_fit_are_64_bit_integers)
{
	static const struct {
		const char *text;
		bool fits;
		int64_t number;
	} rows[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "1.0", false, 0 },
		{ "'1'", false, 0 },
		{ "null", false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(value_done) struct value value = value_of(rows[i].text);
		int64_t number = 0;

		cr_expect_eq(value_get_int(&value, &number), rows[i].fits, "%s",
			     rows[i].text);
		cr_expect_eq(number, rows[i].number, "%s", rows[i].text);
	}
}

Test(value, a_string_may_hold_nul)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;

	cr_assert_eq(value_string(&value, STR("a\0b")), 0);
	cr_expect_eq(value_str(&value).len, 3);
	cr_expect_not(value_is_string(&value, "a"));
	cr_expect_eq(value.text.data[3], '\0');
}
