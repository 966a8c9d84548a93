/* guild.yml: the operations that it defines, what Guild would record of them, mistakes.
 */
#include "engine/guildfile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/definition.h"
#include "expect.h"
#include "scratch.h"

static void begin(void)
{
	scratch_make();
	unsetenv("PYTHONPATH");
}

TestSuite(guildfile, .init = begin, .fini = scratch_remove);
TestSuite(definition, .init = begin, .fini = scratch_remove);

static struct guildfile *load_text(const char *text)
{
	struct guildfile *guildfile = NULL;

	scratch_delete("guild.yml");
	scratch_put("guild.yml", text);
	cr_assert_eq(guildfile_load(scratch, &guildfile), 0, "%s", text);
	return guildfile;
}

Test(guildfile, a_directory_may_have_none)
{
	struct guildfile *guildfile = NULL;

	cr_expect_eq(guildfile_load(scratch, &guildfile), -ENOENT);
	cr_expect_eq(guildfile_load("/none/at/all", &guildfile), -ENOENT);
	cr_expect_null(guildfile);
	guildfile_free(NULL);
}

Test(guildfile, it_may_be_a_link_to_another_place)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;

	scratch_put("shared/ops.yml", "train: {main: train}\n");
	scratch_put_link("guild.yml", "shared/ops.yml");
	cr_assert_eq(guildfile_load(scratch, &guildfile), 0);
	cr_expect(guildfile_has(guildfile, "train"));
}

/* The names in order, and each operation says the mistake. */
Test(guildfile, with_a_mistake_it_still_has_the_names_that_can_be_made_out)
{
	static const struct {
		const char *text, *names, *mistake;
	} rows[] = {
		{ "a: [\n", "a", "guild.yml: line 2: " },
		{ "text\n", "", "guild.yml: line 1: write a map of operations" },
		{ "12\n", "", "guild.yml: line 1: write a map of operations" },
		{ "a: *b\n", "a", "guild.yml: line 1: " },
		{ "\x01", "", "guild.yml: line 1: " },
		{ "a:\n  main: x\n  flags:\n    x: [1\nb:\n  exec: y\nc: z\n",
		  "a | b | c", "guild.yml: line 5: " },
		{ "'a b':\n  main: x: y\n# c: x\n\"d\": x\n", "a b | d",
		  "guild.yml: line 2: " },
		{ "- model: m\n  operations:\n    a: x\n    b:\n      main: [\n"
		  "  description: c\n- config: c\n  flags:\n    d: 1\n"
		  "- model: n\n  operations:\n    a: x\n",
		  "m:a | m:b | n:a", "guild.yml: line " },
		{ "- x\n", "",
		  "guild.yml: line 1: an item of the list is a map with one" },
		{ "- model: m\n  config: c\n  operations: {a: x}\n", "m:a",
		  "guild.yml: line 1: an item is a model or a config" },
		{ "- model: m\n  operations: {a: x}\n- model: m\n", "m:a",
		  "guild.yml: line 3: there is a second model 'm'" },
		{ "- model: [m]\n- model: n\n  operations: {a: x}\n", "n:a",
		  "guild.yml: line 1: the name of a model is a text" },
		{ "- include: none.yml\n- model: n\n  operations: {a: x}\n", "n:a",
		  "guild.yml: line 1: include: none.yml can't be read: No such file" },
		{ "- include: guild.yml\n- model: n\n  operations: {a: x}\n", "n:a",
		  "guild.yml: line 1: include: guild.yml includes itself" },
		{ "- include: {a: b}\n", "", "include is the path of a file, or a list" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile =
			load_text(rows[i].text);
		_cleanup_(strv_freep) char **names = NULL;
		const char *mistake = guildfile_mistake(guildfile);

		cr_assert_not_null(mistake, "%s", rows[i].text);
		cr_expect(strstr(mistake, rows[i].mistake), "%s: %s", rows[i].text,
			  mistake);
		cr_expect_eq(guildfile_names(guildfile, &names), 0);
		expect_words(names, rows[i].names, rows[i].text);
		for (size_t j = 0; j < strv_length(names); j++) {
			_cleanup_(operation_unrefp) struct operation *operation = NULL;
			_cleanup_(guildfile_main_done) struct guildfile_main main =
				GUILDFILE_MAIN_INIT;

			cr_assert_eq(guildfile_operation(guildfile, names[j], NULL,
							 &operation, &main),
				     0);
			cr_expect_str_eq(operation->problem, mistake);
			cr_expect_eq(operation->problem_error, -EINVAL);
		}
	}
}

Test(guildfile, its_operations_have_names_that_files_can_have)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{ "", "" },
		{ "{}", "" },
		{ "train: main\ntest: {exec: x}\n", "test | train" },
		{ "a-b: x\n'c d': x\n", "a-b | c d" },
		{ "- model: m\n  operations: {a: x, b: x}\n- model: n\n", "m:a | m:b" },
		{ "- model: ''\n  operations: {a: x}\n", "a" },
		{ "- config: c\n- package: p\n- test: x\n", "" },
		{ "operation-defaults: {main: x}\na:\n", "a" },
		{ "- model: m\n  operations: {a: x}\n- model: n\n  operations: {a: y}\n",
		  "m:a | n:a" },
		{ "1: x\nnull: x\na: x\n", "a" },
		{ "a/b: x\nc: x\n'': x\n.: x\n..: x\n", "c" },
		{ "\"a\\0b\": x\n\"a\\nb\": x\nc: x\n", "c" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile =
			load_text(rows[i].text);
		_cleanup_(strv_freep) char **names = NULL;

		cr_expect_eq(guildfile_names(guildfile, &names), 0);
		expect_words(names, rows[i].names, rows[i].text);
		for (size_t j = 0; j < strv_length(names); j++)
			cr_expect(guildfile_has(guildfile, names[j]), "%s", names[j]);
		cr_expect_not(guildfile_has(guildfile, "none"));
		cr_expect_not(guildfile_has(guildfile, ""), "%s", rows[i].text);
		cr_expect_not(guildfile_has(guildfile, "."), "%s", rows[i].text);
	}
}

