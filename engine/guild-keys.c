/* The keys of an operation of guild.yml that say how it is run and what is recorded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/config.h"
#include "engine/guild-reader.h"
#include "engine/r-script.h"
#include "engine/rendering.h"
#include "engine/strv.h"
#include "engine/value-text.h"

static int read_env(struct guild_reader *reader, const struct value *env)
{
	value_done(&reader->definition.env);
	reader->definition.env.type = VALUE_MAP;
	if (env->type != VALUE_MAP) {
		guild_reader_note(reader, env, "env is a map: write NAME: VALUE lines");
		return 0;
	}
	for (size_t i = 0; i < env->map.n_pairs; i++) {
		const struct value *key = &env->map.pairs[i].key;

		if (key->type != VALUE_STRING || value_str(key).len == 0 ||
		    strchr(value_str(key).data, '='))
			guild_reader_note(
				reader, key,
				"env: a name of a variable is a text without '='");
	}
	return value_copy(env, &reader->definition.env);
}

static int read_flags_dest(struct guild_reader *reader, const struct value *dest)
{
	static const char *const names[] = { "args", "args:click", "globals", "none" };
	static const char *const prefixes[] = { "global:", "dict:", "namespace:" };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct str text = value_str(dest);

	if (r_script_is(text) && config_check_place(text, &why) == 0) {
		reader->definition.flags_dest = text;
		return 0;
	}
	if (config_file(text).len > 0) {
		if (config_check(config_file(text), &why) == 0)
			reader->definition.flags_dest = text;
		else
			guild_reader_note(reader, dest, "flags-dest: %s",
					  strbuf_cstr(&why));
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(text, names[i]))
			reader->definition.flags_dest = text;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (str_starts(text, prefixes[i]) && text.len > strlen(prefixes[i]))
			reader->definition.flags_dest = text;
	}
	if (reader->definition.flags_dest.len == 0)
		guild_reader_note(
			reader, dest,
			"flags-dest is args, args:click, globals, global:NAME, dict:NAME,"
			" namespace:NAME, config:FILE, FILE.R or none");
	return 0;
}

/* One pattern or map of them stands for a list of it; stored for Guild, as it is. */
static int read_outputs(struct guild_reader *reader, const char *key,
			const struct value *value)
{
	struct value list = { .type = VALUE_LIST };
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	if (r == 0 && value->type != VALUE_MAP && value->type != VALUE_STRING)
		return value_put(&reader->definition.op, str_from(key), &copy);
	if (r == 0)
		r = value_append(&list, &copy);
	return r < 0 ? r : value_put(&reader->definition.op, str_from(key), &list);
}

static int read_description(struct guild_reader *reader, const struct value *description)
{
	if (description->type != VALUE_STRING) {
		guild_reader_note(reader, description, "description is a text");
		return 0;
	}
	free(reader->operation->description);
	reader->operation->description = str_dup(value_str(description));
	return reader->operation->description ? 0 : -ENOMEM;
}

static int read_output_scalars(struct guild_reader *reader, const struct value *value)
{
	return read_outputs(reader, "output-scalars", value);
}

static int read_output_attrs(struct guild_reader *reader, const struct value *value)
{
	return read_outputs(reader, "output-attrs", value);
}

static int store(struct guild_reader *reader, const char *key, const struct value *value)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	return r < 0 ? r : value_put(&reader->definition.op, str_from(key), &copy);
}

static bool expect_bool(struct guild_reader *reader, const char *key,
			const struct value *value)
{
	if (value->type == VALUE_BOOL)
		return true;
	if (value->type != VALUE_NULL)
		guild_reader_note(reader, value, "%s is yes or no", key);
	return false;
}

static bool expect_text(struct guild_reader *reader, const char *key,
			const struct value *value)
{
	if (value->type == VALUE_STRING)
		return true;
	if (value->type != VALUE_NULL)
		guild_reader_note(reader, value, "%s is a text", key);
	return false;
}

/* A text, or a list of texts, as a list; nothing for null. */
static int read_list(struct guild_reader *reader, const char *key,
		     const struct value *value, struct value *ret)
{
	struct value copy = VALUE_INIT;
	int r = 0;

	value_done(ret);
	ret->type = VALUE_LIST;
	if (value->type == VALUE_STRING) {
		r = value_copy(value, &copy);
		return r < 0 ? r : value_append(ret, &copy);
	}
	if (value->type != VALUE_LIST && value->type != VALUE_NULL)
		guild_reader_note(reader, value, "%s is a text or a list of texts", key);
	for (size_t i = 0; r == 0 && value->type == VALUE_LIST && i < value->list.n_items;
	     i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		r = value_encode_python(&value->list.items[i], &text);
		if (value->list.items[i].type == VALUE_STRING) {
			strbuf_reset(&text);
			r = strbuf_addstr(&text, value_str(&value->list.items[i]));
		}
		if (r == 0)
			r = value_string(&copy, strbuf_str(&text));
		if (r == 0)
			r = value_append(ret, &copy);
	}
	return r;
}

