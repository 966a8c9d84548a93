/* An operation and its flags as argv and environment: each way that Guild passes a flag.
 */
#include "engine/command.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

static struct store *store;
static char *nothing[] = { NULL };

static void begin(void)
{
	scratch_make();
	store = scratch_store();
}

static void end(void)
{
	store_free(store);
	scratch_remove();
}

TestSuite(command, .init = begin, .fini = end);

/* What a test says of a command; the rest is always the same. */
struct sample {
	const char *op_cmd, *flags;
	bool force_flags;
	char *const *environ;
};

static int build(const struct sample *sample, struct command *ret, struct strbuf *why)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	struct command_context context = {
		.store = store,
		.id = ID,
		.python_exe = "/usr/bin/python3",
		.op_main = "/lib/op-main.py",
		.cmd_dir = "/where",
		.environ = sample->environ ? sample->environ : nothing,
		.force_flags = sample->force_flags,
	};
	struct value op_cmd = VALUE_INIT;

	operation->name = strdup("op");
	operation->opspec = strdup("m:op");
	operation->project = strdup("/p");
	value_of(sample->op_cmd, &op_cmd);
	operation->attr.type = VALUE_MAP;
	cr_assert_eq(value_put(&operation->attr, STR("op-cmd"), &op_cmd), 0);
	flags_of(sample->flags, &flags);
	return command_build(operation, &flags, &context, ret, why);
}

static void build_well(const struct sample *sample, struct command *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(build(sample, ret, &why), 0, "%s: %s", sample->op_cmd,
		     strbuf_cstr(&why));
	cr_expect_eq(why.len, 0);
}

