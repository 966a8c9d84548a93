/* A directory's operations: listed, told apart, and asked of Python only when they
 * change.
 */
#include "engine/project.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static struct loop *loop;
static struct python *python;
static struct project *project;
static int n_told;

static void on_told(void *userdata)
{
	n_told++;
	loop_stop(loop);
}

static void begin(void)
{
	_cleanup_(strbuf_done) struct strbuf helper = STRBUF_INIT;
	_cleanup_free_ char *path = NULL;

	scratch_make();
	scratch_make_dir("p");
	path = scratch_path("p");
	strbuf_addf(&helper, "%s/python-flags.py", getenv("RUNFS_SCRIPTS"));
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(python_new(loop, strbuf_cstr(&helper), &python), 0);
	cr_assert_eq(project_new(python, path, on_told, NULL, &project), 0);
	unsetenv("GUILD_PYTHON_EXE");
	unsetenv("VIRTUAL_ENV");
}

static void end(void)
{
	project_free(project);
	python_free(python);
	loop_free(loop);
	scratch_remove();
}

TestSuite(project, .init = begin, .fini = end, .timeout = 120);

static void make_project(void)
{
	scratch_put("p/guild.yml", "train: {main: sub/deep, flags-dest: args}\n"
				   "echo.py: {exec: x}\nsub: {exec: x}\n");
	scratch_put("p/echo.py", "x = 1\n");
	scratch_put_program("p/run.sh", "#!/bin/sh\n");
	scratch_put("p/data.txt", "");
	scratch_put_program("p/.hidden", "");
	scratch_put("p/sub/deep.py", "y = 2\n");
	scratch_put("p/sub/data.csv", "");
	scratch_put_program("p/sub/more/tool", "");
	scratch_put_program("p/other/x", "");
	scratch_put("outside.py", "");
	scratch_put_link("p/link.py", "../outside.py");
	scratch_put_link("p/nowhere.py", "none");
	cr_assert_eq(mkfifoat(scratch_fd, "p/fifo.py", 0644), 0);
}

Test(project, its_operations_are_listed)
{
	static const struct {
		const char *dir, *names;
	} rows[] = {
		{ "", "echo.py | link.py | run.sh | sub | train" },
		{ "sub", "deep.py | more" },
		{ "sub/more", "tool" },
		{ "other", "x" },
		{ "none", "" },
		{ "..", "" },
		{ "sub/..", "" },
		{ ".", "" },
		{ "/etc", "" },
		{ "sub//more", "" },
		{ "data.txt", "" },
	};

	make_project();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strv_freep) char **names = NULL;

		cr_expect_eq(project_list(project, rows[i].dir, &names), 0, "%s",
			     rows[i].dir);
		expect_words(names, rows[i].names, rows[i].dir);
	}
}

Test(project, a_place_is_an_operation_or_a_directory_or_nothing)
{
	static const struct {
		const char *name;
		enum project_place place;
	} rows[] = {
		{ "train", PROJECT_OPERATION },
		{ "echo.py", PROJECT_OPERATION },
		{ "run.sh", PROJECT_OPERATION },
		{ "sub", PROJECT_OPERATION },
		{ "other", PROJECT_DIRECTORY },
		{ "sub/more", PROJECT_DIRECTORY },
		{ "sub/deep.py", PROJECT_OPERATION },
		{ "sub/more/tool", PROJECT_OPERATION },
		{ "link.py", PROJECT_OPERATION },
		{ "data.txt", PROJECT_NOTHING },
		{ "fifo.py", PROJECT_NOTHING },
		{ "nowhere.py", PROJECT_NOTHING },
		{ "none", PROJECT_NOTHING },
		{ ".hidden", PROJECT_NOTHING },
		{ "..", PROJECT_NOTHING },
		{ "../outside.py", PROJECT_NOTHING },
		{ "sub/train", PROJECT_NOTHING },
		{ "", PROJECT_NOTHING },
		{ "/etc", PROJECT_NOTHING },
		{ "sub/../run.sh", PROJECT_NOTHING },
	};

	make_project();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct operation *operation = NULL;

		cr_expect_eq(project_look(project, rows[i].name), rows[i].place, "%s",
			     rows[i].name);
		if (rows[i].place != PROJECT_OPERATION)
			cr_expect_eq(project_operation(project, rows[i].name, &operation),
				     -ENOENT, "%s", rows[i].name);
	}
}