/* The operation @name of @guildfile, and below the project the script to ask about. */
static struct operation *read_op(const struct guildfile *guildfile, const char *name,
				 const char *expected_script)
{
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	struct operation *operation = NULL;
	struct str path;

	cr_assert_eq(guildfile_operation(guildfile, name, NULL, &operation, &main), 0,
		     "%s", name);
	path = str_from(main.path);
	if (path.len > 0) {
		cr_expect(str_starts(path, scratch));
		path.data += strlen(scratch);
		path.len -= strlen(scratch);
	}
	if (expected_script)
		expect_text(path, expected_script, name);
	return operation;
}

/* The same, with what Python says of its script: how it takes flags, and which. */
static struct operation *read_with(const struct guildfile *guildfile, const char *name,
				   const char *flags_dest, const char *flags)
{
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	_cleanup_(value_done) struct value map = VALUE_INIT;
	struct guildfile_script script = { .flags_dest = str_from(flags_dest) };
	struct operation *operation = NULL;

	if (flags) {
		value_of(flags, &map);
		script.flags = &map;
	}
	cr_assert_eq(guildfile_operation(guildfile, name, &script, &operation, &main), 0);
	return operation;
}

static void expect_args(const struct operation *operation, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const struct value *args =
		value_get(value_get(&operation->attr, "op-cmd"), "cmd-args");

	cr_assert_not_null(args);
	for (size_t i = 0; i < args->list.n_items; i++) {
		strbuf_adds(&text, i > 0 ? " | " : "");
		strbuf_addstr(&text, value_str(&args->list.items[i]));
	}
	expect_text(strbuf_str(&text), expected, operation->name);
}

#define PYTHON "${python_exe} | -um | guild.op_main | "

