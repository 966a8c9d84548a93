/* What can be run: its name, its flags, and what a run records of it. */
#include "engine/operation.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine/file.h"
#include "expect.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

TestSuite(operation, .init = scratch_make, .fini = scratch_remove);

Test(operation, it_is_named_as_guild_names_it)
{
	static const struct {
		const char *opref, *name; /* NULL: it is no opref */
	} rows[] = {
		{ "script:/p '' '' echo.py", "echo.py" },
		{ "script:/p '' '' dir/train.py", "dir/train.py" },
		{ "script:'/a b' '' '' 'my script.sh'", "my script.sh" },
		{ "guildfile:/p/guild.yml 1da8f6 '' train", "train" },
		{ "guildfile:/p/guild.yml 1da8f6 cnn train", "cnn:train" },
		{ "package:pkg 1.0 m op", "pkg/m:op" },
		{ "package:pkg 1.0 '' op", "pkg/op" },
		{ "builtin:guildai 0.9.1 '' +", "+" },
		{ "func:/p '' '' f", "f()" },
		{ "pending:? ? ? OP", "?:OP" },
		{ "import:x '' '' op", "op" },
		{ "test: '' mnist train", "mnist:train" },
		{ "test:'' '' mnist train", "mnist:train" },
		{ "other:/p '' '' op", "?" },
		{ "script:a:b '' '' op", "op" },
		{ "", NULL },
		{ "script:/p '' ''", NULL },
		{ "script:/p '' '' a b", NULL },
		{ "script '' '' a", NULL },
		{ "script:/p '' '' 'a", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;

		cr_expect_eq(operation_name_of_opref(str_from(rows[i].opref), &name),
			     rows[i].name ? 0 : -EBADMSG, "%s", rows[i].opref);
		expect_text(strbuf_str(&name), rows[i].name ? rows[i].name : "",
			    rows[i].opref);
	}
}

Test(operation, it_lives_as_long_as_somebody_holds_it)
{
	struct operation *operation = operation_new();

	cr_assert_not_null(operation);
	operation->name = strdup("x");
	cr_expect_eq(operation_ref(operation), operation);
	operation_unref(operation);
	cr_expect_str_eq(operation->name, "x");
	operation_unref(operation);
	operation_unref(NULL);
	cr_expect_null(operation_ref(NULL));
}

static void add_flag(struct operation *operation, const char *name, const char *yaml)
{
	struct value value = VALUE_INIT;

	value_of(yaml, &value);
	cr_assert_eq(operation_add_flag(operation, str_from(name), STR(""), &value), 0);
	cr_expect_eq(value.type, VALUE_NULL);
}

Test(operation, its_flags_are_sorted_with_their_defaults)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	add_flag(operation, "lr", "0.1");
	add_flag(operation, "batch", "[1, 2]");
	add_flag(operation, "none", "null");
	add_flag(operation, "a", "x");
	cr_expect_str_eq(operation->flag_defs[0].name, "a");
	cr_expect_str_eq(operation->flag_defs[3].name, "none");
	cr_expect_null(operation->flag_defs[0].description);
	cr_assert_eq(operation_defaults(operation, &flags), 0);
	cr_assert_eq(flags_format(&flags, &text), 0);
	expect_text(strbuf_str(&text), "a=x\nbatch=[1, 2]\nlr=0.1\nnone=null\n", "");
}

static int check(const struct operation *operation, const char *text, bool complete,
		 struct strbuf *why)
{
	_cleanup_(request_done) struct request request = REQUEST_INIT;

	cr_assert_eq(request_parse(str_from(text), complete, &request, why), 0);
	return operation_check_flags(operation, &request, why);
}

Test(operation, a_flag_that_it_has_not_is_refused)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	static const struct {
		const char *text;
		bool complete;
		int r;
	} rows[] = {
		{ "", true, 0 },
		{ "x=1 y=2", true, 0 },
		{ "z=1", true, -EINVAL },
		{ "x=1 z=1", true, -EINVAL },
		{ "X=1", true, -EINVAL },
		{ "z=1 --force-flags", true, 0 },
		{ "z=", false, -EINVAL },
		{ "z='a b", false, -EINVAL },
		{ "x='a b", false, 0 },
		{ "z", false, 0 },
		{ "--force-flags z=", false, 0 },
	};

	operation->name = strdup("train");
	add_flag(operation, "x", "1");
	add_flag(operation, "y", "1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		cr_expect_eq(check(operation, rows[i].text, rows[i].complete, &why),
			     rows[i].r, "%s", rows[i].text);
		if (rows[i].r < 0)
			expect_sentence(&why, ": train takes x, y (--force-flags skips",
					rows[i].text);
	}
}

Test(operation, one_that_declares_no_flags_takes_any_or_none)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	operation->name = strdup("x.sh");
	cr_expect_eq(check(operation, "a=1", true, &why), -EINVAL);
	expect_sentence(&why, "unsupported flag 'a': x.sh takes no flags", "");
	operation->takes_any_flag = true;
	cr_expect_eq(check(operation, "a=1", true, &why), 0);
}

