/* The full form of guild.yml: models, what they extend, include and take as parameters.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/guildfile.h"
#include "expect.h"
#include "scratch.h"

TestSuite(guild_model, .init = scratch_make, .fini = scratch_remove);

/* The command and the flags of an operation, or its problem. */
static void describe(const char *name, struct strbuf *ret)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	const struct value *args;

	cr_assert_eq(guildfile_load(scratch, &guildfile), 0);
	cr_assert_eq(guildfile_operation(guildfile, name, NULL, &operation, &main), 0,
		     "%s", name);
	if (operation->problem) {
		strbuf_adds(ret, operation->problem);
		return;
	}
	args = value_get(value_get(&operation->attr, "op-cmd"), "cmd-args");
	for (size_t i = 0; i < args->list.n_items; i++) {
		strbuf_addstr(ret, value_str(&args->list.items[i]));
		strbuf_addc(ret, i + 1 < args->list.n_items ? ' ' : '\n');
	}
	cr_assert_eq(operation_defaults(operation, &flags), 0);
	cr_assert_eq(flags_format(&flags, ret), 0);
}

struct row {
	const char *text, *name, *expected;
};

static void expect_rows(const struct row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		scratch_put("guild.yml", rows[i].text);
		describe(rows[i].name, &text);
		expect_text(strbuf_str(&text), rows[i].expected, rows[i].text);
	}
}

#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#define CONFIG                                                                           \
	"- config: common\n  params: {p: 1}\n  flags: {a: 1, b: {default: 2, min: 0}}\n" \
	"  operations:\n    test: {exec: 'test {{p}}', flags: {t: '{{p}}'}}\n"

Test(guild_model, flags_include_those_of_configurations_and_operations)
{
	static const struct row rows[] = {
		{ CONFIG
		  "- model: m\n  operations:\n    x:\n      exec: x\n      flags:\n"
		  "        $include: common\n        c: 3\n",
		  "m:x", "x\na=1\nb=2\nc=3\n" },
		{ CONFIG
		  "- model: m\n  operations:\n    x:\n      exec: x\n      flags:\n"
		  "        b: 5\n        $include: [common]\n",
		  "m:x", "x\na=1\nb=5\n" },
		{ CONFIG "- model: m\n  operations:\n    x: {exec: x, flags: {$include:"
			 " 'common#b'}}\n",
		  "m:x", "x\nb=2\n" },
		{ CONFIG "- model: m\n  operations:\n    x: {exec: x, flags: {$include:"
			 " 'common#b', b: {default: 7}}}\n",
		  "m:x", "x\nb=7\n" },
		{ "- model: m\n  operations:\n    x: {exec: x, flags: {a: 1, b: 2}}\n"
		  "- model: n\n  operations:\n    y: {exec: y, flags: {$include: "
		  "'m:x#a'}}\n",
		  "n:y", "y\na=1\n" },
		{ "x: {exec: x, flags: {a: 1}}\ny: {exec: y, flags: {$include: x, b: "
		  "2}}\n",
		  "y", "y\na=1\nb=2\n" },
		{ "x: {exec: x, flags: {a: 1}}\ny: {exec: y, flags: {$include: ':x'}}\n",
		  "y", "y\na=1\n" },
		{ CONFIG "- model: m\n  operations:\n    $include: common\n    x: y\n",
		  "m:test", "test {{p}}\nt='{{p}}'\n" },
	};

	EXPECT_ROWS(rows);
}