Test(guildfile, a_command_is_a_module_or_words)
{
	static const struct {
		const char *body, *args, *script;
	} rows[] = {
		{ "main: train", PYTHON "train | -- | __flag_args__", "/train.py" },
		{ "main: train.py", PYTHON "train.py | -- | __flag_args__", "/train.py" },
		{ "main: a.b", PYTHON "a.b | -- | __flag_args__", "/a/b.py" },
		{ "main: a/b", PYTHON "a/b | -- | __flag_args__", "/a/b.py" },
		{ "main: train -v 'x y'", PYTHON "train | -v | x y | -- | __flag_args__",
		  "/train.py" },
		{ "main: train\n  flags-dest: args", PYTHON "train | -- | __flag_args__",
		  "/train.py" },
		{ "description: x", PYTHON "my_op | -- | __flag_args__", "/my_op.py" },
		{ "exec: sh -c 'echo ${x}' ${flag_args}",
		  "sh | -c | echo ${x} | __flag_args__", "" },
		{ "exec: a${flag_args}", "a${flag_args}", "" },
		{ "exec: [sh, -c, 'a b']", "sh | -c | a b", "" },
		{ "exec: x\n  main: y", "x", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "my-op:\n  %s\n", rows[i].body);
		guildfile = load_text(strbuf_cstr(&text));
		operation = read_op(guildfile, "my-op", rows[i].script);
		expect_args(operation, rows[i].args);
		cr_expect_null(operation->problem, "%s", operation->problem);
		cr_expect_eq(operation->is_python, rows[i].args[0] == '$', "%s",
			     rows[i].body);
	}
}

Test(guildfile, a_text_or_nothing_stands_for_a_module)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("a: train\nb-c.py:\n");
	_cleanup_(operation_unrefp) struct operation *a =
		read_op(guildfile, "a", "/train.py");
	_cleanup_(operation_unrefp) struct operation *b =
		read_op(guildfile, "b-c.py", "/b_c.py");

	expect_args(a, PYTHON "train | -- | __flag_args__");
	expect_args(b, PYTHON "b_c | -- | __flag_args__");
	cr_expect_null(a->problem);
	cr_expect_null(b->problem);
}

/* md5 of the text: `printf 'train: {main: train}\n' | md5sum`. */
Test(guildfile, an_operation_is_known_by_the_version_of_its_guildfile)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("train: {main: train}\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT;

	operation = read_op(guildfile, "train", "/train.py");
	strbuf_addf(&opref,
		    "guildfile:%s/guild.yml a41e9093b9655c3b3adb07d55ee6ee19 '' train",
		    scratch);
	cr_expect_str_eq(operation->opref, strbuf_cstr(&opref));
	cr_expect_str_eq(operation->name, "train");
	cr_expect_str_eq(operation->opspec, "train");
	cr_expect_str_eq(operation->project, scratch);
}

Test(guildfile, an_opref_quotes_what_a_shell_would_split)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("- model: my model\n  operations: {it's: x}\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;

	operation = read_op(guildfile, "my model:it's", "/x.py");
	cr_expect_eq(operation_name_of_opref(str_from(operation->opref), &name), 0);
	expect_text(strbuf_str(&name), "my model:it's", operation->opref);
	cr_expect_str_eq(operation->name, "my model:it's");
	cr_expect_null(operation->problem);
}

Test(guildfile, flags_have_defaults_and_descriptions)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile = load_text(
		"op:\n  exec: x\n  description: Does it\n  flags:\n"
		"    lr: {default: 0.1, description: How fast}\n"
		"    b: 2\n    c: {description: What}\n    d:\n    e: [1, 2]\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	operation = read_op(guildfile, "op", "");
	cr_expect_null(operation->problem);
	cr_expect_str_eq(operation->description, "Does it");
	cr_assert_eq(operation_defaults(operation, &flags), 0);
	cr_assert_eq(flags_format(&flags, &text), 0);
	expect_text(strbuf_str(&text), "b=2\nc=null\nd=null\ne=[1, 2]\nlr=0.1\n", "");
	cr_expect_str_eq(operation->flag_defs[1].description, "What");
	cr_expect_str_eq(operation->flag_defs[4].description, "How fast");
	cr_expect_null(operation->flag_defs[0].description);
}

