/* Which flags a run gets: the written over its own over the defaults. */
#include "engine/assign.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/definition.h"
#include "expect.h"

/* An operation with the flags of a map such as `flags:` in guild.yml. */
static struct operation *operation_of(const char *yaml)
{
	_cleanup_(definition_done) struct definition definition = DEFINITION_INIT;
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	struct operation *operation = operation_new();

	value_of(yaml, &flags);
	for (size_t i = 0; i < flags.map.n_pairs; i++) {
		const struct value_pair *pair = &flags.map.pairs[i];
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_assert_eq(definition_read_flag(&definition, operation,
						  value_str(&pair->key), &pair->value,
						  &why),
			     0, "%s: %s", yaml, strbuf_cstr(&why));
	}
	return operation;
}

struct row {
	const char *definitions;
	const char *own; /* NULL: a new run */
	const char *request;
	int r;
	const char *result; /* the flags, or the sentence */
};

static int assign(const struct row *row, bool complete, struct flags *ret,
		  struct strbuf *why)
{
	_cleanup_(operation_unrefp) struct operation *operation =
		operation_of(row->definitions);
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(flags_done) struct flags own = FLAGS_INIT, written = FLAGS_INIT;
	int r;

	if (row->own)
		flags_of(row->own, &own);
	cr_assert_eq(request_parse(str_from(row->request), true, &request, why), 0, "%s",
		     strbuf_cstr(why));
	r = assign_written(operation, &request, "/dir", &written, why);
	return r < 0 ? r
		     : assign_flags(operation, &written, row->own ? &own : NULL, "/dir",
				    complete, request.force_flags, ret, why);
}

static void expect_row(const struct row *row)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, text = STRBUF_INIT;
	int r = assign(row, true, &flags, &why);

	cr_expect_eq(r, row->r, "%s, %s: %d, %s", row->definitions, row->request, r,
		     strbuf_cstr(&why));
	if (r == 0)
		cr_assert_eq(flags_format(&flags, &text), 0);
	expect_text(r < 0 ? strbuf_str(&why) : strbuf_str(&text), row->result,
		    row->definitions);
}

static void expect_rows(const struct row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++)
		expect_row(&rows[i]);
}

#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof((rows)[0]))

