/* An operation and its flags as argv and environment. */
#include "engine/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/arg-split.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

#define FLAG_ARGS	"__flag_args__" /* where the flags go in cmd-args (1.6.1) */
#define FIRST_FLAG	4 /* in argv: PYTHON -um guild.op_main MODULE --NAME VALUE ... */
#define GUILD_LOG_LEVEL "20" /* Guild's default, logging.INFO */

/* How a flag's value becomes a word of argv. */
typedef int (*encode_fn)(const struct value *value, struct strbuf *ret);

/* What one command is built from. */
struct builder {
	const struct operation *operation;
	const struct flags *flags;
	const struct command_context *context;
	const struct value *cmd_args, *cmd_env, *cmd_flags;
	struct str flags_dest;
	struct strbuf *why;
};

void command_done(struct command *command)
{
	value_done(&command->cmd);
	value_done(&command->env);
	strv_free(command->argv);
	strv_free(command->envp);
	*command = COMMAND_INIT;
}

static const struct value *flag_attr(const struct builder *builder, const char *flag,
				     const char *attr)
{
	const struct value *value = value_get(value_get(builder->cmd_flags, flag), attr);

	return value && value->type != VALUE_NULL ? value : NULL;
}

static bool is_true(const struct value *value)
{
	return value && !(value->type == VALUE_BOOL && !value->boolean);
}

static int encode_arg(const struct value *value, struct strbuf *ret)
{
	return value_encode_arg(value, NULL, ret);
}

/*
 * Globals get values that their receiver decodes: Guild's op_main YAML, ours Python.
 * @guild says for whom.
 */
static encode_fn encoder(const struct builder *builder, bool guild)
{
	struct str dest = builder->flags_dest;

	if (str_is(dest, "globals") || str_starts(dest, "global:") ||
	    str_starts(dest, "dict:") || str_starts(dest, "namespace:"))
		return guild ? yaml_format_inline : value_encode_python;
	return encode_arg;
}

/* The text that arg-encoding or env-encoding has for @value; NULL when it has none. */
static const struct value *encoded(const struct value *encoding,
				   const struct value *value)
{
	for (size_t i = 0;
	     encoding && encoding->type == VALUE_MAP && i < encoding->map.n_pairs; i++) {
		if (value_equal(&encoding->map.pairs[i].key, value))
			return &encoding->map.pairs[i].value;
	}
	return NULL;
}

/*
 * Do the @n words that the operation itself has put into @argv hold @option, so that the
 * flag's own is dropped (3.8)? What comes after them may be another flag's value.
 */
static bool is_shadowed(char *const *argv, size_t n, const char *option)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(argv[i], option) == 0)
			return true;
	}
	return false;
}

/* The parts of an arg-split flag: words of argv, or one list for a decoding receiver. */
static int add_parts(const struct value *value, const struct value *split,
		     encode_fn encode, char ***argv)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(value_done) struct value list = { .type = VALUE_LIST };
	int r;

	if (encode == encode_arg)
		return arg_split_words(value, split, argv);
	r = arg_split_list(value, split, &list);
	if (r == 0)
		r = encode(&list, &text);
	return r < 0 ? r : strv_append(argv, strbuf_str(&text));
}

static int add_value(const struct builder *builder, const struct flag *flag,
		     encode_fn encode, char ***argv)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const struct value *split = flag_attr(builder, flag->name, "arg-split");
	const struct value *instead =
		encoded(flag_attr(builder, flag->name, "arg-encoding"), &flag->value);
	int r;

	if (!instead && arg_split_is_on(split))
		return add_parts(&flag->value, split, encode, argv);
	r = instead ? value_encode_arg(instead, NULL, &text)
		    : encode(&flag->value, &text);
	return r < 0 ? r : strv_append(argv, strbuf_str(&text));
}