Test(guildfile, what_is_not_understood_is_named_with_its_line)
{
	static const struct {
		const char *body, *problem;
	} rows[] = {
		{ "  steps: [a]\n", "line 2: operation op: 'steps' is not" },
		{ "  exec: x\n  1: y\n", "line 3: operation op: '?' is not" },
		{ "  exec: x\n  requires: a\n",
		  "line 3: operation op: 'requires' is not" },
		{ "  notebook: a\n",
		  "line 2: operation op: 'notebook' is not supported" },
		{ "  exec: x\n  label: [a]\n", "label is a text" },
		{ "  exec: x\n  tags: {a: b}\n", "tags is a text or a list of texts" },
		{ "  exec: x\n  pip-freeze: maybe\n", "pip-freeze is yes or no" },
		{ "  exec: x\n  run-attrs: [a]\n", "run-attrs is a map" },
		{ "  exec: x\n  python-requires: [a]\n", "python-requires is a text" },
		{ "  exec: x\n  flags: {$include: none}\n",
		  "line 3: operation op: flags: $include: 'none' names nothing" },
		{ "  exec: x\n  flags: {$include: op}\n",
		  "line 3: operation op: flags: $include: 'op' includes itself" },
		{ "  exec: ''\n", "line 2: operation op: exec is no command" },
		{ "  exec: \"sh 'a\"\n", "line 2: operation op: exec is no command" },
		{ "  exec: [sh, 1]\n", "line 2: operation op: exec is no command" },
		{ "  exec: 5\n", "line 2: operation op: exec is no command" },
		{ "  main: ''\n", "main names no Python module" },
		{ "  main: [a]\n", "main names no Python module" },
		{ "  main: \"a 'b\"\n", "main names no Python module" },
		{ "  exec: x\n  flags: [a]\n", "line 3: operation op: flags is a map" },
		{ "  exec: x\n  flags:\n    a b: c\n",
		  "line 4: operation op: flag a b: a flag's name has no blank" },
		{ "  exec: x\n  flags:\n    '': a\n", "a flag's name has no blank" },
		{ "  exec: x\n  flags:\n    \"a\\nb\": c\n", "a flag's name has no" },
		{ "  exec: x\n  flags:\n    a:\n      min: low\n",
		  "line 4: operation op: flag a: 'min' is a number" },
		{ "  exec: x\n  env: [a]\n", "line 3: operation op: env is a map" },
		{ "  exec: x\n  env: {'a=b': c}\n", "env: a name of a variable" },
		{ "  exec: x\n  env: {'': c}\n", "env: a name of a variable" },
		{ "  exec: x\n  env: {1: c}\n", "env: a name of a variable" },
		{ "  exec: x\n  flags-dest: config:y\n",
		  "line 3: operation op: flags-dest: config type for y not" },
		{ "  exec: x\n  description: 5\n", "description is a text" },
		{ "  - x\n", "line 1: operation op: write a map, or the name of" },
		{ "  steps: [a]\n  needs: x\n", "line 2: operation op: 'steps' is not" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf problem = STRBUF_INIT;

		strbuf_addf(&text, "op:\n%s", rows[i].body);
		guildfile = load_text(strbuf_cstr(&text));
		operation = read_op(guildfile, "op", NULL);
		cr_assert_not_null(operation->problem, "%s", rows[i].body);
		strbuf_adds(&problem, operation->problem);
		expect_sentence(&problem, rows[i].problem, rows[i].body);
		cr_expect(str_starts(strbuf_str(&problem), "guild.yml: line "));
	}
}

Test(guildfile, one_that_it_has_not_is_enoent)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile = load_text("a: x\n");
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	struct operation *operation = NULL;

	cr_expect_eq(guildfile_operation(guildfile, "b", NULL, &operation, &main),
		     -ENOENT);
	cr_expect_null(operation);
}