static int read_label(struct guild_reader *reader, const struct value *value)
{
	return expect_text(reader, "label", value)
		       ? store(reader, "label-template", value)
		       : 0;
}

static int read_tags(struct guild_reader *reader, const struct value *value)
{
	return read_list(reader, "tags", value, &reader->operation->tags);
}

static int read_env_secrets(struct guild_reader *reader, const struct value *value)
{
	return read_list(reader, "env-secrets", value, &reader->operation->env_secrets);
}

/* The names of Guild's own attributes, which an operation may not set (1.6). */
static bool is_reserved(struct str name)
{
	static const char *const names[] = {
		"id",
		"initialized",
		"cmd",
		"label",
		"tags",
		"comments",
		"trials",
		"flags",
		"user_flags",
		"run_params",
		"random_seed",
		"max_trials",
		"objective",
		"op",
		"host",
		"user",
		"platform",
		"plugins",
		"steps",
		"stage_trials",
		"opdef_attrs",
		"deps",
		"pip_freeze",
		"sourcecode_digest",
		"vcs_commit",
		"started",
		"env",
		"exit_status",
		"stopped",
		"marked",
		"compare",
		OPERATION_FLAG_DEFS,
		OPERATION_ENV_SECRETS,
		RENDERING_TEMPLATE,
		OPERATION_SOURCE,
		"sourcecode_warnings",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return false;
}

static int read_run_attr(struct guild_reader *reader, const struct value_pair *pair)
{
	struct str name = value_str(&pair->key);
	struct value copy = VALUE_INIT;
	int r;

	if (name.len == 0 || is_reserved(name))
		return strbuf_addf(&reader->remarks,
				   "run-attrs: %s is reserved, and is not set.\n",
				   name.len > 0 ? name.data : "what is no text");
	r = value_copy(&pair->value, &copy);
	return r < 0 ? r : value_put(&reader->operation->run_attrs, name, &copy);
}

static int read_run_attrs(struct guild_reader *reader, const struct value *value)
{
	int r = 0;

	if (value->type == VALUE_NULL)
		return 0;
	if (value->type != VALUE_MAP) {
		guild_reader_note(reader, value,
				  "run-attrs is a map: write NAME: VALUE lines");
		return 0;
	}
	value_done(&reader->operation->run_attrs);
	reader->operation->run_attrs.type = VALUE_MAP;
	for (size_t i = 0; r == 0 && i < value->map.n_pairs; i++)
		r = read_run_attr(reader, &value->map.pairs[i]);
	return r;
}

static int read_python_requires(struct guild_reader *reader, const struct value *value)
{
	return expect_text(reader, "python-requires", value)
		       ? store(reader, "python-requires", value)
		       : 0;
}

static int read_delete_on_success(struct guild_reader *reader, const struct value *value)
{
	return expect_bool(reader, "delete-on-success", value)
		       ? store(reader, "delete-on-success", value)
		       : 0;
}

static int read_default(struct guild_reader *reader, const struct value *value)
{
	if (!expect_bool(reader, "default", value) || !value->boolean)
		return 0;
	return strbuf_adds(&reader->remarks,
			   "default: it is what Guild runs where none is named.\n");
}

static int read_stoppable(struct guild_reader *reader, const struct value *value)
{
	if (!expect_bool(reader, "stoppable", value) || !value->boolean)
		return 0;
	return strbuf_adds(&reader->remarks,
			   "stoppable: to stop it is no failure; its status is"
			   " terminated.\n");
}

static int set_env(struct guild_reader *reader, const char *name, struct str text)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r
		     : value_put(&reader->definition.more_env, str_from(name), &value);
}

static int read_interrupt(struct guild_reader *reader, const struct value *value)
{
	return expect_bool(reader, "handle-keyboard-interrupt", value) && value->boolean
		       ? set_env(reader, "HANDLE_KEYBOARD_INTERRUPT", STR("1"))
		       : 0;
}

/* The texts of @list with @separator between them. */
static int join(const struct value *list, char separator, struct strbuf *ret)
{
	for (size_t i = 0; i < list->list.n_items; i++) {
		if (i > 0)
			strbuf_addc(ret, separator);
		strbuf_addstr(ret, value_str(&list->list.items[i]));
	}
	return strbuf_error(ret);
}

