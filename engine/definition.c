/* A draft of Guild's attribute `op`. */
#include "engine/definition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What Guild's own plugins are called; its op_main loads them if it starts the run again.
 */
#define PLUGINS "cpu,disk,memory,perf"

void definition_done(struct definition *definition)
{
	value_done(&definition->cmd_args);
	value_done(&definition->env);
	value_done(&definition->more_env);
	free(definition->python_path);
	free(definition->source_root);
	free(definition->source_dest);
	free(definition->plugins);
	value_done(&definition->cmd_flags);
	value_done(&definition->op);
	*definition = DEFINITION_INIT;
}

int definition_add_word(struct definition *definition, struct str word)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, word);

	return r < 0 ? r : value_append(&definition->cmd_args, &value);
}

int definition_add_python(struct definition *definition)
{
	int r = definition_add_word(definition, STR("${python_exe}"));

	if (r == 0)
		r = definition_add_word(definition, STR("-um"));
	return r < 0 ? r : definition_add_word(definition, STR("guild.op_main"));
}

int definition_add_flag_args(struct definition *definition)
{
	return definition_add_word(definition, STR("__flag_args__"));
}

/* Python's idea of it, which is Guild's of what need not be recorded. */
static bool is_empty(const struct value *value)
{
	return value->type == VALUE_NULL ||
	       (value->type == VALUE_BOOL && !value->boolean) ||
	       (value->type == VALUE_STRING && value->text.len == 0) ||
	       (value->type == VALUE_MAP && value->map.n_pairs == 0);
}

/* How the flag is passed: those attributes go into cmd-flags, as they are (1.6.1). */
static int add_passing(struct definition *definition, struct str name,
		       const struct value *body)
{
	static const char *const names[] = { "arg-name",    "arg-skip",	    "arg-switch",
					     "arg-split",   "arg-encoding", "env-name",
					     "env-encoding" };
	struct value attrs = { .type = VALUE_MAP };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		const struct value *value = value_get(body, names[i]);
		struct value copy = VALUE_INIT;
		bool may_be_false = strcmp(names[i], "arg-switch") == 0;

		if (!value || value->type == VALUE_NULL ||
		    (!may_be_false && is_empty(value)))
			continue;
		r = value_copy(value, &copy);
		if (r == 0)
			r = value_put(&attrs, str_from(names[i]), &copy);
	}
	if (r < 0) {
		value_done(&attrs);
		return r;
	}
	return value_put(&definition->cmd_flags, name, &attrs);
}

/* An attribute of a flag that Guild has a use for, where it is. */
static bool is_known(const struct value *key)
{
	static const char *const names[] = {
		"default",  "description",  "type",	    "required",	    "alias",
		"arg-name", "arg-encoding", "arg-skip",	    "arg-switch",   "arg-split",
		"choices",  "allow-other",  "env-name",	    "env-encoding", "null-label",
		"min",	    "max",	    "distribution",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (value_is_string(key, names[i]))
			return true;
	}
	return false;
}

/* Puts @value under @flag into the map that the attribute `op` has under @key. */
static int put_of_flag(struct definition *definition, const char *key, struct str flag,
		       struct value *value)
{
	struct value *op = &definition->op;
	struct value map = { .type = VALUE_MAP };
	const struct value *old = value_get(op, key);
	int r = old ? value_copy(old, &map) : 0;

	if (r == 0)
		r = value_put(&map, flag, value);
	if (r == 0)
		r = value_put(op, str_from(key), &map);
	value_done(&map);
	return r;
}

/* What Guild records of flags besides: a label for null, and all that it does not know.
 */
static int add_rest(struct definition *definition, struct str name,
		    const struct value *body)
{
	const struct value *null_label = value_get(body, "null-label");
	_cleanup_(value_done) struct value extra = { .type = VALUE_MAP };
	struct value copy = VALUE_INIT, key = VALUE_INIT;
	int r = 0;

	if (null_label && null_label->type != VALUE_NULL) {
		r = value_copy(null_label, &copy);
		if (r == 0)
			r = put_of_flag(definition, "flag-null-labels", name, &copy);
		value_done(&copy);
	}
	for (size_t i = 0; r == 0 && body->type == VALUE_MAP && i < body->map.n_pairs;
	     i++) {
		const struct value_pair *pair = &body->map.pairs[i];

		if (is_known(&pair->key))
			continue;
		r = value_copy(&pair->key, &key);
		if (r == 0)
			r = value_copy(&pair->value, &copy);
		if (r == 0)
			r = value_add_pair(&extra, &key, &copy);
		value_done(&key);
		value_done(&copy);
	}
	if (r < 0 || extra.map.n_pairs == 0)
		return r;
	return put_of_flag(definition, "flags-extra", name, &extra);
}

int definition_read_flag(struct definition *definition, struct operation *operation,
			 struct str name, const struct value *body,
			 struct strbuf *ret_why)
{
	_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
	int r = flag_def_read(name, body, &flag_def, ret_why);

	if (r == 0)
		r = operation_add_flag_def(operation, &flag_def);
	if (r == 0)
		r = add_passing(definition, name, body);
	return r < 0 ? r : add_rest(definition, name, body);
}