Test(guild_model, a_model_takes_what_it_does_not_say_from_what_it_extends)
{
	static const struct row rows[] = {
		{ CONFIG "- model: m\n  extends: common\n", "m:test", "test 1\nt=1\n" },
		{ CONFIG "- model: m\n  extends: [common]\n  params: {p: 0.5}\n",
		  "m:test", "test 0.5\nt=0.5\n" },
		{ CONFIG
		  "- model: m\n  extends: common\n  operations:\n    test: {flags: {u:"
		  " 2}}\n",
		  "m:test", "test 1\nt=1\nu=2\n" },
		{ CONFIG
		  "- config: more\n  extends: common\n  params: {p: b, q: '{{p}}c'}\n"
		  "  operations: {two: {exec: '{{ q }}{{none}}'}}\n"
		  "- model: m\n  extends: more\n",
		  "m:two", "bc{{none}}\n" },
		{ "- model: m\n  extends: none\n  operations: {x: {exec: x}}\n", "m:x",
		  "guild.yml: line 1: model m: extends: there is no model or config "
		  "'none'" },
		{ "- model: m\n  extends: n\n  operations: {x: {exec: x}}\n"
		  "- model: n\n  extends: m\n",
		  "m:x", "guild.yml: line 1: model m: extends: 'm' extends itself" },
		{ "- model: m\n  operatons: {}\n  operations: {x: {exec: x}}\n", "m:x",
		  "guild.yml: line 1: model m: 'operatons' is no attribute of a model:"
		  " remove it" },
	};

	EXPECT_ROWS(rows);
}

Test(guild_model, operations_have_the_defaults_of_all)
{
	static const struct row rows[] = {
		{ "- model: m\n  operation-defaults: {exec: d, flags: {a: 1}}\n"
		  "  operations:\n    x:\n    y: {flags: {b: 2}}\n",
		  "m:x", "d\na=1\n" },
		{ "- model: m\n  operation-defaults: {exec: d, flags: {a: 1}}\n"
		  "  operations:\n    x:\n    y: {flags: {b: 2}}\n",
		  "m:y", "d\nb=2\n" },
		{ "operation-defaults: {flags: {a: 1}}\nx: {exec: x}\n", "x",
		  "x\na=1\n" },
	};

	EXPECT_ROWS(rows);
}

Test(guild_model, parameters_that_grow_or_circle_have_an_end)
{
	static const struct row rows[] = {
		{ "- model: m\n  params: {p: '{{q}}', q: '{{p}}'}\n  operations:\n"
		  "    x: {exec: 'x {{p}}'}\n",
		  "m:x", "x {{p}}\n" },
	};
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, result = STRBUF_INIT;

	EXPECT_ROWS(rows);
	strbuf_adds(&text, "- model: m\n  operations: {x: {exec: x}}\n  params:\n"
			   "    p: '{{p}}{{p}}'\n    q0: xxxxxxxxxxxxxxxx\n");
	for (int i = 1; i < 40; i++)
		strbuf_addf(&text, "    q%d: '{{q%d}}{{q%d}}'\n", i, i - 1, i - 1);
	scratch_put("guild.yml", strbuf_cstr(&text));
	describe("m:x", &result);
	expect_text(strbuf_str(&result), "x\n", "much");
}

Test(guild_model, extending_and_including_over_and_over_has_an_end)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, result = STRBUF_INIT;

	strbuf_adds(&text, "- config: c0\n  flags: {a: 1}\n");
	for (int i = 1; i < 40; i++)
		strbuf_addf(&text,
			    "- config: c%d\n  extends: [c%d, c%d]\n"
			    "  flags: {$include: [c%d, c%d]}\n",
			    i, i - 1, i - 1, i - 1, i - 1);
	strbuf_adds(&text, "- model: m\n  extends: c39\n  operations: {x: {exec: x}}\n"
			   "- model: n\n  operations: {x: {exec: x, flags: {$include:"
			   " c39}}}\n");
	scratch_put("guild.yml", strbuf_cstr(&text));
	describe("m:x", &result);
	expect_sentence(&result, "extends itself", "extends");
	strbuf_reset(&result);
	describe("n:x", &result);
	expect_sentence(&result, "includes itself", "$include");
}

Test(guild_model, other_files_are_included_from_where_the_file_is)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, problem = STRBUF_INIT;

	scratch_put("guild.yml", "- include: [sub/a.yml]\n- model: m\n  extends: c\n"
				 "  operations: {x: {exec: x}}\n");
	scratch_put("sub/a.yml", "- include: b.yml\n");
	scratch_put("sub/b.yml", "- config: c\n  operations: {y: {exec: y}}\n"
				 "- model: n\n  operations:\n    z: {steps: [a]}\n");
	describe("m:y", &text);
	expect_text(strbuf_str(&text), "y\n", "m:y");
	describe("n:z", &problem);
	expect_sentence(&problem, "sub/b.yml: line 5: operation z: 'steps' is not", "");
}