Test(assign, a_new_run_has_the_written_over_the_defaults)
{
	static const struct row rows[] = {
		{ "{a: 1, b: x}", NULL, "", 0, "a=1\nb=x\n" },
		{ "{a: 1, b: x}", NULL, "a=2", 0, "a=2\nb=x\n" },
		{ "{a: {type: float, default: 1}}", NULL, "", 0, "a=1.0\n" },
		{ "{a: {type: string}}", NULL, "a=1", 0, "a='1'\n" },
		{ "{a: {type: path, default: x}}", NULL, "", 0, "a=/dir/x\n" },
		{ "{a: {alias: b}}", NULL, "b=2", 0, "a=2\n" },
		{ "{a: }", NULL, "", 0, "a=null\n" },
		{ "{a: 1}", NULL, "z=2 --force-flags", 0, "a=1\nz=2\n" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, a_default_that_is_nothing_of_the_type_is_refused)
{
	static const struct row rows[] = {
		{ "{a: {type: int, default: x}}", NULL, "", -EINVAL,
		  "invalid value x for a: invalid value for type 'int': write a whole "
		  "number" },
		{ "{a: {type: int, default: x}}", NULL, "a=1", 0, "a=1\n" },
		{ "{a: {min: 1, default: 0}}", NULL, "", -ERANGE,
		  "invalid value 0 for a: out of range (less than min 1): write a"
		  " number from 1" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, an_alias_and_the_name_together_are_refused)
{
	static const struct row rows[] = {
		{ "{a: {alias: b}}", NULL, "a=1 b=2", -EINVAL,
		  "cannot specify both alias 'b' and name for flag 'a': write one of them"
		  " (--force-flags skips this check)" },
		{ "{a: {alias: b}}", NULL, "a=1 b=2 --force-flags", 0, "a=2\n" },
		{ "{a: {alias: b}}", NULL, "b=1 b=2", 0, "a=2\n" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, force_flags_skips_all_checks)
{
	static const struct row rows[] = {
		{ "{a: {type: int}}", NULL, "a=x --force-flags", 0, "a=x\n" },
		{ "{a: {type: int}}", NULL, "a=1.5 --force-flags", 0, "a=1.5\n" },
		{ "{a: {choices: [1, 2]}}", NULL, "a=3 --force-flags", 0, "a=3\n" },
		{ "{a: {max: 2}}", NULL, "a=3 --force-flags", 0, "a=3\n" },
		{ "{a: {required: yes}}", NULL, "--force-flags", 0, "a=null\n" },
		{ "{a: {type: string}}", NULL, "a=3 --force-flags", 0, "a='3'\n" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, a_required_flag_has_a_value)
{
	static const struct row rows[] = {
		{ "{a: {required: yes}}", NULL, "", -EINVAL,
		  "Operation requires the following missing flags: a: write them as"
		  " name=value" },
		{ "{a: {required: yes, description: First}, b: {required: yes}, c: 1}",
		  NULL, "", -EINVAL,
		  "Operation requires the following missing flags: a (First), b: write"
		  " them as name=value" },
		{ "{a: {required: yes}}", NULL, "a=null", -EINVAL,
		  "Operation requires the following missing flags: a: write them as"
		  " name=value" },
		{ "{a: {required: yes}}", NULL, "a=", -EINVAL,
		  "Operation requires the following missing flags: a: write them as"
		  " name=value" },
		{ "{a: {required: yes}}", NULL, "a=0", 0, "a=0\n" },
		{ "{a: {required: yes, default: 1}}", NULL, "", 0, "a=1\n" },
		{ "{a: {required: yes}, b: 1}", "{a: 3, b: 1}", "b=2", 0, "a=3\nb=2\n" },
		{ "{a: {required: yes}}", "{a: 3}", "a=null", -EINVAL,
		  "Operation requires the following missing flags: a: write them as"
		  " name=value" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, a_required_flag_may_still_come_in_a_request_that_goes_on)
{
	static const struct row row = { "{a: {required: yes}}", NULL, "", 0, "" };
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(assign(&row, false, &flags, &why), 0, "%s", strbuf_cstr(&why));
}

#define SIZES                                                                            \
	"{size: {default: s, choices: [{value: 1, alias: s, flags: {x: 10}},"            \
	" {value: 2, alias: m, flags: {x: 20, y: 5}}, {value: 3, flags: {x: 30}}]},"     \
	" x: 0, y: 0}"

Test(assign, a_choice_is_its_value_and_sets_what_the_user_does_not)
{
	static const struct row rows[] = {
		{ SIZES, NULL, "", 0, "size=1\nx=10\ny=0\n" },
		{ SIZES, NULL, "size=m", 0, "size=2\nx=20\ny=5\n" },
		{ SIZES, NULL, "size=m x=7", 0, "size=2\nx=7\ny=5\n" },
		{ SIZES, NULL, "size=m x=null", 0, "size=2\nx=20\ny=5\n" },
		{ SIZES, NULL, "size=3", 0, "size=3\nx=30\ny=0\n" },
		{ SIZES, NULL, "size=4", -EINVAL,
		  "Unsupported value for 'size' - supported values are: s, m, 3" },
		{ SIZES, "{size: 1, x: 10, y: 0}", "size=m", 0, "size=2\nx=10\ny=0\n" },
	};

	EXPECT_ROWS(rows);
}

/* As Guild: by its alias, where it has one, not by its value. */
Test(assign, the_value_of_a_choice_with_an_alias_sets_nothing_else)
{
	static const struct row rows[] = {
		{ SIZES, NULL, "size=2", 0, "size=2\nx=0\ny=0\n" },
	};

	EXPECT_ROWS(rows);
}

Test(assign, a_restart_keeps_what_the_run_has)
{
	static const struct row rows[] = {
		{ "{a: 1, b: 2}", "{a: 5, b: 6}", "", 0, "a=5\nb=6\n" },
		{ "{a: 1, b: 2}", "{a: 5, b: 6}", "b=7", 0, "a=5\nb=7\n" },
		{ "{a: 1, b: 2}", "{a: 5}", "", 0, "a=5\n" },
		{ "{a: 1}", "{a: 5, gone: 3}", "a=6", 0, "a=6\ngone=3\n" },
		{ "{a: {max: 3}}", "{a: 5}", "", 0, "a=5\n" },
		{ "{a: {max: 3}}", "{a: 5}", "a=6", -ERANGE,
		  "invalid value 6 for a: out of range (greater than max 3): write a"
		  " number up to 3" },
		{ "{a: {type: int}}", "{a: 5}", "a=x", -EINVAL,
		  "invalid value x for a: invalid value for type 'int': write a whole "
		  "number" },
		{ "{a: {choices: [1]}, b: 1}", "{a: 5, b: 2}", "b=3", 0, "a=5\nb=3\n" },
		{ "{a: {alias: b}}", "{a: 5}", "b=6", 0, "a=6\n" },
	};

	EXPECT_ROWS(rows);
}