static int add_flag(const struct builder *builder, const struct flag *flag,
		    encode_fn encode, size_t n_own, char ***argv)
{
	_cleanup_(strbuf_done) struct strbuf option = STRBUF_INIT;
	const struct value *arg_name = flag_attr(builder, flag->name, "arg-name");
	const struct value *arg_switch = flag_attr(builder, flag->name, "arg-switch");
	bool declared = value_get(builder->cmd_flags, flag->name) != NULL;
	int r;

	if (is_true(flag_attr(builder, flag->name, "arg-skip")) ||
	    (!declared && !builder->context->force_flags) ||
	    flag->value.type == VALUE_NULL)
		return 0;
	strbuf_adds(&option, "--");
	if (arg_name)
		(void)value_encode_arg(arg_name, NULL, &option);
	else
		strbuf_adds(&option, flag->name);
	if (strbuf_error(&option) < 0)
		return -ENOMEM;
	if (is_shadowed(*argv, n_own, strbuf_cstr(&option)) ||
	    (arg_switch && !value_equal(arg_switch, &flag->value)))
		return 0;

	r = strv_append(argv, strbuf_str(&option));
	return r < 0 || arg_switch ? r : add_value(builder, flag, encode, argv);
}

static int add_flags(const struct builder *builder, encode_fn encode, char ***argv)
{
	size_t n_own = strv_length(*argv);
	int r = 0;

	if (str_is(builder->flags_dest, "none"))
		return 0;
	for (size_t i = 0; r == 0 && i < builder->flags->n_items; i++)
		r = add_flag(builder, &builder->flags->items[i], encode, n_own, argv);
	return r;
}

static bool mentions_python(const struct value *value)
{
	struct str text = value_str(value);

	return text.len > 0 && memmem(text.data, text.len, "python_exe}", 11);
}

bool command_uses_python(const struct operation *operation)
{
	const struct value *op_cmd = value_get(&operation->attr, "op-cmd");
	const struct value *args = value_get(op_cmd, "cmd-args");
	const struct value *env = value_get(op_cmd, "cmd-env");

	for (size_t i = 0; args && args->type == VALUE_LIST && i < args->list.n_items;
	     i++)
		if (mentions_python(&args->list.items[i]))
			return true;
	for (size_t i = 0; env && env->type == VALUE_MAP && i < env->map.n_pairs; i++)
		if (mentions_python(&env->map.pairs[i].value))
			return true;
	return false;
}

/* Appends what ${@name} stands for. 0, -ENOENT when it is nothing. */
static int add_reference(const struct builder *builder, struct str name, encode_fn encode,
			 struct strbuf *ret)
{
	_cleanup_free_ char *copy = str_dup(name);
	const struct flag *flag;

	if (!copy)
		return -ENOMEM;
	flag = flags_find(builder->flags, copy);
	if (flag)
		return encode(&flag->value, ret);
	if (str_is(name, "python_exe") || str_is(name, "guild_python_exe")) {
		if (!builder->context->python_exe) {
			strbuf_adds(builder->why,
				    "there is no Python: install python3, or set"
				    " GUILD_PYTHON_EXE for mount.runfs");
			return -ESRCH;
		}
		return strbuf_adds(ret, builder->context->python_exe);
	}
	if (str_is(name, "project_dir") && builder->operation->project)
		return strbuf_adds(ret, builder->operation->project);
	return -ENOENT;
}

/* Copies @text with each ${name} replaced; \${name} stays, without the backslash. */
static int resolve(const struct builder *builder, struct str text, encode_fn encode,
		   struct strbuf *ret)
{
	while (text.len > 0) {
		const char *start = memmem(text.data, text.len, "${", 2);
		size_t n_before = start ? (size_t)(start - text.data) : text.len;
		const char *end = start ? memchr(start, '}', text.len - n_before) : NULL;
		bool escaped = start && n_before > 0 && start[-1] == '\\';
		struct str name;
		int r;

		if (!end || end == start + 2) {
			strbuf_addstr(ret, text);
			break;
		}
		strbuf_add(ret, text.data, n_before - (escaped ? 1 : 0));
		name = (struct str){ start + 2, (size_t)(end - start - 2) };
		if (escaped)
			r = strbuf_add(ret, start, (size_t)(end - start + 1));
		else
			r = add_reference(builder, name, encode, ret);
		if (r == -ENOENT) {
			strbuf_addf(builder->why, "the command of %s contains ",
				    builder->operation->name);
			strbuf_adds(builder->why, "the reference ");
			strbuf_add_quoted(builder->why, name);
			strbuf_adds(builder->why, ", which is no flag of it");
			return -EINVAL;
		}
		if (r < 0)
			return r == -ESRCH ? -ENOENT : r;
		text.len -= (size_t)(end + 1 - text.data);
		text.data = end + 1;
	}
	return strbuf_error(ret);
}