static void open_fixture(const char *id, struct operation **ret)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int runs_fd = -1;

	strbuf_addf(&path, "%s/guild-home/runs", getenv("RUNFS_FIXTURES"));
	runs_fd = file_open_dir(AT_FDCWD, strbuf_cstr(&path));
	cr_assert_eq(run_open(runs_fd, id, &run), 0);
	cr_assert_eq(operation_of_run(run, ret, &why), 0, "%s", strbuf_cstr(&why));
}

static void expect_flag_names(const struct operation *operation, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < operation->n_flag_defs; i++)
		strbuf_addf(&names, "%s ", operation->flag_defs[i].name);
	expect_text(strbuf_str(&names), expected, operation->name);
}

Test(operation, a_run_of_guild_s_records_a_script)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;

	open_fixture("00000000000000000000000000000a01", &operation);
	cr_expect_str_eq(operation->name, "echo.py");
	cr_expect_str_eq(operation->opref, "script:/home/me/optimizers '' '' echo.py");
	cr_expect_str_eq(operation->opspec, "/home/me/optimizers/echo.py");
	cr_expect(operation->is_python);
	cr_expect_not(operation->takes_any_flag);
	cr_expect_null(operation->project);
	cr_expect_null(operation->problem);
	expect_flag_names(operation, "x y z ");
}

Test(operation, a_run_of_guild_s_records_an_operation_of_a_guildfile)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;

	open_fixture("00000000000000000000000000000a06", &operation);
	cr_expect_str_eq(operation->name, "add");
	cr_expect_str_eq(operation->opspec, "add");
	cr_expect_not(operation->is_python);
	cr_expect_not(operation->takes_any_flag);
	expect_flag_names(operation, "a b ");
}

static const char least[] = "op-cmd: {cmd-args: [x]}\n";

Test(operation, a_run_s_flags_are_those_of_op_and_those_it_has_had)
{
	static const struct {
		const char *op, *flags, *names;
	} rows[] = {
		{ "op-cmd: {cmd-args: [x], cmd-flags: {b: {}, c: {}}}\n",
		  "{a: 1, b: 2}\n", "a b c " },
		{ least, "{a: 1}\n", "a " },
		{ least, NULL, "" },
		{ "op-cmd: {cmd-args: [x], cmd-flags: null}\n", "{}\n", "" },
		{ "op-cmd: {cmd-args: [x], cmd-flags: [b]}\n", NULL, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(run_freep) struct run *run = NULL;

		scratch_delete("home/runs");
		scratch_put_run(ID);
		scratch_put_attr(ID, "op", rows[i].op);
		if (rows[i].flags)
			scratch_put_attr(ID, "flags", rows[i].flags);
		run = scratch_run(ID);
		cr_assert_eq(operation_of_run(run, &operation, &why), 0, "%s",
			     strbuf_cstr(&why));
		expect_flag_names(operation, rows[i].names);
		cr_expect(operation->takes_any_flag, "a script that is not Python's");
	}
}

Test(operation, a_run_that_records_none_says_what_is_missing)
{
	static const struct {
		const char *op, *opref, *flags, *sentence;
	} rows[] = {
		{ NULL, NULL, NULL, "its .guild/attrs/op is missing: it must be" },
		{ "null\n", NULL, NULL, "its .guild/attrs/op is missing: it must be" },
		{ "a: [\n", NULL, NULL, "its .guild/attrs/op can't be read (line 2: " },
		{ "{}\n", NULL, NULL, "attrs/op can't be read: it must be a YAML map" },
		{ "text\n", NULL, NULL, "attrs/op can't be read: it must be a YAML map" },
		{ "op-cmd: {cmd-args: []}\n", NULL, NULL,
		  "attrs/op can't be read: it must be a YAML map" },
		{ "op-cmd: {cmd-args: x}\n", NULL, NULL,
		  "attrs/op can't be read: it must be a YAML map" },
		{ least, "nonsense", NULL,
		  "its .guild/opref can't be read: it must be one line" },
		{ least, "", NULL,
		  "its .guild/opref can't be read: it must be one line" },
		{ least, NULL, "[1]\n", ".guild/attrs/flags can't be read" },
		{ least, NULL, "a: [\n", ".guild/attrs/flags can't be read" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(run_freep) struct run *run = NULL;

		scratch_delete("home/runs");
		scratch_put_run(ID);
		if (rows[i].op)
			scratch_put_attr(ID, "op", rows[i].op);
		if (rows[i].opref)
			scratch_put_guild(ID, "opref", rows[i].opref);
		if (rows[i].flags)
			scratch_put_attr(ID, "flags", rows[i].flags);
		run = scratch_run(ID);
		cr_expect_eq(operation_of_run(run, &operation, &why), -EINVAL);
		expect_sentence(&why, rows[i].sentence, rows[i].sentence);
		cr_expect_null(operation);
	}
}

Test(operation, blanks_around_an_opref_are_no_part_of_it)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;

	scratch_put_run(ID);
	scratch_put_attr(ID, "op", least);
	scratch_put_guild(ID, "opref", "guildfile:/p/guild.yml v m op \n");
	run = scratch_run(ID);
	cr_assert_eq(operation_of_run(run, &operation, &why), 0);
	cr_expect_str_eq(operation->opref, "guildfile:/p/guild.yml v m op");
	cr_expect_str_eq(operation->name, "m:op");
}