/* The way of one flag x through "x __flag_args__", with these attributes. */
Test(command, a_flag_is_passed_as_its_attributes_say)
{
	static const struct {
		const char *attrs, *value, *argv;
	} rows[] = {
		{ "{}", "1", "--x | 1" },
		{ "{}", "1.0e-05", "--x | 1e-05" },
		{ "{}", "true", "--x | 1" },
		{ "{}", "false", "--x | " },
		{ "{}", "null", "" },
		{ "{}", "''", "--x | " },
		{ "{}", "a b", "--x | a b" },
		{ "{}", "[1, b c]", "--x | 1 'b c'" },
		{ "{}", "'-1'", "--x | -1" },
		{ "{arg-name: long}", "1", "--long | 1" },
		{ "{arg-skip: true}", "1", "" },
		{ "{arg-skip: false}", "1", "--x | 1" },
		{ "{arg-switch: true}", "true", "--x" },
		{ "{arg-switch: true}", "false", "" },
		{ "{arg-switch: false}", "false", "--x" },
		{ "{arg-switch: false}", "true", "" },
		{ "{arg-switch: on-it}", "on-it", "--x" },
		{ "{arg-switch: 1}", "1.0", "--x" },
		{ "{arg-switch: true, arg-name: y}", "true", "--y" },
		{ "{arg-split: true}", "a 'b c'", "--x | a | b c" },
		{ "{arg-split: shlex}", "a 'b c'", "--x | a | b c" },
		{ "{arg-split: true}", "[1, b c]", "--x | 1 | b c" },
		{ "{arg-split: ','}", "'a,b c,,d'", "--x | a | b c | d" },
		{ "{arg-split: ','}", "[1, b c]", "--x | 1 | b c" },
		{ "{arg-split: '::'}", "'a::b:c'", "--x | a | b:c" },
		{ "{arg-split: false}", "a b", "--x | a b" },
		{ "{arg-split: true}", "5", "--x | 5" },
		{ "{arg-split: true}", "''", "--x" },
		{ "{arg-encoding: {1: one, a: A}}", "1", "--x | one" },
		{ "{arg-encoding: {1: one, a: A}}", "a", "--x | A" },
		{ "{arg-encoding: {1: one, a: A}}", "b", "--x | b" },
		{ "{arg-encoding: {a: 'p q'}, arg-split: true}", "a", "--x | p q" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf op_cmd = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf flags = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf about = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		strbuf_addf(&op_cmd, "{cmd-args: [p, __flag_args__], cmd-flags: {x: %s}}",
			    rows[i].attrs);
		strbuf_addf(&flags, "{x: %s}", rows[i].value);
		strbuf_addf(&about, "%s, %s", rows[i].attrs, rows[i].value);
		build_well(&(struct sample){ strbuf_cstr(&op_cmd), strbuf_cstr(&flags) },
			   &command);
		cr_expect_str_eq(command.argv[0], "p");
		expect_words(command.argv + 1, rows[i].argv, strbuf_cstr(&about));
	}
}

Test(command, words_and_flags_become_argv)
{
	static const struct {
		const char *op_cmd, *flags, *argv;
		bool force;
	} rows[] = {
		{ "{cmd-args: [p, __flag_args__, end], cmd-flags: {b: {}, a: {}, c: {}}}",
		  "{c: 3, b: 2, a: 1}", "p | --a | 1 | --b | 2 | --c | 3 | end" },
		{ "{cmd-args: [p, __flag_args__], cmd-flags: {a: {}}}", "{a: 1, b: 2}",
		  "p | --a | 1" },
		{ "{cmd-args: [p, __flag_args__], cmd-flags: {a: {}}}", "{a: 1, b: 2}",
		  "p | --a | 1 | --b | 2", true },
		{ "{cmd-args: [p, __flag_args__]}", "{a: 1}", "p" },
		{ "{cmd-args: [p], cmd-flags: {a: {}}}", "{a: 1}", "p" },
		{ "{cmd-args: [p, x__flag_args__], cmd-flags: {a: {}}}", "{a: 1}",
		  "p | x__flag_args__" },
		{ "{cmd-args: [p, --a, 5, __flag_args__], cmd-flags: {a: {}, b: {}}}",
		  "{a: 1, b: 2}", "p | --a | 5 | --b | 2" },
		{ "{cmd-args: [p, __flag_args__, --a], cmd-flags: {a: {}}}", "{a: 1}",
		  "p | --a | 1 | --a" },
		{ "{cmd-args: [p, __flag_args__], cmd-flags: {a: {}, b: {}}}",
		  "{a: --b, b: 2}", "p | --a | --b | --b | 2" },
		{ "{cmd-args: [p, __flag_args__], cmd-flags: {a: {}}, flags-dest: none}",
		  "{a: 1}", "p" },
		{ "{cmd-args: [sh, -c, 'echo ${a} ${b}${a}']}", "{a: x y, b: true}",
		  "sh | -c | echo x y 1x y" },
		{ "{cmd-args: ['${python_exe}', '${guild_python_exe}', "
		  "'${project_dir}/x']}",
		  "{}", "/usr/bin/python3 | /usr/bin/python3 | /p/x" },
		{ "{cmd-args: [p, '${python_exe}']}", "{python_exe: mine}", "p | mine" },
		{ "{cmd-args: [p, '\\${a}', '$a', '${a', '${}', 'a}']}", "{a: 1}",
		  "p | ${a} | $a | ${a | ${} | a}" },
		{ "{cmd-args: [p, '${a}']}", "{a: '${b}'}", "p | ${b}" },
		{ "{cmd-args: [p, '${a}']}", "{a: null}", "p | " },
		{ "{cmd-args: [p, '${a}']}", "{a: [1, b c]}", "p | 1 'b c'" },
		{ "{cmd-args: [p, 5, 1.5]}", "{}", "p | 5 | 1.5" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		build_well(&(struct sample){ rows[i].op_cmd, rows[i].flags,
					     .force_flags = rows[i].force },
			   &command);
		expect_words(command.argv, rows[i].argv, rows[i].op_cmd);
	}
}

#define OP_MAIN "['${python_exe}', -um, guild.op_main, t, --, __flag_args__]"

/* What is recorded is for Guild's op_main; what is run, for ours. */
Test(command, globals_are_yaml_for_guild_and_python_for_us)
{
	static const struct {
		const char *value, *cmd, *argv;
	} rows[] = {
		{ "1", "- --x\n- '1'\n", "--x | 1" },
		{ "true", "- --x\n- 'true'\n", "--x | True" },
		{ "'1'", "- --x\n- '''1'''\n", "--x | '1'" },
		{ "1.0e-05", "- --x\n- '1.0e-05'\n", "--x | 1e-05" },
		{ "[1, b c]", "- --x\n- '[1, b c]'\n", "--x | [1, 'b c']" },
		{ "null", "", "" },
		{ "''", "- --x\n- ''''''\n", "--x | ''" },
		{ "a", "- --x\n- a\n", "--x | 'a'" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf cmd = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf flags = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		strbuf_addf(&flags, "{x: %s}", rows[i].value);
		build_well(&(struct sample){ "{cmd-args: " OP_MAIN ", cmd-flags: {x: {}},"
					     " flags-dest: globals}",
					     strbuf_cstr(&flags) },
			   &command);
		strbuf_addf(&cmd,
			    "- /usr/bin/python3\n- -um\n- guild.op_main\n- t\n- --\n%s",
			    rows[i].cmd);
		expect_document(&command.cmd, strbuf_cstr(&cmd), rows[i].value);
		cr_expect_str_eq(command.argv[1], "-u");
		cr_expect_str_eq(command.argv[2], "/lib/op-main.py");
		cr_expect_str_eq(command.argv[3], "t");
		expect_words(command.argv + 5, rows[i].argv, rows[i].value);
	}
}

Test(command, a_split_flag_is_one_list_for_globals)
{
	_cleanup_(command_done) struct command command = COMMAND_INIT;

	build_well(&(struct sample){ "{cmd-args: " OP_MAIN ", flags-dest: globals,"
				     " cmd-flags: {x: {arg-split: true}}}",
				     "{x: 1 2 'a b'}" },
		   &command);
	expect_words(command.argv + 5, "--x | [1, 2, 'a b']", "words are decoded");
}

Test(command, other_receivers_of_flags_get_what_is_theirs)
{
	static const struct {
		const char *dest, *argv;
	} rows[] = {
		{ "args", "--x | 1" },
		{ "'args:click'", "--x | 1" },
		{ "'global:y'", "--x | True" },
		{ "'dict:y'", "--x | True" },
		{ "'namespace:y'", "--x | True" },
		{ "none", "" },
		{ "null", "--x | 1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf op_cmd = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		strbuf_addf(&op_cmd,
			    "{cmd-args: " OP_MAIN ", cmd-flags: {x: {}}, flags-dest: %s}",
			    rows[i].dest);
		build_well(&(struct sample){ strbuf_cstr(&op_cmd), "{x: true}" },
			   &command);
		expect_words(command.argv + 5, rows[i].argv, rows[i].dest);
	}
}

Test(command, what_can_not_be_built_says_why)
{
	static const struct {
		const char *op_cmd;
		int r;
		const char *sentence;
	} rows[] = {
		{ "{cmd-args: [p, '${nope}']}", -EINVAL, "the reference 'nope', which" },
		{ "{cmd-args: [p], cmd-env: {A: 'x ${nope}'}}", -EINVAL, "'nope'" },
		{ "{cmd-args: ['']}", -EINVAL, "the command of op is empty" },
		{ "{cmd-args: [__flag_args__]}", -EINVAL, "the command of op is empty" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		cr_expect_eq(build(&(struct sample){ rows[i].op_cmd, "{}" }, &command,
				   &why),
			     rows[i].r, "%s", rows[i].op_cmd);
		expect_sentence(&why, rows[i].sentence, rows[i].op_cmd);
		cr_expect_null(command.argv);
	}
}

static const char *variable(const struct command *command, const char *name)
{
	size_t len = strlen(name);

	for (char **env = command->envp; env && *env; env++) {
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	}
	return "(none)";
}

Test(command, each_flag_is_a_variable)
{
	static const struct {
		const char *attrs, *flag, *name, *text;
	} rows[] = {
		{ "{}", "x: 1", "FLAG_X", "1" },
		{ "{}", "'learning-rate.2': 0.1", "FLAG_LEARNING_RATE_2", "0.1" },
		{ "{}", "'a b/c:D': 1", "FLAG_A_B_C_D", "1" },
		{ "{}", "'\xc3\xa9': 1", "FLAG__", "1" },
		{ "{}", "x: true", "FLAG_X", "1" },
		{ "{}", "x: false", "FLAG_X", "" },
		{ "{}", "x: null", "FLAG_X", "" },
		{ "{}", "x: [1, b c]", "FLAG_X", "1 'b c'" },
		{ "{arg-skip: true}", "x: 1", "FLAG_X", "1" },
		{ "{env-name: MINE}", "x: 1", "MINE", "1" },
		{ "{env-name: MINE}", "x: 1", "FLAG_X", "(none)" },
		{ "{env-encoding: {1: one}}", "x: 1", "FLAG_X", "one" },
		{ "{env-encoding: {1: one}}", "x: 2", "FLAG_X", "2" },
		{ "{arg-encoding: {1: one}}", "x: 1", "FLAG_X", "1" },
		{ "{arg-split: ','}", "x: [1, b]", "FLAG_X", "1,b" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf op_cmd = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf flags = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		strbuf_addf(&op_cmd, "{cmd-args: [p], cmd-flags: {x: %s}}",
			    rows[i].attrs);
		strbuf_addf(&flags, "{%s}", rows[i].flag);
		build_well(&(struct sample){ strbuf_cstr(&op_cmd), strbuf_cstr(&flags) },
			   &command);
		cr_expect_str_eq(variable(&command, rows[i].name), rows[i].text, "%s, %s",
				 rows[i].attrs, rows[i].flag);
	}
}

Test(command, a_variable_of_env_may_refer_to_flags)
{
	static const struct {
		const char *text, *flag, *expected;
	} rows[] = {
		{ "plain", "1", "plain" },
		{ "5", "1", "5" },
		{ "'${x}'", "1.0e-05", "1e-05" },
		{ "'${x}'", "true", "1" },
		{ "'a ${x}'", "true", "a true" },
		{ "'${x} b'", "null", "null b" },
		{ "'${x}/${x}'", "1.0e-05", "1.0e-05/1.0e-05" },
		{ "'${project_dir}'", "1", "/p" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf op_cmd = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf flags = STRBUF_INIT;
		_cleanup_(command_done) struct command command = COMMAND_INIT;

		strbuf_addf(&op_cmd, "{cmd-args: [p], cmd-env: {A: %s}}", rows[i].text);
		strbuf_addf(&flags, "{x: %s}", rows[i].flag);
		build_well(&(struct sample){ strbuf_cstr(&op_cmd), strbuf_cstr(&flags) },
			   &command);
		cr_expect_str_eq(variable(&command, "A"), rows[i].expected, "%s, %s",
				 rows[i].text, rows[i].flag);
	}
}

/* Each layer over the one before: inherited, env:, flags, Guild's own (5.7). */
Test(command, the_environment_has_layers)
{
	char a[] = "A=inherited", b[] = "B=inherited", c[] = "FLAG_X=inherited",
	     d[] = "_=inherited", e[] = "RUN_ID=inherited", f[] = "noequals",
	     g[] = "=nameless", h[] = "H=a=b", i[] = "GUILD_OP=inherited",
	     j[] = "PWD=/here";
	char *environ_[] = { a, b, c, d, e, f, g, h, i, j, NULL };
	_cleanup_(command_done) struct command command = COMMAND_INIT;
	_cleanup_(strbuf_done) struct strbuf run_dir = STRBUF_INIT;

	build_well(&(struct sample){ "{cmd-args: [p], cmd-env: {B: env, FLAG_Y: env,"
				     " RUN_DIR: env, LOG_LEVEL: 10}}",
				     "{x: 1, 'y': 2}", .environ = environ_ },
		   &command);
	strbuf_addf(&run_dir, "%s/runs/" ID, store_path(store));
	cr_expect_str_eq(variable(&command, "A"), "inherited");
	cr_expect_str_eq(variable(&command, "B"), "env");
	cr_expect_str_eq(variable(&command, "H"), "a=b");
	cr_expect_str_eq(variable(&command, "PWD"), "/here");
	cr_expect_str_eq(variable(&command, "FLAG_X"), "1");
	cr_expect_str_eq(variable(&command, "FLAG_Y"), "2");
	cr_expect_str_eq(variable(&command, "_"), "(none)");
	cr_expect_str_eq(variable(&command, ""), "(none)");
	cr_expect_str_eq(variable(&command, "GUILD_OP"), "m:op");
	cr_expect_str_eq(variable(&command, "GUILD_HOME"), store_path(store));
	cr_expect_str_eq(variable(&command, "GUILD_SOURCECODE"), ".");
	cr_expect_str_eq(variable(&command, "LOG_LEVEL"), "20");
	cr_expect_str_eq(variable(&command, "CMD_DIR"), "/where");
	cr_expect_str_eq(variable(&command, "RUN_ID"), ID);
	cr_expect_str_eq(variable(&command, "RUN_DIR"), strbuf_cstr(&run_dir));
}

Test(command, a_secret_is_passed_and_never_stored)
{
	static const struct {
		const char *name;
		bool is_secret;
	} rows[] = {
		{ "DB_PASSWORD", true }, { "token", true },   { "My_Secret_Key", true },
		{ "passwords", true },	 { "PASSWD", false }, { "KEY", false },
		{ "TOKENIZER", true },	 { "HOME", false },
	};
	char *environ_[sizeof(rows) / sizeof(rows[0]) + 1] = { NULL };
	_cleanup_(command_done) struct command command = COMMAND_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_gt(asprintf(&environ_[i], "%s=value", rows[i].name), 0);
		cr_expect_eq(command_is_secret(rows[i].name), rows[i].is_secret, "%s",
			     rows[i].name);
	}
	build_well(&(struct sample){ "{cmd-args: [p], cmd-env: {API_TOKEN: t}}",
				     "{secret: s}", .environ = environ_ },
		   &command);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_str_eq(variable(&command, rows[i].name), "value");
		cr_expect_eq(value_get(&command.env, rows[i].name) == NULL,
			     rows[i].is_secret, "%s", rows[i].name);
		free(environ_[i]);
	}
	cr_expect_str_eq(variable(&command, "API_TOKEN"), "t");
	cr_expect_null(value_get(&command.env, "API_TOKEN"));
	cr_expect_str_eq(variable(&command, "FLAG_SECRET"), "s");
	cr_expect_null(value_get(&command.env, "FLAG_SECRET"));
	cr_expect_not_null(value_get(&command.env, "RUN_ID"));
}

Test(command, bytes_that_are_no_text_are_passed_and_not_stored)
{
	char odd[] = "ODD=\xff";
	char *environ_[] = { odd, NULL };
	_cleanup_(command_done) struct command command = COMMAND_INIT;

	build_well(&(struct sample){ "{cmd-args: [p]}", "{}", .environ = environ_ },
		   &command);
	cr_expect_str_eq(variable(&command, "ODD"), "\xff");
	cr_expect_null(value_get(&command.env, "ODD"));
}

/* What the file `cmd` of a run shows. */
Test(command, a_recorded_command_can_be_run_by_hand)
{
	static const struct {
		const char *cmd, *op, *argv; /* NULL: an error */
		int r;
	} rows[] = {
		{ "[sh, -c, echo a b]\n", NULL, "sh | -c | echo a b" },
		{ "[/usr/bin/python3, -um, guild.op_main, t, --, --x, 'true']\n",
		  "op-cmd: {flags-dest: args}\n",
		  "/usr/bin/python3 | -u | /lib/op-main.py | t | -- | --x | true" },
		{ "[/usr/bin/python3, -um, guild.op_main, t, --, --x, 'true', --y, a]\n",
		  "op-cmd: {flags-dest: globals}\n",
		  "/usr/bin/python3 | -u | /lib/op-main.py | t | -- | --x | True | --y | "
		  "'a'" },
		{ "[sh, -um, other]\n", NULL, "sh | -um | other" },
		{ "text\n", NULL, NULL, -EBADMSG },
		{ NULL, NULL, NULL, -ENOENT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;
		_cleanup_(strv_freep) char **argv = NULL;

		scratch_delete("home/runs");
		scratch_put_run(ID);
		if (rows[i].cmd)
			scratch_put_attr(ID, "cmd", rows[i].cmd);
		if (rows[i].op)
			scratch_put_attr(ID, "op", rows[i].op);
		run = scratch_run(ID);
		cr_expect_eq(command_of_run(run, "/lib/op-main.py", &argv), rows[i].r,
			     "row %zu", i);
		if (rows[i].argv)
			expect_words(argv, rows[i].argv, rows[i].cmd);
	}
}