static int build_argv(const struct builder *builder, encode_fn encode, char ***ret)
{
	const struct value *args = builder->cmd_args;
	int r = 0;

	for (size_t i = 0; r == 0 && i < args->list.n_items; i++) {
		_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT,
						     text = STRBUF_INIT;

		if (value_is_string(&args->list.items[i], FLAG_ARGS)) {
			r = add_flags(builder, encode, ret);
			continue;
		}
		r = value_encode_arg(&args->list.items[i], NULL, &text);
		if (r == 0)
			r = resolve(builder, strbuf_str(&text), encode_arg, &word);
		if (r == 0)
			r = strv_append(ret, strbuf_str(&word));
	}
	return r;
}

static bool is_op_main(char *const *argv)
{
	return strv_length(argv) > 2 && strcmp(argv[2], "guild.op_main") == 0 &&
	       (strcmp(argv[1], "-um") == 0 || strcmp(argv[1], "-m") == 0);
}

/* Puts our helper in the place of Guild's: PYTHON -u op-main.py ... */
static int use_own_op_main(char **argv, const char *op_main)
{
	char *unbuffered, *helper;

	if (!is_op_main(argv))
		return 0;
	unbuffered = strdup("-u");
	helper = strdup(op_main);
	if (!unbuffered || !helper) {
		free(unbuffered);
		free(helper);
		return -ENOMEM;
	}
	free(argv[1]);
	free(argv[2]);
	argv[1] = unbuffered;
	argv[2] = helper;
	return 0;
}