static int read_python_path(struct guild_reader *reader, const struct value *value)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = read_list(reader, "python-path", value, &list);

	if (r == 0)
		r = join(&list, ':', &text);
	if (r < 0 || text.len == 0)
		return r;
	reader->definition.python_path = strbuf_take(&text);
	return reader->definition.python_path ? 0 : -ENOMEM;
}

/* `no` and [] are none, a list those; all, and yes, what there is anyway. */
static int read_plugins(struct guild_reader *reader, const struct value *value)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = 0;

	if (value->type == VALUE_NULL || value_is_string(value, "all") ||
	    (value->type == VALUE_BOOL && value->boolean))
		return 0;
	if (value->type != VALUE_BOOL)
		r = read_list(reader, "plugins", value, &list);
	if (r == 0 && list.type == VALUE_LIST)
		r = join(&list, ',', &text);
	if (r < 0)
		return r;
	free(reader->definition.plugins);
	reader->definition.plugins = strdup(strbuf_cstr(&text));
	return reader->definition.plugins ? 0 : -ENOMEM;
}

static int read_pip_freeze(struct guild_reader *reader, const struct value *value)
{
	if (expect_bool(reader, "pip-freeze", value))
		reader->operation->no_pip_freeze = !value->boolean;
	return 0;
}

/* Each key, and who reads it; what has no reader can't be run here, or is Guild's own. */
static const struct {
	const char *name;
	int (*read)(struct guild_reader *reader, const struct value *value);
	const char *refusal;
	const char *remark;
} keys[] = {
	{ "description", read_description },
	{ "env", read_env },
	{ "env-secrets", read_env_secrets },
	{ "output-scalars", read_output_scalars },
	{ "output-attrs", read_output_attrs },
	{ "flags-dest", read_flags_dest },
	{ "label", read_label },
	{ "tags", read_tags },
	{ "run-attrs", read_run_attrs },
	{ "python-requires", read_python_requires },
	{ "python-path", read_python_path },
	{ "plugins", read_plugins },
	{ "pip-freeze", read_pip_freeze },
	{ "delete-on-success", read_delete_on_success },
	{ "default", read_default },
	{ "stoppable", read_stoppable },
	{ "handle-keyboard-interrupt", read_interrupt },
	{ "steps", NULL, "runs several operations: start them one by one, or use Guild" },
	{ "requires", NULL,
	  "names files that it needs: copy them to the project and"
	  " remove it, or use Guild" },
	{ "notebook", NULL, "runs a notebook: make a script of it, or use Guild" },
	{ "flag-encoder", NULL, "changes flags by Guild's Python: use Guild" },
	{ "compare", NULL, NULL, "columns of guild compare" },
	{ "objective", NULL, NULL, "for Guild's batches" },
	{ "optimizer", NULL, NULL, "for Guild's batches" },
	{ "optimizers", NULL, NULL, "for Guild's batches" },
	{ "default-max-trials", NULL, NULL, "for Guild's batches" },
	{ "can-stage-trials", NULL, NULL, "for Guild's batches" },
	{ "publish", NULL, NULL, "for guild publish" },
	{ "disable-plugins", NULL, NULL, "for Guild's plugins" },
};

/* The command that an operation has anyway goes before its steps, as for Guild (5.2). */
static bool has_command(const struct value *body)
{
	const struct value *exec = value_get(body, "exec");
	const struct value *main = value_get(body, "main");

	return (exec && !value_is_false(exec)) || (main && !value_is_false(main));
}

static int refuse_key(struct guild_reader *reader, const struct value *name,
		      const struct value *value, const char *refusal)
{
	if (value_is_false(value))
		return 0;
	if (value_is_string(name, "steps") && has_command(reader->place->body))
		return strbuf_adds(&reader->remarks,
				   "steps: exec and main go before it; it has no effect"
				   " here.\n");
	guild_reader_note(reader, name, "'%s' is not supported: it %s",
			  value_str(name).data, refusal);
	return 0;
}

int guild_reader_key(struct guild_reader *reader, const struct value *name,
		     const struct value *value)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!value_is_string(name, keys[i].name))
			continue;
		if (keys[i].read)
			return keys[i].read(reader, value);
		if (keys[i].remark)
			return strbuf_addf(&reader->remarks,
					   "%s: %s; it has no effect"
					   " here.\n",
					   keys[i].name, keys[i].remark);
		return refuse_key(reader, name, value, keys[i].refusal);
	}
	guild_reader_note(reader, name->line ? name : value,
			  "'%s' is not supported: remove it",
			  name->type == VALUE_STRING ? value_str(name).data : "?");
	return 0;
}