Test(guildfile, an_r_script_takes_the_flags_of_an_operation)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("op:\n  exec: Rscript a.R --slow\n  flags-dest: a.R\n"
			  "  flags-import: all\n  flags: {x: {max: 3}}\n"
			  "lost:\n  exec: Rscript b.R\n  flags-dest: b.R\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL, *lost = NULL;
	const struct flag_def *flag_def;

	scratch_put("a.R", "x <- 1\ny <- 'a'\n");
	operation = read_op(guildfile, "op", NULL);
	cr_expect_null(operation->problem, "%s", operation->problem);
	cr_assert_eq(operation->n_flag_defs, 2);
	flag_def = operation_find_flag(operation, "x");
	expect_document(&flag_def->default_value, "1\n", "x");
	expect_document(&flag_def->max, "3\n", "x");
	expect_document(value_get(&operation->attr, "deps"), "[]\n", "deps");
	lost = read_op(guildfile, "lost", NULL);
	cr_expect(strstr(lost->problem,
			 "line 8: operation lost: flags-dest: b.R can't be read"),
		  "%s", lost->problem);
}

Test(guildfile, what_guild_records_of_flags_besides)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("op:\n  exec: x\n  flags:\n"
			  "    a: {null-label: none, type: complex, unit: s, size: [1]}\n"
			  "    b: {arg-skip: no, arg-switch: no, arg-name: '',"
			  " arg-split: ','}\n    c: 1\n");
	_cleanup_(operation_unrefp) struct operation *operation =
		read_op(guildfile, "op", NULL);

	expect_document(value_get(&operation->attr, "flag-null-labels"), "a: none\n", "");
	expect_document(value_get(&operation->attr, "flags-extra"),
			"a:\n  size:\n  - 1\n  unit: s\n", "");
	expect_document(value_get(value_get(&operation->attr, "op-cmd"), "cmd-flags"),
			"a: {}\nb:\n  arg-split: ','\n  arg-switch: false\nc: {}\n", "");
	cr_expect_null(operation->problem, "%s", operation->problem);
	cr_expect_str_eq(operation->remarks,
			 "flag a: unknown flag type complex, assuming 'auto'.\n");
}

/* What Guild records for main: train with flags-dest globals (1.6.1), but its paths. */
Test(guildfile, an_operation_is_recorded_as_guild_does_it)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("train:\n  main: train\n  env: {A: 1}\n  flags: {lr: 0.1}\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

	operation = read_with(guildfile, "train", "globals", NULL);
	strbuf_addf(&expected,
		    "delete-on-success: false\ndeps: []\nflag-null-labels: {}\n"
		    "flags-extra: {}\nlabel-template: null\nop-cmd:\n  cmd-args:\n"
		    "  - ${python_exe}\n  - -um\n  - guild.op_main\n  - train\n  - --\n"
		    "  - __flag_args__\n  cmd-env:\n    A: 1\n    FLAGS_DEST: globals\n"
		    "    GUILD_PLUGINS: cpu,disk,memory,perf,python_script\n"
		    "    PROJECT_DIR: %s\n    PYTHONPATH: .\n  cmd-flags:\n    lr: {}\n"
		    "  flags-dest: globals\noutput-attrs: null\noutput-scalars: null\n"
		    "python-requires: null\nsourcecode:\n  dest: .\n",
		    scratch);
	expect_document(&operation->attr, strbuf_cstr(&expected), "train");
}