/* What can be seen of the project with @n_free descriptors; whether all of it can. */
static bool look_with(int n_free)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strv_freep) char **names = NULL;
	int look, list, define;

	descriptors_leave(n_free);
	look = project_look(project, "sub/deep.py");
	list = project_list(project, "", &names);
	define = project_operation(project, "echo.py", &operation);
	descriptors_leave(-1);

	cr_expect(look == PROJECT_OPERATION || look == -EMFILE, "%d: %d", n_free, look);
	cr_expect(list == 0 || list == -EMFILE, "%d: %d", n_free, list);
	cr_expect(define == 0 || define == -EMFILE, "%d: %d", n_free, define);
	if (list == 0)
		expect_words(names, "a.py | echo.py", "");
	if (define == 0)
		cr_expect_str_eq(operation->description, "of guild.yml");
	return look >= 0 && list == 0 && define == 0;
}

Test(project, who_lacks_descriptors_says_so_and_not_that_nothing_is_there)
{
	int n_free = 0;

	scratch_put("p/guild.yml", "- include: more.yml\n");
	scratch_put("p/more.yml", "- model: ''\n  operations:\n"
				  "    echo.py: {exec: x, description: of guild.yml}\n");
	scratch_put("p/echo.py", "");
	scratch_put("p/a.py", "");
	scratch_put("p/sub/deep.py", "");
	while (!look_with(n_free))
		n_free++;
	cr_expect_gt(n_free, 0);
}

Test(project, a_guildfile_that_can_not_be_read_hides_no_scripts)
{
	_cleanup_(strv_freep) char **names = NULL;

	scratch_put("p/guild.yml", "a: [\n");
	scratch_put_program("p/run.sh", "");
	cr_expect_eq(project_list(project, "", &names), 0);
	expect_words(names, "a | run.sh", "");
	cr_expect_eq(project_look(project, "a"), PROJECT_OPERATION);
}

Test(project, there_may_be_none)
{
	_cleanup_(project_freep) struct project *none = NULL;
	_cleanup_(strv_freep) char **names = NULL;
	struct operation *operation = NULL;

	cr_assert_eq(project_new(python, NULL, on_told, NULL, &none), 0);
	cr_expect_null(project_path(none));
	cr_expect_eq(project_list(none, "", &names), 0);
	cr_expect_eq(strv_length(names), 0);
	cr_expect_eq(project_look(none, "x"), PROJECT_NOTHING);
	cr_expect_eq(project_operation(none, "x", &operation), -ENOENT);
	project_free(NULL);
}

Test(project, it_may_go_away)
{
	_cleanup_(strv_freep) char **names = NULL;
	struct operation *operation = NULL;

	scratch_put_program("p/run.sh", "");
	scratch_delete("p");
	cr_expect_eq(project_list(project, "", &names), 0);
	cr_expect_eq(strv_length(names), 0);
	cr_expect_eq(project_operation(project, "run.sh", &operation), -ENOENT);
}

static void expect_op_cmd(const struct operation *operation, const char *key,
			  const char *yaml)
{
	expect_document(value_get(value_get(&operation->attr, "op-cmd"), key), yaml, key);
}

/* A run has its own copy of the program, and that is what it runs (5.8). */
Test(project, a_program_is_an_operation_that_takes_any_flag)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT;
	_cleanup_free_ char *opspec = scratch_path("p/a b.sh");
	_cleanup_free_ char *path = scratch_path("p");

	scratch_put_program("p/a b.sh", "#!/bin/sh\n");
	cr_assert_eq(project_operation(project, "a b.sh", &operation), 0);
	strbuf_addf(&opref, "script:%s '' '' 'a b.sh'", path);
	cr_expect_str_eq(operation->name, "a b.sh");
	cr_expect_str_eq(operation->opref, strbuf_cstr(&opref));
	cr_expect_str_eq(operation->opspec, opspec);
	cr_expect_str_eq(operation->project, path);
	cr_expect(operation->takes_any_flag);
	cr_expect_not(operation->is_python);
	cr_expect_null(operation->problem);
	expect_op_cmd(operation, "cmd-args", "- ./a b.sh\n");
	cr_expect_eq(n_told, 0);
}

