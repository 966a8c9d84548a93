/* Sets of named values: sorted, merged, compared as values, shown. */
#include "engine/flags.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "expect.h"

TestSuite(flags);

static void expect_flags(const struct flags *flags, const char *yaml, const char *about)
{
	_cleanup_(value_done) struct value map = VALUE_INIT;

	cr_assert_eq(flags_to_value(flags, &map), 0);
	expect_document(&map, yaml, about);
}

static void set_int(struct flags *flags, const char *name, int64_t number)
{
	struct value value = VALUE_INIT;

	cr_assert_eq(value_int(&value, number), 0);
	cr_assert_eq(flags_set(flags, str_from(name), &value), 0);
	cr_expect_eq(value.type, VALUE_NULL, "the value was not taken over");
}

Test(flags, they_are_sorted_byte_for_byte_whatever_the_order)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	static const char *const names[] = { "b", "a", "B", "ab", "\xc3\xa9", "a-", "_" };
	static const char *const sorted[] = {
		"B", "_", "a", "a-", "ab", "b", "\xc3\xa9"
	};

	for (size_t i = 0; i < 7; i++)
		set_int(&flags, names[i], 1);
	cr_assert_eq(flags.n_items, 7);
	for (size_t i = 0; i < 7; i++)
		cr_expect_str_eq(flags.items[i].name, sorted[i]);
}

Test(flags, the_last_of_two_equal_names_wins)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	set_int(&flags, "x", 1);
	set_int(&flags, "y", 2);
	set_int(&flags, "x", 3);
	expect_flags(&flags, "x: 3\n'y': 2\n", "");
}

Test(flags, each_is_found_and_nothing_else)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	char name[] = "a";

	for (; name[0] <= 'i'; name[0]++)
		set_int(&flags, name, name[0]);
	for (name[0] = 'a'; name[0] <= 'i'; name[0]++) {
		const struct flag *flag = flags_find(&flags, name);
		int64_t number = 0;

		cr_assert_not_null(flag, "%s", name);
		cr_expect(value_get_int(&flag->value, &number) && number == name[0]);
	}
	cr_expect_null(flags_find(&flags, "j"));
	cr_expect_null(flags_find(&flags, ""));
	cr_expect_null(flags_find(&FLAGS_INIT, "a"));
}

Test(flags, a_merge_puts_copies_over_and_keeps_the_rest)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT, copy = FLAGS_INIT;
	struct flags over = FLAGS_INIT;

	flags_of("{x: 1, z: [1, 2]}", &flags);
	flags_of("{w: 0, x: null, z: {a: b}}", &over);
	cr_assert_eq(flags_copy(&flags, &copy), 0);
	cr_assert_eq(flags_merge(&flags, &over), 0);
	expect_flags(&over, "w: 0\nx: null\nz:\n  a: b\n", "over");
	flags_done(&over);
	expect_flags(&flags, "w: 0\nx: null\nz:\n  a: b\n", "merged");
	expect_flags(&copy, "x: 1\nz:\n- 1\n- 2\n", "a copy from before");
}

Test(flags, they_are_equal_as_typed_values)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{}", "{}", true },
		{ "{a: 1, b: 2}", "{b: 2, a: 1}", true },
		{ "{x: 10}", "{x: 10.0}", true },
		{ "{x: 0}", "{x: -0.0}", true },
		{ "{x: 10}", "{x: '10'}", false },
		{ "{x: 10}", "{x: 11}", false },
		{ "{x: 1}", "{y: 1}", false },
		{ "{x: 1}", "{x: 1, y: null}", false },
		{ "{x: 1, y: null}", "{x: 1}", false },
		{ "{}", "{x: null}", false },
		{ "{x: null}", "{x: ''}", false },
		{ "{x: true}", "{x: 1}", false },
		{ "{x: .nan}", "{x: .nan}", false },
		{ "{x: [1, 2]}", "{x: [1.0, 2]}", true },
		{ "{x: [1, 2]}", "{x: [2, 1]}", false },
		{ "{x: {a: 1, b: 2}}", "{x: {b: 2, a: 1}}", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flags_done) struct flags a = FLAGS_INIT, b = FLAGS_INIT;

		flags_of(rows[i].a, &a);
		flags_of(rows[i].b, &b);
		cr_expect(!rows[i].equal || flags_digest(&a) == flags_digest(&b), "%s",
			  rows[i].a);
		cr_expect_eq(flags_equal(&a, &b), rows[i].equal, "%s and %s", rows[i].a,
			     rows[i].b);
		cr_expect_eq(flags_equal(&b, &a), rows[i].equal, "%s and %s", rows[i].b,
			     rows[i].a);
	}
}

Test(flags, a_key_that_is_no_string_becomes_its_text)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	flags_of("{1: a, yes: b, null: c, 1.50: d}", &flags);
	expect_flags(&flags, "'1': a\n'1.5': d\n'null': c\n'yes': b\n", "");
}

Test(flags, an_attribute_of_another_type_is_ebadmsg)
{
	static const char *const rows[] = { "[]", "x", "1", "true" };
	_cleanup_(flags_done) struct flags none = FLAGS_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT;
		struct flags flags = FLAGS_INIT;

		value_of(rows[i], &value);
		cr_expect_eq(flags_from_value(&value, &flags), -EBADMSG, "%s", rows[i]);
		cr_expect_eq(flags.n_items, 0);
	}
	cr_expect_eq(flags_from_value(&VALUE_INIT, &none), 0);
	cr_expect_eq(none.n_items, 0);
}

Test(flags, none_are_an_empty_map)
{
	expect_flags(&FLAGS_INIT, "{}\n", "");
}

static const char sample[] =
	"{x: 1.0, 'y': 2, z: a b, s: '1', t: true, n: null, l: [1, b c], e: '', f: 1e-5}";

Test(flags, they_are_shown_one_a_line_as_a_request_takes_them)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	flags_of(sample, &flags);
	cr_assert_eq(flags_format(&flags, &text), 0);
	expect_text(strbuf_str(&text),
		    "e=''\nf=1.0e-05\nl=[1, b c]\nn=null\ns='1'\nt=yes\nx=1.0\ny=2\n"
		    "z='a b'\n",
		    "");
}

Test(flags, a_label_names_those_that_are_not_null)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	flags_of("{x: 0.166666666, 'y': null, z: a b, t: true}", &flags);
	strbuf_adds(&text, "before:");
	cr_assert_eq(flags_format_label(&flags, &text), 0);
	expect_text(strbuf_str(&text), "before:t=yes x=0.16666 z='a b'", "");
}