Test(guildfile, what_has_no_effect_is_told_and_what_says_nothing_is_not)
{
	static const struct {
		const char *body, *remarks;
	} rows[] = {
		{ "exec: x", NULL },
		{ "exec: x, steps: [a]", "steps: exec and main go before it; it has no"
					 " effect here.\n" },
		{ "main: x, steps: [a]", "steps: exec and main go before it; it has no"
					 " effect here.\n" },
		{ "exec: x, main: y", "main: exec goes before it; it has no effect.\n" },
		{ "exec: ~, main: y", NULL },
		{ "main: y, requires: []", NULL },
		{ "main: y, steps: ~, notebook: '', flag-encoder: no", NULL },
		{ "exec: x, optimizer: gp",
		  "optimizer: for Guild's batches; it has no effect here.\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "a: {%s}\n", rows[i].body);
		guildfile = load_text(strbuf_cstr(&text));
		operation = read_op(guildfile, "a", NULL);
		cr_expect_null(operation->problem, "%s", operation->problem);
		expect_text(str_from(operation->remarks),
			    rows[i].remarks ? rows[i].remarks : "", rows[i].body);
	}
}

Test(guildfile, a_model_speaks_for_its_operations)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("- model: m\n  python-requires: '>=3.8'\n  plugins: [cpu]\n"
			  "  operations:\n    a: {main: x}\n"
			  "    b: {main: x, python-requires: '3', plugins: no}\n");
	_cleanup_(operation_unrefp) struct operation *a = read_op(guildfile, "m:a", NULL);
	_cleanup_(operation_unrefp) struct operation *b = read_op(guildfile, "m:b", NULL);
	const struct operation *operations[] = { a, b };
	static const char *const requires[] = { ">=3.8", "3" };
	static const char *const plugins[] = { "cpu,python_script", "python_script" };

	for (size_t i = 0; i < 2; i++) {
		const struct value *attr = &operations[i]->attr;
		const struct value *env = value_get(value_get(attr, "op-cmd"), "cmd-env");

		cr_expect(
			value_is_string(value_get(attr, "python-requires"), requires[i]));
		cr_expect(value_is_string(value_get(env, "GUILD_PLUGINS"), plugins[i]));
	}
}