Test(project, an_r_script_is_an_operation_with_its_variables_as_flags)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL, *other = NULL,
						     *bad = NULL;

	scratch_put("p/sub/train.R", "lr <- 0.1\nm <- 3L\n");
	scratch_put("p/plain.r", "print(commandArgs())\n");
	scratch_put("p/bad.R", "x <- '\xff'\n");
	cr_assert_eq(project_operation(project, "sub/train.R", &operation), 0);
	cr_expect_null(operation->problem);
	cr_expect_not(operation->takes_any_flag);
	cr_expect_str_eq(operation->program, "sub/train.R");
	expect_op_cmd(operation, "cmd-args", "- Rscript\n- sub/train.R\n");
	expect_op_cmd(operation, "cmd-flags", "lr: {}\nm: {}\n");
	expect_op_cmd(operation, "flags-dest", "sub/train.R\n");
	cr_assert_eq(project_operation(project, "plain.r", &other), 0);
	cr_expect(other->takes_any_flag);
	expect_op_cmd(other, "flags-dest", "args\n");
	cr_assert_eq(project_operation(project, "bad.R", &bad), 0);
	cr_expect_str_eq(bad->problem, "bad.R: the script is no UTF-8 text");
	cr_expect_eq(bad->problem_error, -EINVAL);
}

/* Waits for what Python says of the operation @name. */
static struct operation *ask(const char *name)
{
	struct operation *operation = NULL;
	int r = project_operation(project, name, &operation);

	cr_assert_eq(r, -EINPROGRESS, "%s: %d", name, r);
	cr_assert_eq(project_operation(project, name, &operation), -EINPROGRESS,
		     "asked twice");
	cr_expect_null(operation);
	run_patiently(loop);
	cr_assert_eq(project_operation(project, name, &operation), 0, "%s", name);
	return operation;
}

static void expect_defaults(const struct operation *operation, const char *expected)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(operation_defaults(operation, &flags), 0);
	cr_assert_eq(flags_format(&flags, &text), 0);
	expect_text(strbuf_str(&text), expected, operation->name);
}

Test(project, a_script_s_constants_are_its_flags)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_free_ char *opspec = scratch_path("p/sub/train.py");

	scratch_put("p/sub/train.py",
		    "\"\"\"Trains.\"\"\"\nx = 1.0\nz = 'a'\nl = [1, 'b c']\no = None\n");
	operation = ask("sub/train.py");
	cr_expect_eq(n_told, 1);
	cr_expect_str_eq(operation->name, "sub/train.py");
	cr_expect_str_eq(operation->opspec, opspec);
	cr_expect_str_eq(operation->description, "Trains.");
	cr_expect(operation->is_python);
	cr_expect_not(operation->takes_any_flag);
	cr_expect_null(operation->problem);
	cr_expect_not_null(operation->python_version);
	cr_expect_eq(operation->pip_freeze.type, VALUE_LIST);
	expect_op_cmd(operation, "cmd-args",
		      "- ${python_exe}\n- -um\n- guild.op_main\n- sub/train\n"
		      "- __flag_args__\n");
	expect_op_cmd(operation, "cmd-flags",
		      "l:\n  arg-split: true\no: {}\nx: {}\nz: {}\n");
	expect_op_cmd(operation, "flags-dest", "globals\n");
	/* A list is text in words, as Guild has it (5.5). */
	expect_defaults(operation, "l='1 ''b c'''\no=null\nx=1.0\nz=a\n");
}

Test(project, python_is_asked_again_only_when_the_script_has_changed)
{
	_cleanup_(operation_unrefp) struct operation *before = NULL, *same = NULL,
						     *after = NULL;

	scratch_put("p/a.py", "x = 1\n");
	before = ask("a.py");
	cr_expect_eq(project_operation(project, "a.py", &same), 0);
	cr_expect_eq(n_told, 1);
	scratch_put("p/a.py", "x = 22\n");
	after = ask("a.py");
	cr_expect_eq(n_told, 2);
	expect_defaults(before, "x=1\n");
	expect_defaults(same, "x=1\n");
	expect_defaults(after, "x=22\n");
}