static int list_of_strv(char *const *strv, struct value *ret)
{
	ret->type = VALUE_LIST;
	for (size_t i = 0; strv && strv[i]; i++) {
		struct value item = VALUE_INIT;
		int r = value_string(&item, str_from(strv[i]));

		if (r == 0)
			r = value_append(ret, &item);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_env(struct value *env, struct str name, struct str text)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r : value_put(env, name, &value);
}

/* FLAG_NAME: upper case, every other character as _ (3.6). */
static int add_flag_env_name(const struct builder *builder, const struct flag *flag,
			     struct strbuf *ret)
{
	const struct value *env_name = flag_attr(builder, flag->name, "env-name");

	if (env_name)
		return value_encode_arg(env_name, NULL, ret);
	strbuf_adds(ret, "FLAG_");
	for (const char *c = flag->name; *c; c++) {
		if (*c >= 'a' && *c <= 'z')
			strbuf_addc(ret, (char)(*c - 'a' + 'A'));
		else if ((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9'))
			strbuf_addc(ret, *c);
		else if (((unsigned char)*c & 0xc0) != 0x80)
			strbuf_addc(ret, '_');
	}
	return strbuf_error(ret);
}

static int put_flag_env(const struct builder *builder, const struct flag *flag,
			struct value *env)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
	const struct value *split = flag_attr(builder, flag->name, "arg-split");
	const struct value *instead =
		encoded(flag_attr(builder, flag->name, "env-encoding"), &flag->value);
	const char *separator = arg_split_separator(split);
	int r;

	r = add_flag_env_name(builder, flag, &name);
	if (r == 0)
		r = value_encode_arg(instead ? instead : &flag->value, separator, &text);
	return r < 0 ? r : put_env(env, strbuf_str(&name), strbuf_str(&text));
}

/* A value of `env:`: alone, a reference is as in argv; in other text it is YAML (3.8). */
static int put_cmd_env(const struct builder *builder, const struct value_pair *pair,
		       struct value *env)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, resolved = STRBUF_INIT;
	struct str whole;
	bool alone;
	int r;

	r = value_encode_arg(&pair->value, NULL, &text);
	if (r < 0)
		return r;
	whole = strbuf_str(&text);
	alone = str_starts(whole, "${") &&
		memchr(whole.data, '}', whole.len) == whole.data + whole.len - 1;
	r = resolve(builder, whole, alone ? encode_arg : yaml_format_inline, &resolved);
	return r < 0 ? r : put_env(env, value_str(&pair->key), strbuf_str(&resolved));
}

static int put_inherited(const struct builder *builder, struct value *env)
{
	for (char *const *variable = builder->context->environ; variable && *variable;
	     variable++) {
		struct str name, text = str_from(*variable);
		int r;

		if (!strchr(*variable, '=') || !str_split(&text, '=', &name))
			continue;
		if (name.len == 0 || str_is(name, "_"))
			continue;
		r = put_env(env, name, text);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_guild_env(const struct builder *builder, struct value *env)
{
	const struct command_context *context = builder->context;
	_cleanup_(strbuf_done) struct strbuf run_path = STRBUF_INIT;
	const struct {
		const char *name, *text;
	} variables[] = {
		{ "GUILD_OP", builder->operation->opspec },
		{ "GUILD_HOME", store_path(context->store) },
		{ "LOG_LEVEL", GUILD_LOG_LEVEL },
		{ "CMD_DIR", context->cmd_dir },
		{ "RUN_ID", context->id },
	};
	struct str dest = operation_source_dest(builder->operation);
	int r;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		r = put_env(env, str_from(variables[i].name),
			    str_from(variables[i].text));
		if (r < 0)
			return r;
	}
	r = put_env(env, STR("GUILD_SOURCECODE"), dest.len > 0 ? dest : STR("."));
	if (r < 0)
		return r;
	r = store_run_path(context->store, context->id, &run_path);
	return r < 0 ? r : put_env(env, STR("RUN_DIR"), strbuf_str(&run_path));
}

/* The layers of the environment, each over the one before (5.7). */
static int build_env(const struct builder *builder, struct value *env)
{
	int r;

	env->type = VALUE_MAP;
	r = put_inherited(builder, env);
	for (size_t i = 0;
	     r == 0 && builder->cmd_env && i < builder->cmd_env->map.n_pairs; i++)
		r = put_cmd_env(builder, &builder->cmd_env->map.pairs[i], env);
	for (size_t i = 0; r == 0 && i < builder->flags->n_items; i++)
		r = put_flag_env(builder, &builder->flags->items[i], env);
	return r < 0 ? r : put_guild_env(builder, env);
}

bool command_is_secret(const char *name)
{
	return strcasestr(name, "password") || strcasestr(name, "token") ||
	       strcasestr(name, "secret");
}

/* One of the operation's own secrets? */
static bool is_listed(const struct value *names, struct str name)
{
	for (size_t i = 0; names->type == VALUE_LIST && i < names->list.n_items; i++) {
		if (str_eq(value_str(&names->list.items[i]), name))
			return true;
	}
	return false;
}

/* The process gets all of it; YAML can hold only what is text. */
static int split_env(const struct value *env, const struct value *secrets,
		     struct command *command)
{
	command->env.type = VALUE_MAP;
	for (size_t i = 0; i < env->map.n_pairs; i++) {
		struct str name = value_str(&env->map.pairs[i].key);
		struct str text = value_str(&env->map.pairs[i].value);
		_cleanup_(strbuf_done) struct strbuf variable = STRBUF_INIT;
		int r;

		strbuf_addstr(&variable, name);
		strbuf_addc(&variable, '=');
		strbuf_addstr(&variable, text);
		r = strv_take_at(&command->envp, i, strbuf_take(&variable));
		if (r == 0 && !command_is_secret(name.data) &&
		    !is_listed(secrets, name) && str_is_utf8(name) && str_is_utf8(text))
			r = put_env(&command->env, name, text);
		if (r < 0)
			return r;
	}
	return 0;
}

static void find_parts(struct builder *builder)
{
	const struct value *op_cmd = value_get(&builder->operation->attr, "op-cmd");
	const struct value *cmd_env = value_get(op_cmd, "cmd-env");
	const struct value *dest = value_get(op_cmd, "flags-dest");

	builder->cmd_args = value_get(op_cmd, "cmd-args");
	builder->cmd_env = cmd_env && cmd_env->type == VALUE_MAP ? cmd_env : NULL;
	builder->cmd_flags = value_get(op_cmd, "cmd-flags");
	builder->flags_dest = dest ? value_str(dest) : str_from(NULL);
}

int command_build(const struct operation *operation, const struct flags *flags,
		  const struct command_context *context, struct command *ret,
		  struct strbuf *ret_why)
{
	_cleanup_(command_done) struct command command = COMMAND_INIT;
	_cleanup_(value_done) struct value env = VALUE_INIT;
	_cleanup_(strv_freep) char **stored = NULL;
	struct builder builder = {
		.operation = operation, .flags = flags, .context = context, .why = ret_why
	};
	int r;

	find_parts(&builder);
	r = build_argv(&builder, encoder(&builder, true), &stored);
	if (r == 0)
		r = list_of_strv(stored, &command.cmd);
	if (r == 0)
		r = build_argv(&builder, encoder(&builder, !is_op_main(stored)),
			       &command.argv);
	if (r == 0)
		r = use_own_op_main(command.argv, context->op_main);
	if (r == 0)
		r = build_env(&builder, &env);
	if (r == 0)
		r = split_env(&env, &operation->env_secrets, &command);
	if (r < 0)
		return r;
	if (!command.argv || command.argv[0][0] == '\0') {
		strbuf_addf(ret_why, "the command of %s is empty", operation->name);
		return -EINVAL;
	}
	*ret = command;
	command = COMMAND_INIT;
	return 0;
}

/* Guild's op_main takes YAML, ours takes Python, where the flags are no plain arguments.
 */
static int translate_word(char **word)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	if (str_starts(str_from(*word), "--"))
		return 0;
	r = yaml_parse(str_from(*word), &value, &why);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = value_encode_python(&value, &text);
	if (r < 0)
		return r;
	free(*word);
	*word = strbuf_take(&text);
	return *word ? 0 : -ENOMEM;
}

static int translate(const struct run *run, char **argv)
{
	_cleanup_(value_done) struct value op = VALUE_INIT;
	const struct value *dest;
	struct builder builder = { 0 };
	int r = run_attr(run, "op", &op);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	dest = value_get(value_get(&op, "op-cmd"), "flags-dest");
	builder.flags_dest = value_str(dest);
	if (!is_op_main(argv) || encoder(&builder, false) == encode_arg)
		return 0;
	for (size_t i = FIRST_FLAG, n = strv_length(argv); r == 0 && i < n; i++)
		r = translate_word(&argv[i]);
	return r;
}

int command_of_run(const struct run *run, const char *op_main, char ***ret)
{
	_cleanup_(value_done) struct value cmd = VALUE_INIT;
	_cleanup_(strv_freep) char **argv = NULL;
	int r = run_attr(run, "cmd", &cmd);

	if (r < 0)
		return r;
	if (cmd.type != VALUE_LIST)
		return -EBADMSG;
	for (size_t i = 0; r == 0 && i < cmd.list.n_items; i++) {
		_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT;

		r = value_encode_arg(&cmd.list.items[i], NULL, &word);
		if (r == 0)
			r = strv_append(&argv, strbuf_str(&word));
	}
	if (r == 0 && argv)
		r = translate(run, argv);
	if (r == 0 && argv)
		r = use_own_op_main(argv, op_main);
	if (r < 0)
		return r;
	*ret = take_ptr(argv);
	return 0;
}