Test(guildfile, source_code_has_many_forms)
{
	static const struct {
		const char *model, *own, *source, *attr;
	} rows[] = {
		{ "~", "~", "null", "{dest: .}" },
		{ "~", "no", "{select: [{exclude: ['*']}]}", "{dest: .}" },
		{ "~", "[]", "{select: [{exclude: ['*']}]}", "{dest: .}" },
		{ "~", "{select: no}", "{select: [{exclude: ['*']}]}", "{dest: .}" },
		{ "~", "{}", "null", "{dest: .}" },
		{ "~", "a", "{select: [{exclude: ['*']}, {include: [a]}]}", "{dest: .}" },
		{ "~", "[a, b]",
		  "{select: [{exclude: ['*']}, {include: [a]}, {include: [b]}]}",
		  "{dest: .}" },
		{ "~", "[a, exclude: b]", "{select: [{include: [a]}, {exclude: [b]}]}",
		  "{dest: .}" },
		{ "~", "[{exclude: a, include: b}]", NULL, NULL },
		{ "~", "[{exclude: [a, b]}, {include: {text: c}}, {include: '[d, e]'}]",
		  "{select: [{exclude: [a, b]}, {include: {text: [c]}},"
		  " {include: [d, e]}]}",
		  "{dest: .}" },
		{ "~", "{select: [{exclude: {dir: [a]}}], root: r, dest: d}",
		  "{select: [{exclude: {dir: [a]}}]}", "{dest: d, root: r}" },
		{ "~", "{digest: no}", "{digest: no}", "{dest: .}" },
		{ "{digest: no, root: r, dest: d}", "{digest: yes, root: s}", "null",
		  "{dest: d, root: s}" },
		{ "{digest: no}", "[include: a]",
		  "{digest: no, select: [{include: [a]}]}", "{dest: .}" },
		{ "[exclude: a]", "[include: b]",
		  "{select: [{exclude: [a]}, {include: [b]}]}", "{dest: .}" },
		{ "no", "~", "{select: [{exclude: ['*']}]}", "{dest: .}" },
		{ "no", "[include: a]", "{select: [{include: [a]}]}", "{dest: .}" },
		{ "[a]", "no", "{select: [{exclude: ['*']}]}", "{dest: .}" },
		/* What can't be. */
		{ "~", "yes", NULL, NULL },
		{ "~", "12", NULL, NULL },
		{ "~", "[12]", NULL, NULL },
		{ "~", "[{files: a}]", NULL, NULL },
		{ "~", "[include: {file: a}]", NULL, NULL },
		{ "~", "[include: {dir: a, text: b}]", NULL, NULL },
		{ "~", "[include: [12]]", NULL, NULL },
		{ "~", "[include: ]", NULL, NULL },
		{ "~", "{select: {a: b}}", NULL, NULL },
		{ "~", "{root: [a]}", NULL, NULL },
		{ "~", "{dest: /a}", NULL, NULL },
		{ "~", "{dest: .guild}", NULL, NULL },
		{ "~", "{digest: maybe}", NULL, NULL },
		{ "yes", "~", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(value_done) struct value source = VALUE_INIT;
		_cleanup_(value_done) struct value attr = VALUE_INIT;

		strbuf_addf(&text,
			    "- model: m\n  sourcecode: %s\n  operations:\n"
			    "    a: {exec: x, sourcecode: %s}\n",
			    rows[i].model, rows[i].own);
		guildfile = load_text(strbuf_cstr(&text));
		operation = read_op(guildfile, "m:a", NULL);
		if (!rows[i].source) {
			cr_assert_not_null(operation->problem, "%s", rows[i].own);
			cr_expect(strstr(operation->problem, "sourcecode"), "%s",
				  operation->problem);
			continue;
		}
		cr_expect_null(operation->problem, "%s", operation->problem);
		value_of(rows[i].source, &source);
		value_of(rows[i].attr, &attr);
		cr_expect(value_equal(&operation->source, &source), "%s", rows[i].own);
		cr_expect(value_equal(value_get(&operation->attr, "sourcecode"), &attr),
			  "%s", rows[i].own);
	}
}

Test(guildfile, a_main_is_looked_for_in_the_root_of_the_source)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("a: {main: x.y, sourcecode: {root: src}}\n"
			  "b: {main: x, sourcecode: {dest: lib}}\n");
	_cleanup_(operation_unrefp) struct operation *a =
		read_op(guildfile, "a", "/src/x/y.py");
	_cleanup_(operation_unrefp) struct operation *b =
		read_op(guildfile, "b", "/x.py");

	cr_expect(value_is_string(
		value_get(value_get(value_get(&b->attr, "op-cmd"), "cmd-env"),
			  "PYTHONPATH"),
		"lib"));
	cr_expect_null(a->problem);
}

Test(guildfile, a_destination_that_is_said_is_not_asked_for)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("train: {main: train, flags-dest: globals}\n");
	_cleanup_(operation_unrefp) struct operation *operation = NULL;

	operation = read_with(guildfile, "train", "args", NULL);
	cr_expect(value_is_string(value_get(value_get(&operation->attr, "op-cmd"),
					    "flags-dest"),
				  "globals"));
}