Test(project, what_keeps_a_script_from_running_is_its_problem)
{
	static const struct {
		const char *name, *text, *problem;
	} rows[] = {
		{ "a.py", "x = (\n", "a.py: line 1: " },
		{ "b.py", "import argparse\n", "b.py: " },
		{ "c.py", "import argparse, nope\n", "nope" },
		{ "d.py", "x = '\xff'\n", "d.py: line " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf problem = STRBUF_INIT;

		strbuf_addf(&path, "p/%s", rows[i].name);
		scratch_put(strbuf_cstr(&path), rows[i].text);
		operation = ask(rows[i].name);
		cr_assert_not_null(operation->problem, "%s", rows[i].name);
		strbuf_adds(&problem, operation->problem);
		expect_sentence(&problem, rows[i].problem, rows[i].name);
	}
}

Test(project, a_python_that_comes_is_asked_at_once)
{
	_cleanup_(operation_unrefp) struct operation *without = NULL, *with = NULL;
	_cleanup_free_ char *path = strdup(getenv("PATH"));
	_cleanup_(strbuf_done) struct strbuf problem = STRBUF_INIT;

	scratch_put("p/a.py", "x = 1\n");
	setenv("PATH", "/none", 1);
	cr_assert_eq(project_operation(project, "a.py", &without), 0);
	cr_assert_not_null(without->problem);
	strbuf_adds(&problem, without->problem);
	expect_sentence(&problem, "the flags of a.py can't be read: 'python3' is in no",
			"");
	setenv("PATH", path, 1);
	with = ask("a.py");
	cr_expect_null(with->problem);
	expect_defaults(with, "x=1\n");
}

Test(project, a_python_that_gives_no_answer_is_asked_once)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL, *again = NULL;
	_cleanup_free_ char *path = scratch_path("python");

	scratch_put("p/a.py", "x = 1\n");
	scratch_put_program("python", "#!/bin/sh\n");
	setenv("GUILD_PYTHON_EXE", path, 1);
	operation = ask("a.py");
	cr_expect_not_null(operation->problem);
	cr_expect_eq(project_operation(project, "a.py", &again), 0);
	cr_expect_eq(n_told, 1);
}

Test(project, the_script_of_a_defined_operation_says_where_flags_go)
{
	static const struct {
		const char *script, *dest;
	} rows[] = {
		{ "x = 1\n", "globals\n" },
		{ "import argparse\n", "args\n" },
		{ "import click\n", "args:click\n" },
	};

	scratch_put("p/guild.yml", "train: {main: t, flags: {x: 5}}\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;

		scratch_delete("p/t.py");
		scratch_put("p/t.py", rows[i].script);
		operation = ask("train");
		expect_op_cmd(operation, "flags-dest", rows[i].dest);
		expect_defaults(operation, "x=5\n");
		cr_expect_null(operation->problem);
	}
}

/* What flags-dest says, and which flags are found there. */
Test(project, a_destination_is_where_flags_are_read_from)
{
	static const struct {
		const char *dest, *defaults;
	} rows[] = {
		{ "globals", "l='1 true \"''1''\"'\nx=1\n" },
		{ "global:p", "a=2\nb.c=deep\n" },
		{ "dict:p", "a=2\nb.c=deep\n" },
		{ "namespace:n", "lr=0.1\n" },
		{ "none", "" },
	};

	scratch_put("p/t.py", "import types\nx = 1\nl = [1, True, '1']\n"
			      "p = {'a': 2, 'b': {'c': 'deep'}}\n"
			      "n = types.SimpleNamespace(lr=0.1)\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "t: {flags-dest: '%s', flags-import: all, main: t}\n",
			    rows[i].dest);
		scratch_delete("p/guild.yml");
		scratch_put("p/guild.yml", strbuf_cstr(&text));
		operation = ask("t");
		expect_defaults(operation, rows[i].defaults);
		cr_expect_null(operation->remarks, "%s: %s", rows[i].dest,
			       operation->remarks);
	}
}