static int put_text(struct value *map, const char *key, struct str text)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r : value_put(map, str_from(key), &value);
}

static int put_copy(struct value *map, const char *key, const struct value *value)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	return r < 0 ? r : value_put(map, str_from(key), &copy);
}

/* The run's own copy of the source comes first; what the user has set follows. */
static int put_python_path(const struct definition *definition, struct value *env)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	const char *inherited = getenv("PYTHONPATH");
	struct str own = value_str(value_get(env, "PYTHONPATH"));

	if (own.len > 0) {
		strbuf_addstr(&text, own);
		strbuf_addc(&text, ':');
	}
	if (definition->python_path)
		strbuf_addf(&text, "%s:", definition->python_path);
	strbuf_adds(&text, definition->source_dest ? definition->source_dest : ".");
	if (inherited && inherited[0])
		strbuf_addf(&text, ":%s", inherited);
	return strbuf_error(&text) < 0 ? -ENOMEM
				       : put_text(env, "PYTHONPATH", strbuf_str(&text));
}

static int put_plugins(const struct definition *definition, bool is_python,
		       struct value *env)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, definition->plugins ? definition->plugins : PLUGINS);
	if (is_python)
		strbuf_adds(&text, text.len > 0 ? ",python_script" : "python_script");
	return strbuf_error(&text) < 0
		       ? -ENOMEM
		       : put_text(env, "GUILD_PLUGINS", strbuf_str(&text));
}

static int build_env(const struct definition *definition,
		     const struct operation *operation, struct value *env)
{
	int r = value_copy(&definition->env, env);

	for (size_t i = 0; r == 0 && i < definition->more_env.map.n_pairs; i++)
		r = put_copy(env, value_str(&definition->more_env.map.pairs[i].key).data,
			     &definition->more_env.map.pairs[i].value);
	if (r == 0 && definition->flags_dest.len > 0)
		r = put_text(env, "FLAGS_DEST", definition->flags_dest);
	if (r == 0)
		r = put_plugins(definition, operation->is_python, env);
	if (r == 0)
		r = put_text(env, "PROJECT_DIR", str_from(operation->project));
	if (r == 0 && operation->is_python)
		r = put_python_path(definition, env);
	return r;
}

static int build_op_cmd(const struct definition *definition,
			const struct operation *operation, struct value *op_cmd)
{
	_cleanup_(value_done) struct value env = VALUE_INIT;
	struct str dest =
		definition->flags_dest.len > 0 ? definition->flags_dest : STR("args");
	int r;

	r = put_copy(op_cmd, "cmd-args", &definition->cmd_args);
	if (r == 0)
		r = build_env(definition, operation, &env);
	if (r == 0)
		r = value_put(op_cmd, STR("cmd-env"), &env);
	if (r == 0)
		r = put_copy(op_cmd, "cmd-flags", &definition->cmd_flags);
	if (r == 0)
		r = put_text(op_cmd, "flags-dest", dest);
	return r;
}

static int put_source(const struct definition *definition, struct value *attr)
{
	struct value source = { .type = VALUE_MAP };
	const char *dest = definition->source_dest ? definition->source_dest : ".";
	int r = put_text(&source, "dest", str_from(dest));

	if (r == 0 && definition->source_root)
		r = put_text(&source, "root", str_from(definition->source_root));
	if (r < 0) {
		value_done(&source);
		return r;
	}
	return value_put(attr, STR("sourcecode"), &source);
}

static int put_rest(struct value *attr)
{
	struct value no, empty_list = { .type = VALUE_LIST };
	static const char *const nulls[] = { "label-template", "output-attrs",
					     "output-scalars", "python-requires" };
	static const char *const maps[] = { "flag-null-labels", "flags-extra" };
	int r;

	value_bool(&no, false);
	r = value_put(attr, STR("delete-on-success"), &no);
	if (r == 0)
		r = value_put(attr, STR("deps"), &empty_list);
	for (size_t i = 0; r == 0 && i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		struct value null = VALUE_INIT;

		r = value_put(attr, str_from(nulls[i]), &null);
	}
	for (size_t i = 0; r == 0 && i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct value map = { .type = VALUE_MAP };

		r = value_put(attr, str_from(maps[i]), &map);
	}
	return r;
}

int definition_apply(const struct definition *definition, struct operation *operation)
{
	_cleanup_(value_done) struct value attr = { .type = VALUE_MAP };
	_cleanup_(value_done) struct value op_cmd = { .type = VALUE_MAP };
	int r;

	r = build_op_cmd(definition, operation, &op_cmd);
	if (r == 0)
		r = value_put(&attr, STR("op-cmd"), &op_cmd);
	if (r == 0)
		r = put_rest(&attr);
	if (r == 0)
		r = put_source(definition, &attr);
	for (size_t i = 0; r == 0 && i < definition->op.map.n_pairs; i++) {
		const struct value_pair *pair = &definition->op.map.pairs[i];

		r = put_copy(&attr, value_str(&pair->key).data, &pair->value);
	}
	if (r < 0)
		return r;
	value_done(&operation->attr);
	operation->attr = attr;
	attr = VALUE_INIT;
	return 0;
}