Test(guildfile, flags_of_the_script_come_in_as_guild_yml_says)
{
	static const char flags[] =
		"{a: {default: 1, type: number}, b: {default: x, type: string},"
		" c: {default: no, type: boolean, description: See}}";
	static const struct {
		const char *body, *flags;
	} rows[] = {
		{ "", "" },
		{ "  flags: {a: 2}\n", "a=2\n" },
		{ "  flags: {a: {max: 3}, q: 5}\n", "a=1\nq=5\n" },
		{ "  flags-import: all\n", "a=1\nb=x\nc=no\n" },
		{ "  flags-import: yes\n", "a=1\nb=x\nc=no\n" },
		{ "  flags-import: all\n  flags-import-skip: [a, c]\n", "b=x\n" },
		{ "  flags-import: all\n  flags: {b: y}\n", "a=1\nb=y\nc=no\n" },
		{ "  flags-import: [a]\n  flags: {b: y, c: null}\n",
		  "a=1\nb=y\nc=null\n" },
		{ "  flags-import: no\n  flags: {a: {type: int}}\n", "a=null\n" },
		{ "  flags-import: []\n", "" },
		{ "  flags-import: b\n", "b=x\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT;
		_cleanup_(flags_done) struct flags defaults = FLAGS_INIT;

		strbuf_addf(&text, "op:\n  main: train\n%s", rows[i].body);
		guildfile = load_text(strbuf_cstr(&text));
		operation = read_with(guildfile, "op", "globals", flags);
		cr_expect_null(operation->problem, "%s", operation->problem);
		cr_assert_eq(operation_defaults(operation, &defaults), 0);
		cr_assert_eq(flags_format(&defaults, &shown), 0);
		expect_text(strbuf_str(&shown), rows[i].flags, rows[i].body);
	}
}

Test(guildfile, what_guild_yml_says_of_a_flag_goes_before_what_the_script_says)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		load_text("op: {main: train, flags: {a: {type: int, max: 9}}}\n");
	_cleanup_(operation_unrefp) struct operation *operation =
		read_with(guildfile, "op", "args",
			  "{a: {default: 1, type: number, description: How many}}");

	cr_assert_eq(operation->n_flag_defs, 1);
	cr_expect_eq(operation->flag_defs[0].type, FLAG_INT);
	cr_expect_str_eq(operation->flag_defs[0].description, "How many");
	cr_expect_eq(operation->flag_defs[0].max.type, VALUE_INT);
}

static void apply(struct definition *definition, bool is_python, struct operation *ret)
{
	ret->project = strdup("/p");
	ret->is_python = is_python;
	cr_assert_eq(definition_apply(definition, ret), 0);
}

static void expect_env(const struct operation *operation, const char *yaml,
		       const char *about)
{
	expect_document(value_get(value_get(&operation->attr, "op-cmd"), "cmd-env"), yaml,
			about);
}

Test(definition, what_is_no_python_s_has_no_python_path)
{
	_cleanup_(definition_done) struct definition definition = DEFINITION_INIT;
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();

	setenv("PYTHONPATH", "/inherited", 1);
	apply(&definition, false, operation);
	expect_env(operation, "GUILD_PLUGINS: cpu,disk,memory,perf\nPROJECT_DIR: /p\n",
		   "");
	cr_expect(value_is_string(
		value_get(value_get(&operation->attr, "op-cmd"), "flags-dest"), "args"));
}

Test(definition, the_run_s_own_source_comes_before_what_is_inherited)
{
	_cleanup_(definition_done) struct definition definition = DEFINITION_INIT;
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();

	setenv("PYTHONPATH", "/inherited", 1);
	value_done(&definition.env);
	value_of("{PYTHONPATH: /first}", &definition.env);
	apply(&definition, true, operation);
	expect_env(operation,
		   "GUILD_PLUGINS: cpu,disk,memory,perf,python_script\n"
		   "PROJECT_DIR: /p\nPYTHONPATH: /first:.:/inherited\n",
		   "");
}

static void read_flag(struct definition *definition, const char *name, const char *yaml)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value body = VALUE_INIT;

	value_of(yaml, &body);
	cr_assert_eq(definition_read_flag(definition, operation, str_from(name), &body,
					  &why),
		     0, "%s: %s", yaml, strbuf_cstr(&why));
	cr_expect_eq(operation->n_flag_defs, 1);
}

Test(definition, a_flag_is_passed_whole_or_in_parts)
{
	_cleanup_(definition_done) struct definition definition = DEFINITION_INIT;

	read_flag(&definition, "a", "1");
	read_flag(&definition, "b", "{default: 1, arg-split: yes, min: 0}");
	expect_document(&definition.cmd_flags, "a: {}\nb:\n  arg-split: true\n", "");
}