/* Each file is run as op-main.py would run it: in its package, with its arguments. */
Test(project, options_are_found_in_the_place_where_main_runs)
{
	static const struct {
		const char *main, *defaults;
	} rows[] = {
		{ "pkg.mod", "b=2\n" },
		{ "sub/cmd train", "lr=0.5\n" },
	};

	scratch_put("p/pkg/__init__.py", "");
	scratch_put("p/pkg/other.py", "B = 2\n");
	scratch_put("p/pkg/mod.py", "import argparse\nfrom .other import B\n"
				    "p = argparse.ArgumentParser()\n"
				    "p.add_argument('--b', default=B)\np.parse_args()\n");
	scratch_put("p/sub/cmd.py", "import argparse\np = argparse.ArgumentParser()\n"
				    "q = p.add_subparsers().add_parser('train')\n"
				    "q.add_argument('--lr', default=0.5)\n"
				    "p.parse_args()\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "t: {flags-import: all, main: %s}\n", rows[i].main);
		scratch_delete("p/guild.yml");
		scratch_put("p/guild.yml", strbuf_cstr(&text));
		operation = ask("t");
		expect_defaults(operation, rows[i].defaults);
		cr_expect_null(operation->remarks, "%s", operation->remarks);
	}
}

/* It leaves a mark where it runs. */
Test(project, a_script_whose_options_are_not_wanted_is_not_run)
{
	static const char *const flags[] = { "flags-import: no", "flags-import: []",
					     "flags: {}" };

	scratch_put("p/t.py", "import argparse\nopen('ran', 'w')\n");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text, "t: {main: t, %s, description: %zu}\n", flags[i], i);
		scratch_delete("p/guild.yml");
		scratch_put("p/guild.yml", strbuf_cstr(&text));
		if (i == 0)
			operation = ask("t");
		else
			cr_assert_eq(project_operation(project, "t", &operation), 0);
		expect_op_cmd(operation, "flags-dest", "args\n");
		cr_expect_not(scratch_has("p/ran"), "%s", flags[i]);
	}
}

Test(project, flags_that_could_not_be_imported_are_a_remark)
{
	static const struct {
		const char *script, *dest, *remark;
	} rows[] = {
		{ "import argparse, nomodule\n", "args",
		  "t.py: line 1: There is no module 'nomodule' for " },
		{ "import click\n1/0\n", "args:click",
		  "t.py: line 2: The script fails before it looks at its options:" },
		{ "x = 1\n", "dict:p", "t.py: There is no 'p = {...}' for the flags" },
		{ "p = 1\n", "namespace:p", "t.py: line 1: 'p' must be a dict or a" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = NULL;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		strbuf_addf(&text,
			    "t: {main: t, flags-dest: '%s', flags-import: all,"
			    " flags: {x: 5}}\n",
			    rows[i].dest);
		scratch_delete("p/guild.yml");
		scratch_put("p/guild.yml", strbuf_cstr(&text));
		scratch_delete("p/t.py");
		scratch_put("p/t.py", rows[i].script);
		operation = ask("t");
		expect_defaults(operation, "x=5\n");
		cr_expect_null(operation->problem);
		cr_assert_not_null(operation->remarks, "%s", rows[i].script);
		cr_expect(strstr(operation->remarks, "cannot import flags from "));
		cr_expect(strstr(operation->remarks, rows[i].remark), "%s",
			  operation->remarks);
	}
}

Test(project, a_defined_operation_shadows_a_script_of_its_name)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;

	make_project();
	cr_assert_eq(project_operation(project, "echo.py", &operation), 0);
	expect_op_cmd(operation, "cmd-args", "- x\n");
	cr_expect_eq(n_told, 0);
}

Test(project, it_may_end_while_python_is_asked)
{
	struct operation *operation = NULL;

	scratch_put("p/a.py", "x = 1\n");
	cr_assert_eq(project_operation(project, "a.py", &operation), -EINPROGRESS);
	project_free(take_ptr(project));
	run_for(loop, 300000);
	cr_expect_eq(n_told, 0);
}
